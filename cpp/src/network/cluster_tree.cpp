#include "network/cluster_tree.hpp"

#include <algorithm>
#include <cmath>

namespace ampacity::network {
namespace {

std::int64_t parts(std::int64_t whole, std::int64_t each) {
  return (whole + each - 1) / each;
}

/// Children of a switch of the lower tiers: the largest even part of what is left that needs no more than half of its
/// ports and no less than `least` of that half; where there is none, half of them, and some places stay empty.
std::int64_t even_part(std::int64_t left, std::int64_t half, double least) {
  const auto fewest = static_cast<double>(half) * least;
  for (std::int64_t part = std::min(left, half); part > 0 && static_cast<double>(part) > fewest; --part) {
    if (left % part == 0) return part;
  }
  return std::min(left, half);
}

std::int64_t at_least_one(double count) {
  return std::max<std::int64_t>(1, std::llround(count));
}

class Builder {
 public:
  Builder(const Fabric& fabric, ClusterTree& tree) : fabric_(fabric), tree_(tree) {}

  void add(std::int64_t up, std::int64_t down) {
    tree_.up[tree_.tiers] = up;
    tree_.down[tree_.tiers++] = down;
  }

  /// Tiers that together have at least that many endpoints below them. A switch with nothing above it has all its ports
  /// for what is below.
  void add_tiers(std::int64_t endpoints, std::int64_t tiers, bool more_above) {
    for (std::int64_t tier = 1; tier <= tiers && (endpoints > 1 || tree_.tiers == 0); ++tier) {
      const std::int64_t ports = radix(switch_of(fabric_, tree_.tiers), fabric_);
      // Ports of a leaf that stay free are bought; higher up, several switches of the tree share a box.
      std::int64_t children = even_part(endpoints, ports / 2, tree_.tiers == 0 ? 0.85 : 0.5);
      if (tree_.tiers == 0 && fabric_.leaf_accelerators > 0) {
        children = std::min(endpoints, fabric_.leaf_accelerators);
      } else if (tier == tiers || (!more_above && endpoints <= ports)) {
        children = endpoints;
      }
      add(tree_.tiers == 0 ? 1 : uplinks(), children);
      endpoints = parts(endpoints, children);
    }
  }

  /// Cables from a switch of the highest tier so far to the next: full bandwidth but where the fabric says otherwise.
  [[nodiscard]] std::int64_t uplinks() const {
    if (tree_.tiers == 1 && fabric_.leaf_uplinks > 0) return fabric_.leaf_uplinks;
    return tree_.down[tree_.tiers - 1];
  }

