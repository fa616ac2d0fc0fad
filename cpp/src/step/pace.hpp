// The step of a job on a whole cluster.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ampacity/cluster.hpp"
#include "ampacity/estimate.hpp"
#include "ampacity/layout.hpp"
#include "ampacity/training.hpp"
#include "network/collectives.hpp"
#include "step/crews.hpp"
#include "step/part_cache.hpp"
#include "step/step_time.hpp"

namespace ampacity::step {

/// Devices of one partition that a job works with.
struct KindShare {
  std::size_t kind = 0;
  double accelerators = 0;
  double joules = 0;  ///< of one of them over the step
};

/// The step on the partitions that the job fills, in order: all wait for the slowest kind of device, and the job must
/// fit into each memory.
struct Pace {
  StepTime step;                        ///< of those that set the pace
  Memory memory;                        ///< of the fullest stage
  StageKinds memory_kinds;              ///< of all stages
  const Accelerator* device = nullptr;  ///< the slowest; belongs to the cluster
  std::int64_t partitions = 0;
  // Of a job that spans kinds only:
  std::vector<Crew> crews;        ///< replicas in order; one where stages lie on different kinds
  std::vector<KindShare> shares;  ///< of the kinds
  Layout layout;                  ///< as asked for, with the stages that lie on the first kind and their layers
};

/// Links as the job uses them: with reduction in the network's switches only where it says so, its ranks placed on a
/// torus.
[[nodiscard]] network::Links links_of(const Training& job, const Layout& layout, const Cluster& cluster,
                                      const Partition& partition);

/// Links of one of the kinds of devices that replicas lie on, as they reduce with those on the others: at the pace of
/// the scale-up domain that sends least, by its members and their network cards.
[[nodiscard]] network::Links links_at_end(std::span<const network::Links> kinds, std::size_t kind,
                                          const Layout& layout);

/// The format that the job runs in: the one asked for, or the one that all its kinds of device have instead.
[[nodiscard]] Precision precision_on(const Cluster& cluster, const Layout& layout, Precision asked);

/// The layout must be free of `conflicts`.
[[nodiscard]] Pace pace_of(const Training& job, const Cluster& cluster, const Layout& layout);

/// The job with so many micro-batches a replica.
[[nodiscard]] Training with_micro_batches(const Training& job, const Layout& layout, std::int64_t micro_batches);

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
