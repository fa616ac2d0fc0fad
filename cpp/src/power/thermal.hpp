// How the heat of an accelerator leaves it, and how warm what takes it up is.
#pragma once

#include "ampacity/node.hpp"
#include "ampacity/site.hpp"

namespace ampacity::power {

/// The way of an accelerator's heat: from the die through heat sink or cold plate into air or liquid.
struct Cooler {
  double resistance_c_per_w = 0;  ///< die over inlet
  double time_constant_s = 0;
  double design_inlet_c = 0;  ///< at which the kernels of device families are stated
  double supply_c = 0;        ///< mean inlet at this site
  double rack_spread_c = 0;   ///< standard deviation between racks
  double preheat_c = 0;       ///< what the last accelerators along the stream find over the first
};
[[nodiscard]] Cooler cooler_of(const Node& node, const Site& site);

}  // namespace ampacity::power
