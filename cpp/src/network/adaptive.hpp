// Sprayed streams on dragonflies of both kinds: direct while cables carry them, the rest over other groups.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "network/detours.hpp"
#include "network/plan.hpp"

namespace ampacity::network {

/// Told of all streams twice, by `add_between_groups` and after `settle_groups` by `add_within_groups`, it knows after
/// `settle_switches` what share of each goes direct, and how full the fullest cable out of and into every group and
/// switch then is. These four limit a stream, as one link each (`limits`, numbered behind all links of the network); on
/// which cables its bytes are is drawn, part by part.
class Adaptive {
 public:
  static constexpr std::uint32_t parts = 16;  ///< of every stream

  Adaptive(const Adaptive&) = delete;
  Adaptive& operator=(const Adaptive&) = delete;
  virtual ~Adaptive() = default;

  void add_between_groups(std::uint32_t source, std::uint32_t destination, double demand);
  virtual void settle_groups() = 0;
  virtual void add_within_groups(std::uint32_t source, std::uint32_t destination, double demand) = 0;
  virtual void settle_switches() = 0;

  /// Limits come after the links of both endpoints, then the links of all parts; `whole` counts the former. False where
  /// failed links cut them off.
  bool route(std::uint32_t source, std::uint32_t destination, std::uint64_t flow, std::vector<std::uint32_t>& links,
             std::uint32_t& whole) const;

  [[nodiscard]] std::size_t limits() const { return limit_bytes_per_s_.size(); }
  /// Rate at which the streams that it is a limit of fill the fullest of its cables.
  [[nodiscard]] double limit_bytes_per_s(std::uint32_t limit) const { return limit_bytes_per_s_[limit - first_limit_]; }
  /// That cable.
  [[nodiscard]] std::uint32_t cable_of(std::uint32_t limit) const { return fullest_[limit - first_limit_]; }
  [[nodiscard]] bool is_limit(std::uint32_t link) const { return link >= first_limit_; }
  /// Whether a link's load, and not that of a limit, says how full it is: those of endpoints.
  [[nodiscard]] bool is_endpoint(std::uint32_t link) const { return link < shape_.first_local; }

 protected:
  /// What both kinds have: groups, switches that endpoints are plugged into, endpoints.
  struct Shape {
    std::uint32_t groups = 1;
    std::uint32_t switches = 1;  ///< of a group
    std::uint32_t hosts = 1;     ///< endpoints of a switch
    std::uint32_t first_local = 0;
  };
  /// `bytes_per_s`: of a stream of demand 1.
  Adaptive(const Network::Plan& plan, double bytes_per_s, const Shape& shape);

  /// From one switch to another.
  virtual bool add_part(std::uint32_t from, std::uint32_t to, std::uint64_t hash,
                        std::vector<std::uint32_t>& links) const = 0;
  /// `cable(g, h)`: one from group g to h.
  void settle_groups(const std::function<std::uint32_t(std::uint32_t, std::uint32_t)>& cable);
  /// Streams that cross each group on their way to others.
  [[nodiscard]] std::vector<double> transit() const;
  /// Limits out of and into groups, then out of and into switches; both kinds one way first.
  [[nodiscard]] std::uint32_t limit(bool into, bool of_switch, std::uint32_t index) const;
  void set_limit(std::uint32_t limit, double streams, double use, std::uint32_t cable);
  [[nodiscard]] std::uint32_t group_of(std::uint32_t endpoint) const {
    return endpoint / shape_.hosts / shape_.switches;
  }
  [[nodiscard]] bool alive(std::uint32_t link) const { return plan_.share.empty() || plan_.share[link] > 0; }
  [[nodiscard]] double capacity(std::uint32_t link) const { return plan_.bytes_per_s(link) / bytes_per_s_; }

  const Network::Plan& plan_;
  Shape shape_;
  double bytes_per_s_;
  std::uint32_t first_limit_;
  JoinedNodes groups_;  // demands in streams, capacities as well
  std::vector<double> direct_groups_;
  std::vector<double> leaving_;  // streams of every switch, of its endpoints to others
  std::vector<double> entering_;
  std::vector<double> limit_bytes_per_s_;
  std::vector<std::uint32_t> fullest_;
};

/// None on other networks.
[[nodiscard]] std::unique_ptr<Adaptive> adaptive_for(const Network::Plan& plan, double bytes_per_s);
[[nodiscard]] std::unique_ptr<Adaptive> adaptive_on_dragonfly(const Network::Plan& plan, double bytes_per_s);
[[nodiscard]] std::unique_ptr<Adaptive> adaptive_on_dragonfly_plus(const Network::Plan& plan, double bytes_per_s);

/// A network of that many nodes without links.
[[nodiscard]] JoinedNodes joined_nodes(std::size_t nodes);

}  // namespace ampacity::network
