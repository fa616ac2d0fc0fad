#include "workload/memory.hpp"

#include <algorithm>

#include "workload/adapters.hpp"
#include "workload/in_flight.hpp"
#include "workload/layer.hpp"
#include "workload/layer_memory.hpp"
#include "workload/stage_parameters.hpp"
#include "workload/stages.hpp"

namespace ampacity::workload {
namespace {

constexpr double half = 2;  // bytes of an activation, of a gathered weight and of a whole gradient in 16 bits

/// Copies of the weights in the low-precision format, row- and column-wise (Transformer Engine keeps both, but for FP8
/// with a scale per tensor where products take any order: nvte_is_non_tn_fp8_gemm_supported).
double cast_weight_bytes(Precision precision, const Accelerator& device) {
  switch (precision) {
    case Precision::fp8:
      return device.architecture.fp8_any_layout ? 1 : 2;
    case Precision::fp8_block:
    case Precision::mxfp8:
      return 2;
    case Precision::nvfp4:
      return 1.125;  // two copies of 4 bits and one 8-bit scale per 16 elements each
    default:
      return 0;
  }
}

/// Bytes of one layer of each kind and one micro-batch.
struct LayerBytes {
  double dense_kept = 0;
  double moe_kept = 0;
  double dense_whole = 0;
  double moe_whole = 0;
  double dense_workspace = 0;
  double moe_workspace = 0;
};
LayerBytes layer_bytes(const Training& job, const Layout& layout) {
  LayerBytes bytes;
  const LayerActivations dense = dense_activations(job, layout);
  bytes.dense_whole = dense.all();
  bytes.dense_kept = kept_activations(job, layout, dense);
  bytes.dense_workspace = backward_workspace(job, layout, false) + bytes.dense_whole - bytes.dense_kept;
  if (job.model.is_moe()) {
    const LayerActivations moe = moe_activations(job, layout);
    bytes.moe_whole = moe.all();
    bytes.moe_kept = kept_activations(job, layout, moe);
    bytes.moe_workspace = backward_workspace(job, layout, true) + bytes.moe_whole - bytes.moe_kept;
  }
  return bytes;
}

/// Everything that the stages of one job share.
struct Job {
  const Training& job;
  const Layout& layout;
  const Accelerator& device;
  LayerBytes bytes;
};

/// Activations of one micro-batch; `recompute_layers` of a stage's layers are computed again, the others are kept.
double kept_per_micro_batch(const Job& j, const LayerMix& layers) {
  const double here = 1 - j.layout.offload_activations_fraction;
  const double kept = here * (layers.dense * j.bytes.dense_kept + layers.moe * j.bytes.moe_kept);
  const auto again = static_cast<double>(j.layout.recompute_layers);
  if (again == 0 || again >= layers.all()) return kept;
  const double whole = here * (layers.dense * j.bytes.dense_whole + layers.moe * j.bytes.moe_whole);
  return whole - again / layers.all() * (whole - kept);
}

/// Gradients and optimizer state of what is trained, as they are sharded.
void add_trained(const Job& j, const StageParameters& trained, Memory& memory) {
  const Software& software = j.job.software;
  const double whole = trained.all();
  const double shard = trained.sharded(j.layout);
  const double optimizer_here = 1 - j.layout.offload_optimizer_fraction;
  // Gradients that are sharded as they come leave for the host at once (ZeRO-Offload, arXiv:2101.06840, section 4.1).
  memory.gradients_bytes = software.gradient_bytes * (j.layout.zero_stage >= 2 ? optimizer_here * shard : whole);
  memory.optimizer_bytes = software.optimizer_bytes * optimizer_here * (j.layout.zero_stage >= 1 ? shard : whole);
}

/// Frozen weights: those of layers as they are stored, embedding and head in 16 bits, and adapters as weights that are
/// trained.
void add_frozen_state(const Job& j, const StageParameters& parameters, const StageParameters& in_layers,
                      const StageParameters& adapters, Memory& memory) {
  const double here = 1 - j.layout.offload_weights_fraction;
  const bool sharded = j.layout.zero_stage >= 3;
  const auto held = [&](const StageParameters& some) { return sharded ? some.sharded(j.layout) : some.all(); };
  const double stored = sharded ? sharded_weight_bytes(j.job) : j.job.frozen_weight_bytes;
  memory.weights_bytes = here * (stored * held(in_layers) + half * (held(parameters) - held(in_layers))) +
                         j.job.software.weight_bytes * held(adapters);
  if (!sharded) {
    const double copies = frozen_copy_bytes(j.job, cast_weight_bytes(j.job.precision, j.device)) - stored;
    memory.weights_bytes += copies * in_layers.all();
  }
}

/// Weights as they are sharded.
void add_weights(const Job& j, const StageParameters& parameters, const StageParameters& in_layers, Memory& memory) {
  const Software& software = j.job.software;
  const double whole = parameters.all();
  const double shard = parameters.sharded(j.layout);
  const std::int64_t stage = j.layout.zero_stage;
  memory.weights_bytes = software.weight_bytes * (1 - j.layout.offload_weights_fraction) * (stage >= 3 ? shard : whole);
  if (stage < 3) memory.weights_bytes += cast_weight_bytes(j.job.precision, j.device) * in_layers.all();
  if (stage >= 3) {
    const double here = 1 - j.layout.offload_weights_fraction;
    memory.weights_bytes -= here * (half - sharded_weight_bytes(j.job)) * in_layers.sharded(j.layout);
  }
}

/// Stage 3: weights while they are whole, and what their collectives hold (PyTorch FSDP, Megatron-FSDP): the group of
/// embedding and head from the forward pass to the end of the backward pass, one layer at work and one ahead of it, and
/// the flat buffer that a gathered group comes in, where it is copied out of that; pools of gradients.
void add_gathered(const Job& j, const StageParameters& stage, const StageParameters& in_layers, double layer,
                  Memory& memory) {
  const Software& software = j.job.software;
  const bool whole_step = software.pipeline_keeps_gathered && j.layout.pp > 1;
  const bool keeps = whole_step || !j.layout.reshard_after_forward;
  const double ends = stage.all() - in_layers.all();
  const double two = std::min(2 * layer, in_layers.all());
  memory.weights_bytes += half * ends + sharded_weight_bytes(j.job) * (keeps ? in_layers.all() : two);
  if (software.shard_pools && !j.job.is_frozen()) memory.communication_bytes += software.gradient_reduce_bytes * two;
  if (software.gather_copies_out) memory.communication_bytes += half * std::max(ends, two);
  // Without resharding between micro-batches gradients are summed whole, in the format of their reduction.
  if (whole_step && !j.job.is_frozen()) memory.gradients_bytes += software.gradient_reduce_bytes * stage.all();
}

/// Activations of two layers on their way back from the host: one in transfer, one at work. The last to leave in the
/// forward pass are gone before the loss, and the first come back when the backward pass of the layers begins
/// (Transformer Engine, cpu_offload.py: offloading is spread over all layers).
double returning_bytes(const Job& j, const LayerMix& layers) {
  const double kept = std::max(layers.dense > 0 ? j.bytes.dense_kept : 0, layers.moe > 0 ? j.bytes.moe_kept : 0);
  return 2 * j.layout.offload_activations_fraction * kept;
}

/// Weights of two layers on their way from the host.
double staging_bytes(const Job& j, const LayerMix& layers) {
  if (j.layout.offload_weights_fraction == 0 || j.layout.zero_stage >= 3) return 0;
  const LayerMix one = layers.moe > 0 ? LayerMix{0, 1} : LayerMix{1, 0};
  const double stored = j.job.is_frozen() ? j.job.frozen_weight_bytes : half;
  return 2 * stored * j.layout.offload_weights_fraction * layer_parameters(j.job.model, j.layout, one).all();
}

/// Buffers that are there at any moment, whatever the sharding.
double standing_buffers(const Job& j, const LayerMix& layers, const Sizes& size) {
  double bytes = 0;
  // Output and input gradient of a stage, on their way in and on their way out.
  if (j.layout.pp > 1) bytes += 4 * half * size.split_tokens * size.hidden;
  if (j.layout.tp > 1 && j.layout.sequence_parallel)
    bytes += j.job.software.collective_copies * half * size.tokens * size.hidden;
  bytes += staging_bytes(j, layers);
  if (j.job.software.gradient_placeholders && j.layout.zero_stage < 3 && !j.job.is_frozen())
    bytes += half * distinct_weights(j.job.model, j.layout, layers);
  return bytes;
}

/// Beside what is kept: the loss, where 32-bit copies of the logits or the gradient of the head stand beside them.
double loss_workspace(const Job& j, const Sizes& size) {
  const Software& software = j.job.software;
  const double vocabulary = static_cast<double>(j.job.model.vocab) / size.tp;
  const bool split = size.tp > 1 && software.split_logit_bytes > 0;
  const double loss = (split ? software.split_logit_bytes : software.logit_bytes) * size.tokens * vocabulary;
  // The products of the head's backward pass: gradient of the logits, gradient of its weight in 16 bits.
  const double products = half * vocabulary * (size.tokens + (j.job.is_frozen() ? 0 : size.hidden));
  // Final norm, its output gathered, and the gradients of both.
  const double ends = 2 * half * (size.split_tokens + size.tokens) * size.hidden;
  return std::max(loss, products) + ends;
}

/// Beside what is kept: the backward pass of one layer, computed again where that is recomputed.
double layer_workspace(const Job& j, const LayerMix& layers) {
  return std::max(layers.dense > 0 ? j.bytes.dense_workspace : 0, layers.moe > 0 ? j.bytes.moe_workspace : 0);
}

StageKind stage_kind(const Job& j, const LayerMix& layers, StagePlace place) {
  const Software& software = j.job.software;
  const Sizes size = sizes_of(j.job, j.layout);
  const StageParameters parameters = stage_parameters(j.job.model, j.layout, layers, place);
  const StageParameters in_layers = layer_parameters(j.job.model, j.layout, layers);

  StageKind kind;
  Memory& memory = kind.fixed;
  const StageParameters trained = j.job.is_frozen() ? adapter_parameters(j.job, j.layout, layers) : parameters;
  add_trained(j, trained, memory);
  if (j.job.is_frozen()) {
    add_frozen_state(j, parameters, in_layers, trained, memory);
  } else {
    add_weights(j, parameters, in_layers, memory);
  }
  memory.communication_bytes = standing_buffers(j, layers, size);
  double scattering = 0;  // whole gradients of a layer, on their way to the shards
  if (j.layout.zero_stage >= 3) {
    const double layer =
        layer_parameters(j.job.model, j.layout, layers.moe > 0 ? LayerMix{0, 1} : LayerMix{1, 0}).all();
    add_gathered(j, parameters, in_layers, layer, memory);
    // The gradient of the head is on its way too; a pool lends no third buffer before that is gone.
    const bool whole_gradients = !software.shard_pools && !j.job.is_frozen();
    const double head = place.last ? (parameters.all() - in_layers.all()) / 2 : 0;
    scattering = whole_gradients ? (half + software.gradient_reduce_bytes) * layer + half * head : 0;
  }
  // Either moment may be the fullest: the loss, or the backward pass of the layer before it.
  const double in_loss = place.last ? loss_workspace(j, size) : 0;
  const double in_layer = layer_workspace(j, layers);
  const double moving = scattering + returning_bytes(j, layers);
  if (in_layer + moving > in_loss) memory.communication_bytes += moving;
  memory.workspace_bytes = in_layer + moving > in_loss ? in_layer : in_loss;
  memory.context_bytes = software.context_bytes;
  memory.capacity_bytes = j.device.memory_bytes;
  kind.activations_per_micro_batch_bytes = kept_per_micro_batch(j, layers);
  kind.layers = layers.all();
  return kind;
}

}  // namespace

StageKinds stage_kinds(const Training& job, const Layout& layout, const Accelerator& device) {
  return stage_kinds(job, layout, device, stage_layers(job.model, layout));
}

StageKinds stage_kinds(const Training& job, const Layout& layout, const Accelerator& device,
                       const StageLayers& stages) {
  const Job j{job, layout, device, layer_bytes(job, layout)};
  StageKinds kinds;
  kinds.fragmentation_fraction = job.software.fragmentation_fraction;
  kinds.kinds.reserve(stages.count);
  for (const StageRun& run : stages) {
    StageKind& kind = kinds.kinds.emplace_back(stage_kind(j, run.layers, {run.embedding, run.head}));
    kind.first_stage = run.first_rank;
  }
  return kinds;
}

Memory filled(const StageKind& kind, double micro_batches_in_flight, double fragmentation_fraction) {
  Memory memory = kind.fixed;
  memory.activations_bytes = micro_batches_in_flight * kind.activations_per_micro_batch_bytes;
  const double allocated = memory.weights_bytes + memory.gradients_bytes + memory.optimizer_bytes +
                           memory.activations_bytes + memory.workspace_bytes + memory.communication_bytes;
  memory.fragmentation_bytes = fragmentation_fraction * allocated;
  memory.other_bytes =
      memory.workspace_bytes + memory.communication_bytes + memory.context_bytes + memory.fragmentation_bytes;
  return memory;
}

Memory fullest_of(const StageKinds& kinds, const Layout& layout, double micro_batches) {
  Memory fullest;
  // Of equal stages the first holds most micro-batches.
  for (const StageKind& kind : kinds.kinds) {
    const auto behind = static_cast<double>(layout.pp - 1 - kind.first_stage);
    const Memory stage = filled(kind, in_flight(layout, micro_batches, behind), kinds.fragmentation_fraction);
    if (stage.total_bytes() > fullest.total_bytes()) fullest = stage;
  }
  return fullest;
}

Memory memory_of(const Training& job, const Layout& layout, const Accelerator& device) {
  const auto batches = static_cast<double>(micro_batches(job.global_batch, layout));
  return fullest_of(stage_kinds(job, layout, device), layout, batches);
}

}  // namespace ampacity::workload
