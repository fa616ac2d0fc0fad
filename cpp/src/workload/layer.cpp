#include "workload/layer.hpp"

#include <algorithm>

#include "workload/adapters.hpp"
#include "workload/expert_load.hpp"

namespace ampacity::workload {
namespace {

constexpr double half = 2;  // bytes of an activation in 16 bits
constexpr Operator projections = Operator::attention_projections;

/// Launches to make the operands of one product, forward and backward. Scales per tensor: maximum, cast. Scales per
/// block of a row: cast, and scales of each operand brought into the order that the tensor core reads (Transformer
/// Engine, swizzle.cu), for two products backward (one where weights are frozen). NVFP4: the Hadamard transform
/// besides.
Stream cast_launches(const Training& job) {
  const double spared = job.is_frozen() ? 2 : 0;
  switch (job.precision) {
    case Precision::fp8:
      return {0, 0, 2, 2};
    case Precision::fp8_block:
      return {0, 0, 1, 1};
    case Precision::mxfp8:
      return {0, 0, 3, 5 - spared};
    case Precision::nvfp4:
      return {0, 0, 4, 6 - spared};
    default:
      return {};
  }
}

/// Bytes to make the 8- or 4-bit operands of one activation element: read in 16 bits, written row- and column-wise with
/// its scales (NVIDIA Transformer Engine user guide, "FP8 primer": both layouts are kept for the two backward
/// products), unless the software says what its own kernels move. Without weight gradients nobody wants the column-wise
/// one (linear.py: columnwise only where the weight requires a gradient), nor the Hadamard transform.
double cast_bytes(const Training& job) {
  const bool frozen = job.is_frozen();
  switch (job.precision) {
    case Precision::fp8:
      if (job.software.fp8_cast_bytes > 0) return job.software.fp8_cast_bytes;
      return frozen ? 3 : 4;
    case Precision::fp8_block:
    case Precision::mxfp8:
      return frozen ? 3 : 4;
    case Precision::nvfp4:
      if (frozen) return 2.5;
      return 5;  // read twice (random Hadamard transform for the weight gradient), written twice in 4 bits
    default:
      return 0;
  }
}

void add_rotary(const Training& job, const Sizes& size, double heads, double width, LayerWork& work) {
  if (job.model.learned_positions) return;
  // Rotary embedding reads and writes queries and keys.
  const double rotary = job.software.rotary_bytes * size.tokens * heads * width;
  work.add(Operator::rotary, {rotary, rotary, 2, 2});
}

/// Multi-head latent attention (DeepSeek-V2, arXiv:2405.04434, section 2.1): queries, and keys with values, come from
/// narrow latents that every tensor-parallel rank computes of its slice of the sequence.
void add_latent_attention(const Training& job, const Sizes& size, LayerWork& work) {
  const Model& m = job.model;
  const double heads = static_cast<double>(m.heads) / size.tp;
  const auto plain_dim = static_cast<double>(m.head_dim);
  const auto rotary_dim = static_cast<double>(m.rope_head_dim);
  const auto value_dim = static_cast<double>(m.value_head_dim);
  const auto query_rank = static_cast<double>(m.q_lora_rank);
  const auto rank = static_cast<double>(m.kv_lora_rank);
  const Module whole{LoraTarget::linear_qkv};
  const Module by_heads{LoraTarget::linear_qkv, size.tp};
  work.attention_heads = heads;
  work.attention_kv_heads = heads;
  work.attention_key_dim = plain_dim + rotary_dim;
  work.attention_value_dim = value_dim;
  work.score_elements = size.tokens * size.sequence * heads;
  if (query_rank > 0) {
    work.add(projections, whole, size.split_tokens, size.hidden, query_rank);
    work.add(projections, by_heads, size.tokens, query_rank, heads * (plain_dim + rotary_dim));
  } else {
    work.add(projections, by_heads, size.tokens, size.hidden, heads * (plain_dim + rotary_dim));
  }
  work.add(projections, whole, size.split_tokens, size.hidden, rank + rotary_dim);
  work.add(projections, by_heads, size.tokens, rank, heads * (plain_dim + value_dim));
  work.add(projections, {LoraTarget::linear_proj, size.tp, true}, size.tokens, heads * value_dim, size.hidden);
  add_rotary(job, size, heads + 1, rotary_dim, work);
  // Norms of both latents, and keys put together from their plain and rotary parts.
  const double together = half * size.tokens * (2 * heads * (plain_dim + rotary_dim) + 2 * (query_rank + rank));
  work.add(Operator::norms_and_residuals, {together, together, 4, 5});
}

void add_attention(const Training& job, const Sizes& size, LayerWork& work) {
  const Model& m = job.model;
  if (m.is_mla()) {
    add_latent_attention(job, size, work);
    return;
  }
  const double heads = static_cast<double>(m.heads) / size.tp;
  // Fewer key-value heads than tensor-parallel ranks are copied.
  const double kv_heads = std::max(1.0, static_cast<double>(m.kv_heads) / size.tp);
  const auto key_dim = static_cast<double>(m.head_dim);
  const auto value_dim = static_cast<double>(m.value_head_dim);
  work.attention_heads = heads;
  work.attention_kv_heads = kv_heads;
  work.attention_key_dim = key_dim;
  work.attention_value_dim = value_dim;
  work.score_elements = size.tokens * size.sequence * heads;
  work.add(projections, {LoraTarget::linear_qkv, size.tp}, size.tokens, size.hidden,
           heads * key_dim + kv_heads * (key_dim + value_dim));
  work.add(projections, {LoraTarget::linear_proj, size.tp, true}, size.tokens, heads * value_dim, size.hidden);
  add_rotary(job, size, heads + kv_heads, key_dim, work);
}

/// A feed-forward block of `batch` equal experts (1: a dense block) with `tokens` tokens each, split over `split`
/// devices.
struct Block {
  Operator kind = Operator::feed_forward;
  double tokens = 0;
  double inner = 0;
  double batch = 1;
  double split = 1;
};
void add_ffn(const Training& job, const Sizes& size, const Block& block, LayerWork& work) {
  const auto [kind, tokens, inner, batch, split] = block;
  const double gates = job.model.is_gated() ? 2 : 1;
  work.add(kind, {LoraTarget::linear_fc1, split}, tokens, size.hidden, gates * inner, batch);
  work.add(kind, {LoraTarget::linear_fc2, split, true}, tokens, inner, size.hidden, batch);
  // The activation reads its input(s) and writes one output; backward reads input(s) and gradient and writes
  // gradient(s).
  const double element = half * batch * tokens * inner;
  if (kind == Operator::experts && job.software.fuses_expert_mlp) {
    // The products do it on their results before they write them; the way back reads what the first had made.
    work.add(Operator::activation, {0, element * gates, 0, 0});
    return;
  }
  Stream activation{element * (gates + 1), element * (2 * gates + 1), 1, 1};
  // Without fusion the activation and the product with the gate are passes of their own (and so are their gradients).
  if (!job.software.fused_kernels) activation += {element * 2 * gates, element * 3 * gates, 0, 0};
  work.add(Operator::activation, activation);
}

/// Router, permutation of tokens to experts and back, shared and routed experts.
void add_experts(const Training& job, const Layout& layout, const Sizes& size, LayerWork& work) {
  const Model& m = job.model;
  const auto experts = static_cast<double>(m.experts);
  const auto ep = static_cast<double>(layout.ep);
  work.add(Operator::router, {}, size.split_tokens, size.hidden, experts);
  if (m.shared_experts > 0) {
    const double inner = static_cast<double>(m.shared_experts * m.expert_ffn) / size.tp;
    add_ffn(job, size, {Operator::feed_forward, size.tokens, inner, 1, size.tp}, work);
  }
  // The tokens of one device, split over tensor parallelism, go to experts_per_token experts each; as many come in.
  // Split experts share the tokens that each of their devices got. A capacity factor fills or cuts every expert alike.
  const double split = size.tokens / size.tp;
  const double routed = split * static_cast<double>(m.experts_per_token) * expert_slots(job);
  const auto etp = static_cast<double>(layout.etp);
  const Stream before = work.streams[static_cast<std::size_t>(Operator::activation)];
  const double inner = static_cast<double>(m.expert_ffn) / etp;
  add_ffn(job, size, {Operator::experts, routed * ep * etp / experts, inner, experts / ep, etp}, work);
  work.busiest_load = busiest_load(job, layout);
  const Stream after = work.streams[static_cast<std::size_t>(Operator::activation)];
  work.routed_stream = {after.forward_bytes - before.forward_bytes, after.backward_bytes - before.backward_bytes, 0, 0};
  work.exchange_bytes = half * routed * size.hidden;
  // Permuting and un-permuting read and write every routed token, before and after the exchange; the weighted sum of a
  // token's experts reads them once more. Router scores in 32 bits: softmax, top-k, counting.
  // DeepEP and HybridEP send tokens as they are and sort them on the experts' side alone.
  const bool sorts_twice = layout.ep > 1 && job.software.ep_exchange == ExpertExchange::all_to_all;
  const double pass = 2 * 2 * half * routed * size.hidden;
  // Between the devices of an all-to-all whole chunks change places, as fast as they can be streamed.
  const double sorted = pass / job.software.permutation_relative_speed;
  const double moved = sorts_twice ? sorted + pass : sorted;
  const double at_experts = sorts_twice ? pass : sorted;
  if (layout.ep > 1) work.routed_stream += {at_experts, at_experts, 0, 0};
  const double scores = 6 * 4 * split * experts;
  work.add(Operator::permutation, {moved, moved, 6, 6});
  work.add(Operator::router, {scores, scores, 6, 6});
}

/// Two gathers and two scatters of the activation in each direction, each with a copy of all of it.
void add_sequence_copies(const Training& job, const Layout& layout, const Sizes& size, LayerWork& work) {
  if (layout.tp == 1 || !layout.sequence_parallel || !job.software.copies_sequence_splits) return;
  const double copies = (2 + 2 * gathered_share(job)) * 2 * half * size.tokens * size.hidden;
  work.add(Operator::norms_and_residuals, {copies, copies, 4, 4});
}

void add_norms_and_residuals(const Training& job, const Sizes& size, LayerWork& work) {
  const double element = size.split_tokens * size.hidden;
  // Two norms (read, write; backward: read input and gradient, write) and two residual additions (two reads, a write;
  // backward: the gradient is added to that of the norm).
  const bool fused = job.software.fused_kernels;
  Stream stream{2 * element * half * (2 + 3), 2 * element * half * (3 + 2), fused ? 4.0 : 14.0, fused ? 6.0 : 20.0};
  // The masks, one byte an element.
  if (job.model.dropout) stream += {2 * element, 2 * element * (1 + half), 0, 0};
  // Norms in 32 bits with their casts, bias and dropout as passes of their own.
  if (!fused && !job.software.low_precision_norms) stream += {2 * element * half * 6, 2 * element * half * 8, 0, 0};
  work.add(Operator::norms_and_residuals, stream);
}

/// Casts of what goes into a product and of the gradient of its result. Where the products of the experts' block cast
/// their own results, its middle is only written: the second's input, and the gradient of the first's result.
Stream casts_of(const Training& job, const Linear& linear, bool in_is_made_cast, bool gradient_is_made_cast) {
  const double bytes = cast_bytes(job);
  const Stream each = cast_launches(job);
  const double elements = linear.batch * linear.tokens;
  const double times = launches_of(job, linear);
  const double written = bytes - half * (job.precision == Precision::nvfp4 ? 2 : 1);
  return {elements * linear.in * (in_is_made_cast ? written : bytes),
          elements * linear.out * (gradient_is_made_cast ? written : bytes),
          in_is_made_cast ? 0 : times * each.forward_kernels,
          gradient_is_made_cast ? 0 : times * each.backward_kernels};
}

/// Queries, keys and values, and the gradient of the result.
void add_attention_casts(const Training& job, const Sizes& size, LayerWork& work) {
  if (!job.software.attention_in_8_bits) return;
  const double result = work.attention_heads * work.attention_value_dim;
  const double inputs = work.attention_heads * work.attention_key_dim +
                        work.attention_kv_heads * (work.attention_key_dim + work.attention_value_dim);
  const double element = size.tokens * cast_bytes(job);
  work.add(Operator::casts, {element * inputs, element * result, 3, 1});
}

void add_casts(const Training& job, const Sizes& size, LayerWork& work) {
  if (cast_bytes(job) == 0) return;
  add_attention_casts(job, size, work);
  bool second = false;
  for (std::size_t i = 0; i < work.linear_count; ++i) {
    const Linear& linear = work.linears[i];
    if (linear.kind == Operator::router) continue;  // scores are no product of Transformer Engine
    const bool fused = linear.kind == Operator::experts && job.software.fuses_expert_mlp;
    const Stream casts = casts_of(job, linear, fused && second, fused && !second);
    if (fused) second = true;
    work.add(Operator::casts, casts);
    const double tensors = job.precision == Precision::fp8 ? launches_of(job, linear) : 0;
    work.tensor_casts += tensors;
    if (linear.kind != Operator::experts) continue;
    work.routed_stream += casts;
    work.expert_forward_kernels += casts.forward_kernels;
    work.expert_tensor_casts += tensors;
  }
}

/// Takes kernels of a class, and of its products with their casts, from those that the host launches.
void capture(const Training& job, Operator streams, Operator products, LayerWork& work) {
  const Stream& stream = work.streams[static_cast<std::size_t>(streams)];
  work.captured_forward_kernels += stream.forward_kernels;
  work.captured_backward_kernels += stream.backward_kernels;
  const Stream cast = products == Operator::router ? Stream{} : cast_launches(job);
  for (std::size_t i = 0; i < work.linear_count; ++i) {
    if (work.linears[i].kind != products) continue;
    work.captured_forward_kernels += 1 + cast.forward_kernels;
    work.captured_backward_kernels += (job.is_frozen() ? 1 : 2) + cast.backward_kernels;
    if (work.linears[i].rank > 0) {
      work.captured_forward_kernels += adapter_forward_products + adapter_passes;
      work.captured_backward_kernels += adapter_backward_products + adapter_passes;
    }
    if (job.precision == Precision::fp8 && products != Operator::router) work.tensor_casts -= 1;
  }
}

void capture_graphs(const Training& job, LayerWork& work) {
  if (job.software.captures_attention) {
    capture(job, Operator::rotary, projections, work);
    const Stream& norms = work.streams[static_cast<std::size_t>(Operator::norms_and_residuals)];
    work.captured_forward_kernels += norms.forward_kernels + 1;  // and the core
    work.captured_backward_kernels += norms.backward_kernels + 2;
  }
  if (job.software.captures_router && job.model.is_moe()) capture(job, Operator::router, Operator::router, work);
}

void count_products(const Training& job, LayerWork& work) {
  for (std::size_t i = 0; i < work.linear_count; ++i) {
    const double times = launches_of(job, work.linears[i]);
    const bool adapted = work.linears[i].rank > 0;
    const double forward = times * (1 + (adapted ? adapter_forward_products : 0));
    work.products += forward;
    work.backward_products += times * ((job.is_frozen() ? 1 : 2) + (adapted ? adapter_backward_products : 0));
    if (work.linears[i].kind == Operator::experts) work.expert_forward_kernels += forward;
  }
}

}  // namespace

double gathered_share(const Training& job) {
  return job.software.gathers_in_8_bits && job.precision >= Precision::fp8 ? 0.5 : 1;
}

Sizes sizes_of(const Training& job, const Layout& layout) {
  Sizes size;
  size.tp = static_cast<double>(layout.tp);
  size.hidden = static_cast<double>(job.model.hidden);
  size.sequence = static_cast<double>(job.seq_len);
  size.tokens = static_cast<double>(layout.micro_batch) * size.sequence / static_cast<double>(layout.cp);
  size.split_tokens = layout.sequence_parallel ? size.tokens / size.tp : size.tokens;
  return size;
}

LayerWork dense_layer(const Training& job, const Layout& layout) {
  const Sizes size = sizes_of(job, layout);
  LayerWork work;
  add_attention(job, size, work);
  const double inner = static_cast<double>(job.model.ffn) / size.tp;
  add_ffn(job, size, {Operator::feed_forward, size.tokens, inner, 1, size.tp}, work);
  add_norms_and_residuals(job, size, work);
  add_sequence_copies(job, layout, size, work);
  add_casts(job, size, work);
  if (job.is_frozen()) add_adapters(job, work);
  count_products(job, work);
  capture_graphs(job, work);
  return work;
}

LayerWork moe_layer(const Training& job, const Layout& layout) {
  const Sizes size = sizes_of(job, layout);
  LayerWork work;
  add_attention(job, size, work);
  add_experts(job, layout, size, work);
  add_norms_and_residuals(job, size, work);
  add_sequence_copies(job, layout, size, work);
  add_casts(job, size, work);
  if (job.is_frozen()) add_adapters(job, work);
  count_products(job, work);
  capture_graphs(job, work);
  return work;
}

double embedding_stream_bytes(const Training& job, const Layout& layout) {
  const Sizes size = sizes_of(job, layout);
  // Forward: gather rows, write; backward: read gradient, scatter-add into 32-bit rows.
  return size.tokens * size.hidden * (half + half + (job.is_frozen() ? 0 : half + 8));
}

Stream head_casts(const Training& job, const Linear& head) {
  return job.software.head_in_8_bits ? casts_of(job, head, false, false) : Stream{};
}

double loss_stream_bytes(const Training& job, const Layout& layout) {
  const Sizes size = sizes_of(job, layout);
  const double logits = size.tokens * static_cast<double>(job.model.vocab) / size.tp;
  return logits * job.software.loss_bytes_per_logit;
}

}  // namespace ampacity::workload
