// The step of a job on a whole cluster: the slowest kind of device sets the pace.
#pragma once

#include <cstdint>
#include <vector>

#include "ampacity/cluster.hpp"
#include "ampacity/estimate.hpp"
#include "ampacity/layout.hpp"
#include "ampacity/training.hpp"
#include "network/collectives.hpp"
#include "step/part_cache.hpp"
#include "step/step_time.hpp"

namespace ampacity::step {

/// The step on the partitions that the job fills, in order: all wait for the slowest kind of device, and the job must
/// fit into the smallest memory.
struct Pace {
  StepTime step;
  Memory memory;                        ///< of the fullest stage
  StageKinds memory_kinds;              ///< of all stages
  const Accelerator* device = nullptr;  ///< the slowest; belongs to the cluster
  std::int64_t partitions = 0;
};

/// Links as the job uses them: with reduction in the network's switches only where it says so.
[[nodiscard]] network::Links links_of(const Training& job, const Cluster& cluster, const Partition& partition);

/// The layout must be free of `conflicts`.
[[nodiscard]] Pace pace_of(const Training& job, const Cluster& cluster, const Layout& layout);

/// The same for many layouts of one job (of which batch and sequence length may change), bit for bit: what they have in
/// common is computed once. Belongs to one thread.
class Pacer {
 public:
  explicit Pacer(const Cluster& cluster);
  [[nodiscard]] Pace pace_of(const Training& job, const Layout& layout);

 private:
  struct Kind {
    network::Links links;
    PartCache parts;
  };
  const Cluster& cluster_;
  std::vector<Kind> kinds_;  // one for each partition
};

}  // namespace ampacity::step
