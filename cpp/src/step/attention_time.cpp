#include "step/attention_time.hpp"

namespace ampacity::step {
namespace {

using compute::KernelCost;
using workload::LayerWork;

compute::AttentionShape attention_shape(const Context& c, const LayerWork& work) {
  compute::AttentionShape shape;
  shape.batch = static_cast<double>(c.layout.micro_batch);
  shape.queries = static_cast<double>(c.job.seq_len) / static_cast<double>(c.layout.cp);
  shape.keys = static_cast<double>(c.job.seq_len);
  shape.heads = work.attention_heads;
  shape.kv_heads = work.attention_kv_heads;
  shape.head_dim = work.attention_key_dim;
  shape.value_dim = work.attention_value_dim;
  shape.seen_fraction = 0.5;  // causal; context parallelism balances the halves (zig-zag slices)
  return shape;
}

}  // namespace

/// Attention as batched products with the scores in memory (before FlashAttention). Softmax, mask and dropout are one
/// or two fused kernels: forward reads and writes the scores, and again with the dropout mask; backward likewise.
KernelCost score_attention(const Context& c, const LayerWork& work, bool backward) {
  const double sequence = static_cast<double>(c.job.seq_len);
  const double queries = sequence / static_cast<double>(c.layout.cp);
  const double batch = static_cast<double>(c.layout.micro_batch) * work.attention_heads;
  const compute::GemmShape scores{queries, sequence, work.attention_key_dim, batch, false};
  const compute::GemmShape values{queries, work.attention_value_dim, sequence, batch, false};
  const Precision half =
      c.job.precision == Precision::fp32 || c.job.precision == Precision::tf32 ? c.job.precision : Precision::bf16;
  const KernelCost products = compute::gemm(c.device, half, scores) + compute::gemm(c.device, half, values);
  const double softmax_bytes = (c.job.model.dropout ? 9.0 : 4.0) + (c.job.software.fused_kernels ? 0.0 : 8.0);
  const double backward_bytes = (c.job.model.dropout ? 11.0 : 6.0) + (c.job.software.fused_kernels ? 0.0 : 8.0);
  const KernelCost softmax =
      compute::streaming(c.device, work.score_elements * (backward ? backward_bytes : softmax_bytes), 2);
  return (backward ? 2.0 : 1.0) * products + softmax;
}

KernelCost attention(const Context& c, const LayerWork& work, bool backward) {
  if (!c.job.software.flash_attention) return score_attention(c, work, backward);
  const compute::AttentionShape shape = attention_shape(c, work);
  const KernelCost best =
      backward ? compute::flash_attention_backward(c.device, shape) : compute::flash_attention_forward(c.device, shape);
  const Software& software = c.job.software;
  const double kind = software.asynchronous_attention ? 1 : c.device.architecture.synchronous_attention_fraction;
  return (1 / (kind * software.attention_relative_speed)) * best;
}

}  // namespace ampacity::step
