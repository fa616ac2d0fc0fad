// Forward work of single modules that the backward pass repeats.
#pragma once

#include "step/pass_kernels.hpp"

namespace ampacity::step {

/// Adds to a layer's backward `pass` that `share` of what the layout's recomputed modules did in its `forward` pass.
void add_modules(const Context& c, const workload::LayerWork& work, const PassTime& forward, double share,
                 PassTime& pass);

}  // namespace ampacity::step
