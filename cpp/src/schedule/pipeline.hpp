// Pipeline schedules in closed form.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "ampacity/layout.hpp"

namespace ampacity::schedule {

/// Seconds of one micro-batch by what may be scheduled apart.
struct PassSeconds {
  double forward_s = 0;
  double input_gradient_s = 0;
  double weight_gradient_s = 0;

  [[nodiscard]] double backward_s() const { return input_gradient_s + weight_gradient_s; }
  [[nodiscard]] double total_s() const { return forward_s + backward_s(); }
  PassSeconds& operator+=(const PassSeconds& other) {
    forward_s += other.forward_s;
    input_gradient_s += other.input_gradient_s;
    weight_gradient_s += other.weight_gradient_s;
    return *this;
  }
  friend PassSeconds operator*(double times, const PassSeconds& one) {
    return {times * one.forward_s, times * one.input_gradient_s, times * one.weight_gradient_s};
  }
};

/// Neighbouring ranks that take equally long.
struct RankTimes {
  PassSeconds all;          ///< one micro-batch through all virtual stages of the rank
  PassSeconds first_chunk;  ///< through its first virtual stage
  PassSeconds last_chunk;   ///< through its last
  double saved_s = 0;       ///< by two passes that run into one another (DualPipe)
  std::int64_t ranks = 1;
};

/// Messages between stages.
struct Messages {
  double shown_s = 0;  ///< of each task that has one, while the pipeline is full
  double late_s = 0;   ///< beyond that, of those of the fill and the drain
};

/// Length of a step's pipeline.
struct PipelineTime {
  double busy_s = 0;        ///< the slowest rank at work
  double bubble_s = 0;      ///< fill and drain, and waiting inside
  std::size_t slowest = 0;  ///< index of the slowest ranks
};

/// Index of the ranks with most work.
[[nodiscard]] std::size_t slowest_rank(std::span<const RankTimes> ranks);

/// Length of the pipeline whose ranks, first to last, are `ranks`. `vp` virtual stages a rank. Messages between stages
/// are part of the passes, but for `late_s` more of each of the fill and the drain (not ZB-V and DualPipe).
///
/// With equal stages these are the lengths of the recurrences (`pipeline_timeline`) to rounding, where weight gradients
/// take no longer than forward passes, and these no longer than input gradients, as in every model. F, I and W are
/// forward, input and weight gradient of one virtual stage, B = I + W; bubbles:
/// - GPipe and 1F1B, also interleaved: (pp - 1) (F + B) (Narayanan et al. 2021, arXiv:2104.04473, section 2.2).
/// - ZB-H1: (pp - 1) (F + I - W) (Qi et al. 2024, arXiv:2401.10241, section 2.1).
/// - ZB-V: (pp - 1) F where F = I = W: no rank waits between its first and its last task (section 6 there).
/// - DualPipe: (pp / 2 - 1) (F&B + B - 3W) where F = I (DeepSeek-V3, arXiv:2412.19437, Table 2), F&B = F + B; the
///   released order has less where I > F. DualPipeV: pp in place of pp / 2.
///
/// With unequal stages GPipe and 1F1B are exact; all but the schedules that fold the pipeline have the longest of the
/// paths through each rank (the interleaved one with an embedding and a head: 0.8 % off at most where the head is the
/// longer of the two, as in models). ZB-V and DualPipe take the bubble of their mean stage: a few per cent off, more
/// (12 %) where the head makes one virtual stage half again as long as the others. Where that is not near enough there
/// is `exact.hpp`. `ranks`: no more than 20 runs of equal ones.
[[nodiscard]] PipelineTime pipeline_time(Schedule schedule, std::int64_t vp, double micro_batches,
                                         std::span<const RankTimes> ranks, double late_s = 0);

/// Share of a rank's work in which DualPipe runs a forward and a backward pass into one another, on the ranks that set
/// its length; 0 with the other schedules.
[[nodiscard]] double overlapped_share(Schedule schedule, std::int64_t pp, double micro_batches);
/// The same of the mean rank: those at the ends have fewer such passes.
[[nodiscard]] double mean_overlapped_share(Schedule schedule, std::int64_t pp, double micro_batches);

}  // namespace ampacity::schedule
