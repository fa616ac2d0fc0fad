// The ranks of a pipeline at work: which is slowest, and what the schedule makes of them.
#pragma once

#include "ampacity/layout.hpp"
#include "ampacity/training.hpp"
#include "step/stage_time.hpp"
#include "workload/stages.hpp"

namespace ampacity::step {

/// What one stage of a pipeline is made of.
struct PartCounts {
  workload::LayerMix layers;
  double embeddings = 0;
  double heads = 0;
};

/// The pipeline of a step.
struct PipelineWork {
  PassTime slowest;  ///< the slowest rank with one micro-batch, forward and backward
  PartCounts slowest_parts;
  double bubble_s = 0;       ///< what a step takes beyond the work of that rank
  double mean_fraction = 1;  ///< work of the mean rank over that of the slowest
};
[[nodiscard]] PipelineWork pipeline_work(const Training& job, const Layout& layout, const PartTimes& parts,
                                         const workload::StageLayers& stages, double micro_batches);

}  // namespace ampacity::step
