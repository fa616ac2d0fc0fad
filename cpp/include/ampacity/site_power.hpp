// `site_power`: from the accelerators of a cluster to the grid, hour by hour of a weather year.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ampacity/cluster.hpp"

namespace ampacity {

/// Hours of a year, the first at midnight of January 1st, local standard time.
struct Weather {
  std::vector<double> dry_bulb_c;
  std::vector<double> wet_bulb_c;
};

/// Weather that a climate's monthly means imply: the same for every call. Between months it is interpolated, over a day
/// it is a cosine with its maximum at 15:00, from day to day it varies with the months' deviations.
[[nodiscard]] Weather weather_year(const Climate& climate);

/// A weather year from measured hours. \throws InvalidSpec naming the first value that is wrong, and what is
[[nodiscard]] Weather weather_of(std::vector<double> dry_bulb_c, std::vector<double> wet_bulb_c);
/// The same from relative humidity (0 to 1) at that height above the sea. \throws InvalidSpec
[[nodiscard]] Weather weather_of_humidity(std::vector<double> dry_bulb_c,
                                          const std::vector<double>& relative_humidity_fraction,
                                          double elevation_m = 0);

/// Thermodynamic wet-bulb temperature of air at that dry bulb and relative humidity (0 to 1).
[[nodiscard]] double wet_bulb_c(double dry_bulb_c, double relative_humidity_fraction, double elevation_m = 0);

/// What to compute.
struct SitePowerOptions {
  /// Power cap of every accelerator; 0: its own limit. Never above that.
  double device_limit_w = 0;
  /// Mean watts of an accelerator; 0: `load_fraction` of its limit. Never above the limit.
  double device_mean_w = 0;
  /// Mean over limit in training: 0.80 to 0.90 with stalls and checkpoints (MLPerf v4.0 power logs: 0.905 without).
  double load_fraction = 0.85;
  /// Hours to use instead of the site's climate.
  Weather weather;
};

/// One entry of the power tree. Children add up to their parent, in every column.
struct PowerItem {
  std::string level;         ///< site, conversion, cooling, it, rack, node, device
  std::string name;          ///< unique in the tree
  std::int64_t parent = -1;  ///< position in the tree; -1: the root
  double count = 1;          ///< how many of them
  double mean_w = 0;         ///< mean of the year at the mean load
  double peak_w = 0;         ///< every accelerator at its power limit or cap in the hottest hour
  double nameplate_w = 0;    ///< every device at its rating in the hottest hour
};

/// Breakers of one level against steady loads of the whole site: mean, peak and nameplate, each rack of a kind alike;
/// loads are those of the fullest. What a job's steps do to them from second to second: `DynamicBreakerLoad`.
struct StaticBreakerLoad {
  std::string level;  ///< rack, row panel, switch board, main board
  std::int64_t count = 0;
  double rating_w = 0;
  double mean_w = 0;
  double peak_w = 0;
  double nameplate_w = 0;
  std::int64_t overloaded_mean = 0;  ///< breakers whose rating that load passes
  std::int64_t overloaded_peak = 0;
  std::int64_t overloaded_nameplate = 0;
};
using BreakerLoading = StaticBreakerLoad;  ///< earlier name

/// Where a year's energy comes from.
struct SupplyMix {
  double grid_j = 0;
  double gas_j = 0;
  double diesel_j = 0;
  double solar_j = 0;
  double solar_unused_j = 0;
  double unserved_j = 0;  ///< more than all sources together give
  double unserved_hours = 0;
  double grid_peak_w = 0;
  double available_w = 0;  ///< grid limit and generators, without sun; 0 = no limit is known
  double shortage_w = 0;   ///< facility peak beyond that
  double battery_s = 0;    ///< how long the batteries carry the facility's peak
};

/// Power of a site whose whole cluster works.
struct SitePower {
  std::vector<PowerItem> tree;
  std::vector<StaticBreakerLoad> breakers;
  std::int64_t halls = 0;
  std::int64_t buildings = 0;
  double it_mean_w = 0;
  double it_peak_w = 0;
  double it_nameplate_w = 0;
  double facility_mean_w = 0;
  double facility_peak_w = 0;
  double facility_nameplate_w = 0;
  double pue_mean = 0;
  double pue_peak = 0;
  double pue_nameplate = 0;
  double pue_lowest = 0;   ///< of any hour
  double pue_highest = 0;  ///< of any hour, at the mean load
  double wue_l_per_kwh = 0;
  double energy_j = 0;  ///< of a year, at the meter
  double water_l = 0;   ///< of a year
  double carbon_kg = 0;
  double homes_equivalent = 0;
  double chiller_hours = 0;     ///< hours in which chillers run
  double warm_hours = 0;        ///< hours in which the supply is warmer than it should be
  double warmest_excess_c = 0;  ///< by how much in the worst
  double peak_dry_bulb_c = 0;
  double peak_wet_bulb_c = 0;
  SupplyMix supply;
  Weather weather;
  std::vector<double> pue;            ///< by hour, at the mean load
  std::vector<double> facility_w;     ///< by hour
  std::vector<double> water_l_per_s;  ///< by hour
  std::vector<std::string> warnings;
};

/// Power, water and carbon of a site, from its accelerators to its grid feed, with the plant and climate of its
/// specification (a published PUE is not used).
/// \throws InvalidSpec where plant or climate are missing or a value is out of its range
[[nodiscard]] SitePower site_power(const Cluster& cluster, const SitePowerOptions& options = {});

}  // namespace ampacity
