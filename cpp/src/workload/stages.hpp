// How layers are spread over pipeline stages.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "ampacity/layout.hpp"
#include "ampacity/model.hpp"

namespace ampacity::workload {

/// Layers of one stage by kind.
struct LayerMix {
  double dense = 0;
  double moe = 0;

  [[nodiscard]] double all() const { return dense + moe; }
};

/// Neighbouring pipeline ranks that hold the same number of layers.
struct StageRun {
  LayerMix layers;       ///< all that a rank holds; both copies' stages with the dualpipe schedule
  LayerMix first_chunk;  ///< its first virtual stage
  LayerMix last_chunk;   ///< its last virtual stage
  std::int64_t ranks = 0;
  std::int64_t first_rank = 0;
  bool embedding = false;  ///< it has the input embedding too
  bool head = false;       ///< and the output embedding with the loss, and the layers of multi-token prediction
};

/// The ranks of a pipeline, first to last.
struct StageLayers {
  std::array<StageRun, 12> runs{};
  std::size_t count = 0;
  bool possible = false;

  [[nodiscard]] const StageRun* begin() const { return runs.data(); }
  [[nodiscard]] const StageRun* end() const { return runs.data() + count; }
};

/// How layers are spread over the ranks, virtual stage by virtual stage (`Layout::first_stage_layers`,
/// `Layout::uneven_stages`). Otherwise all have the same number, and embedding and head may each stand for one layer,
/// as in Llama 3 (arXiv:2407.21783, section 3.3.2): 126 layers on 16 stages are 7 + 14 x 8 + 7. With multi-token
/// prediction, or where nothing else divides a mixture, the last one has three less (DeepSeek-V3: 15 x 4 + 1).
[[nodiscard]] StageLayers stage_layers(const Model& model, const Layout& layout);

/// Layers of the rank that has most.
[[nodiscard]] LayerMix fullest_layers(const StageLayers& stages);

/// The same question without the answer.
[[nodiscard]] bool stages_possible(const Model& model, const Layout& layout);

/// Micro-batches of one replica in one step; 0 where the batch cannot be split so.
[[nodiscard]] inline std::int64_t micro_batches(std::int64_t global_batch, const Layout& layout) {
  const std::int64_t at_once = layout.dp * layout.micro_batch;
  return global_batch % at_once == 0 ? global_batch / at_once : 0;
}

/// Copies of each stage in one replica: the two directions of DualPipe (DeepSeek-V3, section 3.2.1).
[[nodiscard]] inline std::int64_t stage_copies(const Layout& layout) {
  return layout.schedule == Schedule::dualpipe ? 2 : 1;
}

/// Devices that hold the same weights (all but routed experts).
[[nodiscard]] inline std::int64_t state_replicas(const Layout& layout) {
  return layout.dp * layout.cp * stage_copies(layout);
}

/// Devices over which weights, gradients and optimizer state (all but routed experts) are sharded.
[[nodiscard]] inline std::int64_t state_shards(const Layout& layout) {
  return layout.shard_group > 0 ? layout.shard_group * layout.cp : state_replicas(layout);
}

/// Devices that hold the same routed experts: what expert parallelism leaves of tensor, context and data parallelism.
[[nodiscard]] inline std::int64_t expert_replicas(const Layout& layout) {
  return stage_copies(layout) * layout.tp * layout.cp * layout.dp / (layout.ep * layout.etp);
}

/// Replicas whose devices meet in each task, because experts or sharded weights (ZeRO 3) are spread over them. 1 where
/// replicas meet at the end of the step only.
[[nodiscard]] std::int64_t replicas_together(const Layout& layout);

}  // namespace ampacity::workload
