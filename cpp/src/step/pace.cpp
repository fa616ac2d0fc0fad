#include "step/pace.hpp"
#include "network/shape.hpp"

#include <algorithm>
#include <array>

#include "compute/kernels.hpp"
#include "step/mixed_pace.hpp"
#include "workload/memory.hpp"
#include "workload/stages.hpp"

namespace ampacity::step {
namespace {

/// The step on the first kind of device, which has it all.
Pace alone(const Training& job, const Cluster& cluster, const Layout& layout, const network::Links& links,
           const PartTimes& parts) {
  const workload::StageLayers stages = workload::stage_layers(job.model, layout);
  const Accelerator& device = cluster.partitions.front().node.accelerator;
  const OnKind kind{device, links, parts};
  Pace pace;
  pace.step = step_time(job, layout, {kind, kind}, stages);
  pace.device = &device;
  pace.memory_kinds = workload::stage_kinds(job, layout, device, stages);
  pace.memory = workload::fullest_of(pace.memory_kinds, layout, pace.step.micro_batches);
  pace.partitions = 1;
  return pace;
}

/// Levels of ranks: groups of every kind begin and end at them.
void place(const Layout& layout, const Cluster& cluster, const Partition& partition, network::Links& links) {
  if (links.scaleup_topology != ScaleupTopology::torus) return;
  const std::int64_t stage = layout.tp * layout.cp * layout.dp;
  const std::array boundaries{
      layout.etp, layout.etp * layout.ep, layout.tp, layout.tp * layout.cp, layout.tp * workload::state_shards(layout),
      stage};
  links.torus = network::places_on_torus(cluster, partition, layout.accelerators(), boundaries);
}

Training in_format(const Training& job, Precision precision) {
  Training changed = job;
  changed.precision = precision;
  return changed;
}

}  // namespace

network::Links links_of(const Training& job, const Layout& layout, const Cluster& cluster, const Partition& partition) {
  network::Links links = network::links_of(cluster, partition);
  place(layout, cluster, partition, links);
  links.in_network_reduction = job.in_network_reduction && cluster.fabric.in_network_reduction;
  return links;
}

network::Links links_at_end(std::span<const network::Links> kinds, std::size_t kind, const Layout& layout) {
  const network::Group replicas{layout.dp * layout.cp, layout.tp};
  const auto members = [&](const network::Links& links) {
    return static_cast<double>(network::members_in_domain(replicas, links.scaleup_domain));
  };
  network::Links links = kinds[kind];
  for (const network::Links& other : kinds) {
    const double pace_bytes_per_s = members(other) * other.scaleout_bytes_per_s / members(links);
    links.scaleout_bytes_per_s = std::min(links.scaleout_bytes_per_s, pace_bytes_per_s);
  }
  return links;
}

Training with_micro_batches(const Training& job, const Layout& layout, std::int64_t micro_batches) {
  Training changed = job;
  changed.global_batch = micro_batches * layout.dp * layout.micro_batch;
  return changed;
}

Precision precision_on(const Cluster& cluster, const Layout& layout, Precision asked) {
  const std::size_t kinds = spans_kinds(cluster, layout) ? cluster.partitions.size() : 1;
  for (std::size_t i = 0; i < kinds; ++i) asked = compute::format_on(cluster.partitions[i].node.accelerator, asked);
  return asked;
}

Pace pace_of(const Training& job, const Cluster& cluster, const Layout& layout) {
  const Precision precision = precision_on(cluster, layout, job.precision);
  if (precision != job.precision) return pace_of(in_format(job, precision), cluster, layout);
  if (!spans_kinds(cluster, layout)) {
    const Partition& first = cluster.partitions.front();
    const network::Links links = links_of(job, layout, cluster, first);
    return alone(job, cluster, layout, links, part_times(job, layout, first.node.accelerator, links));
  }
  return mixed_pace(job, cluster, layout, [&](std::size_t kind, const Training& changed) {
    const Partition& partition = cluster.partitions[kind];
    return part_times(changed, layout, partition.node.accelerator, links_of(job, layout, cluster, partition));
  });
}

Pacer::Pacer(const Cluster& cluster) : cluster_(cluster) {
  for (const Partition& partition : cluster.partitions) kinds_.push_back({network::links_of(cluster, partition), {}});
}

Pace Pacer::pace_of(const Training& job, const Layout& layout) {
  const Precision precision = precision_on(cluster_, layout, job.precision);
  if (precision != job.precision) return pace_of(in_format(job, precision), layout);
  const auto parts_on = [&](std::size_t i, const Training& changed) -> const PartTimes& {
    Kind& kind = kinds_[i];
    kind.links.in_network_reduction = job.in_network_reduction && cluster_.fabric.in_network_reduction;
    place(layout, cluster_, cluster_.partitions[i], kind.links);
    return kind.parts.get(changed, layout, cluster_.partitions[i].node.accelerator, kind.links);
  };
  if (spans_kinds(cluster_, layout)) return mixed_pace(job, cluster_, layout, parts_on);
  return alone(job, cluster_, layout, kinds_.front().links, parts_on(0, job));
}

}  // namespace ampacity::step
