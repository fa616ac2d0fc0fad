// In which order each rank of a pipeline works off its tasks.
#pragma once

#include <cstdint>
#include <vector>

#include "ampacity/pipeline.hpp"

namespace ampacity::schedule {

/// A task in the order of its rank. Where `with_next`, it runs together with the one behind it.
struct Step {
  std::int32_t stage = 0;
  std::int32_t micro_batch = 0;
  PipelineTask kind = PipelineTask::forward;
  bool with_next = false;
};

/// Tasks of all ranks, rank by rank; those of rank r are [begin[r], begin[r + 1]).
struct Order {
  std::vector<Step> steps;
  std::vector<std::size_t> begin;
};

/// GPipe (Huang et al. 2019, arXiv:1811.06965), 1F1B and its interleaved form (Narayanan et al. 2021,
/// arXiv:2104.04473), ZB-H1 and ZB-V (Qi et al. 2024, arXiv:2401.10241, sections 2.1 and 6; ZB-V in the order of
/// torchtitan's release), DualPipe (DeepSeek-V3, arXiv:2412.19437, section 3.2.1, and the order of DeepSeek's release)
/// and its half, DualPipeV.
[[nodiscard]] Order order_of(Schedule schedule, std::int64_t pp, std::int64_t vp, std::int64_t micro_batches);

/// The rank that holds a stage, of the copy of the model through which the micro-batch goes.
[[nodiscard]] inline std::int64_t rank_of(Schedule schedule, std::int64_t pp, std::int64_t micro_batches,
                                          std::int64_t stage, std::int64_t micro_batch) {
  if (is_v(schedule)) return stage < pp ? stage : 2 * pp - 1 - stage;
  if (schedule == Schedule::dualpipe && 2 * micro_batch >= micro_batches) return pp - 1 - stage;
  return stage % pp;
}

}  // namespace ampacity::schedule
