// How layers are spread over pipeline stages.
#pragma once

#include <cstdint>

#include "ampacity/layout.hpp"
#include "ampacity/model.hpp"

namespace ampacity::workload {

/// Layers on the first, a middle and the last stage. Embedding and head may each stand for one layer, as in Llama 3
/// (arXiv:2407.21783, section 3.3.2): 126 layers on 16 stages are 7 + 14 x 8 + 7.
struct StageLayers {
  double first = 0;
  double middle = 0;
  double last = 0;
  bool possible = false;
};
[[nodiscard]] inline StageLayers stage_layers(const Model& model, const Layout& layout) {
  const std::int64_t chunks = layout.pp * layout.vp;
  if (layout.pp == 1) {
    const auto all = static_cast<double>(model.layers);
    return {all, all, all, layout.vp == 1};
  }
  for (std::int64_t spared = 0; spared <= 2; ++spared) {
    if ((model.layers + spared) % chunks != 0) continue;
    const double whole = static_cast<double>((model.layers + spared) / layout.pp);
    const double last = whole - (spared >= 1 ? 1 : 0);
    const double first = whole - (spared == 2 ? 1 : 0);
    return {first, whole, last, first >= 1 && last >= 1};
  }
  return {};
}

/// Micro-batches of one replica in one step; 0 where the batch cannot be split so.
[[nodiscard]] inline std::int64_t micro_batches(std::int64_t global_batch, const Layout& layout) {
  const std::int64_t at_once = layout.dp * layout.micro_batch;
  return global_batch % at_once == 0 ? global_batch / at_once : 0;
}

}  // namespace ampacity::workload
