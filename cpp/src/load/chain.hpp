// The one place that says how watts of accelerators become those of the site within seconds.
#pragma once

#include <cstdint>

#include "ampacity/cluster.hpp"
#include "ampacity/load.hpp"

namespace ampacity::load {

/// About the operating point at which each accelerator draws `mean_w`: fans and hosts stay as they are there.
[[nodiscard]] LoadChain chain_of(const Cluster& cluster, std::int64_t accelerators, double mean_w);

}  // namespace ampacity::load
