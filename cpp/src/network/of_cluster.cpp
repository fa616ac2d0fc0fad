// The network of a cluster in the catalogue: what its fabric's description implies of switches and cables.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include "ampacity/error.hpp"
#include "ampacity/network.hpp"
#include "network/cluster_tree.hpp"
#include "network/shape.hpp"

namespace ampacity {
namespace {

using network::ClusterTree;

/// Sides of a torus as given, or as equal as the number of endpoints lets them be.
Torus torus_for(const Cluster& cluster, std::int64_t endpoints) {
  const Fabric& fabric = cluster.fabric;
  const Node& node = cluster.partitions.front().node;
  if (fabric.torus_x > 0 && endpoints == cluster.accelerators()) {
    Torus given{{fabric.torus_x, fabric.torus_y, fabric.torus_z}, 0};
    given.shape.resize(fabric.torus_z > 1 ? 3 : fabric.torus_y > 1 ? 2 : 1);
    given.link_bytes_per_s = fabric.bytes_per_s_per_accelerator / (2 * static_cast<double>(given.shape.size()));
    return given;
  }
  const bool described = node.scaleup_topology == ScaleupTopology::torus;
  const std::int64_t dimensions = described ? node.scaleup_dimensions : 3;
  const auto sides = network::torus_sides(endpoints, dimensions);
  if (sides[0] * sides[1] * sides[2] == endpoints) {
    const auto link = fabric.bytes_per_s_per_accelerator / (2 * static_cast<double>(dimensions));
    return {{sides.end() - static_cast<std::ptrdiff_t>(dimensions), sides.end()}, link};
  }
  std::int64_t first = std::llround(std::cbrt(static_cast<double>(endpoints)));
  while (endpoints % first != 0) --first;
  const std::int64_t plane = endpoints / first;
  std::int64_t second = std::llround(std::sqrt(static_cast<double>(plane)));
  while (plane % second != 0) --second;
  return {{first, second, plane / second}, fabric.bytes_per_s_per_accelerator / 6};
}

/// Accelerators that reach each other without the network, wherever they stand: where kinds of nodes differ, what their
/// domains have in common.
std::int64_t domain_of(const Cluster& cluster) {
  std::int64_t domain = cluster.partitions.front().node.scaleup_domain;
  const bool equal = std::all_of(cluster.partitions.begin(), cluster.partitions.end(),
                                 [&](const Partition& one) { return one.node.scaleup_domain == domain; });
  const bool rails = is_tree(cluster.fabric.topology) && cluster.fabric.topology != Topology::fat_tree;
  if (equal || rails) return domain;
  std::int64_t first = 0;
  for (const Partition& partition : cluster.partitions) {
    domain = std::gcd(std::gcd(domain, partition.node.scaleup_domain), first);
    first += partition.accelerators;
  }
  return domain;
}

/// One more tier: every root of a site has its part of the WAN links, which meet half-way between the sites.
void join_sites(FatTree& shape, const Fabric& fabric, std::int64_t accelerators, const std::string& cluster) {
  std::int64_t below = shape.rail_only ? shape.rails : 1;
  std::int64_t roots = below;
  for (const std::int64_t down : shape.down) below *= down;
  for (const std::int64_t up : shape.up) roots *= up;
  const std::int64_t each = network::per_site(fabric, accelerators);
  if (below != each) {
    const std::int64_t step = below / shape.down.back();
    throw InvalidSpec({{"fabric.sites", std::to_string(fabric.sites),
                        "must leave whole switches of " + std::to_string(step) +
                            " accelerators to every site: " + cluster + " has " + std::to_string(each) + " in each",
                        "give leaf_accelerators, or other sites"}});
  }
  const std::size_t tiers = shape.down.size();
  shape.link_bytes_per_s.resize(tiers, shape.link_bytes_per_s.front());
  shape.link_bytes_per_s.push_back(fabric.wan_bytes_per_s / static_cast<double>(roots));
  shape.cable_m.assign(tiers, 0.0);
  shape.cable_m.push_back(fabric.wan_m / 2);
  shape.down.push_back(fabric.sites);
  shape.up.push_back(1);
  shape.joins_sites = true;
}

}  // namespace

Network Network::slice_of(const Cluster& cluster, std::int64_t accelerators) {
  if (cluster.fabric.topology != Topology::torus) return of(cluster);
  if (accelerators < 1 || accelerators > cluster.accelerators()) {
    throw InvalidSpec({{"accelerators",
                        std::to_string(accelerators),
                        "must be between 1 and the " + std::to_string(cluster.accelerators()) + " of " + cluster.name,
                        {}}});
  }
  const double hop_s = cluster.fabric.network_switch.latency_s;
  NetworkOptions options;
  options.hop_latency_s = hop_s > 0 ? hop_s : options.hop_latency_s;
  return torus(torus_for(cluster, std::max<std::int64_t>(2, accelerators)), options);
}

Network Network::of(const Cluster& cluster) {
  const Fabric& fabric = cluster.fabric;
  const Node& node = cluster.partitions.front().node;
  const std::int64_t endpoints = std::max<std::int64_t>(2, cluster.accelerators());
  NetworkOptions options;
  options.hop_latency_s = fabric.network_switch.latency_s > 0 ? fabric.network_switch.latency_s : options.hop_latency_s;
  if (fabric.topology == Topology::torus) return slice_of(cluster, cluster.accelerators());
  options.domain = domain_of(cluster);
  options.domain_bytes_per_s = node.accelerator.scaleup_bytes_per_s;
  options.domain_latency_s = node.scaleup_latency_s / 2;
  if (fabric.topology == Topology::dragonfly) return dragonfly(network::dragonfly_for(fabric, endpoints), options);
  if (fabric.topology == Topology::dragonfly_plus) {
    return dragonfly_plus(network::dragonfly_plus_for(fabric, endpoints), options);
  }
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
  if (fabric.sites > 1) join_sites(shape, fabric, endpoints, cluster.name);
  return fat_tree(shape, options);
}

}  // namespace ampacity
