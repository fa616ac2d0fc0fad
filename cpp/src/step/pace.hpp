// The step of a job on a whole cluster: the slowest kind of device sets the pace.
#pragma once

#include <cstdint>

#include "ampacity/cluster.hpp"
#include "ampacity/estimate.hpp"
#include "ampacity/layout.hpp"
#include "ampacity/training.hpp"
#include "step/step_time.hpp"

namespace ampacity::step {

/// The step on the partitions that the job fills, in order: all wait for the slowest kind of device, and the job must
/// fit into the smallest memory.
struct Pace {
  StepTime step;
  Memory memory;
  const Accelerator* device = nullptr;  ///< the slowest; belongs to the cluster
  std::int64_t partitions = 0;
};

/// The layout must be free of `conflicts`.
[[nodiscard]] Pace pace_of(const Training& job, const Cluster& cluster, const Layout& layout);

}  // namespace ampacity::step
