// What a step sends over the network between scale-up domains: streams of all groups on the real links, and how much
// longer each group takes than with the network to itself.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
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
  std::int64_t messages = 0;  ///< of one device in a step
  std::int32_t round = 0;     ///< pairs of one round send at once; no rank sends or receives twice in one
};

/// How long groups take over how long they would alone. Empty where no group crosses the network.
struct Paces {
  base::Large<float> slowdown;
  base::Large<std::uint32_t> link;  ///< that limits the group; `network::GroupPaces::no_link` where none does

  [[nodiscard]] float largest() const;
};

/// Everything that crosses the network in a step. Groups of one kind communicate all at once, as the closed form has
/// it too; kinds follow each other.
struct Traffic {
  std::optional<Network> network;  ///< none: the closed form's expectation stands for it
  bool exact = true;               ///< see `network::Streams::solve`
  std::array<Paces, kExchanges> within;
  std::vector<StagePair> pairs;
  Paces between;                                   ///< set by set, pair by pair
  Paces ends;                                      ///< rank by rank, device of a rank by device
  std::vector<std::array<std::int32_t, 2>> needs;  ///< of every slot: the pair that each of its messages belongs to
  /// The pairs whose pace a slot goes at: those, or where it waits for no message that of the one that it sends.
  std::vector<std::array<std::int32_t, 2>> pace;
  base::Large<double> link_bytes;      ///< of every link, trunks included
  base::Large<double> sent_bytes;      ///< of every device
  base::Large<double> received_bytes;  ///< of every device
};

/// Whether the links of a cluster's fabric are known: fat trees with or without rails.
[[nodiscard]] bool has_links(const Cluster& cluster);

/// Every link, expanded from what was kept of them.
[[nodiscard]] LinkColumns link_columns(const Traffic& traffic, double step_time_s);

/// What is asked; lives as long as `traffic_of` runs.
struct TrafficQuestion {
  const Training& job;
  const Cluster& cluster;
  const Layout& layout;
  const Accelerator& device;
  const network::Links& links;
  const Plan& plan;
  const Places& places;
  const SimulateOptions& options;
};
/// \throws Infeasible where failures cut devices off
[[nodiscard]] Traffic traffic_of(const TrafficQuestion& question);

}  // namespace ampacity::simulation
