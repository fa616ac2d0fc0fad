// Seconds and joules of single kernels, in columns: one call prices a whole table of shapes.
#pragma once

#include <span>
#include <vector>

#include "ampacity/accelerator.hpp"
#include "ampacity/precision.hpp"

namespace ampacity {

/// Cost of each row of a table. `joules` is the whole device's energy during `seconds`, idle power included.
struct KernelCosts {
  std::vector<double> seconds;
  std::vector<double> joules;
};

/// Matrix products C[m,n] = A[m,k] B[k,n], `batch` of them at once (the equal experts of a grouped product); result in
/// 16 bits, or with `accumulate` added to what 32-bit memory holds.
struct GemmTable {
  std::span<const double> m;
  std::span<const double> n;
  std::span<const double> k;
  std::span<const double> batch;
  bool accumulate = false;
};

/// Attention cores (scores, softmax, values) in 16 bits, without their projections.
struct AttentionTable {
  std::span<const double> batch;
  std::span<const double> queries;
  std::span<const double> keys;
  std::span<const double> heads;
  std::span<const double> kv_heads;
  std::span<const double> head_dim;
  std::span<const double> value_dim;
  std::span<const double> seen_fraction;  ///< share of the score matrix that the mask keeps (causal: 0.5)
};

/// A kernel by itself in a loop, at the highest clock that the device's power limit allows. All columns have the length
/// of the first. Throw InvalidSpec, naming column and row, for a shape that is no number in range.
[[nodiscard]] KernelCosts gemm_costs(const Accelerator& device, Precision precision, const GemmTable& table);
/// Each product together with other kernels, of `others`, that take turns with it in fractions of a millisecond. The
/// limit's controller averages over longer: what the others leave of the limit the product draws above it.
[[nodiscard]] KernelCosts layer_costs(const Accelerator& device, Precision precision, const GemmTable& table,
                                      const KernelCosts& others);
[[nodiscard]] KernelCosts attention_forward_costs(const Accelerator& device, const AttentionTable& table);
[[nodiscard]] KernelCosts attention_backward_costs(const Accelerator& device, const AttentionTable& table);
/// Memory-bound operators that move `bytes` in `kernels` launches.
[[nodiscard]] KernelCosts streaming_costs(const Accelerator& device, std::span<const double> bytes,
                                          std::span<const double> kernels);

/// Whether the device computes in that format (where it does not, a product runs in the next wider one).
[[nodiscard]] bool computes_in(const Accelerator& device, Precision precision);
/// Watts while kernels run, before arithmetic and data.
[[nodiscard]] double active_w(const Accelerator& device);

}  // namespace ampacity
