#include "power/site_power.hpp"

#include <algorithm>

#include "power/network_power.hpp"
#include "power/node_power.hpp"
#include "power/partitions.hpp"
#include "power/plant_power.hpp"

namespace ampacity::power {

Power cluster_power(const Cluster& cluster, std::int64_t accelerators, const DeviceWatts& device) {
  Power power;
  // Network and storage, per accelerator: the same for every partition of the cluster.
  const NetworkPower network =
      network_power(cluster.fabric, cluster.accelerators(), cluster.partitions.front().node.accelerators);
  const double shared_w = network.typical_w + cluster.site.storage_w_per_accelerator;
  const double shared_nameplate_w = network.nameplate_w + cluster.site.storage_w_per_accelerator;

  double total = 0;
  for_each_used_partition(cluster, accelerators, [&](const Node& node, double count) {
    const double limit_w = node.accelerator.limit_w();
    const double mean_w = std::min(device.mean_w, limit_w);
    const double peak_w = std::min(device.peak_w, limit_w);
    const double stalled_w = std::min(device.stalled_w, peak_w);
    // A job that takes a part of a node pays that part of its host: nodes may be a fraction.
    const double nodes = count / static_cast<double>(node.accelerators);

    power.gpu_mean_w += count * mean_w;
    power.gpu_peak_w += count * peak_w;
    power.gpu_min_w += count * stalled_w;
    power.it_mean_w += nodes * node_w(node, mean_w) + count * shared_w;
    power.it_peak_w += nodes * node_w(node, limit_w) + count * shared_w;
    power.it_nameplate_w += nodes * node_nameplate_w(node) + count * shared_nameplate_w;
    // Fans follow temperatures, over tens of seconds; a swing that a grid feels lasts milliseconds to seconds.
    power.swing_w += count * (peak_w - stalled_w) / node.psu_efficiency_fraction;
    total += count;
  });
  if (total > 0) {
    power.gpu_mean_w /= total;
    power.gpu_peak_w /= total;
    power.gpu_min_w /= total;
  }
  // PUE = facility / IT (ISO/IEC 30134-2): conversion, cooling and everything else of the building.
  if (!is_modelled(cluster.site)) {
    power.facility_mean_w = power.it_mean_w * cluster.site.pue_mean;
    power.facility_peak_w = power.it_peak_w * cluster.site.pue_peak;
  } else if (power.it_nameplate_w > 0) {
    const Overhead modelled =
        overhead(cluster, power.it_mean_w / power.it_nameplate_w, power.it_peak_w / power.it_nameplate_w);
    power.facility_mean_w = power.it_mean_w * modelled.pue_mean;
    power.facility_peak_w = power.it_peak_w * modelled.pue_peak;
  }
  return power;
}

}  // namespace ampacity::power
