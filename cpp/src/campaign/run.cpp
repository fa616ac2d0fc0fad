#include "campaign/run.hpp"

#include <algorithm>
#include <cmath>

#include "campaign/goodput.hpp"
#include "power/network_power.hpp"
#include "power/partitions.hpp"
#include "power/plant_power.hpp"

namespace ampacity::campaign {
namespace {

constexpr double kJoulesPerKwh = 3.6e6;
constexpr double kJoulesPerMwh = 3.6e9;
constexpr double kHoursPerYear = 8760;
// Average US home, 2022 (US Department of Energy, Energy Information Administration): 10,791 kWh a year, 1.23 kW.
constexpr double kHomeKwhPerYear = 10791;
// Server over its accelerators' prices where the node's price is unknown: DGX H100 at 270,000 USD for eight H100 at
// 30,000 USD (SemiAnalysis; Epoch AI training-cost-trends).
constexpr double kNodeOverAcceleratorPrice = 1.125;

// IT power while accelerators are stalled: below the mean by what their drop from mean to stalled is worth at the wall.
double it_stalled_w(const Power& power) {
  const double swing_per_device_w = power.gpu_peak_w - power.gpu_min_w;
  if (!(swing_per_device_w > 0)) return power.it_mean_w;
  const double drop = std::max(power.gpu_mean_w - power.gpu_min_w, 0.0) / swing_per_device_w;
  return std::max(power.it_mean_w - drop * power.swing_w, 0.0);
}

double node_price_usd(const Node& node) {
  if (node.price_usd > 0) return node.price_usd;
  return kNodeOverAcceleratorPrice * static_cast<double>(node.accelerators) * node.accelerator.price_usd;
}

}  // namespace

double homes_equivalent(double facility_w) {
  return facility_w * 1e-3 * kHoursPerYear / kHomeKwhPerYear;
}

double capital_cost_usd(const Cluster& cluster, std::int64_t accelerators, double it_nameplate_w) {
  const double network_usd =
      power::network_price_usd(cluster.fabric, cluster.accelerators(), cluster.partitions.front().node.accelerators);
  // Plant is bought for the name plate, not for the mean.
  double usd = cluster.site.facility_usd_per_w * it_nameplate_w;
  power::for_each_used_partition(cluster, accelerators, [&](const Node& node, double count) {
    usd += count * (node_price_usd(node) / static_cast<double>(node.accelerators) + network_usd);
  });
  return usd;
}

Run training_run(const Cluster& cluster, std::int64_t accelerators, double tokens, double tokens_per_step,
                 double step_time_s, const Power& power) {
  Run run;
  run.tokens = tokens;
  run.steps = tokens_per_step > 0 ? std::ceil(tokens / tokens_per_step) : 0;
  const double productive_s = run.steps * step_time_s;
  const Goodput cut = goodput(cluster.reliability, accelerators, productive_s, step_time_s);
  run.mtbf_s = cut.mtbf_s;
  run.checkpoint_interval_s = cut.checkpoint_interval_s;
  run.goodput_fraction = cut.fraction;
  run.duration_s = productive_s / cut.fraction;

  const double busy_s = productive_s * (1 + cut.redo_overhead);
  const double stalled_s = productive_s * (cut.checkpoint_overhead + cut.recovery_overhead);
  const double it_energy_j = power.it_mean_w * busy_s + it_stalled_w(power) * stalled_s;
  const Site& site = cluster.site;
  power::Overhead plant{site.pue_mean, site.pue_peak, site.water_l_per_kwh};
  if (power::is_modelled(site) && power.it_nameplate_w > 0) {
    plant = power::overhead(cluster, power.it_mean_w / power.it_nameplate_w, power.it_peak_w / power.it_nameplate_w);
  }
  run.energy_j = it_energy_j * plant.pue_mean;
  run.carbon_kg = run.energy_j / kJoulesPerMwh * site.grid.carbon_kg_per_mwh;
  // Water usage effectiveness counts litres per kWh of IT energy (ISO/IEC 30134-9).
  run.water_l = it_energy_j / kJoulesPerKwh * plant.water_l_per_kwh;
  run.energy_cost_usd = run.energy_j / kJoulesPerKwh * site.electricity_usd_per_kwh;
  run.capex_usd = capital_cost_usd(cluster, accelerators, power.it_nameplate_w);
  run.homes_equivalent = homes_equivalent(power.facility_mean_w);
  return run;
}

}  // namespace ampacity::campaign
