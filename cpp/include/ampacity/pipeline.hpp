// The timeline of a pipeline: when every task of every rank starts and ends.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "ampacity/layout.hpp"

namespace ampacity {

/// What a rank does for one stage and one micro-batch. `backward` is both gradients in one piece.
enum class PipelineTask : std::uint8_t { forward, backward, input_gradient, weight_gradient };
template <>
struct EnumNames<PipelineTask> {
  static constexpr std::array<std::string_view, 4> names{"forward", "backward", "input-gradient", "weight-gradient"};
};

/// A pipeline by its schedule and durations in seconds. Stages are those of the model: pp x vp, or 2 x pp of a V
/// schedule. A list has one value for all stages, one for each stage, or one for each stage and micro-batch
/// (stage-major).
struct Pipeline {
  Schedule schedule = Schedule::one_f_one_b;
  std::int64_t pp = 1;
  std::int64_t vp = 1;
  std::int64_t micro_batches = 1;
  std::vector<double> forward_s{0};
  std::vector<double> input_gradient_s{0};
  std::vector<double> weight_gradient_s{0};
  std::vector<double> transfer_s{0};  ///< from each stage to the next and back; nothing between stages of one rank
  double saved_s = 0;                 ///< by which a forward and a backward pass that run together are shorter

  [[nodiscard]] std::int64_t stages() const { return pp * vp; }
};

/// One row per task, rank by rank in the order in which the rank works them off.
struct PipelineTimeline {
  std::vector<std::int32_t> rank;
  std::vector<std::int32_t> stage;
  std::vector<std::int32_t> micro_batch;
  std::vector<PipelineTask> kind;
  std::vector<double> start_s;
  std::vector<double> end_s;

  [[nodiscard]] std::size_t size() const { return rank.size(); }
  /// End of the last task.
  [[nodiscard]] double makespan_s() const;
};

/// Solves the schedule's recurrences: a task starts when its rank is free and what it waits for has arrived.
/// \throws InvalidSpec for degrees that the schedule cannot have, lists of the wrong length, negative durations
[[nodiscard]] PipelineTimeline pipeline_timeline(const Pipeline& pipeline);

}  // namespace ampacity
