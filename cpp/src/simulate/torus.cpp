#include "simulate/torus.hpp"

#include "simulate/exchanges.hpp"
#include "step/crews.hpp"

namespace ampacity::simulation {

bool is_on_torus(const Cluster& cluster, const Layout& layout) {
  const Partition& first = cluster.partitions.front();
  if (cluster.fabric.topology != Topology::torus || step::kinds_of(cluster, layout) > 1) return false;
  if (layout.accelerators() > first.node.scaleup_domain) return false;
  return network::places_on_torus(cluster, first, layout.accelerators(), {}).placed();
}

TorusStreams::TorusStreams(const Cluster& cluster, const LinkedDevice& kind, std::size_t devices)
    : places_(kind.links.torus), dimensions_(kind.links.scaleup_dimensions) {
  if (!places_.has_flows) return;
  network_ = std::make_unique<const Network>(Network::slice_of(cluster, static_cast<std::int64_t>(devices)));
  endpoint_.reserve(devices);
  device_.resize(devices);
  for (std::size_t d = 0; d < devices; ++d) {
    const std::int64_t endpoint = places_.endpoint_of(static_cast<std::int64_t>(d));
    endpoint_.push_back(endpoint);
    device_[static_cast<std::size_t>(endpoint)] = static_cast<std::int64_t>(d);
  }
}

std::int64_t TorusStreams::neighbour(const network::TorusGroup& group, std::int64_t device, std::size_t dimension,
                                     std::int64_t step) const {
  std::int64_t pitch = 1;
  for (std::size_t d = 0; d < dimension; ++d) pitch *= places_.sides[d];
  const std::int64_t endpoint = endpoint_[static_cast<std::size_t>(device)];
  const std::int64_t hop = group.hop[dimension];
  const std::int64_t extent = group.extent[dimension];
  const std::int64_t here = endpoint / pitch % places_.sides[dimension] / hop % extent;
  const std::int64_t there = (here + step + extent) % extent;
  return device_[static_cast<std::size_t>(endpoint + (there - here) * hop * pitch)];
}

double TorusStreams::demand_of(const Pattern& pattern) const {
  if (pattern.kind == Pattern::Kind::ring) return 1;
  const network::TorusGroup group = on_torus(pattern.group);
  return 1 / (pattern.kind == Pattern::Kind::exchange ? network::exchange_s_per_byte(group)
                                                      : network::message_s_per_byte(group));
}

}  // namespace ampacity::simulation
