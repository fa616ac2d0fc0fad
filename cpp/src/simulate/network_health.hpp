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

/// The network of the cluster as it is during the step. `card_fraction`: rate of an accelerator's share of the network
/// cards over that of the fabric's cables.
/// \throws InvalidSpec naming links and tiers that the network does not have
[[nodiscard]] Network network_of(const Cluster& cluster, const SimulateOptions& options, double card_fraction);

/// \throws InvalidSpec: there is nothing that could fail
[[noreturn]] void throw_no_links(const Cluster& cluster);

/// \throws Infeasible naming what failures have cut off, where they have
void check_cut_off(const Network& network, const network::GroupPaces& paces);

}  // namespace ampacity::simulation
