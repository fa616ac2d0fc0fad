// Bytes that the devices of each pipeline stage hold.
#pragma once

#include "ampacity/accelerator.hpp"
#include "ampacity/layout.hpp"
#include "ampacity/memory.hpp"
#include "ampacity/training.hpp"
#include "workload/stages.hpp"

namespace ampacity::workload {

/// Every kind of stage without its activations.
[[nodiscard]] StageKinds stage_kinds(const Training& job, const Layout& layout, const Accelerator& device);
/// The same with the layers of the stages given.
[[nodiscard]] StageKinds stage_kinds(const Training& job, const Layout& layout, const Accelerator& device,
                                     const StageLayers& stages);

/// A stage of that kind with its activations.
[[nodiscard]] Memory filled(const StageKind& kind, double micro_batches_in_flight, double fragmentation_fraction);

/// Memory of the fullest stage.
[[nodiscard]] Memory fullest_of(const StageKinds& kinds, const Layout& layout, double micro_batches);
[[nodiscard]] Memory memory_of(const Training& job, const Layout& layout, const Accelerator& device);

}  // namespace ampacity::workload
