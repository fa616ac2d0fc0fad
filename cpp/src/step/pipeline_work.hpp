// The ranks of a pipeline at work: which is slowest, and what the schedule makes of them.
#pragma once

#include <array>
#include <cstddef>
#include <tuple>

#include "ampacity/layout.hpp"
#include "ampacity/training.hpp"
#include "step/on_kind.hpp"
#include "step/stage_time.hpp"
#include "step/step_terms.hpp"
#include "workload/stages.hpp"

namespace ampacity::step {

/// What one stage of a pipeline is made of.
struct PartCounts {
  workload::LayerMix layers;
  double embeddings = 0;
  double heads = 0;
};

/// Neighbouring ranks with the same parts.
struct RankParts {
  PartCounts parts;
  double share = 0;    ///< of all ranks
  bool front = false;  ///< among `Layout::front_stages`
};

/// The pipeline of a step.
struct PipelineWork {
  std::array<RankParts, std::tuple_size_v<decltype(workload::StageLayers::runs)>> runs{};
  std::size_t count = 0;  ///< of them
  PassTime slowest;       ///< the slowest rank with one micro-batch, forward and backward
  RankParts slowest_rank;
  StageTransfers transfers;
  double messages_s = 0;   ///< what shows of messages between stages
  double hidden_ep_s = 0;  ///< exchange with experts behind another pass (DualPipe), of the slowest rank
  double bubble_s = 0;     ///< what a step takes beyond the work of that rank and messages
};
[[nodiscard]] PipelineWork pipeline_work(const Training& job, const Layout& layout, const StageDevices& devices,
                                         const workload::StageLayers& stages, double micro_batches);

/// Which ranks.
enum class Ranks { all, front, rest };

/// The mean of those ranks with one micro-batch.
struct MeanRank {
  PassTime pass;
  double share = 0;  ///< of all ranks
};
[[nodiscard]] MeanRank mean_rank(const PipelineWork& work, const PartTimes& parts, Ranks ranks);

/// Joules that communication behind its kernels adds to those of the mean of those ranks. Beside that of its passes
/// each has `hidden_s` over the step.
[[nodiscard]] double mean_hidden_joules(const PipelineWork& work, const OnKind& kind, Ranks ranks,
                                        const Software& software, double micro_batches, double overlapped_share,
                                        double hidden_s);

}  // namespace ampacity::step
