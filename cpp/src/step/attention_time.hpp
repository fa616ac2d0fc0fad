// Attention of one layer: flash kernels, or batched products with the scores in memory.
#pragma once

#include "step/pass_kernels.hpp"

namespace ampacity::step {

/// Attention as batched products with the scores in memory (before FlashAttention), forward or backward.
[[nodiscard]] compute::KernelCost score_attention(const Context& c, const workload::LayerWork& work, bool backward);

/// The attention kernels that the job's software uses.
[[nodiscard]] compute::KernelCost attention(const Context& c, const workload::LayerWork& work, bool backward);

}  // namespace ampacity::step
