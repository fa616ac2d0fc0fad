#include "power/plant_power.hpp"

#include "power/network_power.hpp"
#include "power/node_power.hpp"

namespace ampacity::power {
namespace {

constexpr double kJoulesPerKwh = 3.6e6;
// Coprime with 24, so that the hours of the day take turns.
constexpr std::size_t kSampledEvery = 121;

double captured_fraction(const Plant& plant, Cooling cooling) {
  if (cooling == Cooling::liquid) return plant.liquid_capture_fraction;
  return cooling == Cooling::immersion ? plant.immersion_capture_fraction : 0;
}

}  // namespace

PlantPower plant_power(const Plant& plant, const PlantLoad& load, const Air& air) {
  PlantPower power;
  power.conversion = it_conversion(plant, load.it_w, load.provisioned_w);
  // Rooms of UPS and busways are cooled by air; transformers stand outside. Fans of nodes are IT power already.
  const double liquid_w = load.liquid_fraction * load.it_w;
  const double air_w = load.it_w - liquid_w + power.conversion.busway_w + power.conversion.ups_w;
  const double liquid_design_w = load.liquid_fraction * load.provisioned_w;
  const Conversion design = it_conversion(plant, load.provisioned_w, load.provisioned_w);
  const double air_design_w = load.provisioned_w - liquid_design_w + design.busway_w + design.ups_w;
  power.air = loop_power(plant.air, air_w, air_design_w, air, plant.concentration_cycles);
  power.liquid = loop_power(plant.liquid, liquid_w, liquid_design_w, air, plant.concentration_cycles);
  power.other_w = plant.other_fraction * load.provisioned_w;
  add_transformers(plant, load.it_w + power.total_w(), load.provisioned_w, power.conversion);
  return power;
}

double liquid_fraction(const Cluster& cluster) {
  const NetworkPower network =
      network_power(cluster.fabric, cluster.accelerators(), cluster.partitions.front().node.accelerators);
  const double shared_w = network.typical_w + cluster.site.storage_w_per_accelerator;
  double captured_w = 0;
  double all_w = 0;
  for (const Partition& partition : cluster.partitions) {
    const Node& node = partition.node;
    const double count = static_cast<double>(partition.accelerators);
    const double nodes_w = count / static_cast<double>(node.accelerators) * node_w(node, node.accelerator.tdp_w);
    captured_w += nodes_w * captured_fraction(cluster.site.plant, node.cooling);
    all_w += nodes_w + count * shared_w;
  }
  return all_w > 0 ? captured_w / all_w : 0;
}

bool is_modelled(const Site& site) {
  return site.pue_from_plant || site.pue_mean == 0;
}

Overhead overhead(const Cluster& cluster, double mean_share, double peak_share) {
  const Site& site = cluster.site;
  if (!is_modelled(site)) return {site.pue_mean, site.pue_peak, site.water_l_per_kwh};
  Overhead result;
  if (site.climate.months.size() != 12 || !(mean_share > 0)) return result;
  const double provisioned = site.plant.provision_fraction;  // all per watt of nameplate
  const double liquid = liquid_fraction(cluster);
  const ClimateHours hours(site.climate);
  double extra_w = 0;
  double water_l_per_s = 0;
  double samples = 0;
  for (std::size_t hour = 0; hour < kHoursPerYear; hour += kSampledEvery) {
    const PlantPower plant = plant_power(site.plant, {mean_share, liquid, provisioned}, hours.hour(hour));
    extra_w += plant.total_w();
    water_l_per_s += plant.water_l_per_s();
    samples += 1;
  }
  result.pue_mean = 1 + extra_w / samples / mean_share;
  result.water_l_per_kwh = water_l_per_s / samples / mean_share * kJoulesPerKwh;
  const PlantPower worst = plant_power(site.plant, {peak_share, liquid, provisioned}, hours.hottest());
  result.pue_peak = 1 + worst.total_w() / peak_share;
  return result;
}

}  // namespace ampacity::power
