#include "step/pace.hpp"

#include "network/collectives.hpp"
#include "workload/memory.hpp"

namespace ampacity::step {

Pace pace_of(const Training& job, const Cluster& cluster, const Layout& layout) {
  Pace pace;
  std::int64_t left = layout.accelerators();
  for (const Partition& partition : cluster.partitions) {
    if (left <= 0) break;
    const Accelerator& device = partition.node.accelerator;
    const StepTime step = step_time(job, layout, device, network::links_of(cluster, partition));
    const Memory memory = workload::memory_of(job, layout, device);
    const bool first = pace.device == nullptr;
    if (first || step.breakdown.total_s() > pace.step.breakdown.total_s()) {
      pace.step = step;
      pace.device = &device;
    }
    if (first || memory.capacity_bytes < pace.memory.capacity_bytes) pace.memory = memory;
    pace.partitions += 1;
    left -= partition.accelerators;
  }
  return pace;
}

}  // namespace ampacity::step
