// The network of a cluster in the catalogue: what its fabric's description implies of switches and cables.
#include <algorithm>
#include <cmath>

#include "ampacity/error.hpp"
#include "ampacity/network.hpp"
#include "network/cluster_tree.hpp"

namespace ampacity {
namespace {

using network::ClusterTree;

/// Sides of a torus as equal as the number of endpoints lets them be.
Torus torus_for(const Fabric& fabric, std::int64_t endpoints) {
  std::int64_t first = std::llround(std::cbrt(static_cast<double>(endpoints)));
  while (endpoints % first != 0) --first;
  const std::int64_t plane = endpoints / first;
  std::int64_t second = std::llround(std::sqrt(static_cast<double>(plane)));
  while (plane % second != 0) --second;
  return {{first, second, plane / second}, fabric.bytes_per_s_per_accelerator / 6};
}

}  // namespace

Network Network::of(const Cluster& cluster) {
  const Fabric& fabric = cluster.fabric;
  const Node& node = cluster.partitions.front().node;
  const std::int64_t endpoints = std::max<std::int64_t>(2, cluster.accelerators());
  NetworkOptions options;
  options.hop_latency_s = fabric.network_switch.latency_s > 0 ? fabric.network_switch.latency_s : options.hop_latency_s;
  if (fabric.topology == Topology::torus) return torus(torus_for(fabric, endpoints), options);
  options.domain = node.scaleup_domain;
  options.domain_bytes_per_s = node.accelerator.scaleup_bytes_per_s;
  options.domain_latency_s = node.scaleup_latency_s / 2;
  if (fabric.topology == Topology::dragonfly) return dragonfly(network::dragonfly_for(fabric, endpoints), options);
  if (fabric.tiers == 0) throw Infeasible(cluster.name + " has no switches to wire: " + fabric.name);

  const ClusterTree tree = network::cluster_tree(fabric, endpoints, node.accelerators);
  options.planes = tree.planes;
  FatTree shape;
  const auto tiers = static_cast<std::ptrdiff_t>(tree.tiers);
  shape.down.assign(tree.down.begin(), tree.down.begin() + tiers);
  shape.up.assign(tree.up.begin(), tree.up.begin() + tiers);
  shape.link_bytes_per_s = {fabric.bytes_per_s_per_accelerator};
  shape.rails = tree.rails;
  shape.rail_only = tree.rail_only;
  return fat_tree(shape, options);
}

}  // namespace ampacity
