// Flash attention: one thread block per tile of queries walks over the keys that its mask keeps. Products and softmax
// share the SM, so a score costs clocks of both (Dao, FlashAttention-2, arXiv:2307.08691, and Shah et al.,
// FlashAttention-3, arXiv:2407.08608: exponentials run at 16 per clock and SM and products hide only part of them).
#include <algorithm>

#include "compute/device.hpp"
#include "compute/kernels.hpp"

namespace ampacity::compute {

namespace {

constexpr double query_tile = 128;
// Blocks start largest first; the last ones leave SMs idle for about half of the longest (fitted, all families alike).
constexpr double tail = 0.5;

// A kernel of either direction.
struct Pass {
  double flops_per_score;
  double efficiency;
  double softmax_clocks;
  double traffic;  ///< bytes over one reading of queries, keys, values and one writing of the result
  MeasuredKernel kernel;
};

KernelCost flash_attention(const Accelerator& device, const AttentionShape& shape, const Pass& pass) {
  const Architecture& family = device.architecture;
  const double sms = static_cast<double>(device.sm_count);
  const Format format = format_of(device, shape.precision);
  const double flops_per_clock = format.flops_per_s / (sms * device.tensor_clock_hz);
  const double score_clocks =
      pass.flops_per_score / (flops_per_clock * pass.efficiency * shape.product_speed) + pass.softmax_clocks;
  const double key_s = std::min(query_tile, shape.queries) * score_clocks / device.tensor_clock_hz;

  // A causal mask cuts tiles on the diagonal in half, which are computed whole.
  const double seen = shape.seen_fraction * shape.keys + (shape.seen_fraction < 1 ? query_tile / 2 : 0.0);
  const double mean_keys = std::min(seen, shape.keys);
  const double longest_s = key_s * (std::min(shape.keys, 2 * mean_keys) + family.attention_tile_overhead);
  const double mean_s = key_s * (mean_keys + family.attention_tile_overhead);
  const double blocks = shape.batch * shape.heads * round_up(shape.queries / query_tile);
  const double math_s = std::max(mean_s * blocks / sms + tail * longest_s, longest_s);

  const double head_width = shape.head_dim + shape.value_dim;
  const double elements = (shape.queries * shape.heads + shape.keys * shape.kv_heads) * head_width;
  const double moved = std::max(2.0, format.operand_bytes) * shape.batch * elements * pass.traffic;
  const double scores = shape.batch * shape.heads * shape.queries * shape.keys * shape.seen_fraction;
  const double joules = scores * pass.flops_per_score * format.joules_per_flop * family.attention_energy_ratio;
  const KernelCost cost =
      run_under_power_limit(device, {math_s, moved / memory_rate(device), joules, moved * family.memory_j_per_byte});
  const bool whole = shape.queries == shape.keys && shape.seen_fraction == 0.5;
  if (device.measured == nullptr || !whole || shape.precision != Precision::bf16) return cost;
  return corrected(device, pass.kernel, Precision::bf16, {shape.queries, shape.batch * shape.heads, shape.head_dim},
                   cost);
}

}  // namespace

KernelCost flash_attention_forward(const Accelerator& device, const AttentionShape& shape) {
  const Architecture& family = device.architecture;
  // Scores and weighted values: 2 FLOP each per head dimension.
  return flash_attention(device, shape,
                         {2 * (shape.head_dim + shape.value_dim), family.attention_efficiency_fraction,
                          family.attention_softmax_clocks, 1.0, MeasuredKernel::attention_forward});
}

KernelCost flash_attention_backward(const Accelerator& device, const AttentionShape& shape) {
  const Architecture& family = device.architecture;
  // Five products instead of two: scores again, gradients of scores, queries, keys (head_dim) and of values
  // (FlashAttention-2, section 3.1.2). Reads also the result and its gradient, writes three gradients.
  return flash_attention(device, shape,
                         {6 * shape.head_dim + 4 * shape.value_dim, family.attention_backward_efficiency_fraction,
                          family.attention_backward_softmax_clocks, 2.5, MeasuredKernel::attention_backward});
}

}  // namespace ampacity::compute
