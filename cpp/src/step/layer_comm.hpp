// Communication inside a layer: tensor parallelism, and weights sharded over replicas.
#pragma once

#include "step/pass_kernels.hpp"
#include "workload/stage_parameters.hpp"

namespace ampacity::step {

/// Exposed seconds of each kind in one direction of a layer; what hides behind compute is added to `hidden`.
[[nodiscard]] double tp_comm(const Context& c, bool backward, double& hidden);

/// Exposed seconds of what low-rank adapters beside split products send, in one direction of a layer.
[[nodiscard]] double adapter_comm(const Context& c, const workload::LayerWork& work, bool backward);

/// Gathering of sharded weights and scattering of the gradients of those that are trained (ZeRO stage 3), per layer and
/// micro-batch.
struct ShardingTimes {
  double forward_gather_s = 0;
  double backward_gather_s = 0;
  double scatter_s = 0;
};
[[nodiscard]] ShardingTimes sharding_times(const Context& c, const workload::StageParameters& parameters,
                                           const workload::StageParameters& trained);

/// Puts that communication behind the compute of a pass.
void add_sharding(const Context& c, PassTime& pass, double comm);

}  // namespace ampacity::step