 private:
  const Fabric& fabric_;
  ClusterTree& tree_;
};

/// Rail-optimised: whole groups of leaves, one leaf a rail.
void group_rails(ClusterTree& tree, std::int64_t accelerators, std::int64_t rails) {
  tree.rails = rails;
  const std::int64_t groups = parts(tree.down[1], rails);
  if (tree.tiers == 3) {
    if (tree.up[2] == tree.down[1]) tree.up[2] = groups * rails;
    tree.down[2] = parts(accelerators, tree.down[0] * groups * rails);
  }
  tree.down[1] = groups * rails;
}

/// Groups may have fewer accelerators than the shape has room for, no fewer switches.
ClusterParts parts_of(const Dragonfly& shape, std::int64_t accelerators) {
  const std::int64_t per_group = shape.switches_per_group;
  ClusterParts found;
  found.tiers = 3;
  found.tier[0] = {parts(accelerators, shape.endpoints_per_switch), accelerators};
  found.tier[1].cables = shape.groups * (per_group * (per_group - 1) / 2);
  found.tier[2].cables = shape.groups * (shape.groups - 1) / 2 * shape.global_links;
  return found;
}

/// The same of groups of leaves and spines.
ClusterParts parts_of(const DragonflyPlus& shape, std::int64_t accelerators) {
  ClusterParts found;
  found.tiers = 3;
  found.tier[0] = {shape.groups * shape.leaves, accelerators};
  found.tier[1] = {shape.groups * shape.spines, shape.groups * shape.leaves * shape.spines};
  found.tier[2].cables = shape.groups * (shape.groups - 1) / 2 * shape.global_links;
  return found;
}

/// Cables between every two groups, where a group has that many accelerators.
std::int64_t links_between(const Fabric& fabric, std::int64_t group, std::int64_t groups) {
  if (fabric.global_links > 0) return fabric.global_links;
  const double taper = static_cast<double>(group) / fabric.oversubscription;
  return at_least_one(taper / static_cast<double>(std::max<std::int64_t>(1, groups - 1)));
}

}  // namespace

std::int64_t per_site(const Fabric& fabric, std::int64_t accelerators) {
  return parts(accelerators, fabric.sites);
}

const Switch& switch_of(const Fabric& fabric, std::size_t tier) {
  return tier == 0 && fabric.leaf_switch.ports > 0 ? fabric.leaf_switch : fabric.network_switch;
}

std::int64_t radix(const Switch& box, const Fabric& fabric) {
  const double cable = fabric.bytes_per_s_per_accelerator / static_cast<double>(fabric.planes);
  const double breakout = std::max(1.0, box.port_bytes_per_s / cable);
  return std::max<std::int64_t>(4, std::llround(static_cast<double>(box.ports) * breakout));
}

double optic_ends(const Fabric& fabric, double cables) {
  const double cable = fabric.bytes_per_s_per_accelerator / static_cast<double>(fabric.planes);
  return 2 * cables * cable / fabric.optic.bytes_per_s;
}

PartsEach parts_each(const Fabric& fabric, std::int64_t accelerators, std::int64_t rails) {
  PartsEach found;
  if (fabric.switches_per_accelerator > 0 || fabric.optic_ends_per_accelerator > 0) {
    found.switches = fabric.switches_per_accelerator;
    found.optic_ends = fabric.optic_ends_per_accelerator;
    found.card_ends = fabric.optic.bytes_per_s > 0
                          ? std::min(found.optic_ends, fabric.bytes_per_s_per_accelerator / fabric.optic.bytes_per_s)
                          : 0;
    return found;
  }
  const ClusterParts parts = cluster_parts(fabric, accelerators, rails);
  const auto all = static_cast<double>(accelerators);
  for (std::size_t tier = 0; tier < parts.tiers; ++tier) {
    const bool leaf = tier == 0 && fabric.leaf_switch.ports > 0;
    (leaf ? found.leaf_switches : found.switches) += static_cast<double>(parts.tier[tier].switches) / all;
    const double ends = static_cast<double>(parts.tier[tier].cables) / all;
    const bool copper = static_cast<std::int64_t>(tier) < fabric.copper_tiers;
    (copper ? found.copper_ends : found.optic_ends) += copper ? 2 * ends : optic_ends(fabric, ends);
    if (tier == 0 && !copper) found.card_ends = optic_ends(fabric, ends) / 2;
  }
  return found;
}

ClusterTree cluster_tree(const Fabric& fabric, std::int64_t accelerators, std::int64_t rails) {
  ClusterTree tree;
  tree.planes = fabric.planes;
  accelerators = per_site(fabric, accelerators);
  const bool apart = fabric.topology == Topology::rail_only;
  if (fabric.topology == Topology::fat_tree) rails = 1;
  const std::int64_t endpoints = apart ? parts(accelerators, rails) : accelerators;
  Builder builder(fabric, tree);
  const std::int64_t pod = fabric.pod_accelerators;
  if (pod == 0 || pod >= endpoints || fabric.tiers < 2) {
    builder.add_tiers(endpoints, fabric.tiers, false);
  } else {
    // Full bandwidth inside a pod (all tiers but the highest), oversubscription above it.
    builder.add_tiers(pod, fabric.tiers - 1, true);
    double roots = 1;
    for (std::size_t tier = 0; tier < tree.tiers; ++tier) roots *= static_cast<double>(tree.up[tier]);
    const double each = static_cast<double>(pod) / roots / fabric.oversubscription;
    builder.add(at_least_one(each), parts(endpoints, pod));
  }
  if (apart) {
    tree.rails = rails;
    tree.rail_only = true;
  } else if (rails > 1 && tree.tiers > 1) {
    group_rails(tree, accelerators, rails);
  }
  return tree;
}

Dragonfly dragonfly_for(const Fabric& fabric, std::int64_t endpoints) {
  const std::int64_t ports = radix(fabric.network_switch, fabric);
  Dragonfly shape;
  shape.endpoints_per_switch = std::max<std::int64_t>(1, ports / 4);
  const std::int64_t group =
      fabric.pod_accelerators > 0 ? fabric.pod_accelerators : shape.endpoints_per_switch * ports / 2;
  shape.switches_per_group = parts(group, shape.endpoints_per_switch);
  shape.groups = parts(endpoints, shape.switches_per_group * shape.endpoints_per_switch);
  shape.global_links = links_between(fabric, group, shape.groups);
  shape.endpoint_bytes_per_s = shape.local_bytes_per_s = shape.global_bytes_per_s = fabric.bytes_per_s_per_accelerator;
  return shape;
}

DragonflyPlus dragonfly_plus_for(const Fabric& fabric, std::int64_t endpoints) {
  DragonflyPlus shape;
  const std::int64_t below = std::max<std::int64_t>(1, radix(switch_of(fabric, 0), fabric) / 2);
  shape.endpoints_per_leaf = fabric.leaf_accelerators > 0 ? fabric.leaf_accelerators : below;
  shape.spines = fabric.leaf_uplinks > 0 ? fabric.leaf_uplinks : shape.endpoints_per_leaf;
  const std::int64_t largest = shape.endpoints_per_leaf * radix(fabric.network_switch, fabric) / 2;
  const std::int64_t group = std::min(endpoints, fabric.pod_accelerators > 0 ? fabric.pod_accelerators : largest);
  shape.leaves = parts(group, shape.endpoints_per_leaf);
  shape.groups = parts(endpoints, shape.leaves * shape.endpoints_per_leaf);
  shape.global_links = links_between(fabric, group, shape.groups);
  shape.endpoint_bytes_per_s = shape.local_bytes_per_s = shape.global_bytes_per_s = fabric.bytes_per_s_per_accelerator;
  return shape;
}

ClusterParts cluster_parts(const Fabric& fabric, std::int64_t accelerators, std::int64_t rails) {
  const bool known = accelerators > 0 && fabric.bytes_per_s_per_accelerator > 0 && fabric.network_switch.ports > 0;
  if (fabric.topology == Topology::torus || fabric.tiers == 0 || !known) return {};
  if (fabric.topology == Topology::dragonfly) return parts_of(dragonfly_for(fabric, accelerators), accelerators);
  if (fabric.topology == Topology::dragonfly_plus) {
    return parts_of(dragonfly_plus_for(fabric, accelerators), accelerators);
  }
  const ClusterTree tree = cluster_tree(fabric, accelerators, rails);
  const std::int64_t trees = (tree.rail_only ? tree.rails : 1) * tree.planes * fabric.sites;
  accelerators = per_site(fabric, accelerators);
  ClusterParts found;
  found.tiers = tree.tiers;
  std::int64_t nodes =
      tree.rail_only ? parts(accelerators, tree.rails) : accelerators;  // of the tier below, in subtrees
  std::int64_t replicas = 1;                                            // roots of each subtree
  for (std::size_t tier = 0; tier < tree.tiers; ++tier) {
    TierParts& part = found.tier[tier];
    part.cables = trees * nodes * replicas * tree.up[tier];
    nodes = parts(nodes, tree.down[tier]);
    replicas *= tree.up[tier];
    const std::int64_t ports = radix(switch_of(fabric, tier), fabric);
    const std::int64_t used = tree.down[tier] + (tier + 1 < tree.tiers ? tree.up[tier + 1] : 0);
    // Roots of one subtree differ in nothing: several share a box, or several boxes (line cards) make one.
    part.switches = trees * nodes * parts(replicas * used, ports);
  }
  return found;
}

}  // namespace ampacity::network
