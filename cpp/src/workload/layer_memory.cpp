#include "workload/layer_memory.hpp"

#include <algorithm>
#include <initializer_list>

#include "workload/attention_mask.hpp"
#include "workload/expert_load.hpp"
#include "workload/layer.hpp"

namespace ampacity::workload {
namespace {

constexpr double half = 2;  // bytes of an activation in 16 bits

/// Operands are kept as they were multiplied.
double linear_input_bytes(const Training& job) {
  return job.precision >= Precision::fp8 ? 1 : half;
}

/// An input that only the gradient of a weight wants. A frozen weight has none; the first matrix of an adapter keeps it
/// in 16 bits.
double kept_input_bytes(const Training& job, LoraTarget product) {
  if (!job.is_frozen()) return linear_input_bytes(job);
  return job.adapts(product) ? half : 0;
}

/// What adapters keep between their matrices, a token.
double rank_bytes(const Training& job, std::initializer_list<LoraTarget> products) {
  double bytes = 0;
  for (const LoraTarget product : products) {
    if (job.adapts(product)) bytes += half * static_cast<double>(job.lora_rank);
  }
  return bytes;
}

double gates(const Training& job) {
  return job.model.is_gated() ? 2 : 1;
}

/// Widths of attention on one device, in elements a token.
struct AttentionWidths {
  double queries = 0;
  double keys = 0;
  double values = 0;
  double out = 0;
};
AttentionWidths attention_widths(const Model& m, const Sizes& size) {
  const double heads = static_cast<double>(m.heads) / size.tp;
  const auto value_dim = static_cast<double>(m.value_head_dim);
  if (m.is_mla()) {
    const auto key_dim = static_cast<double>(m.head_dim + m.rope_head_dim);
    return {heads * key_dim, heads * key_dim, heads * value_dim, heads * value_dim};
  }
  // Fewer key-value heads than tensor-parallel ranks are copied.
  const double kv_heads = std::max(1.0, static_cast<double>(m.kv_heads) / size.tp);
  const auto key_dim = static_cast<double>(m.head_dim);
  return {heads * key_dim, kv_heads * key_dim, kv_heads * value_dim, heads * value_dim};
}

/// Attention and what every layer has around it.
LayerActivations common_activations(const Training& job, const Layout& layout, const Sizes& size) {
  const Model& m = job.model;
  const double split = size.split_tokens * size.hidden;
  const double heads = static_cast<double>(m.heads) / size.tp;
  const double linear_input = linear_input_bytes(job);
  const AttentionWidths width = attention_widths(m, size);

  LayerActivations a;
  a.residuals = 2 * half * split;
  // Adapters keep the gathered output of a norm (Transformer Engine: return_layernorm_output_gathered).
  const double normed = job.is_frozen() ? size.tokens * size.hidden : split;
  a.ffn_norm = kept_input_bytes(job, LoraTarget::linear_fc1) * normed;
  a.norms = kept_input_bytes(job, LoraTarget::linear_qkv) * normed + a.ffn_norm;
  a.adapters = rank_bytes(job, {LoraTarget::linear_qkv, LoraTarget::linear_proj}) * size.tokens;
  if (m.dropout) a.masks = 2 * split;
  if (!job.software.fused_kernels && !job.software.low_precision_norms) a.norm_casts = 2 * 4 * split;
  if (m.is_mla()) {
    // As the down-projections gave them and as their norms gave them to the up-projections.
    const auto ranks = static_cast<double>(m.q_lora_rank + m.kv_lora_rank);
    const double kept_ranks = kept_input_bytes(job, LoraTarget::linear_qkv) > 0 ? ranks : 0;
    a.latents = half * size.split_tokens * (ranks + kept_ranks + static_cast<double>(m.rope_head_dim));
  }
  a.attention_in = half * size.tokens * (width.queries + width.keys + width.values);
  const bool cast = linear_input < half && !job.is_frozen();
  a.attention_out = (half + (cast ? linear_input : 0)) * size.tokens * width.out;
  // Attention's backward pass wants its output as it was before heads were exchanged back for sequence.
  if (layout.cp > 1 && context_parallel(job, layout) == ContextParallel::ulysses) {
    a.attention_out += half * size.tokens * width.out;
  }
  a.scores = job.software.flash_attention ? 4 * size.tokens * heads
                                          : (m.dropout ? 5 : 2) * size.tokens * size.sequence * heads;
  return a;
}

/// Both sides of an activation function with `inner` elements between its products, by what it takes and gives.
double act_in_bytes(const Training& job, double inner) {
  const double apart = job.software.fused_kernels ? 0 : gates(job) - 1;  // the gate's product is a pass of its own
  return half * (gates(job) + apart) * inner;
}
double act_out_bytes(const Training& job, double inner) {
  return kept_input_bytes(job, LoraTarget::linear_fc2) * inner;
}

/// On the device that gets most.
double routed_tokens(const Training& job, const Layout& layout, const Sizes& size) {
  return size.tokens / size.tp * static_cast<double>(job.model.experts_per_token) * expert_slots(job) *
         busiest_load(job, layout);
}

double kept_by_modules(const Layout& layout, const LayerActivations& whole) {
  const RecomputeModules& modules = layout.recompute_modules;
  const auto again = [&modules](RecomputeModule module) { return modules.contains(module); };
  const bool block = again(RecomputeModule::mlp);
  double dropped = 0;
  if (again(RecomputeModule::core_attn)) dropped += whole.scores;
  if (again(RecomputeModule::layernorm)) dropped += whole.norms;
  // The norms of the latents and the rotary embedding belong to it; what the down-projections gave stays.
  if (again(RecomputeModule::mla_up_proj)) dropped += whole.latents / 2 + whole.attention_in;
  // The norm is fused with a dense block's first product.
  if (block && whole.block > 0) {
    dropped += whole.block + (again(RecomputeModule::layernorm) ? 0 : whole.ffn_norm);
  }
  if (again(RecomputeModule::moe)) {
    dropped += whole.routed + whole.shared;
  } else {
    if (again(RecomputeModule::moe_act)) dropped += whole.routed_act;
    if (again(RecomputeModule::shared_experts)) dropped += whole.shared;
  }
  return whole.all() - dropped;
}

/// torchtitan's policy keeps a layer's input, the attention output and the output of every second matrix product:
/// query, value, and the first of the block. Without a compiler the last one is kept too, though nothing reads it
/// (torchtitan/distributed/activation_checkpoint.py; the compiler saves only what the backward pass reads).
double kept_by_operator(const Training& job, const Sizes& size, const LayerActivations& whole) {
  const AttentionWidths width = attention_widths(job.model, size);
  const double split = half * size.split_tokens * size.hidden;
  const double lse = job.software.flash_attention ? whole.scores : 0;
  const double attention = half * size.tokens * (width.queries + width.values + width.out);
  return split + attention + lse + whole.first_product + (job.software.fused_kernels ? 0 : split);
}

}  // namespace

LayerActivations dense_activations(const Training& job, const Layout& layout) {
  // Korthikanti et al. 2022 (arXiv:2205.05198), section 4, tensor by tensor, for any attention and activation.
  const Sizes size = sizes_of(job, layout);
  const double inner = size.tokens * static_cast<double>(job.model.ffn) / size.tp;
  LayerActivations a = common_activations(job, layout, size);
  a.block = act_in_bytes(job, inner) + act_out_bytes(job, inner);
  a.adapters += rank_bytes(job, {LoraTarget::linear_fc1, LoraTarget::linear_fc2}) * size.tokens;
  a.first_product = half * inner;
  return a;
}

LayerActivations moe_activations(const Training& job, const Layout& layout) {
  const Model& m = job.model;
  const Sizes size = sizes_of(job, layout);
  LayerActivations a = common_activations(job, layout, size);
  const double shared = size.tokens * static_cast<double>(m.shared_experts * m.expert_ffn) / size.tp;
  a.shared = act_in_bytes(job, shared) + act_out_bytes(job, shared);
  // Permuted tokens as the experts got them. Router weights are applied to the experts' activations, so that what the
  // experts give back need not be kept (Megatron-Core "memory-efficient permutation"). Scores in 32 bits.
  const double tokens = routed_tokens(job, layout, size);
  const double inner = tokens * static_cast<double>(m.expert_ffn);
  const double taken = tokens * static_cast<double>(layout.etp);  // split experts hold the tokens of all their devices
  a.first_product = half * (shared + inner);
  a.routed_act = act_out_bytes(job, inner);
  a.routed = act_in_bytes(job, inner) + a.routed_act +
             kept_input_bytes(job, LoraTarget::linear_fc1) * taken * size.hidden +
             4 * size.split_tokens * static_cast<double>(m.experts);
  const double adapted = (m.shared_experts > 0 ? size.tokens : 0) + taken;
  a.adapters += rank_bytes(job, {LoraTarget::linear_fc1, LoraTarget::linear_fc2}) * adapted;
  return a;
}

double kept_activations(const Training& job, const Layout& layout, const LayerActivations& whole) {
  switch (layout.recompute) {
    case Recompute::none:
      return whole.all();
    case Recompute::selective:
      return whole.all() - (job.software.flash_attention ? 0 : whole.scores);
    case Recompute::selective_op:
      return kept_by_operator(job, sizes_of(job, layout), whole);
    case Recompute::full:
      return whole.residuals / 2;
    case Recompute::modules:
      return kept_by_modules(layout, whole);
  }
  return whole.all();
}

double backward_workspace(const Training& job, const Layout& layout, bool moe) {
  const Model& m = job.model;
  const Sizes size = sizes_of(job, layout);
  const double split = half * size.split_tokens * size.hidden;
  // Sequence parallelism gathers a block's input once more for the weight gradients, and its gradient before
  // scattering.
  const bool gathers = layout.tp > 1 && layout.sequence_parallel;
  const double gathered = gathers ? (job.is_frozen() ? 1 : 2) * half * size.tokens * size.hidden : 0;
  const AttentionWidths width = attention_widths(m, size);
  // Latent attention takes the gradients of keys and values apart before they go to the up-projections.
  const double assembled = (m.is_mla() ? 2 : 1) * (width.queries + width.keys + width.values);
  const double attention = half * size.tokens * (assembled + width.out);
  double block = 0;
  if (moe) {
    const double tokens = routed_tokens(job, layout, size);
    // Gradients of what the experts gave back, before and after the exchange, and of their first product.
    block = half * tokens *
            (2 * static_cast<double>(layout.etp) * size.hidden + gates(job) * static_cast<double>(m.expert_ffn));
  } else {
    block = half * gates(job) * size.tokens * static_cast<double>(m.ffn) / size.tp;
  }
  return std::max(attention, block) + 2 * split + gathered;
}

}  // namespace ampacity::workload
