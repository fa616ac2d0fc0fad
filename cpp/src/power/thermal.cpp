#include "power/thermal.hpp"

namespace ampacity::power {
namespace {

/// Die over inlet at the power limit (heat sinks are made for a temperature, not for watts, so a device of another
/// limit has the same rise), time constant, and preheating.
struct Kind {
  double rise_c;
  double time_constant_s;
  double preheat_c;
};
// Under load 8 H100 were at 54 to 72 degrees in air and at 41 to 50 on cold plates (Latif et al., arXiv:2507.16781);
// with inlets of 24 and 28 degrees (estimates) their means are 39 and 18 degrees above. Rear accelerators take the air
// of front ones: four times 700 W into the 0.37 m3/s of their share of a DGX H100's 1,105 CFM. Time constant:
// resistance times the heat capacity of about 1.5 kg of fins and vapour chamber (0.8 kJ/K), or of 0.7 kg of cold plate
// (0.3 kJ/K): estimates.
constexpr Kind air{39, 45, 7};
constexpr Kind liquid{18, 8, 3};

}  // namespace

Cooler cooler_of(const Node& node, const Site& site) {
  const bool in_air = node.cooling == Cooling::air;
  const Kind& kind = in_air ? air : liquid;
  Cooler cooler;
  cooler.resistance_c_per_w =
      node.thermal_resistance_c_per_w > 0 ? node.thermal_resistance_c_per_w : kind.rise_c / node.accelerator.tdp_w;
  cooler.time_constant_s = node.thermal_time_constant_s > 0 ? node.thermal_time_constant_s : kind.time_constant_s;
  cooler.design_inlet_c = in_air ? Site::design_air_c : Site::design_liquid_c;
  cooler.supply_c = in_air ? site.air_inlet_c() : site.liquid_inlet_c();
  cooler.rack_spread_c = in_air ? site.air_spread_c : site.liquid_spread_c;
  cooler.preheat_c = kind.preheat_c;
  return cooler;
}

}  // namespace ampacity::power
