// Time and energy of single kernels on one accelerator: matrix products, attention, streaming operators.
#pragma once

#include <cstdint>

#include "ampacity/accelerator.hpp"
#include "ampacity/precision.hpp"

namespace ampacity::compute {

/// Cost of work on one device. `joules` is the whole device's energy during `seconds`, idle power included;
/// `held_back_j` is what the power limit kept it from drawing besides.
struct KernelCost {
  double seconds = 0;
  double joules = 0;
  double held_back_j = 0;

  KernelCost& operator+=(const KernelCost& other) {
    seconds += other.seconds;
    joules += other.joules;
    held_back_j += other.held_back_j;
    return *this;
  }
  friend KernelCost operator+(KernelCost a, const KernelCost& b) { return a += b; }
  friend KernelCost operator*(double times, const KernelCost& cost) {
    return {times * cost.seconds, times * cost.joules, times * cost.held_back_j};
  }
};

/// A (batched) matrix product C[m,n] = A[m,k] B[k,n]; operands in `precision`, result in 16 bits, or read, added to and
/// written back in `accumulator_bytes` an element, as fused weight-gradient accumulation does.
struct GemmShape {
  double m = 1;
  double n = 1;
  double k = 1;
  double batch = 1;
  double accumulator_bytes = 0;
};
[[nodiscard]] KernelCost gemm(const Accelerator& device, Precision precision, const GemmShape& shape);
/// The same silicon under another limit: what its family states as shares of power before work stays what it is in
/// watts, and so do its excursions.
[[nodiscard]] Accelerator under_limit(const Accelerator& device, double limit_w);
/// A product and the other kernels of its layer under one power limit, which holds for their mean.
[[nodiscard]] KernelCost gemm_beside(const Accelerator& device, Precision precision, const GemmShape& shape,
                                     const KernelCost& others);

/// Attention core (scores, softmax, values) of `batch` sequences on one device, without its projections.
struct AttentionShape {
  double batch = 1;
  double queries = 1;          ///< query positions on this device
  double keys = 1;             ///< key positions that the queries see
  double heads = 1;            ///< query heads on this device
  double kv_heads = 1;         ///< key-value heads on this device
  double head_dim = 128;       ///< of queries and keys
  double value_dim = 128;      ///< of values
  double seen_fraction = 0.5;  ///< share of the score matrix that the mask keeps (causal, whole sequence: 0.5)
  Precision precision = Precision::bf16;  ///< of its products; softmax and results are as with 16 bits
  /// Rate of its products over that of the best kernels (synchronous tensor instructions: below 1); softmax is the
  /// same.
  double product_speed = 1;
};
/// Flash-attention kernels.
[[nodiscard]] KernelCost flash_attention_forward(const Accelerator& device, const AttentionShape& shape);
[[nodiscard]] KernelCost flash_attention_backward(const Accelerator& device, const AttentionShape& shape);

/// A memory-bound operator that moves `bytes` to or from device memory in `kernels` launches.
[[nodiscard]] KernelCost streaming(const Accelerator& device, double bytes, double kernels = 1);

/// Matrix peak of the data sheet for that format, falling back to the widest format that the device has
/// (fp8 on a device without fp8 runs as bf16). FLOP/s.
[[nodiscard]] double peak_flops_per_s(const Accelerator& device, Precision precision);
/// Whether the device computes in that format (else it falls back as above).
[[nodiscard]] bool supports(const Accelerator& device, Precision precision);
/// The format that the device computes in when asked for `precision`.
[[nodiscard]] Precision format_on(const Accelerator& device, Precision precision);

/// What the controller of the power limit keeps a busy device at, averaged over its window. Watts.
[[nodiscard]] double held_w(const Accelerator& device);

/// Device power while it waits in a collective (spinning kernels, links busy), while it waits with nothing to do but
/// its context and clocks up (pipeline bubble, stall), and in its hungriest sustained phase. Watts.
[[nodiscard]] double communicating_w(const Accelerator& device);
[[nodiscard]] double stalled_w(const Accelerator& device);
[[nodiscard]] double busiest_w(const Accelerator& device);

}  // namespace ampacity::compute
