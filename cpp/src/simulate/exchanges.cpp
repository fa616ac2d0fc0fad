#include "simulate/exchanges.hpp"

#include <algorithm>

#include "workload/attention_mask.hpp"
#include "workload/stages.hpp"

namespace ampacity::simulation {
namespace {

Pattern::Kind context_kind(const Training& job, const Layout& layout) {
  switch (workload::context_parallel(job, layout)) {
    case ContextParallel::ulysses:
      return Pattern::Kind::exchange;
    case ContextParallel::all_gather:
      return Pattern::Kind::ring;
    case ContextParallel::software:
    case ContextParallel::ring:
    case ContextParallel::ring_unbalanced:
      break;
  }
  return Pattern::Kind::neighbours;
}

}  // namespace

float Paces::largest() const {
  return slowdown.empty() ? 1 : *std::max_element(slowdown.begin(), slowdown.end());
}

void Paces::find_matter() {
  matter = largest() > 1 || most_sites() > 1;
}

Pattern pattern_of(const Training& job, const Layout& layout, Exchange kind) {
  switch (kind) {
    case Exchange::tensor:
      return {{layout.tp, 1}, Pattern::Kind::ring};
    case Exchange::context:
      return {{layout.cp, layout.tp}, context_kind(job, layout)};
    case Exchange::experts:
      return {{layout.ep, layout.etp}, Pattern::Kind::exchange};
    case Exchange::shards:
      break;
  }
  return {{layout.zero_stage >= 3 ? workload::state_shards(layout) : 1, layout.tp}, Pattern::Kind::ring};
}

std::uint8_t Paces::most_sites() const {
  return sites.empty() ? std::uint8_t{1} : *std::max_element(sites.begin(), sites.end());
}

bool has_links(const Cluster& cluster, std::size_t kinds) {
  const Node& first = cluster.partitions.front().node;
  const bool rails = is_tree(cluster.fabric.topology) && cluster.fabric.topology != Topology::fat_tree;
  const auto fits = [&](const Partition& partition) {
    const Node& node = partition.node;
    return !rails || (node.scaleup_domain == first.scaleup_domain && node.accelerators == first.accelerators);
  };
  const auto begin = cluster.partitions.begin();
  const bool known = is_tree(cluster.fabric.topology) || cluster.fabric.topology == Topology::dragonfly;
  return cluster.fabric.tiers > 0 && known && std::all_of(begin, begin + static_cast<std::ptrdiff_t>(kinds), fits);
}

}  // namespace ampacity::simulation
