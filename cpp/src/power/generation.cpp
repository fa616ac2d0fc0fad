#include "power/generation.hpp"

#include <algorithm>

namespace ampacity::power {
namespace {

constexpr double kHourS = 3600;
constexpr double kJoulesPerMwh = 3.6e9;
constexpr double kFullSun = 1000;  // W/m2 at which solar modules are rated (IEC 60904-3)

/// Takes what it can of `left_w` from a source; a limit of 0 is none for the grid and nothing for a generator.
double take(double limit_w, double& left_w) {
  const double taken_w = std::min(limit_w, left_w);
  left_w -= taken_w;
  return taken_w;
}

}  // namespace

double add_hour(const Site& site, double load_w, double sun_w_per_m2, SupplyMix& mix) {
  const Generation& own = site.generation;
  double left_w = load_w;
  const double sun_w = own.solar_w * own.solar_performance_fraction * sun_w_per_m2 / kFullSun;
  const double solar_w = take(sun_w, left_w);
  const double grid_limit_w = site.power_limit_w > 0 ? site.power_limit_w : left_w;
  double gas_w = own.gas_first ? take(own.gas_w, left_w) : 0;
  const double grid_w = take(grid_limit_w, left_w);
  if (!own.gas_first) gas_w = take(own.gas_w, left_w);
  const double diesel_w = take(own.diesel_w, left_w);

  mix.solar_j += solar_w * kHourS;
  mix.solar_unused_j += (sun_w - solar_w) * kHourS;
  mix.grid_j += grid_w * kHourS;
  mix.gas_j += gas_w * kHourS;
  mix.diesel_j += diesel_w * kHourS;
  mix.unserved_j += left_w * kHourS;
  mix.unserved_hours += left_w > 0 ? 1 : 0;
  mix.grid_peak_w = std::max(mix.grid_peak_w, grid_w);
  return kHourS / kJoulesPerMwh *
         (grid_w * site.grid.carbon_kg_per_mwh + gas_w * own.gas_carbon_kg_per_mwh +
          diesel_w * own.diesel_carbon_kg_per_mwh);
}

void add_margins(const Site& site, double peak_w, SupplyMix& mix) {
  const Generation& own = site.generation;
  if (site.power_limit_w > 0) {
    mix.available_w = site.power_limit_w + own.gas_w + own.diesel_w;
    mix.shortage_w = std::max(peak_w - mix.available_w, 0.0);
  }
  if (own.battery_j > 0 && own.battery_w >= peak_w) mix.battery_s = own.battery_j / peak_w;
}

}  // namespace ampacity::power
