#include "step/offload_time.hpp"

#include <algorithm>

#include "workload/layer_memory.hpp"

namespace ampacity::step {
namespace {

constexpr double wire_bytes = 2;  // weights and gradients cross in 16 bits

double kept_bytes(const Context& c, const workload::LayerMix& one) {
  const workload::LayerActivations whole =
      one.moe > 0 ? workload::moe_activations(c.job, c.layout) : workload::dense_activations(c.job, c.layout);
  return workload::kept_activations(c.job, c.layout, whole);
}

}  // namespace

void add_offload(const Context& c, const workload::LayerMix& one, LayerTime& time) {
  const Layout& layout = c.layout;
  if (layout.offload_activations_fraction == 0 && layout.offload_weights_fraction == 0) return;
  double bytes = 0;
  if (layout.offload_activations_fraction > 0) bytes += layout.offload_activations_fraction * kept_bytes(c, one);
  if (layout.offload_weights_fraction > 0) {
    // Stage 3: each device fetches its shard, and the shards are gathered from device to device (ZeRO-Infinity,
    // arXiv:2104.07857, section 6.1).
    const workload::StageParameters layer = workload::layer_parameters(c.job.model, layout, one);
    const double stored = c.job.is_frozen() ? c.job.frozen_weight_bytes : wire_bytes;
    bytes += layout.offload_weights_fraction * stored * (layout.zero_stage >= 3 ? layer.sharded(layout) : layer.all());
  }
  const double transfer_s = bytes / c.links.host_bytes_per_s;
  time.forward.offload_s += std::max(0.0, transfer_s - time.forward.total_s());
  time.backward.offload_s += std::max(0.0, transfer_s - time.backward.total_s());
}

double optimizer_offload_s(const Layout& layout, const network::Links& links,
                           const workload::StageParameters& parameters, double backward_s) {
  const double share = layout.offload_optimizer_fraction;
  if (share == 0) return 0;
  const double owned = share * (layout.zero_stage >= 1 ? parameters.sharded(layout) : parameters.all());
  const double transfer_s = wire_bytes * owned / links.host_bytes_per_s;
  const double update_s = owned / links.host_updates_per_s;
  return std::max(0.0, transfer_s - backward_s) + std::max(update_s, transfer_s);
}

}  // namespace ampacity::step
