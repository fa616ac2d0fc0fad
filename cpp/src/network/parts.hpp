// Flows as the solver sees them: parts with paths, capacities, weights.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "network/max_min.hpp"
#include "network/plan.hpp"

namespace ampacity::network {

/// Every part (queue pair) of every flow with its path.
struct Parts {
  Paths paths;
  std::vector<double> latency_s;
  std::vector<std::uint8_t> reachable;
  std::vector<double> caps_bytes_per_s;  ///< of links that only one flow has, numbered behind those of the network
  std::size_t per_flow = 1;              ///< part p belongs to flow p / per_flow
};

/// Batches that a flow is followed through at most: beyond, their paths average out.
inline constexpr double most_batches = 64;

/// How flows are split: into parts that run beside each other, and each of these into batches that follow each other.
/// Part p of a flow is batch p % batches of its stream p / batches.
struct Split {
  std::size_t streams = 1;
  std::size_t batches = 1;

  [[nodiscard]] std::size_t per_flow() const { return streams * batches; }
};
[[nodiscard]] Split split_of(const Network::Plan& plan, const Flows& flows, const FlowRules& rules);

[[nodiscard]] Parts parts_of(const Network::Plan& plan, const Flows& flows, const FlowRules& rules, Split split);

/// Rate of every link, trunks and caps included.
[[nodiscard]] std::vector<double> capacities_of(const Network::Plan& plan, const Parts& parts);
/// Weight of every part in sharing links.
[[nodiscard]] std::vector<double> weights_of(const Parts& parts, const Flows& flows, const FlowRules& rules);
/// Spreads what trunks carried over the cables that are left of them, and drops trunks and caps.
void spread_trunks(const Network::Plan& plan, std::vector<double>& per_link);

}  // namespace ampacity::network
