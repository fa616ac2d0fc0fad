// The network of a simulated step: what of it has failed or runs at less than its rate.
#pragma once

#include <cstdint>
#include <vector>

#include "ampacity/error.hpp"
#include "ampacity/network.hpp"
#include "ampacity/simulate.hpp"
#include "network/streams.hpp"

namespace ampacity::simulation {

/// Adds everything that is wrong with it.
void check_health(const NetworkHealth& health, std::int64_t devices, std::vector<Problem>& problems);

/// What is left of the cables of an endpoint.
struct CardHealth {
  std::uint32_t endpoint = 0;
  double fraction = 1;
};
/// A network as it is during the step.
/// \throws InvalidSpec naming links and tiers that the network does not have
[[nodiscard]] Network network_of(const Network& whole, const SimulateOptions& options,
                                 const std::vector<CardHealth>& cards);

/// \throws InvalidSpec: the links of this fabric or job are not simulated, so nothing could fail
[[noreturn]] void throw_no_links(const Cluster& cluster);

/// \throws Infeasible naming what failures have cut off, where they have
void check_cut_off(const Network& network, const network::GroupPaces& paces);

}  // namespace ampacity::simulation
