// Racks, rows, boards: how many, and how full.
#pragma once

#include <vector>

#include "ampacity/cluster.hpp"
#include "ampacity/site_power.hpp"

namespace ampacity::power {

/// Equal racks.
struct RackGroup {
  double racks = 0;
  double mean_w = 0;  ///< of one
  double peak_w = 0;
  double nameplate_w = 0;
};

/// Breakers of all levels, rack first. Boards are filled with children until the power that is provisioned for them
/// (nameplate x `provision_fraction`) reaches the rating; each kind of rack has its own rows.
[[nodiscard]] std::vector<BreakerLoading> breaker_levels(const Plant& plant, const std::vector<RackGroup>& groups);

}  // namespace ampacity::power
