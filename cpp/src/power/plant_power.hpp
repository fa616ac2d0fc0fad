// What a plant adds to IT power in one hour.
#pragma once

#include "ampacity/cluster.hpp"
#include "power/conversion.hpp"
#include "power/cooling.hpp"

namespace ampacity::power {

/// IT power and what the plant is built for.
struct PlantLoad {
  double it_w = 0;
  double liquid_fraction = 0;  ///< share of its heat that liquid takes
  double provisioned_w = 0;    ///< IT power that the plant is built for
};

/// All that a site draws beside its IT equipment.
struct PlantPower {
  Conversion conversion;
  LoopPower air;
  LoopPower liquid;
  double other_w = 0;

  [[nodiscard]] double total_w() const {
    return conversion.busway_w + conversion.ups_w + conversion.transformer_w + conversion.substation_w + air.total_w() +
           liquid.total_w() + other_w;
  }
  [[nodiscard]] double water_l_per_s() const { return air.water_l_per_s + liquid.water_l_per_s; }
};

[[nodiscard]] PlantPower plant_power(const Plant& plant, const PlantLoad& load, const Air& air);

/// Share of the heat of a cluster's IT equipment that liquid takes, all accelerators at their power limit.
[[nodiscard]] double liquid_fraction(const Cluster& cluster);

/// PUE and water of a site: published, or by plant and climate.
struct Overhead {
  double pue_mean = 1;
  double pue_peak = 1;
  double water_l_per_kwh = 0;
};

/// Whether plant and climate say the overhead, not published figures.
[[nodiscard]] bool is_modelled(const Site& site);

/// Overhead of IT power that is `mean_share` and `peak_share` of the nameplate. By the model it is the mean of every
/// 121st hour (all hours of the day in turn, six in each month): tens of microseconds.
[[nodiscard]] Overhead overhead(const Cluster& cluster, double mean_share, double peak_share);

}  // namespace ampacity::power
