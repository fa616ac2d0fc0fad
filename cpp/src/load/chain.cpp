#include "load/chain.hpp"

#include "power/network_power.hpp"
#include "power/node_power.hpp"
#include "power/partitions.hpp"
#include "power/plant_power.hpp"

namespace ampacity::load {

LoadChain chain_of(const Cluster& cluster, std::int64_t accelerators, double mean_w) {
  LoadChain chain;
  const auto used = static_cast<double>(accelerators);
  const power::NetworkPower network =
      power::network_power(cluster.fabric, cluster.accelerators(), cluster.partitions.front().node.accelerators);
  chain.network_w = used * (network.typical_w + cluster.site.storage_w_per_accelerator);
  double nodes_w = 0;
  double nameplate_w = used * (network.nameplate_w + cluster.site.storage_w_per_accelerator);
  power::for_each_used_partition(cluster, accelerators, [&](const Node& node, double count) {
    nodes_w += count / static_cast<double>(node.accelerators) * power::node_w(node, mean_w);
    nameplate_w += count / static_cast<double>(node.accelerators) * power::node_nameplate_w(node);
    chain.supply_loss += count / used * (1 / node.psu_efficiency_fraction - 1);
  });
  chain.hosts_w = nodes_w - used * mean_w * (1 + chain.supply_loss);
  // Published, or that of plant and climate at this load.
  chain.plant_per_it = power::overhead(cluster, (nodes_w + chain.network_w) / nameplate_w, 1).pue_mean - 1;
  return chain;
}

}  // namespace ampacity::load
