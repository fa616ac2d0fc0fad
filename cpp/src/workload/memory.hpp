// Bytes that the fullest device holds.
#pragma once

#include "ampacity/accelerator.hpp"
#include "ampacity/estimate.hpp"
#include "ampacity/layout.hpp"
#include "ampacity/training.hpp"

namespace ampacity::workload {

/// Memory of the fullest pipeline stage at its fullest moment.
[[nodiscard]] Memory memory_of(const Training& job, const Layout& layout, const Accelerator& device);

/// Activation bytes that one layer keeps for the backward pass of one micro-batch, with that recomputation.
[[nodiscard]] double activation_bytes_per_layer(const Training& job, const Layout& layout, Recompute recompute);
/// The same of a mixture-of-experts layer.
[[nodiscard]] double moe_activation_bytes_per_layer(const Training& job, const Layout& layout, Recompute recompute);

}  // namespace ampacity::workload
