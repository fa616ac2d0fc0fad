// What every replica of a job does in a step, before any device differs: its tasks, and what each waits for.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "ampacity/layout.hpp"
#include "ampacity/training.hpp"
#include "network/collectives.hpp"
#include "schedule/order.hpp"
#include "step/on_kind.hpp"
#include "step/stage_time.hpp"
#include "step/step_terms.hpp"
#include "step/task_work.hpp"

namespace ampacity::simulation {

/// One task of a rank, or a forward and a backward pass that run into one another (DualPipe).
struct Slot {
  double compute_s = 0;                 ///< on a device of mean speed
  double fixed_s = 0;                   ///< what does not depend on the device
  double communication_s = 0;           ///< of it
  double host_s = 0;                    ///< of it; the rest is imbalance
  std::array<std::int32_t, 2> needs{};  ///< slots whose message it waits for; 0: none (slot 0 is no task)
  std::array<double, 2> delay_s{};      ///< from their end to its arrival
  std::int32_t rank = 0;
  std::int32_t first_step = 0;  ///< its first row in `Plan::order`
  bool first_of_rank = false;
};

/// Sums over the tasks of a rank, on a device of mean speed.
struct RankSums {
  double compute_s = 0;
  double communication_s = 0;
  double host_s = 0;
  double imbalance_s = 0;
  double joules = 0;         ///< of the kernels
  double hidden_comm_s = 0;  ///< communication behind compute
  bool front = false;        ///< among the stages on the first of two kinds of devices
  double held = 0;           ///< micro-batches (of a whole stage) whose activations it holds at its fullest moment

  [[nodiscard]] double fixed_s() const { return communication_s + host_s + imbalance_s; }
};

/// The pipeline of a replica. Slots of rank r are [begin[r], begin[r + 1]), in the order in which it works them off.
struct Plan {
  schedule::Order order;
  std::vector<Slot> slots;
  std::vector<std::int32_t> begin;
  std::vector<std::int32_t> sequence;  ///< all slots, each behind those that it waits for
  std::vector<RankSums> ranks;
  std::int64_t micro_batches = 0;
  std::array<step::StepEnd, 2> ends;  ///< on the front stages' kind of devices, and on that of the others
  double overhead_s = 0;

  [[nodiscard]] const step::StepEnd& end_of(const RankSums& rank) const { return ends[rank.front ? 0 : 1]; }
  /// Seconds that a rank works on behind its pipeline.
  [[nodiscard]] double tail_s(const RankSums& rank) const {
    const step::StepEnd& end = end_of(rank);
    return end.replicas.exposed_s + end.optimizer.seconds + end.offload_s + end.norm_s + overhead_s;
  }
  /// Of the rank that takes longest.
  [[nodiscard]] double tail_s() const {
    double longest_s = 0;
    for (const RankSums& rank : ranks) longest_s = std::max(longest_s, tail_s(rank));
    return longest_s;
  }
};
/// `parts` as `devices` have them: of the layout and the job with its number of micro-batches.
[[nodiscard]] Plan plan_of(const Training& job, const Layout& layout, const step::StageDevices& devices);

/// How much longer messages between scale-up domains take than `Links` say, and how far they go.
struct Way {
  double slowdown = 1;
  network::Paths distances;  ///< none: within a site

  [[nodiscard]] bool plain() const { return slowdown == 1 && distances.wan_s == 0; }
};
/// The same by what they are for.
struct Slower {
  Way tensor;   ///< tensor parallelism, wherever its groups span domains
  Way context;  ///< context parallelism
  Way experts;  ///< exchange with experts
  Way shards;   ///< weights and gradients sharded over replicas, layer by layer
  Way stages;   ///< between pipeline stages
};
/// A kind of device and its networks.
struct LinkedDevice {
  const Accelerator& device;
  const network::Links& links;
};
/// The same on networks at that pace. Both are one object where all stages lie on one kind of device.
[[nodiscard]] Plan plan_of(const Training& job, const Layout& layout, const LinkedDevice& front,
                           const LinkedDevice& rest, const Slower& slower);
/// What such a plan's end shows of the communication between replicas.
[[nodiscard]] double exposed_end_s(const Training& job, const Layout& layout, const Accelerator& device,
                                   const network::Links& links, const Way& way);

}  // namespace ampacity::simulation
