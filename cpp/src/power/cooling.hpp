// Cooling loops against the weather.
#pragma once

#include "ampacity/plant.hpp"
#include "power/weather.hpp"

namespace ampacity::power {

/// What one loop draws and evaporates.
struct LoopPower {
  double terminal_fans_w = 0;
  double pumps_w = 0;
  double rejection_fans_w = 0;
  double chillers_w = 0;
  double water_l_per_s = 0;
  double excess_c = 0;  ///< by how much the supply is warmer than it should be, because chillers are too few

  [[nodiscard]] double total_w() const { return terminal_fans_w + pumps_w + rejection_fans_w + chillers_w; }
};

/// Power of a loop that carries `heat_w` and is built for `design_w`. Never less in hotter or more humid air.
[[nodiscard]] LoopPower loop_power(const CoolingLoop& loop, double heat_w, double design_w, const Air& air,
                                   double concentration_cycles);

}  // namespace ampacity::power
