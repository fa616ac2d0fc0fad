// What communication at the pace of crowded links, and light between sites, add to the tasks of a set and to the end of
// the step.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "simulate/plan.hpp"
#include "simulate/replicas.hpp"
#include "simulate/traffic.hpp"

namespace ampacity::simulation {

/// Slowdowns at which the closed form was asked; between two of them seconds are taken to be linear.
class Nodes {
 public:
  Nodes() = default;
  /// Every value that occurs, or where there are many as many from 1 to the largest.
  explicit Nodes(std::span<const float> slowdowns);

  struct Place {
    std::uint32_t below = 0;
    double share = 0;  ///< of the node above
  };
  [[nodiscard]] Place place_of(float slowdown) const;
  [[nodiscard]] std::span<const float> values() const { return values_; }

 private:
  std::vector<float> values_{1};
};

/// Extra seconds of every slot at every node, from the plan of the same job on a network at that pace.
struct SlotCurves {
  Nodes nodes;
  std::size_t slots = 0;
  std::vector<double> seconds;                  ///< node by node, slot by slot
  std::vector<std::array<double, 2>> delays_s;  ///< of the messages that a slot waits for; between stages only

  [[nodiscard]] double at(const Nodes::Place& place, std::size_t slot) const {
    const double* const row = seconds.data() + place.below * slots + slot;
    return place.share == 0 ? row[0] : row[0] + place.share * (row[slots] - row[0]);
  }
  [[nodiscard]] double delay_at(const Nodes::Place& place, std::size_t slot, std::size_t message) const {
    const std::array<double, 2>* const row = delays_s.data() + place.below * slots + slot;
    return place.share == 0 ? row[0][message] : row[0][message] + place.share * (row[slots][message] - row[0][message]);
  }
};

/// Those of one crew.
struct CrewCurves {
  const Plan* plan = nullptr;
  std::size_t first_set = 0;
  const CrewMessages* messages = nullptr;
  /// Within a site, and over several.
  std::array<std::array<SlotCurves, 2>, kExchanges> within;
  std::array<SlotCurves, 2> between;
  [[nodiscard]] const SlotCurves& between_of(const Paces& paces, std::size_t group) const {
    return between[paces.far(group) ? 1 : 0];
  }
  /// Of the front stages' devices and of the others, node by node; of groups within a site, and over several.
  std::array<std::array<std::vector<double>, 2>, 2> end_seconds;
};

class Slowed {
 public:
  Slowed() = default;
  Slowed(const TrafficQuestion& question, const Traffic& traffic);

  /// Whether anything takes longer.
  [[nodiscard]] bool any() const { return !sets_.empty() || longest_end_s_ > 0; }
  /// Whether any task of the set takes longer.
  [[nodiscard]] bool any_in(std::size_t set) const { return !sets_.empty() && sets_[set] != 0; }
  /// Extra seconds of all slots of a set, and of the messages that they wait for.
  void fill(std::size_t set, std::span<double> seconds, std::span<std::array<double, 2>> delays_s) const;

  /// The link that limits most of what a slot takes longer, and the one that limits a message that it waits for.
  [[nodiscard]] std::uint32_t link_of(std::size_t set, std::size_t slot) const;
  [[nodiscard]] std::uint32_t link_of_message(std::size_t set, std::size_t slot, std::size_t message) const;

  /// Extra seconds of the end of the step on a device; the step waits for the longest.
  [[nodiscard]] double end_s(std::size_t device) const;
  [[nodiscard]] double longest_end_s() const { return longest_end_s_; }
  [[nodiscard]] std::size_t last_device() const { return last_device_; }

 private:
  [[nodiscard]] const CrewCurves& of_set(std::size_t set) const;
  void add_crew(const TrafficQuestion& question, const TrafficCrew& crew);
  void find_longest_end(const Places& places);

  const Traffic* traffic_ = nullptr;
  Places places_;
  std::vector<CrewCurves> crews_;
  Nodes end_nodes_;
  bool slow_ends_ = false;
  double longest_end_s_ = 0;
  std::size_t last_device_ = 0;
  std::vector<std::uint8_t> sets_;
};

}  // namespace ampacity::simulation
