// What expert parallelism adds to a layer: the exchange of tokens, and waiting for the device that gets most.
#pragma once

#include "step/pass_kernels.hpp"

namespace ampacity::step {

/// Adds the waiting for the busiest device to one direction of a layer, whose products of experts took
/// `expert_gemm_s` on the average device.
void add_expert_waiting(const Context& c, const workload::LayerWork& work, double expert_gemm_s, bool backward,
                        PassTime& pass);

/// Adds the exchange of tokens with their experts.
void add_expert_comm(const Context& c, const workload::LayerWork& work, PassTime& pass);

}  // namespace ampacity::step
