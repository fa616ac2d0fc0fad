// Which links are known, and what every one of them carried: trunks spread over their cables when somebody asks.
#include <algorithm>

#include "simulate/traffic.hpp"

namespace ampacity::simulation {

bool has_links(const Cluster& cluster, std::size_t kinds) {
  const Node& first = cluster.partitions.front().node;
  const bool rails = is_tree(cluster.fabric.topology) && cluster.fabric.topology != Topology::fat_tree;
  const auto fits = [&](const Partition& partition) {
    const Node& node = partition.node;
    return !rails || (node.scaleup_domain == first.scaleup_domain && node.accelerators == first.accelerators);
  };
  const auto begin = cluster.partitions.begin();
  const bool known = cluster.fabric.topology != Topology::torus;
  return cluster.fabric.tiers > 0 && known && std::all_of(begin, begin + static_cast<std::ptrdiff_t>(kinds), fits);
}

LinkColumns link_columns(const Traffic& traffic, double step_time_s) {
  LinkColumns columns;
  if (!traffic.network) return columns;
  const Network::Plan& plan = traffic.network->plan();
  columns.bytes = network::spread_over_cables(plan, traffic.link_bytes);
  for (std::uint32_t link = 0; link < plan.visible_links(); ++link) {
    const network::LinkEnds ends = plan.ends(link);
    const double rate = plan.bytes_per_s(link);
    columns.tier.push_back(static_cast<std::int64_t>(plan.tier(link)));
    columns.from.push_back(ends.from);
    columns.to.push_back(ends.to);
    columns.bytes_per_s.push_back(rate);
    columns.utilisation_fraction.push_back(rate > 0 ? columns.bytes[link] / rate / step_time_s : 0);
  }
  return columns;
}

}  // namespace ampacity::simulation
