#include "step/attention_time.hpp"

#include <algorithm>

#include "workload/attention_mask.hpp"

namespace ampacity::step {
namespace {

using compute::KernelCost;
using workload::LayerWork;

// Flash kernels compute whole tiles; a sliding window has a second edge, whose tiles are cut in half (kernels.hpp
// counts the first edge).
constexpr double half_tile = 64;

/// Queries and keys of one kernel, and what its mask keeps of their scores.
struct Block {
  double queries;
  double keys;
  double seen_fraction;
};

KernelCost flash_kernel(const Context& c, const LayerWork& work, const Block& block, bool backward) {
  compute::AttentionShape shape;
  shape.batch = static_cast<double>(c.layout.micro_batch);
  shape.queries = block.queries;
  shape.keys = block.keys;
  shape.seen_fraction = block.seen_fraction;
  shape.heads = work.attention_heads;
  shape.kv_heads = work.attention_kv_heads;
  shape.head_dim = work.attention_key_dim;
  shape.value_dim = work.attention_value_dim;
  if (c.job.software.attention_in_8_bits && c.job.precision >= Precision::fp8) shape.precision = Precision::fp8;
  // Without a 16-bit format the memory-efficient kernels take what the products take.
  if (c.job.precision == Precision::fp32 || c.job.precision == Precision::tf32) shape.precision = c.job.precision;
  if (!c.job.software.asynchronous_attention) {
    shape.product_speed = c.device.architecture.synchronous_attention_fraction;
  }
  if (c.layout.cp > 1 && workload::context_parallel(c.job, c.layout) == ContextParallel::ulysses) {
    shape.queries = block.keys;
    shape.heads /= static_cast<double>(c.layout.cp);
    shape.kv_heads = std::max(1.0, shape.kv_heads / static_cast<double>(c.layout.cp));
  }
  return backward ? compute::flash_attention_backward(c.device, shape)
                  : compute::flash_attention_forward(c.device, shape);
}

/// A layer that sees all tokens before. A ring runs one kernel for each slice of keys: its own, cut by the mask, then
/// cp - 1 whole blocks. With slices paired first with last a block is all queries on half of the keys, or half of the
/// queries on all keys. With contiguous slices device i has i whole blocks: the last has all, the average half.
AttentionCost global_attention(const Context& c, const LayerWork& work, bool backward) {
  const auto sequence = static_cast<double>(c.job.seq_len);
  const auto ranks = static_cast<double>(c.layout.cp);
  const double slice = sequence / ranks;
  if (!workload::is_ring(c.job, c.layout)) return {flash_kernel(c, work, {slice, sequence, 0.5}, backward), 0};
  const KernelCost own = flash_kernel(c, work, {slice, slice, 0.5}, backward);
  if (workload::context_parallel(c.job, c.layout) == ContextParallel::ring) {
    return {own + (ranks - 1) * flash_kernel(c, work, {slice, slice / 2, 1}, backward), 0};
  }
  const KernelCost half = ((ranks - 1) / 2) * flash_kernel(c, work, {slice, slice, 1}, backward);
  return {own + half, half.seconds};
}

/// A layer with a window or in chunks: all devices have the same work but for the first tokens of the sequence.
KernelCost local_attention(const Context& c, const LayerWork& work, bool backward) {
  const auto sequence = static_cast<double>(c.job.seq_len);
  const double edge = c.job.model.chunked_attention ? 0 : half_tile;
  const double seen = std::min(0.5 * sequence, workload::local_keys(c.job.model, sequence) + edge);
  return flash_kernel(c, work, {sequence / static_cast<double>(c.layout.cp), sequence, seen / sequence}, backward);
}

AttentionCost flash_attention(const Context& c, const LayerWork& work, bool backward) {
  const Model& m = c.job.model;
  const bool windows = workload::has_short_windows(m, static_cast<double>(c.job.seq_len));
  const double local = windows ? workload::local_layer_share(m) : 0;
  AttentionCost cost;
  if (local < 1) cost = global_attention(c, work, backward);
  if (local == 0) return cost;
  return {(1 - local) * cost.busy + local * local_attention(c, work, backward), (1 - local) * cost.waiting_s};
}

}  // namespace

/// Attention as batched products with the scores in memory (before FlashAttention). Softmax, mask and dropout are one
/// or two fused kernels: forward reads and writes the scores, and again with the dropout mask; backward likewise.
KernelCost score_attention(const Context& c, const LayerWork& work, bool backward) {
  const double sequence = static_cast<double>(c.job.seq_len);
  const double queries = sequence / static_cast<double>(c.layout.cp);
  const double batch = static_cast<double>(c.layout.micro_batch) * work.attention_heads;
  const compute::GemmShape scores{queries, sequence, work.attention_key_dim, batch, 0};
  const compute::GemmShape values{queries, work.attention_value_dim, sequence, batch, 0};
  const Precision half =
      c.job.precision == Precision::fp32 || c.job.precision == Precision::tf32 ? c.job.precision : Precision::bf16;
  const KernelCost products = compute::gemm(c.device, half, scores) + compute::gemm(c.device, half, values);
  const double softmax_bytes = (c.job.model.dropout ? 9.0 : 4.0) + (c.job.software.fused_kernels ? 0.0 : 8.0);
  const double backward_bytes = (c.job.model.dropout ? 11.0 : 6.0) + (c.job.software.fused_kernels ? 0.0 : 8.0);
  const KernelCost softmax =
      compute::streaming(c.device, work.score_elements * (backward ? backward_bytes : softmax_bytes), 2);
  return (backward ? 2.0 : 1.0) * products + softmax;
}

AttentionCost attention(const Context& c, const LayerWork& work, bool backward) {
  // Scores in memory are computed whole, whatever the mask.
  if (!c.job.software.flash_attention) return {score_attention(c, work, backward), 0};
  const AttentionCost best = flash_attention(c, work, backward);
  const double slower = 1 / c.job.software.attention_relative_speed;
  return {slower * best.busy, slower * best.waiting_s};
}

void add_attention(const Context& c, const LayerWork& work, bool backward, PassTime& pass) {
  const AttentionCost cost = attention(c, work, backward);
  const KernelCost busy = sustained(c, cost.busy);
  pass.attention_s += busy.seconds;
  spend(pass, 1, busy);
  add_waiting(c, pass, cost.waiting_s / sustained_fraction(c));
}

}  // namespace ampacity::step
