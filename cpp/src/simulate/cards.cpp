#include "simulate/cards.hpp"

#include <algorithm>

#include "network/shape.hpp"

namespace ampacity::simulation {

Cards::Cards(const TrafficQuestion& question, const TorusStreams& torus) : q_(question), torus_(torus) {
  if (torus_.any()) {
    bytes_per_s_ = torus_.link_bytes_per_s();
    kinds_.push_back({0, 1});
    endpoint_ = torus_.endpoints();
    return;
  }
  for (const TrafficCrew& crew : q_.crews) {
    for (const LinkedDevice& kind : crew.tasks) bytes_per_s_ = std::max(bytes_per_s_, line_bytes_per_s(kind));
  }
  std::int64_t first = 0;
  for (const Partition& partition : q_.cluster.partitions) {
    const std::int64_t domain = std::max<std::int64_t>(1, partition.node.scaleup_domain);
    if (first > 0 && first >= static_cast<std::int64_t>(q_.places.devices())) break;
    if (kinds_.empty() || kinds_.back().domain != domain) kinds_.push_back({first, domain});
    first += partition.accelerators;
  }
  if (q_.places.kinds.empty()) return;
  endpoint_.reserve(q_.places.devices());
  for (std::size_t d = 0; d < q_.places.devices(); ++d) {
    endpoint_.push_back(static_cast<std::int64_t>(q_.places.stands_at(d)));
  }
}

double Cards::line_bytes_per_s(const LinkedDevice& kind) const {
  if (torus_.any()) return bytes_per_s_;
  return kind.links.scaleout_bytes_per_s / q_.cluster.fabric.efficiency_fraction;
}

double Cards::of_rank(std::size_t crew, std::size_t rank) const {
  return line_bytes_per_s(q_.crews[crew].of(rank)) / bytes_per_s_;
}

double Cards::of_crew(std::size_t crew) const {
  const auto& kinds = q_.crews[crew].tasks;
  return std::min(line_bytes_per_s(kinds[0]), line_bytes_per_s(kinds[1])) / bytes_per_s_;
}

double Cards::of_domains(std::size_t rank, const network::Group& group) const {
  double least = 0;
  for (std::size_t crew = 0; crew < q_.crews.size(); ++crew) {
    const std::int64_t members = network::members_in_domain(group, q_.crews[crew].of(rank).links.scaleup_domain);
    const double here = static_cast<double>(members) * of_rank(crew, rank);
    least = crew == 0 ? here : std::min(least, here);
  }
  return least;
}

const Cards::Kind& Cards::kind_of(std::int64_t endpoint) const {
  std::size_t kind = 0;
  while (kind + 1 < kinds_.size() && endpoint >= kinds_[kind + 1].first) ++kind;
  return kinds_[kind];
}

bool Cards::in_same_domain(std::int64_t endpoint, std::int64_t other) const {
  const Kind& kind = kind_of(endpoint);
  if (&kind != &kind_of(other)) return false;
  return (endpoint - kind.first) / kind.domain == (other - kind.first) / kind.domain;
}

std::vector<CardHealth> Cards::unwell() const {
  const NetworkHealth& health = q_.options.network;
  const double cable_bytes_per_s =
      torus_.any() ? torus_.link_bytes_per_s() : q_.cluster.fabric.bytes_per_s_per_accelerator;
  std::vector<CardHealth> found;
  for (std::size_t i = 0; i < health.nics.size(); ++i) {
    const auto device = static_cast<std::size_t>(health.nics[i]);
    const std::size_t crew = q_.crew_of(q_.places.set_of(device));
    const double card_bytes_per_s = line_bytes_per_s(q_.crews[crew].of(q_.places.rank_of(device)));
    found.push_back({static_cast<std::uint32_t>(endpoint(health.nics[i])),
                     health.nic_fraction[i] * card_bytes_per_s / cable_bytes_per_s});
  }
  return found;
}

}  // namespace ampacity::simulation
