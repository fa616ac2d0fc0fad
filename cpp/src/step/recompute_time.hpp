// Forward work that the backward pass repeats.
#pragma once

#include "step/pass_kernels.hpp"

namespace ampacity::step {

/// Share of a stage's layers that recompute (of a middle stage, which has most).
[[nodiscard]] double recompute_share(const Context& c);

/// Adds to a layer's backward `pass` what the layout recomputes of its `forward` pass.
void add_recompute(const Context& c, const workload::LayerWork& work, const PassTime& forward, PassTime& pass);

}  // namespace ampacity::step
