#include "power/cooling.hpp"

#include <algorithm>
#include <cmath>

#include "power/psychrometrics.hpp"

namespace ampacity::power {
namespace {

constexpr double kKelvin = 273.15;
constexpr double kEvaporationJPerKg = 2.45e6;  // at 21 C (ASHRAE Handbook Fundamentals 2017, chapter 1); 1 kg = 1 l
// A tower evaporates 0.00085 of its flow per degree Fahrenheit of range (Perry's Chemical Engineers' Handbook; SPX,
// "Cooling tower fundamentals"), where 1/1045 would carry all heat away: the rest warms the air.
constexpr double kTowerLatentShare = 0.89;
// Evaporating temperature of a chiller below the water that it makes (flooded evaporators).
constexpr double kEvaporatorApproachC = 2;

double cube_of_speed(double flow, double floor) {
  const double speed = std::max(flow, floor);
  return speed * speed * speed;
}

/// What the weather offers: the temperature that coolers draw on with the least water that will do.
double source_c(const CoolingLoop& loop, const Air& air) {
  if (loop.rejection == HeatRejection::tower) return air.wet_bulb_c;
  if (loop.rejection == HeatRejection::dry) return air.dry_bulb_c;
  const double wetted_c = air.dry_bulb_c - loop.spray_effectiveness_fraction * (air.dry_bulb_c - air.wet_bulb_c);
  return std::max(wetted_c, std::min(air.dry_bulb_c, loop.supply_c - loop.approach_c));
}

/// Water that keeps the halls' air from drying out, kg/s. Return air is mixed in so that the supply is not too cold:
/// fresh air is what carries the heat from the outside's temperature to the return's.
double humidifying_kg_per_s(const CoolingLoop& loop, double heat_w, const Air& air) {
  constexpr double kAirJPerKgK = 1006;
  constexpr double kSeaLevelPa = 101325;
  if (loop.least_dew_point_c <= -90) return 0;
  const double lacking = ratio_of_dew_point(loop.least_dew_point_c, kSeaLevelPa) -
                         ratio_of_wet_bulb(air.dry_bulb_c, air.wet_bulb_c, kSeaLevelPa);
  if (lacking <= 0) return 0;
  const double fresh_rise_c = std::max(loop.supply_c + loop.rise_c - air.dry_bulb_c, loop.rise_c);
  return heat_w / (kAirJPerKgK * fresh_rise_c) * lacking;
}

double chiller_cop(const CoolingLoop& loop, const Air& air) {
  const double condensing_c =
      (loop.rejection == HeatRejection::tower ? air.wet_bulb_c : air.dry_bulb_c) + loop.chiller_lift_c;
  const double evaporating_c = loop.supply_c - kEvaporatorApproachC;
  const double lift_c = condensing_c - evaporating_c;
  if (lift_c <= 0) return loop.chiller_cop_max;
  return std::min(loop.chiller_carnot_fraction * (evaporating_c + kKelvin) / lift_c, loop.chiller_cop_max);
}

}  // namespace

LoopPower loop_power(const CoolingLoop& loop, double heat_w, double design_w, const Air& air,
                     double concentration_cycles) {
  LoopPower power;
  if (heat_w <= 0 || design_w <= 0) return power;
  const double load = heat_w / design_w;
  // Flow follows heat, so the rise is that of the design; fans and pumps follow the cube of flow (affinity laws).
  power.terminal_fans_w = loop.terminal_fan_fraction * design_w * cube_of_speed(load, loop.fan_floor_fraction);
  power.pumps_w = loop.pump_fraction * design_w * cube_of_speed(load, loop.pump_floor_fraction);

  // The approach shrinks with the heat, as with any exchanger of constant surface.
  const double reached_c = source_c(loop, air) + loop.approach_c * load;
  // Share of the heat that the weather cannot take: coolers bring the return down to `reached_c` and chillers from
  // there.
  const double share = loop.economiser ? std::clamp((reached_c - loop.supply_c) / loop.rise_c, 0.0, 1.0) : 1.0;
  const double chilled = std::min(share, loop.chiller_fraction);
  power.excess_c = (share - chilled) * loop.rise_c;
  power.chillers_w = chilled * heat_w / chiller_cop(loop, air);

  // Heat leaves in proportion to air flow and to the distance of the return from the weather; full flow at the design.
  const double driving_c = loop.supply_c + loop.rise_c - source_c(loop, air);
  const double designed_c = loop.rise_c + loop.approach_c;
  const double rejected_w = heat_w + power.chillers_w;
  const double flow = driving_c > 0 ? std::min(rejected_w / design_w * designed_c / driving_c, 1.0) : 1.0;
  const double fans = cube_of_speed(flow, loop.fan_floor_fraction);
  power.rejection_fans_w = loop.rejection_fan_fraction * design_w * fans;

  double evaporated_w = 0;
  if (loop.rejection == HeatRejection::tower) {
    evaporated_w = kTowerLatentShare * rejected_w;
  } else if (loop.rejection == HeatRejection::adiabatic) {
    // The coolers' air takes the heat at the loop's rise; wetting cools the same air.
    evaporated_w = rejected_w * std::max(air.dry_bulb_c - source_c(loop, air), 0.0) / loop.rise_c;
  }
  const double drained = 1 + 1 / (concentration_cycles - 1);
  power.water_l_per_s = (evaporated_w / kEvaporationJPerKg + humidifying_kg_per_s(loop, heat_w, air)) * drained;
  return power;
}

}  // namespace ampacity::power
