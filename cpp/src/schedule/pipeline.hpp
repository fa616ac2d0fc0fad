// Pipeline schedules in closed form.
#pragma once

#include "ampacity/layout.hpp"

namespace ampacity::schedule {

/// Forward plus backward seconds of one micro-batch on the first, a middle and the last stage.
struct StageTimes {
  double first_s = 0;
  double middle_s = 0;
  double last_s = 0;
};

/// Length of a step's pipeline.
struct PipelineTime {
  double busy_s = 0;    ///< the slowest stage at work
  double bubble_s = 0;  ///< fill and drain
};

/// GPipe and 1F1B: `m t_max + sum of the other stages` (Narayanan et al. 2021, arXiv:2104.04473, section 2.2); with
/// `vp` virtual stages fill and drain shrink by `vp`. For equal stages: bubble = (pp - 1) t / vp.
[[nodiscard]] PipelineTime pipeline_time(const Layout& layout, double micro_batches, const StageTimes& stage);

}  // namespace ampacity::schedule
