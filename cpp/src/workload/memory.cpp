#include "workload/memory.hpp"

#include <algorithm>

#include "workload/expert_load.hpp"
#include "workload/in_flight.hpp"
#include "workload/layer.hpp"
#include "workload/stage_parameters.hpp"
#include "workload/stages.hpp"

namespace ampacity::workload {
namespace {

/// Copies of the weights in the low-precision format, row- and column-wise (Transformer Engine keeps both).
double cast_weight_bytes(Precision precision) {
  switch (precision) {
    case Precision::fp8:
    case Precision::fp8_block:
    case Precision::mxfp8:
      return 2;
    case Precision::nvfp4:
      return 1.125;  // two copies of 4 bits and one 8-bit scale per 16 elements each
    default:
      return 0;
  }
}

constexpr double half = 2;  // bytes of an activation in 16 bits

/// Operands are kept as they were multiplied.
double linear_input_bytes(const Training& job) {
  return job.precision >= Precision::fp8 ? 1 : half;
}

/// A feed-forward block with `inner` elements between its products: input(s) and output of the activation.
double block_bytes(const Training& job, double inner) {
  const double gates = job.model.is_gated() ? 2 : 1;
  const double gate = job.software.fused_kernels ? 0 : half * (gates - 1);  // kept apart without fusion
  return (half * gates + linear_input_bytes(job) + gate) * inner;
}

/// Queries, keys, values and latents.
double attention_input_bytes(const Training& job, const Sizes& size) {
  const Model& m = job.model;
  const double heads = static_cast<double>(m.heads) / size.tp;
  const auto value_dim = static_cast<double>(m.value_head_dim);
  if (m.is_mla()) {
    const auto key_dim = static_cast<double>(m.head_dim + m.rope_head_dim);
    const auto latents = static_cast<double>(m.q_lora_rank + m.kv_lora_rank + m.rope_head_dim);
    // Latents as the down-projection gave them and as their norms gave them to the up-projections.
    return half * size.tokens * heads * (2 * key_dim + value_dim) + 2 * half * size.split_tokens * latents;
  }
  const double kv_heads = std::max(1.0, static_cast<double>(m.kv_heads) / size.tp);
  const auto key_dim = static_cast<double>(m.head_dim);
  return half * size.tokens * (heads * key_dim + kv_heads * (key_dim + value_dim));
}

/// A layer whose feed-forward part keeps `block` bytes, with `inner` elements between its products.
double layer_activations(const Training& job, const Layout& layout, Recompute recompute, double block, double inner) {
  const Model& m = job.model;
  const Sizes size = sizes_of(job, layout);
  const double split = size.split_tokens * size.hidden;
  const double layer_input = half * split;
  if (recompute == Recompute::full) return layer_input;

  const double heads = static_cast<double>(m.heads) / size.tp;
  const double attention_in = attention_input_bytes(job, size);
  const double attention_out = half * size.tokens * heads * static_cast<double>(m.value_head_dim);
  if (recompute == Recompute::selective_op) {
    // Kept: the layer's input, the attention output and every second matrix product's output.
    const double gates = m.is_gated() ? 2 : 1;
    return layer_input + attention_out + (attention_in + half * (2 * split + gates * inner)) / 2;
  }

  const double linear_input = linear_input_bytes(job);
  double bytes = 2 * (layer_input + linear_input * split);  // norm inputs, norm outputs
  bytes += attention_in + attention_out + (linear_input < half ? linear_input * attention_out / half : 0);
  bytes += block;
  if (job.software.flash_attention) {
    bytes += 4 * size.tokens * heads;  // log-sum-exp of each row in 32 bits
  } else if (recompute == Recompute::none) {
    bytes += (m.dropout ? 5 : 2) * size.tokens * size.sequence * heads;
  }
  if (m.dropout) bytes += 2 * split;
  if (!job.software.fused_kernels && !job.software.low_precision_norms) bytes += 2 * 4 * split;  // norms in 32 bits
  return bytes;
}

/// Activations that the layers of one stage keep for one micro-batch.
double kept_bytes(const Training& job, const Layout& layout, const LayerMix& layers, Recompute recompute) {
  double bytes = layers.dense * activation_bytes_per_layer(job, layout, recompute);
  if (layers.moe > 0) bytes += layers.moe * moe_activation_bytes_per_layer(job, layout, recompute);
  return bytes;
}

Memory stage_memory(const Training& job, const Layout& layout, const LayerMix& layers, StagePlace place,
                    double stages_behind) {
  const Software& software = job.software;
  const Sizes size = sizes_of(job, layout);
  const StageParameters parameters = stage_parameters(job.model, layout, layers, place);
  const double whole = parameters.all();
  const double shard = parameters.sharded(layout);

  Memory memory;
  memory.weights_bytes = software.weight_bytes * (layout.zero_stage >= 3 ? shard : whole);
  memory.gradients_bytes = software.gradient_bytes * (layout.zero_stage >= 2 ? shard : whole);
  memory.optimizer_bytes = software.optimizer_bytes * (layout.zero_stage >= 1 ? shard : whole);
  const LayerMix one = layers.moe > 0 ? LayerMix{0, 1} : LayerMix{1, 0};
  if (layout.zero_stage >= 3) {
    // Whole layers in 16 bits: the one at work and the one prefetched; and the gradient of one before it is scattered.
    const double layer_parameters_held = layer_parameters(job.model, layout, one).all();
    // Weights that are not dropped after the forward pass are there whole when the backward pass begins.
    const double gathered =
        layout.reshard_after_forward ? 2 * layer_parameters_held : layer_parameters(job.model, layout, layers).all();
    memory.weights_bytes += 2 * gathered;
    memory.gradients_bytes += software.gradient_reduce_bytes * layer_parameters_held;
  } else {
    memory.weights_bytes += cast_weight_bytes(job.precision) * layer_parameters(job.model, layout, layers).all();
  }

  const auto batches = static_cast<double>(micro_batches(job.global_batch, layout));
  const double kept = kept_bytes(job, layout, layers, layout.recompute);
  memory.activations_bytes = in_flight(layout, batches, stages_behind) * kept;
  if (layout.recompute == Recompute::full || layout.recompute == Recompute::selective_op) {
    // One layer at a time exists in full while its backward pass runs.
    memory.activations_bytes +=
        kept_bytes(job, layout, one, Recompute::none) - kept_bytes(job, layout, one, layout.recompute);
  }
  if (place.last) {
    const double logits = size.tokens * static_cast<double>(job.model.vocab) / size.tp;
    memory.activations_bytes += logits * software.logit_bytes * static_cast<double>(1 + job.model.mtp_layers);
  }
  const double tensors = memory.total_bytes();
  memory.other_bytes = software.context_bytes + software.fragmentation_fraction * tensors;
  return memory;
}

}  // namespace

double activation_bytes_per_layer(const Training& job, const Layout& layout, Recompute recompute) {
  // Korthikanti et al. 2022 (arXiv:2205.05198), section 4, tensor by tensor, for any attention and activation.
  const Sizes size = sizes_of(job, layout);
  const double inner = size.tokens * static_cast<double>(job.model.ffn) / size.tp;
  return layer_activations(job, layout, recompute, block_bytes(job, inner), inner);
}

double moe_activation_bytes_per_layer(const Training& job, const Layout& layout, Recompute recompute) {
  const Model& m = job.model;
  const Sizes size = sizes_of(job, layout);
  const double shared = size.tokens * static_cast<double>(m.shared_experts * m.expert_ffn) / size.tp;
  // On the device that gets most; split experts each hold the tokens of all their devices.
  const double routed_tokens =
      size.tokens / size.tp * static_cast<double>(m.experts_per_token) * expert_slots(job) * busiest_load(job, layout);
  const double routed = routed_tokens * static_cast<double>(m.expert_ffn);
  // Tokens as the experts got them (their products' input), and what the experts gave back (for the weights of the
  // sum); router scores in 32 bits.
  const double tokens =
      (linear_input_bytes(job) + half) * routed_tokens * static_cast<double>(layout.etp) * size.hidden;
  const double scores = 4 * size.split_tokens * static_cast<double>(m.experts);
  return layer_activations(job, layout, recompute,
                           block_bytes(job, shared) + block_bytes(job, routed) + tokens + scores, shared + routed);
}

Memory memory_of(const Training& job, const Layout& layout, const Accelerator& device) {
  const StageLayers stages = stage_layers(job.model, layout);
  Memory fullest;
  // Of equal ranks the first holds most micro-batches.
  for (const StageRun& run : stages) {
    const auto behind = static_cast<double>(layout.pp - 1 - run.first_rank);
    const Memory stage = stage_memory(job, layout, run.layers, {run.embedding, run.head}, behind);
    if (stage.total_bytes() > fullest.total_bytes()) fullest = stage;
  }
  fullest.capacity_bytes = device.memory_bytes;
  return fullest;
}

}  // namespace ampacity::workload
