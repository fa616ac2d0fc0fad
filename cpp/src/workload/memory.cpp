#include "workload/memory.hpp"

#include <algorithm>

#include "workload/layer.hpp"
#include "workload/parameters.hpp"
#include "workload/stages.hpp"

namespace ampacity::workload {
namespace {

/// Parameters of one stage on one device.
double stage_parameters(const Training& job, const Layout& layout, double layers, bool first, bool last) {
  const ParameterCount count = count_parameters(job.model);
  const auto tp = static_cast<double>(layout.tp);
  double parameters = layers * ((count.attention + count.dense_ffn) / tp + count.norms);
  if (first) parameters += count.embedding / tp;
  // Tied embeddings on different stages are kept twice.
  if (last && (count.head > 0 || !first)) parameters += static_cast<double>(job.model.vocab * job.model.hidden) / tp;
  return parameters;
}

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

/// Micro-batches (in units of the layers of a whole stage) whose activations a stage holds at once.
/// 1F1B: Narayanan et al. 2021, section 2.2; the interleaved warm-up has 2 (pp - rank - 1) + (vp - 1) pp + 1 chunks.
double in_flight(const Layout& layout, double micro_batches, bool first) {
  const auto pp = static_cast<double>(layout.pp);
  const auto vp = static_cast<double>(layout.vp);
  if (layout.schedule == Schedule::gpipe) return micro_batches;
  const double rank_from_end = first ? pp - 1 : 0;
  const double chunks = layout.vp == 1 ? rank_from_end + 1 : 2 * rank_from_end + (vp - 1) * pp + 1;
  return std::min(chunks / vp, micro_batches);
}

Memory stage_memory(const Training& job, const Layout& layout, double layers, bool first, bool last) {
  const Software& software = job.software;
  const ParameterCount count = count_parameters(job.model);
  const Sizes size = sizes_of(job, layout);
  const double parameters = stage_parameters(job, layout, layers, first, last);
  const double replicas = static_cast<double>(layout.dp * layout.cp);
  const double shard = layout.shard_group > 0 ? static_cast<double>(layout.shard_group * layout.cp) : replicas;

  Memory memory;
  memory.weights_bytes = parameters * software.weight_bytes / (layout.zero_stage >= 3 ? shard : 1);
  memory.gradients_bytes = parameters * software.gradient_bytes / (layout.zero_stage >= 2 ? shard : 1);
  memory.optimizer_bytes = parameters * software.optimizer_bytes / (layout.zero_stage >= 1 ? shard : 1);
  const double layer_parameters = count.dense_layer() / size.tp;
  if (layout.zero_stage >= 3) {
    // Whole layers in 16 bits: the one at work and the one prefetched; and the gradient of one before it is scattered.
    memory.weights_bytes += 2 * 2 * layer_parameters;
    memory.gradients_bytes += software.gradient_reduce_bytes * layer_parameters;
  } else {
    memory.weights_bytes += cast_weight_bytes(job.precision) * layers * (count.attention + count.dense_ffn) / size.tp;
  }

  const auto batches = static_cast<double>(micro_batches(job.global_batch, layout));
  const double kept = activation_bytes_per_layer(job, layout, layout.recompute);
  memory.activations_bytes = in_flight(layout, batches, first) * layers * kept;
  if (layout.recompute == Recompute::full || layout.recompute == Recompute::selective_op) {
    // One layer at a time exists in full while its backward pass runs.
    memory.activations_bytes += activation_bytes_per_layer(job, layout, Recompute::none) - kept;
  }
  if (last) {
    const double logits = size.tokens * static_cast<double>(job.model.vocab) / size.tp;
    memory.activations_bytes += logits * software.logit_bytes;
  }
  const double tensors = memory.total_bytes();
  memory.other_bytes = software.context_bytes + software.fragmentation_fraction * tensors;
  return memory;
}

}  // namespace

double activation_bytes_per_layer(const Training& job, const Layout& layout, Recompute recompute) {
  // Korthikanti et al. 2022 (arXiv:2205.05198), section 4, tensor by tensor, for any attention and activation.
  const Model& m = job.model;
  const Sizes size = sizes_of(job, layout);
  const double half = 2;
  const double linear_input = job.precision >= Precision::fp8 ? 1 : half;  // operands are kept as they were multiplied
  const double split = size.split_tokens * size.hidden;
  const double layer_input = half * split;
  if (recompute == Recompute::full) return layer_input;

  const double heads = static_cast<double>(m.heads) / size.tp;
  const double kv_heads = std::max(1.0, static_cast<double>(m.kv_heads) / size.tp);
  const auto key_dim = static_cast<double>(m.head_dim);
  const auto value_dim = static_cast<double>(m.value_head_dim);
  const double query_key_value = half * size.tokens * (heads * key_dim + kv_heads * (key_dim + value_dim));
  const double attention_out = half * size.tokens * heads * value_dim;
  const double inner = size.tokens * static_cast<double>(m.ffn) / size.tp;
  const double gates = m.is_gated() ? 2 : 1;
  if (recompute == Recompute::selective_op) {
    // Kept: the layer's input, the attention output and every second matrix product's output.
    return layer_input + attention_out + (query_key_value + half * (2 * split + gates * inner)) / 2;
  }

  double bytes = 2 * (layer_input + linear_input * split);  // norm inputs, norm outputs
  bytes += query_key_value + attention_out + (linear_input < half ? linear_input * attention_out / half : 0);
  bytes += half * gates * inner + linear_input * inner;
  if (job.software.flash_attention) {
    bytes += 4 * size.tokens * heads;  // log-sum-exp of each row in 32 bits
  } else if (recompute == Recompute::none) {
    bytes += (m.dropout ? 5 : 2) * size.tokens * size.sequence * heads;
  }
  if (m.dropout) bytes += 2 * split;
  if (!job.software.fused_kernels) bytes += 2 * 4 * split + half * (gates - 1) * inner;  // norms in 32 bits, the gate
  return bytes;
}

Memory memory_of(const Training& job, const Layout& layout, const Accelerator& device) {
  const StageLayers stages = stage_layers(job.model, layout);
  const bool one = layout.pp == 1;
  Memory fullest = stage_memory(job, layout, stages.first, true, one);
  if (!one) {
    const Memory last = stage_memory(job, layout, stages.last, false, true);
    if (last.total_bytes() > fullest.total_bytes()) fullest = last;
    if (layout.pp > 2 && stages.middle > stages.first) {
      const Memory second =
          stage_memory(job, layout, stages.middle, false, false);  // an upper bound: one less in flight
      if (second.total_bytes() > fullest.total_bytes()) fullest = second;
    }
  }
  fullest.capacity_bytes = device.memory_bytes;
  return fullest;
}

}  // namespace ampacity::workload
