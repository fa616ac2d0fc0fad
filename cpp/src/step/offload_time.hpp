// Exposed transfers between device and host, and the optimizer on the host.
#pragma once

#include "step/pass_kernels.hpp"
#include "step/pass_time.hpp"
#include "workload/stage_parameters.hpp"
#include "workload/stages.hpp"

namespace ampacity::step {

/// Adds to both passes of a layer what its activations and weights take on their way to the host and back beyond the
/// passes' own time. `one` counts that layer.
void add_offload(const Context& c, const workload::LayerMix& one, LayerTime& time);

/// Seconds of a step that the offloaded part of the optimizer shows: gradients on their way down behind `backward_s`,
/// then Adam on the host while updated weights travel up (ZeRO-Offload, arXiv:2101.06840, sections 4.1 and 5).
[[nodiscard]] double optimizer_offload_s(const Layout& layout, const network::Links& links,
                                         const workload::StageParameters& parameters, double backward_s);

}  // namespace ampacity::step
