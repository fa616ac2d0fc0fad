#include "step/pace.hpp"

#include "workload/memory.hpp"
#include "workload/stages.hpp"

namespace ampacity::step {
namespace {

/// `step_on(index)` is the step on the kind of device of that partition.
template <class StepOn>
Pace slowest_of(const Training& job, const Cluster& cluster, const Layout& layout, const StepOn& step_on) {
  Pace pace;
  const auto batches = static_cast<double>(workload::micro_batches(job.global_batch, layout));
  std::int64_t left = layout.accelerators();
  for (std::size_t i = 0; i < cluster.partitions.size() && left > 0; ++i) {
    const Partition& partition = cluster.partitions[i];
    const Accelerator& device = partition.node.accelerator;
    const StepTime step = step_on(i);
    const bool first = pace.device == nullptr;
    if (first || step.breakdown.total_s() > pace.step.breakdown.total_s()) {
      pace.step = step;
      pace.device = &device;
    }
    if (first || device.memory_bytes < pace.memory.capacity_bytes) {
      pace.memory_kinds = workload::stage_kinds(job, layout, device);
      pace.memory = workload::fullest_of(pace.memory_kinds, layout, batches);
    }
    pace.partitions += 1;
    left -= partition.accelerators;
  }
  return pace;
}

}  // namespace

network::Links links_of(const Training& job, const Cluster& cluster, const Partition& partition) {
  network::Links links = network::links_of(cluster, partition);
  links.in_network_reduction = job.in_network_reduction && cluster.fabric.in_network_reduction;
  return links;
}

Pace pace_of(const Training& job, const Cluster& cluster, const Layout& layout) {
  return slowest_of(job, cluster, layout, [&](std::size_t i) {
    const Partition& partition = cluster.partitions[i];
    return step_time(job, layout, partition.node.accelerator, links_of(job, cluster, partition));
  });
}

Pacer::Pacer(const Cluster& cluster) : cluster_(cluster) {
  for (const Partition& partition : cluster.partitions) kinds_.push_back({network::links_of(cluster, partition), {}});
}

Pace Pacer::pace_of(const Training& job, const Layout& layout) {
  return slowest_of(job, cluster_, layout, [&](std::size_t i) {
    const Accelerator& device = cluster_.partitions[i].node.accelerator;
    Kind& kind = kinds_[i];
    kind.links.in_network_reduction = job.in_network_reduction && cluster_.fabric.in_network_reduction;
    return step_time(job, layout, device, kind.links, kind.parts.get(job, layout, device, kind.links));
  });
}

}  // namespace ampacity::step
