// How layers are spread over pipeline stages.
#pragma once

#include <algorithm>
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

/// Layers on the first, a middle and the last stage; layers of multi-token prediction are on the last. Embedding and
/// head may each stand for one layer, as in Llama 3 (arXiv:2407.21783, section 3.3.2): 126 layers on 16 stages are 7 +
/// 14 x 8
/// + 7.
struct StageLayers {
  LayerMix first;
  LayerMix middle;
  LayerMix last;
  bool possible = false;
};

namespace detail {

/// `layers` layers of which the first `dense` are dense whatever the model's pattern.
inline LayerMix mix_of(const Model& model, double layers, double dense) {
  if (!model.is_moe()) return {layers, 0};
  const double kept = std::min(layers, dense);
  const double moe = (layers - kept) / static_cast<double>(model.moe_layer_interval);
  return {layers - moe, moe};
}

}  // namespace detail

[[nodiscard]] inline StageLayers stage_layers(const Model& model, const Layout& layout) {
  const std::int64_t chunks = layout.pp * layout.vp;
  const std::int64_t layers = model.layers + model.mtp_layers;
  const auto dense = static_cast<double>(model.dense_layers);
  if (layout.pp == 1) {
    const LayerMix all = detail::mix_of(model, static_cast<double>(layers), dense);
    return {all, all, all, layout.vp == 1};
  }
  for (std::int64_t spared = 0; spared <= 2; ++spared) {
    if ((layers + spared) % chunks != 0) continue;
    const std::int64_t per_stage = (layers + spared) / layout.pp;
    const auto whole = static_cast<double>(per_stage);
    const double last = whole - (spared >= 1 ? 1 : 0);
    const double first = whole - (spared == 2 ? 1 : 0);
    return {detail::mix_of(model, first, dense), detail::mix_of(model, whole, 0), detail::mix_of(model, last, 0),
            first >= 1 && last >= 1};
  }
  return {};
}

/// Micro-batches of one replica in one step; 0 where the batch cannot be split so.
[[nodiscard]] inline std::int64_t micro_batches(std::int64_t global_batch, const Layout& layout) {
  const std::int64_t at_once = layout.dp * layout.micro_batch;
  return global_batch % at_once == 0 ? global_batch / at_once : 0;
}

/// Devices over which weights, gradients and optimizer state (all but routed experts) are sharded.
[[nodiscard]] inline std::int64_t state_shards(const Layout& layout) {
  return (layout.shard_group > 0 ? layout.shard_group : layout.dp) * layout.cp;
}

/// Devices that hold the same routed experts: what expert parallelism leaves of tensor, context and data parallelism.
[[nodiscard]] inline std::int64_t expert_replicas(const Layout& layout) {
  return layout.tp * layout.cp * layout.dp / (layout.ep * layout.etp);
}

}  // namespace ampacity::workload
