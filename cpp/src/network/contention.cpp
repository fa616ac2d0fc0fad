// Hash collisions as balls in bins: the parts of all streams that leave a switch fall on its uplinks at random, and a
// synchronous collective ends with the fullest of all uplinks (Gangidi et al., "RDMA over Ethernet for distributed AI
// training at Meta scale", SIGCOMM 2024, for the effect and its cure, more queue pairs). Streams
// between neighbours all go from one switch to the same other one: those that share a cable up share one down. An
// exchange goes everywhere, and meets other cables on its way down.
#include "network/contention.hpp"

#include <algorithm>
#include <cmath>

#include "base/statistics.hpp"
#include "network/cluster_tree.hpp"
#include "network/collectives.hpp"
#include "network/wiring.hpp"

namespace ampacity::network {
namespace {

/// Load of the fullest of all such boundaries' cables in an extent of accelerators, in streams of line rate; `ways` = 2
/// where cables down are others' than those up.
double fullest_cable(const Boundary& boundary, double streams, double parts, double extent, double ways) {
  const double mean = streams / boundary.uplinks;
  if (parts <= 0) return mean;
  const double cables = ways * boundary.uplinks * extent / (boundary.accelerators * boundary.rails);
  return base::expected_binomial_maximum(cables, streams * parts, 1 / boundary.uplinks) / parts;
}

/// A group as contention sees it.
struct Spread {
  double ranks;
  double stride;
  double extent;  ///< from the first member to the last, in accelerators
  double domain;
};

Spread spread_of(const Group& group, double domain) {
  const auto stride = static_cast<double>(std::max<std::int64_t>(group.stride, 1));
  const auto ranks = static_cast<double>(group.ranks);
  return {ranks, stride, ranks * stride, std::max(domain, 1.0)};
}

double neighbours_load(const Boundary& boundary, double parts, const Spread& group) {
  if (boundary.accelerators <= 0 || group.extent <= boundary.accelerators * boundary.rails) return 1;
  const double streams = std::clamp(std::max(group.stride, group.domain) / boundary.rails, 1.0, boundary.accelerators);
  return fullest_cable(boundary, streams, parts, group.extent, 1);
}

double exchange_load(const Boundary& boundary, double parts, const Spread& group) {
  if (boundary.accelerators <= 0) return 1;
  const double below = std::max(boundary.accelerators * boundary.rails / group.stride, 1.0);  // members
  const double beyond = group.ranks - below;
  if (beyond <= 0) return 1;
  // Of what a card sends, all to members outside its domain, the share to those beyond; to each in parts of its own.
  const double outside = group.ranks - std::max(group.domain / group.stride, 1.0);
  const double streams = boundary.accelerators * std::min(beyond / std::max(outside, 1.0), 1.0);
  return fullest_cable(boundary, streams, parts * beyond, group.extent, 2);
}

}  // namespace

Paths paths_of(const Cluster& cluster, const Node& node) {
  const Fabric& fabric = cluster.fabric;
  Paths paths;
  if (fabric.routing == Routing::ecmp && is_tree(fabric.topology)) {
    paths.hashed_parts = static_cast<double>(fabric.queue_pairs);
    const ClusterTree tree = cluster_tree(fabric, cluster.accelerators(), node.accelerators);
    if (tree.tiers > 1) {
      paths.leaf = {static_cast<double>(tree.down[0]), static_cast<double>(tree.up[1]),
                    static_cast<double>(tree.rails)};
    }
  }
  if (fabric.pod_accelerators > 0 && (fabric.oversubscription > 1 || paths.hashed_parts > 0)) {
    paths.pod.accelerators = static_cast<double>(fabric.pod_accelerators);
    paths.pod.uplinks = std::max(1.0, paths.pod.accelerators / fabric.oversubscription);
  }
  if (fabric.sites > 1) {
    // WAN links are many: what crosses them is even over them.
    paths.site.accelerators = static_cast<double>(per_site(fabric, cluster.accelerators()));
    paths.site.uplinks = fabric.wan_bytes_per_s / fabric.bytes_per_s_per_accelerator;
    paths.wan_s = fabric.wan_m * kFibreSPerM;
  }
  return paths;
}

double sites_of(const Paths& paths, const Group& group) {
  if (paths.site.accelerators <= 0) return 1;
  const auto extent = static_cast<double>(group.ranks) * static_cast<double>(std::max<std::int64_t>(group.stride, 1));
  return extent <= paths.site.accelerators ? 1 : std::ceil(extent / paths.site.accelerators);
}

double neighbours_slowdown(const Paths& paths, const Group& group, double domain) {
  const Spread spread = spread_of(group, domain);
  return std::max({1.0, neighbours_load(paths.leaf, paths.hashed_parts, spread),
                   neighbours_load(paths.pod, paths.hashed_parts, spread), neighbours_load(paths.site, 0, spread)});
}

double exchange_slowdown(const Paths& paths, const Group& group, double domain) {
  const Spread spread = spread_of(group, domain);
  return std::max({1.0, exchange_load(paths.leaf, paths.hashed_parts, spread),
                   exchange_load(paths.pod, paths.hashed_parts, spread), exchange_load(paths.site, 0, spread)});
}

}  // namespace ampacity::network
