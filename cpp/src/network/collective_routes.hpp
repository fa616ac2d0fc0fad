// Where the flows of collectives run: every part of every flow of every group, with its path.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ampacity/communication.hpp"
#include "network/collective_steps.hpp"
#include "network/max_min.hpp"
#include "network/parts.hpp"

namespace ampacity::network {

/// Where the flows of one step of one collective lie: group by group, flow by flow, part by part.
struct Block {
  std::uint32_t first = 0;
  std::uint32_t each = 0;  ///< of one group
};

/// Paths are over links numbered anew, only those that are used.
struct Traffic {
  std::vector<Program> programs;
  std::vector<std::vector<Block>> blocks;
  std::vector<std::uint32_t> first_group;  ///< of every collective
  Paths paths;
  std::vector<std::uint32_t> group_of;
  std::vector<double> latency_s;
  std::vector<std::uint8_t> reachable;
  std::vector<std::uint32_t> links;  ///< as the network numbers them
  std::uint32_t groups = 0;
  Split split;  ///< of every flow

  [[nodiscard]] std::uint32_t parts() const { return static_cast<std::uint32_t>(split.per_flow()); }
};

/// Collectives that have been checked, with their levels.
[[nodiscard]] Traffic routed(const Network::Plan& plan, std::span<const Collective> collectives,
                             const std::vector<std::vector<std::int64_t>>& levels, const FlowRules& rules);

}  // namespace ampacity::network
