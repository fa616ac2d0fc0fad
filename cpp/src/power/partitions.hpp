// Which nodes of a cluster a job takes.
#pragma once

#include <algorithm>
#include <cstdint>

#include "ampacity/cluster.hpp"

namespace ampacity::power {

/// Calls `visit(node, count)` for the nodes of each partition that a job of `accelerators` accelerators uses; `count`
/// is in accelerators. A job fills the partitions in order; what exceeds the cluster counts as more of the last kind.
template <class Visit>
void for_each_used_partition(const Cluster& cluster, std::int64_t accelerators, Visit&& visit) {
  std::int64_t left = accelerators;
  for (std::size_t i = 0; i < cluster.partitions.size() && left > 0; ++i) {
    const Partition& partition = cluster.partitions[i];
    const bool last = i + 1 == cluster.partitions.size();
    const std::int64_t used = last ? left : std::min(left, partition.accelerators);
    visit(partition.node, static_cast<double>(used));
    left -= used;
  }
}

}  // namespace ampacity::power
