// Parameters of one pipeline stage on one device.
#pragma once

#include <algorithm>

#include "ampacity/layout.hpp"
#include "ampacity/model.hpp"
#include "ampacity/training.hpp"
#include "workload/stages.hpp"

namespace ampacity::workload {

/// Parameters by the group that holds copies of them: routed experts are copied on fewer devices than the rest.
struct StageParameters {
  double shared = 0;   ///< attention, dense blocks, shared experts, router, norms, embedding, head
  double experts = 0;  ///< routed experts

  [[nodiscard]] double all() const { return shared + experts; }
  /// The share of one device where each kind is sharded over the devices that hold copies of it.
  [[nodiscard]] double sharded(const Layout& layout) const {
    return shared / static_cast<double>(state_shards(layout)) + experts / static_cast<double>(expert_replicas(layout));
  }
};

/// Where the stage stands in the pipeline.
struct StagePlace {
  bool first = false;
  bool last = false;
};
[[nodiscard]] StageParameters stage_parameters(const Model& model, const Layout& layout, const LayerMix& layers,
                                               StagePlace place);
/// Bytes of a weight of a layer with ZeRO stage 3, at rest and in a gathering.
[[nodiscard]] inline double sharded_weight_bytes(const Training& job) {
  const bool one_scale = job.precision == Precision::fp8 || job.precision == Precision::fp8_block;
  const double trained = job.software.weights_in_8_bits && one_scale ? 1 : 2;
  return job.is_frozen() ? std::min(trained, job.frozen_weight_bytes) : trained;
}
/// Those of its matrix products with weights, embedding and head left out.
[[nodiscard]] StageParameters layer_parameters(const Model& model, const Layout& layout, const LayerMix& layers);
/// One weight of each shape among them.
[[nodiscard]] double distinct_weights(const Model& model, const Layout& layout, const LayerMix& layers);

}  // namespace ampacity::workload
