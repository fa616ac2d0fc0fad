// Forward and backward pass of one layer on one device.
#pragma once

#include "step/pass_kernels.hpp"
#include "step/stage_time.hpp"
#include "workload/stages.hpp"

namespace ampacity::step {

/// Times of the layer that `one` counts (one dense or one mixture-of-experts layer), which does `work`.
[[nodiscard]] LayerTime layer_time(const Context& c, const workload::LayerWork& work, const workload::LayerMix& one);

}  // namespace ampacity::step
