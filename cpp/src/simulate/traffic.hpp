// What a step sends over the network between scale-up domains: streams of all groups on the real links, and how much
// longer each group takes than with the network to itself.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "ampacity/network.hpp"
#include "ampacity/simulate.hpp"
#include "base/large.hpp"
#include "network/streams.hpp"
#include "simulate/plan.hpp"
#include "simulate/replicas.hpp"

namespace ampacity::simulation {

/// Communication within tasks, by what it is for.
enum class Exchange : std::size_t { tensor, context, experts, shards };
inline constexpr std::size_t kExchanges = 4;

/// Messages from one pipeline rank to another.
struct StagePair {
  std::int32_t from = 0;
  std::int32_t to = 0;
  std::int32_t round = 0;  ///< pairs of one round send at once; no rank sends or receives twice in one
};

/// How long groups take over how long they would alone, and how far they reach. Empty where none crosses the network.
struct Paces {
  base::Large<float> slowdown;
  base::Large<std::uint32_t> link;  ///< that limits the group; `network::GroupPaces::no_link` where none does
  std::vector<std::uint8_t> sites;  ///< that the group spans; empty where there is one site

  float largest = 1;  ///< of the slowdowns, and of the sites: known when all are
  std::uint8_t most_sites = 1;

  /// Of these and those known before.
  void keep_slowest(network::GroupPaces paces);
  void find_most();
  /// Whether any group takes longer than within a site and alone.
  [[nodiscard]] bool matter() const { return largest > 1 || most_sites > 1; }
  [[nodiscard]] bool far(std::size_t group) const { return !sites.empty() && sites[group] > 1; }
};

/// What the slots of one crew wait for, as pairs.
struct CrewMessages {
  std::vector<std::array<std::int32_t, 2>> needs;  ///< of every slot: the pair that each of its messages belongs to
  /// The pairs whose pace a slot goes at: those, or where it waits for no message that of the one that it sends.
  std::vector<std::array<std::int32_t, 2>> pace;
  std::vector<std::int64_t> messages;  ///< of every pair: of one device in a step
};

/// Everything that crosses the network in a step. Groups of one kind communicate all at once, as the closed form has
/// it too; kinds follow each other.
struct Traffic {
  std::optional<Network> network;  ///< none: the closed form's expectation stands for it
  bool exact = true;               ///< see `network::Streams::solve`
  std::array<Paces, kExchanges> within;
  std::vector<StagePair> pairs;
  std::vector<CrewMessages> crews;
  Paces between;                       ///< set by set, pair by pair
  Paces ends;                          ///< rank by rank, device of a rank by device
  base::Large<double> link_bytes;      ///< of every link, trunks included
  base::Large<double> sent_bytes;      ///< of every device
  base::Large<double> received_bytes;  ///< of every device
};

/// Whether the links of a cluster's fabric are known: fat trees with or without rails, dragonflies of both kinds (tori:
/// `is_on_torus`). `kinds` of its partitions are used: rails join equal nodes only.
[[nodiscard]] bool has_links(const Cluster& cluster, std::size_t kinds);

/// Every link, expanded from what was kept of them.
[[nodiscard]] LinkColumns link_columns(const Traffic& traffic, double step_time_s);

/// Sets of replicas that send the same.
struct TrafficCrew {
  const Training& job;  ///< with its number of micro-batches
  const Plan& plan;
  std::size_t first_set = 0;
  std::array<LinkedDevice, 2> tasks;   ///< what its front stages and its other stages communicate over
  std::array<LinkedDevice, 2> at_end;  ///< the same with other replicas at the end of the step

  [[nodiscard]] const LinkedDevice& front() const { return tasks[0]; }
  [[nodiscard]] const LinkedDevice& rest() const { return tasks[&tasks[0].device == &tasks[1].device ? 0 : 1]; }
  [[nodiscard]] const LinkedDevice& of(std::size_t rank) const { return tasks[plan.ranks[rank].front ? 0 : 1]; }
};

/// What is asked; lives as long as `traffic_of` runs.
struct TrafficQuestion {
  const Cluster& cluster;
  const Layout& layout;
  const Places& places;
  std::span<const TrafficCrew> crews;
  const SimulateOptions& options;

  [[nodiscard]] std::size_t crew_of(std::size_t set) const { return crew_of_set(crews, set); }
};
/// \throws Infeasible where failures cut devices off
[[nodiscard]] Traffic traffic_of(const TrafficQuestion& question);

}  // namespace ampacity::simulation
