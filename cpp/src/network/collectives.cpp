// What the step asks: seconds of the fastest algorithm and protocol, as NCCL chooses. Formulas are in formulas.hpp,
// which algorithm there is for what in choice.hpp.
#include "network/collectives.hpp"

#include <algorithm>
#include <limits>

#include "network/choice.hpp"

namespace ampacity::network {
namespace {

/// The least sum of what `each(visit)` visits.
template <class Each>
double fastest_s(const Each& each) {
  double best = std::numeric_limits<double>::infinity();
  each([&best](Algorithm, Protocol, const Cost& cost) { best = std::min(best, cost.total_s()); });
  return best;
}

double one_round_s(const Links& links, const Group& group, double bytes) {
  if (group.ranks <= 1 || bytes <= 0) return 0;
  const Shape shape = shape_of(links, group);
  return fastest_s([&](const auto& visit) { each_one_round(links, shape, bytes, visit); });
}

}  // namespace

Links links_of(const Cluster& cluster, const Partition& partition) {
  const Node& node = partition.node;
  const Fabric& fabric = cluster.fabric;
  Links links;
  const double line = node.accelerator.scaleup_bytes_per_s;
  links.scaleup_bytes_per_s = line * node.scaleup_efficiency_fraction;
  links.scaleup_multicast_bytes_per_s = line * node.scaleup_multicast_fraction;
  links.scaleup_latency_s = node.scaleup_latency_s;
  links.scaleup_topology = node.scaleup_topology;
  links.scaleup_dimensions = node.scaleup_dimensions;
  links.launch_s = node.collective_launch_s;
  links.scaleup_domain = node.scaleup_domain;
  links.host_bytes_per_s = node.host_link_bytes_per_s;
  links.host_updates_per_s = node.host_updates_per_s * static_cast<double>(std::max<std::int64_t>(1, node.cpus)) /
                             static_cast<double>(node.accelerators);
  links.host_relative_speed = node.host_relative_speed;
  // A node on a fabric faster than its NICs is limited by the NICs.
  const double nics = node.nic.bytes_per_s * static_cast<double>(node.nics) / static_cast<double>(node.accelerators);
  const double line_rate = fabric.bytes_per_s_per_accelerator;
  links.scaleout_fraction = fabric.efficiency_fraction;
  links.scaleout_bytes_per_s = (nics > 0 ? std::min(nics, line_rate) : line_rate) * fabric.efficiency_fraction;
  // What nodes have more than one for each device is for storage.
  if (node.nics > 0)
    links.nics_per_device = std::min(1.0, static_cast<double>(node.nics) / static_cast<double>(node.accelerators));
  // The message latency holds for one switch; the longest route over all tiers meets 2 (tiers - 1) more.
  links.scaleout_latency_s = fabric.message_latency_s;
  if (fabric.tiers > 1) {
    links.scaleout_latency_s += 2 * static_cast<double>(fabric.tiers - 1) * fabric.network_switch.latency_s;
  }
  links.paths = paths_of(cluster, node);
  return links;
}

TorusPlaces places_on_torus(const Cluster& cluster, const Partition& partition, std::int64_t devices,
                            std::span<const std::int64_t> boundaries) {
  const Node& node = partition.node;
  if (node.scaleup_topology != ScaleupTopology::torus) return {};
  devices = std::min(devices, node.scaleup_domain);
  const Fabric& fabric = cluster.fabric;
  const bool pod = fabric.torus_x > 0 && devices == cluster.accelerators();
  const auto sides = pod ? std::array<std::int64_t, 3>{fabric.torus_x, fabric.torus_y, fabric.torus_z}
                         : torus_sides(devices, node.scaleup_dimensions);
  return places_on_torus(sides, devices, boundaries);
}

double all_reduce_s(const Links& links, const Group& group, double bytes) {
  if (group.ranks <= 1 || bytes <= 0) return 0;
  const Shape shape = shape_of(links, group);
  return fastest_s([&](const auto& visit) { each_all_reduce(links, shape, bytes, visit); });
}

double all_gather_s(const Links& links, const Group& group, double bytes) {
  return one_round_s(links, group, bytes);
}

double reduce_scatter_s(const Links& links, const Group& group, double bytes) {
  return one_round_s(links, group, bytes);
}

double all_to_all_s(const Links& links, const Group& group, double bytes) {
  if (group.ranks <= 1 || bytes <= 0) return 0;
  const Shape shape = shape_of(links, group);
  return fastest_s([&](const auto& visit) { each_all_to_all(links, group, shape, bytes, visit); });
}

double domains_of(const Links& links, const Group& group) {
  return group.ranks <= 1 ? 1 : shape_of(links, group).domains;
}

double multicast_exchange_s(const Links& links, const Group& group, const Multicast& tokens) {
  if (group.ranks <= 1 || tokens.bytes <= 0) return 0;
  return token_exchange(links, shape_of(links, group), tokens).total_s();
}

double send_s(const Links& links, std::int64_t stride, double bytes) {
  return stride == 0 ? 0 : neighbours_s(links, {2, stride < 0 ? -stride : stride}, bytes);
}

double neighbours_s(const Links& links, const Group& group, double bytes) {
  if (bytes <= 0 || group.ranks <= 1) return 0;
  const Shape pair = pair_of(links, group);
  return fastest_s([&](const auto& visit) { each_message(links, pair, bytes, visit); });
}

}  // namespace ampacity::network
