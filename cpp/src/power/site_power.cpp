#include "power/site_power.hpp"

#include <algorithm>

#include "power/network_power.hpp"
#include "power/node_power.hpp"
#include "power/partitions.hpp"
#include "power/plant_power.hpp"

namespace ampacity::power {

namespace {

/// Adds up kinds of devices of a cluster that one job uses.
class Sum {
 public:
  explicit Sum(const Cluster& cluster) : cluster_(cluster) {
    // Network and storage, per accelerator: the same for every partition of the cluster.
    const NetworkPower network =
        network_power(cluster.fabric, cluster.accelerators(), cluster.partitions.front().node.accelerators);
    shared_w_ = network.typical_w + cluster.site.storage_w_per_accelerator;
    shared_nameplate_w_ = network.nameplate_w + cluster.site.storage_w_per_accelerator;
  }

  void add(const Node& node, double count, const DeviceWatts& device) {
    const double limit_w = node.accelerator.limit_w();
    const double mean_w = std::min(device.mean_w, limit_w);
    const double peak_w = std::min(device.peak_w, limit_w);
    const double stalled_w = std::min(device.stalled_w, peak_w);
    // A job that takes a part of a node pays that part of its host: nodes may be a fraction.
    const double nodes = count / static_cast<double>(node.accelerators);

    power_.gpu_mean_w += count * mean_w;
    power_.gpu_peak_w += count * peak_w;
    power_.gpu_min_w += count * stalled_w;
    power_.it_mean_w += nodes * node_w(node, mean_w) + count * shared_w_;
    power_.it_peak_w += nodes * node_w(node, limit_w) + count * shared_w_;
    power_.it_nameplate_w += nodes * node_nameplate_w(node) + count * shared_nameplate_w_;
    // Fans follow temperatures, over tens of seconds; a swing that a grid feels lasts milliseconds to seconds.
    power_.swing_w += count * (peak_w - stalled_w) / node.psu_efficiency_fraction;
    total_ += count;
  }

  [[nodiscard]] Power power() const {
    Power power = power_;
    if (total_ > 0) {
      power.gpu_mean_w /= total_;
      power.gpu_peak_w /= total_;
      power.gpu_min_w /= total_;
    }
    // PUE = facility / IT (ISO/IEC 30134-2): conversion, cooling and everything else of the building.
    if (!is_modelled(cluster_.site)) {
      power.facility_mean_w = power.it_mean_w * cluster_.site.pue_mean;
      power.facility_peak_w = power.it_peak_w * cluster_.site.pue_peak;
    } else if (power.it_nameplate_w > 0) {
      const Overhead modelled =
          overhead(cluster_, power.it_mean_w / power.it_nameplate_w, power.it_peak_w / power.it_nameplate_w);
      power.facility_mean_w = power.it_mean_w * modelled.pue_mean;
      power.facility_peak_w = power.it_peak_w * modelled.pue_peak;
    }
    return power;
  }

 private:
  const Cluster& cluster_;
  double shared_w_ = 0;
  double shared_nameplate_w_ = 0;
  Power power_;
  double total_ = 0;
};

}  // namespace

Power cluster_power(const Cluster& cluster, std::int64_t accelerators, const DeviceWatts& device) {
  Sum sum(cluster);
  for_each_used_partition(cluster, accelerators, [&](const Node& node, double count) { sum.add(node, count, device); });
  return sum.power();
}

Power cluster_power(const Cluster& cluster, std::span<const KindWatts> kinds) {
  Sum sum(cluster);
  for (const KindWatts& kind : kinds) sum.add(cluster.partitions[kind.partition].node, kind.accelerators, kind.device);
  return sum.power();
}

}  // namespace ampacity::power
