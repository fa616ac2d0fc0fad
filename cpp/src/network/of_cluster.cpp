// The network of a cluster in the catalogue: what its fabric's description implies of switches and cables.
#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "ampacity/error.hpp"
#include "ampacity/network.hpp"
#include "network/fabric_shape.hpp"

namespace ampacity {
namespace {

using network::even_part;
using network::Leaf;
using network::leaf_of;
using network::radix;

std::int64_t parts(std::int64_t whole, std::int64_t each) {
  return (whole + each - 1) / each;
}

std::int64_t at_least_one(double count) {
  return std::max<std::int64_t>(1, std::llround(count));
}

/// Tiers that together have at least that many endpoints below them.
void add_tiers(FatTree& tree, std::int64_t endpoints, std::int64_t tiers, const Fabric& fabric) {
  const std::int64_t half = radix(fabric) / 2;
  const Leaf leaf = leaf_of(fabric, endpoints);
  for (std::int64_t tier = 1; tier <= tiers && (endpoints > 1 || tree.down.empty()); ++tier) {
    const std::int64_t below = tier == 1 ? std::min(leaf.accelerators, endpoints) : even_part(endpoints, half);
    const std::int64_t children = tier == tiers ? endpoints : below;
    tree.up.push_back(tier == 1 ? 1 : tier == 2 ? leaf.uplinks : tree.down.back());
    tree.down.push_back(children);
    endpoints = parts(endpoints, children);
  }
}

/// A tree with full bandwidth inside a pod (all tiers but the highest) and oversubscription above it.
FatTree tree_for(const Fabric& fabric, std::int64_t endpoints) {
  FatTree tree;
  tree.link_bytes_per_s = {fabric.bytes_per_s_per_accelerator};
  const std::int64_t pod = fabric.pod_accelerators;
  if (pod == 0 || pod >= endpoints || fabric.tiers < 2) {
    add_tiers(tree, endpoints, fabric.tiers, fabric);
    return tree;
  }
  add_tiers(tree, pod, fabric.tiers - 1, fabric);
  // A pod's highest switches share the cables that leave it.
  const std::int64_t switches = std::accumulate(tree.up.begin(), tree.up.end(), std::int64_t{1}, std::multiplies<>{});
  tree.up.push_back(at_least_one(static_cast<double>(pod) / fabric.oversubscription / static_cast<double>(switches)));
  tree.down.push_back(parts(endpoints, pod));
  return tree;
}

/// Sides of a torus as equal as the number of endpoints lets them be.
Torus torus_for(const Fabric& fabric, std::int64_t endpoints) {
  std::int64_t first = std::llround(std::cbrt(static_cast<double>(endpoints)));
  while (endpoints % first != 0) --first;
  const std::int64_t plane = endpoints / first;
  std::int64_t second = std::llround(std::sqrt(static_cast<double>(plane)));
  while (plane % second != 0) --second;
  return {{first, second, plane / second}, fabric.bytes_per_s_per_accelerator / 6};
}

/// A quarter of a switch's ports to endpoints, half within the group, a quarter to other groups (Kim et al. 2008).
Dragonfly dragonfly_for(const Fabric& fabric, std::int64_t endpoints) {
  Dragonfly shape;
  shape.endpoints_per_switch = std::max<std::int64_t>(1, radix(fabric) / 4);
  const std::int64_t group =
      fabric.pod_accelerators > 0 ? fabric.pod_accelerators : shape.endpoints_per_switch * radix(fabric) / 2;
  shape.switches_per_group = parts(group, shape.endpoints_per_switch);
  shape.groups = parts(endpoints, shape.switches_per_group * shape.endpoints_per_switch);
  const double taper = static_cast<double>(group) / fabric.oversubscription;
  shape.global_links = at_least_one(taper / static_cast<double>(std::max<std::int64_t>(1, shape.groups - 1)));
  shape.endpoint_bytes_per_s = shape.local_bytes_per_s = shape.global_bytes_per_s = fabric.bytes_per_s_per_accelerator;
  return shape;
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
  if (fabric.topology == Topology::dragonfly) return dragonfly(dragonfly_for(fabric, endpoints), options);
  if (fabric.tiers == 0) throw Infeasible(cluster.name + " has no switches to wire: " + fabric.name);

  const std::int64_t rails = fabric.topology == Topology::fat_tree ? 1 : node.accelerators;
  if (fabric.topology == Topology::rail_only) {
    FatTree tree = tree_for(fabric, parts(endpoints, rails));
    tree.rails = rails;
    tree.rail_only = true;
    return fat_tree(tree, options);
  }
  FatTree tree = tree_for(fabric, endpoints);
  if (rails > 1 && tree.down.size() > 1) {
    // Whole groups of leaves, one leaf a rail.
    tree.rails = rails;
    const std::int64_t groups = parts(tree.down[1], rails);
    if (tree.up.size() == 3) {
      if (tree.up[2] == tree.down[1]) tree.up[2] = groups * rails;
      tree.down[2] = parts(endpoints, tree.down[0] * groups * rails);
    }
    tree.down[1] = groups * rails;
  }
  return fat_tree(tree, options);
}

}  // namespace ampacity
