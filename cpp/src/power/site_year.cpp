// `site_power`: a year of a site.
#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "ampacity/error.hpp"
#include "ampacity/site_power.hpp"
#include "base/text.hpp"
#include "power/generation.hpp"
#include "power/plant_power.hpp"
#include "power/power_tree.hpp"
#include "spec/ranges.hpp"

namespace ampacity {
namespace {

using namespace power;

constexpr double kJoulesPerKwh = 3.6e6;
constexpr double kHourS = 3600;
// Average US home, 2022 (US Department of Energy, Energy Information Administration): 10,791 kWh a year.
constexpr double kHomeW = 10791e3 / 8760;

void check(const Cluster& cluster, const SitePowerOptions& options) {
  std::vector<Problem> problems;
  spec::check_ranges(cluster, problems);
  const Site& site = cluster.site;
  if (site.plant.name.empty()) {
    problems.push_back({"cluster.site.plant", "", "is missing", "a plant of the catalogue or your own"});
  }
  if (site.climate.months.size() != 12 && options.weather.dry_bulb_c.empty()) {
    problems.push_back({"cluster.site.climate", "", "is missing", "a climate of the catalogue, your own, or weather"});
  }
  if (!(options.load_fraction > 0 && options.load_fraction <= 1)) {
    problems.push_back({"load_fraction", base::number_text(options.load_fraction), "must be above 0 and at most 1",
                        "mean over limit of the accelerators' power"});
  }
  const auto check_watts = [&problems](const char* name, double watts) {
    if (watts >= 0 && std::isfinite(watts)) return;
    problems.push_back({name, base::number_text(watts), "must be 0 or more, in watts", {}});
  };
  check_watts("device_mean_w", options.device_mean_w);
  check_watts("device_limit_w", options.device_limit_w);
  for (const Partition& partition : cluster.partitions) {
    const Accelerator& device = partition.node.accelerator;
    if (options.device_limit_w > 0 && options.device_limit_w < device.idle_w) {
      problems.push_back(
          {"device_limit_w",
           base::number_text(options.device_limit_w),
           "must not be below what " + device.name + " draws idle (" + base::number_text(device.idle_w) + " W)",
           {}});
    }
  }
  if (!problems.empty()) throw InvalidSpec(std::move(problems));
}

/// Sums over hours that become means.
void add(PlantPower& sum, const PlantPower& hour, double weight) {
  const auto loop = [weight](LoopPower& to, const LoopPower& from) {
    to.terminal_fans_w += weight * from.terminal_fans_w;
    to.pumps_w += weight * from.pumps_w;
    to.rejection_fans_w += weight * from.rejection_fans_w;
    to.chillers_w += weight * from.chillers_w;
    to.water_l_per_s += weight * from.water_l_per_s;
  };
  loop(sum.air, hour.air);
  loop(sum.liquid, hour.liquid);
  sum.conversion.busway_w += weight * hour.conversion.busway_w;
  sum.conversion.ups_w += weight * hour.conversion.ups_w;
  sum.conversion.transformer_w += weight * hour.conversion.transformer_w;
  sum.conversion.substation_w += weight * hour.conversion.substation_w;
  sum.other_w += weight * hour.other_w;
}

/// The hottest and most humid state of the year: the climate's own bound, or the worst of measured hours.
Air worst_air(const Cluster& cluster, const SitePowerOptions& options) {
  if (options.weather.dry_bulb_c.empty()) return ClimateHours(cluster.site.climate).hottest();
  const Weather& weather = options.weather;
  return {*std::max_element(weather.dry_bulb_c.begin(), weather.dry_bulb_c.end()),
          *std::max_element(weather.wet_bulb_c.begin(), weather.wet_bulb_c.end())};
}

/// Plant power of every hour at the mean load; returns its mean.
PlantPower run_year(const Cluster& cluster, const PlantLoad& load, SitePower& result) {
  const Site& site = cluster.site;
  const std::size_t hours = result.weather.dry_bulb_c.size();
  const double weight = 1 / static_cast<double>(hours);
  PlantPower mean;
  for (std::size_t hour = 0; hour < hours; ++hour) {
    const PlantPower now =
        plant_power(site.plant, load, {result.weather.dry_bulb_c[hour], result.weather.wet_bulb_c[hour]});
    add(mean, now, weight);
    const double facility_w = load.it_w + now.total_w();
    const double sun =
        site.generation.solar_w > 0 && !site.climate.months.empty() ? sun_w_per_m2(site.climate, hour) : 0;
    result.carbon_kg += add_hour(site, facility_w, sun, result.supply);
    result.facility_w.push_back(facility_w);
    result.pue.push_back(facility_w / load.it_w);
    result.water_l_per_s.push_back(now.water_l_per_s());
    result.energy_j += facility_w * kHourS;
    result.water_l += now.water_l_per_s() * kHourS;
    const double excess_c = std::max(now.air.excess_c, now.liquid.excess_c);
    result.chiller_hours += now.air.chillers_w + now.liquid.chillers_w > 0 ? 1 : 0;
    result.warm_hours += excess_c > 0 ? 1 : 0;
    result.warmest_excess_c = std::max(result.warmest_excess_c, excess_c);
  }
  return mean;
}

std::string megawatts(double watts) {
  return base::number_text(std::round(watts / 1e5) / 10) + " MW";
}

void add_breaker_warnings(const std::vector<StaticBreakerLoad>& levels, std::vector<std::string>& warnings) {
  for (const StaticBreakerLoad& level : levels) {
    const auto say = [&](const char* when, std::int64_t overloaded, double load_w) {
      if (overloaded == 0) return;
      warnings.push_back(std::to_string(overloaded) + " of " + std::to_string(level.count) + " breakers (" +
                         level.level + ", " + base::number_text(level.rating_w / 1e3) + " kW) are overloaded at " +
                         when + ": the fullest carries " + base::number_text(std::round(load_w / 100) / 10) + " kW, " +
                         base::number_text(std::round((load_w / level.rating_w - 1) * 1000) / 10) + " % too much");
    };
    say("mean load", level.overloaded_mean, level.mean_w);
    say("peak", level.overloaded_peak, level.peak_w);
    say("nameplate", level.overloaded_nameplate, level.nameplate_w);
  }
}

void add_warnings(const Cluster& cluster, const PlantPower& worst, SitePower& result) {
  std::vector<std::string>& warnings = result.warnings;
  add_breaker_warnings(result.breakers, warnings);
  if (result.warm_hours > 0) {
    warnings.push_back("in " + base::number_text(result.warm_hours) +
                       " hours of the year the supply is warmer than planned, by up to " +
                       base::number_text(std::round(result.warmest_excess_c * 10) / 10) +
                       " K: the plant has too few chillers for this climate");
  }
  const double excess_c = std::max(worst.air.excess_c, worst.liquid.excess_c);
  if (excess_c > 0) {
    warnings.push_back("at peak in the hottest hour the supply is " +
                       base::number_text(std::round(excess_c * 10) / 10) + " K warmer than planned");
  }
  if (result.supply.unserved_hours > 0) {
    warnings.push_back("in " + base::number_text(result.supply.unserved_hours) +
                       " hours grid and generators give less than the mean load needs");
  }
  if (result.supply.shortage_w > 0) {
    warnings.push_back("the peak of " + megawatts(result.facility_peak_w) + " is " +
                       megawatts(result.supply.shortage_w) + " beyond grid and generators (" +
                       megawatts(result.supply.available_w) + ")");
  }
  if (cluster.site.generation.battery_w > 0 && cluster.site.generation.battery_w < result.facility_peak_w) {
    warnings.push_back("the batteries' " + megawatts(cluster.site.generation.battery_w) +
                       " do not carry the site's peak");
  }
}

}  // namespace

SitePower site_power(const Cluster& cluster, const SitePowerOptions& options) {
  check(cluster, options);
  SitePower result;
  result.weather = options.weather.dry_bulb_c.empty()
                       ? weather_year(cluster.site.climate)
                       : weather_of(options.weather.dry_bulb_c, options.weather.wet_bulb_c);
  // IT power first: nothing of it depends on the plant.
  std::vector<RackGroup> racks;
  PowerTree it;
  add_it(cluster, options, it.add("site", "", -1, 1), it, racks);
  const PowerItem sum = std::move(it).summed().front();
  result.it_mean_w = sum.mean_w;
  result.it_peak_w = sum.peak_w;
  result.it_nameplate_w = sum.nameplate_w;

  const Plant& plant = cluster.site.plant;
  const double provisioned_w = plant.provision_fraction * result.it_nameplate_w;
  const double liquid = liquid_fraction(cluster);
  const Air worst = worst_air(cluster, options);
  result.peak_dry_bulb_c = worst.dry_bulb_c;
  result.peak_wet_bulb_c = worst.wet_bulb_c;
  const PlantPower mean = run_year(cluster, {result.it_mean_w, liquid, provisioned_w}, result);
  const PlantPower peak = plant_power(plant, {result.it_peak_w, liquid, provisioned_w}, worst);
  const PlantPower nameplate = plant_power(plant, {result.it_nameplate_w, liquid, provisioned_w}, worst);

  PowerTree tree;
  const std::int64_t root = tree.add("site", "grid feed", -1, 1);
  std::vector<RackGroup> again;
  add_it(cluster, options, tree.add("it", "IT equipment", root, 1), tree, again);
  add_plant(mean, peak, nameplate, root, tree);
  result.tree = std::move(tree).summed();
  result.facility_mean_w = result.tree.front().mean_w;
  result.facility_peak_w = result.tree.front().peak_w;
  result.facility_nameplate_w = result.tree.front().nameplate_w;
  result.pue_mean = result.facility_mean_w / result.it_mean_w;
  result.pue_peak = result.facility_peak_w / result.it_peak_w;
  result.pue_nameplate = result.facility_nameplate_w / result.it_nameplate_w;
  result.pue_lowest = *std::min_element(result.pue.begin(), result.pue.end());
  result.pue_highest = *std::max_element(result.pue.begin(), result.pue.end());
  const double it_energy_kwh = result.it_mean_w * static_cast<double>(result.pue.size()) * kHourS / kJoulesPerKwh;
  result.wue_l_per_kwh = result.water_l / it_energy_kwh;
  result.homes_equivalent = result.facility_mean_w / kHomeW;
  add_margins(cluster.site, result.facility_peak_w, result.supply);

  result.breakers = static_breaker_loads(plant, racks);
  result.halls = static_cast<std::int64_t>(std::ceil(provisioned_w / cluster.site.hall_w() - 1e-9));
  result.buildings = static_cast<std::int64_t>(std::ceil(provisioned_w / plant.building_w - 1e-9));
  add_warnings(cluster, peak, result);
  return result;
}

}  // namespace ampacity
