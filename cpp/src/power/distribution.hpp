// Racks, rows, boards: how many, and how full.
#pragma once

#include <array>
#include <cstdint>
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

/// One level of the distribution and how many racks one of its breakers feeds.
struct Board {
  const char* name = "";
  double rating_w = 0;  ///< 0: that of its rack
  std::int64_t racks = 1;
};

/// The plant's levels, rack first. Boards are filled with children until the power that is provisioned for them
/// (nameplate x `provision_fraction`) reaches the rating; one that is too small for one child has one all the same.
[[nodiscard]] std::array<Board, 4> boards(const Plant& plant, double rack_nameplate_w);

/// What these boards carry; each kind of rack has its own rows.
[[nodiscard]] std::vector<StaticBreakerLoad> static_breaker_loads(const Plant& plant,
                                                                  const std::vector<RackGroup>& groups);

}  // namespace ampacity::power
