// Sprayed streams on a dragonfly: direct while cables carry them, the rest over other groups and other switches.
#pragma once

#include <cstdint>
#include <vector>

#include "network/detours.hpp"
#include "network/dragonfly_places.hpp"
#include "network/plan.hpp"

namespace ampacity::network {

/// Told of all streams twice, by `add_between_groups` and after `settle_groups` by `add_within_groups`, it knows after
/// `settle_switches` what share of each goes direct, and how full the fullest cable out of and into every group and
/// switch then is. These four limit a stream, as one link each (`limits`, numbered behind all links of the network); on
/// which cables its bytes are is drawn, part by part.
class Adaptive {
 public:
  static constexpr std::uint32_t parts = 16;  ///< of every stream

  /// `bytes_per_s`: of a stream of demand 1.
  Adaptive(const Network::Plan& plan, double bytes_per_s);

  void add_between_groups(std::uint32_t source, std::uint32_t destination, double demand);
  void settle_groups();
  void add_within_groups(std::uint32_t source, std::uint32_t destination, double demand);
  void settle_switches();

  /// Limits come after the links of both endpoints, then the links of all parts; `whole` counts the former. False where
  /// failed links cut them off.
  bool route(std::uint32_t source, std::uint32_t destination, std::uint64_t flow, std::vector<std::uint32_t>& links,
             std::uint32_t& whole) const;

  [[nodiscard]] std::uint32_t limits() const { return 2 * (at_.groups + at_.groups * at_.switches); }
  /// Rate at which the streams that it is a limit of fill the fullest of its cables.
  [[nodiscard]] double limit_bytes_per_s(std::uint32_t limit) const { return limit_bytes_per_s_[limit - first_limit_]; }
  /// That cable.
  [[nodiscard]] std::uint32_t cable_of(std::uint32_t limit) const { return fullest_[limit - first_limit_]; }
  [[nodiscard]] bool is_limit(std::uint32_t link) const { return link >= first_limit_; }
  /// Whether a link's load, and not that of a limit, says how full it is: those of endpoints.
  [[nodiscard]] bool is_endpoint(std::uint32_t link) const { return link < at_.first_local(); }

 private:
  [[nodiscard]] std::uint32_t group_of(std::uint32_t endpoint) const { return endpoint / at_.hosts / at_.switches; }
  [[nodiscard]] bool alive(std::uint32_t link) const { return plan_.share.empty() || plan_.share[link] > 0; }
  [[nodiscard]] double capacity(std::uint32_t link) const { return plan_.bytes_per_s(link) / bytes_per_s_; }
  /// Limits out of and into groups, then out of and into switches; both kinds one way first.
  [[nodiscard]] std::uint32_t limit(bool into, bool of_switch, std::uint32_t index) const;
  void set_limit(std::uint32_t limit, double streams, double use, std::uint32_t cable);
  void set_group_limits(const Detours& found);
  void set_switch_limits(std::uint32_t group, const Detours& found);
  void add_transit();
  void add_local(std::uint32_t from, std::uint32_t to, double demand);
  bool cross(std::uint32_t from, std::uint32_t to, std::uint64_t hash, std::vector<std::uint32_t>& links) const;
  bool hop(std::uint32_t from, std::uint32_t to, bool direct, std::uint64_t hash,
           std::vector<std::uint32_t>& links) const;
  bool direct(std::uint32_t from, std::uint32_t to, std::uint32_t cable, std::uint64_t hash,
              std::vector<std::uint32_t>& links) const;
  bool over(std::uint32_t from, std::uint32_t to, std::uint32_t third, std::uint64_t hash,
            std::vector<std::uint32_t>& links) const;
  [[nodiscard]] std::uint32_t alive_cable(std::uint32_t here, std::uint32_t there, std::uint64_t hash) const;

  const Network::Plan& plan_;
  const DragonflyPlaces& at_;
  double bytes_per_s_;
  std::uint32_t first_limit_;
  JoinedNodes groups_;                 // demands in streams, capacities as well
  std::vector<JoinedNodes> switches_;  // of every group
  std::vector<double> leaving_;        // streams of every switch, of its endpoints to others
  std::vector<double> entering_;
  std::vector<double> cables_at_;  // working cables between groups, of every switch
  std::vector<double> direct_groups_;
  std::vector<std::vector<double>> direct_switches_;
  std::vector<double> limit_bytes_per_s_;
  std::vector<std::uint32_t> fullest_;
};

}  // namespace ampacity::network
