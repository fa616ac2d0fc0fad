// Attention of one layer: flash kernels, or batched products with the scores in memory.
#pragma once

#include "step/pass_kernels.hpp"

namespace ampacity::step {

/// Attention as batched products with the scores in memory (before FlashAttention), forward or backward.
[[nodiscard]] compute::KernelCost score_attention(const Context& c, const workload::LayerWork& work, bool backward);

/// Attention of the average device of a context-parallel group, and how long that waits for the busiest.
struct AttentionCost {
  compute::KernelCost busy;
  double waiting_s = 0;
};
/// The attention kernels that the job's software uses, over the local and global layers of the model.
[[nodiscard]] AttentionCost attention(const Context& c, const workload::LayerWork& work, bool backward);

/// Adds them to a pass.
void add_attention(const Context& c, const workload::LayerWork& work, bool backward, PassTime& pass);

}  // namespace ampacity::step
