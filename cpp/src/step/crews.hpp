// Jobs that span kinds of devices: which replicas lie on which kind, and how they share the micro-batches.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "ampacity/cluster.hpp"
#include "ampacity/layout.hpp"

namespace ampacity::step {

/// Replicas that follow one another, on devices of one kind, with the same number of micro-batches.
struct Crew {
  std::size_t kind = 0;  ///< partition of the cluster
  std::int64_t replicas = 0;
  std::int64_t micro_batches = 0;
};

/// Whether the job reaches beyond the first partition.
[[nodiscard]] bool spans_kinds(const Cluster& cluster, const Layout& layout);
/// How many partitions it reaches.
[[nodiscard]] std::size_t kinds_of(const Cluster& cluster, const Layout& layout);

/// Replicas by kind, with equal shares: partitions are filled in order, replica by replica. Replicas that meet in each
/// task stay together, and count as the slowest kind that they lie on (`step_s`, of each kind).
[[nodiscard]] std::vector<Crew> crews_by_kind(const Cluster& cluster, const Layout& layout, std::int64_t micro_batches,
                                              std::span<const double> step_s);

/// The same micro-batches shared so that the crews end as nearly together as whole micro-batches allow. `step_s(kind,
/// micro_batches)` is the step of that kind with so many.
[[nodiscard]] std::vector<Crew> balanced(
    const std::vector<Crew>& equal, const Layout& layout,
    const std::function<double(std::size_t kind, std::int64_t micro_batches)>& step_s);

/// How many stages of the pipeline lie on the first partition where partitions are filled stage by stage. A stage that
/// lies on two kinds counts as the slower one.
[[nodiscard]] std::int64_t stages_in_front(const Cluster& cluster, const Layout& layout, bool front_is_slower);

}  // namespace ampacity::step
