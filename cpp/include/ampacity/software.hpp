// Training software: what a framework release overlaps, fuses and stores.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <tuple>

#include "ampacity/field.hpp"
#include "ampacity/layout.hpp"

namespace ampacity {

/// How tokens travel to their experts. `all_to_all`: one copy for every expert that a token visits (NCCL);
/// `deduplicated`: one copy for every device, and one for every scale-up domain over the network, which is forwarded
/// inside (DeepEP and HybridEP; DeepSeek-V3, arXiv:2412.19437, section 3.2.2).
enum class ExpertExchange { all_to_all, deduplicated };
template <>
struct EnumNames<ExpertExchange> {
  static constexpr std::array<std::string_view, 2> names{"all-to-all", "deduplicated"};
};

/// Parameters of a software release. Each has a physical meaning and holds for every model and cluster it runs on.
struct Software {
  std::string name;
  std::string title;
  bool flash_attention = true;
  bool asynchronous_attention = true;
  double attention_relative_speed = 1;
  double kernel_relative_speed = 1;
  bool fused_kernels = true;
  bool low_precision_norms = false;
  bool checkpoint_stops_early = false;
  bool gradient_overlap = true;
  bool parameter_overlap = true;
  bool reduces_every_micro_batch = false;
  bool splits_stage_transfers = true;
  double tp_overlap_fraction = 0;
  double pp_overlap_fraction = 0;
  double ep_overlap_fraction = 0;
  ContextParallel cp_kind = ContextParallel::ring;
  bool cp_fused_merge = true;
  bool cp_expands_kv = false;
  double cp_gradient_bytes = 2;
  ExpertExchange ep_exchange = ExpertExchange::all_to_all;
  double ep_dispatch_bytes = 2;
  double ep_sms = 0;
  double permutation_relative_speed = 1;
  double comm_sm_fraction = 0.1;
  bool copies_shards = false;
  bool copies_sequence_splits = false;
  double rotary_bytes = 4;
  bool gathers_in_8_bits = false;
  double fp8_cast_bytes = 0;
  bool groups_experts = false;
  bool fuses_expert_mlp = false;
  bool attention_in_8_bits = false;
  bool head_in_8_bits = false;
  double host_gap_s = 0;
  double tensor_cast_host_s = 0;
  bool captures_attention = false;
  bool captures_router = false;
  bool launches_behind_collectives = true;
  double checkpoint_host_s = 0;
  double step_overhead_s = 0;
  double weight_bytes = 2;
  bool weights_in_8_bits = false;
  bool shard_pools = false;
  double gradient_bytes = 4;
  double gradient_reduce_bytes = 4;
  double accumulation_bytes = 0;
  double optimizer_bytes = 12;
  double logit_bytes = 6;
  double loss_bytes_per_logit = 32;
  double loss_logits_per_sm_clock = 0;
  double split_logit_bytes = 0;
  bool gradient_placeholders = false;
  bool pipeline_keeps_gathered = false;
  bool gather_copies_out = false;
  double collective_copies = 0;
  double context_bytes = 2e9;
  double fragmentation_fraction = 0.03;

  static constexpr std::string_view kind = "software";
  template <class S = Software>
  static constexpr auto fields() {
    constexpr Range share{0, 1};
    return std::tuple{
        required("name", &S::name, "catalogue name"),
        optional("title", &S::title, "full name"),
        optional("flash_attention", &S::flash_attention, "attention never writes the score matrix"),
        optional(
            "asynchronous_attention", &S::asynchronous_attention,
            "attention kernels use the device's asynchronous units (FlashAttention-3, cuDNN); else FlashAttention-2"),
        optional("attention_relative_speed", &S::attention_relative_speed, Range{0.05, 2},
                 "speed of its attention kernels over the best ones of that kind"),
        optional("kernel_relative_speed", &S::kernel_relative_speed, Range{0.5, 1.5},
                 "speed of its kernels inside a step over that of most releases (the device family's "
                 "sustained_fraction)"),
        optional("fused_kernels", &S::fused_kernels, "bias, dropout, residual, activation, norm and casts are fused"),
        optional("low_precision_norms", &S::low_precision_norms,
                 "norms read and write 16 bits without casts, even where kernels are not fused"),
        optional("checkpoint_stops_early", &S::checkpoint_stops_early,
                 "recomputing a layer ends where nothing more is needed: its last product is not done again"),
        optional("gradient_overlap", &S::gradient_overlap, "gradients are reduced while the backward pass runs"),
        optional("parameter_overlap", &S::parameter_overlap,
                 "updated weights are gathered while the forward pass runs"),
        optional("reduces_every_micro_batch", &S::reduces_every_micro_batch,
                 "sharded weights are gathered and gradients reduced in every micro-batch, not once a step"),
        optional(
            "splits_stage_transfers", &S::splits_stage_transfers,
            "each tensor-parallel rank sends its share of what goes to the next stage (scatter/gather optimisation)"),
        optional("tp_overlap_fraction", &S::tp_overlap_fraction, share,
                 "share of tensor-parallel communication hidden behind matrix products"),
        optional("pp_overlap_fraction", &S::pp_overlap_fraction, share,
                 "share of stage-to-stage transfers hidden behind other micro-batches"),
        optional("ep_overlap_fraction", &S::ep_overlap_fraction, share,
                 "share of expert-parallel exchange hidden behind other work"),
        optional("cp_kind", &S::cp_kind, "how context parallelism shares one attention where the layout does not say"),
        optional("cp_fused_merge", &S::cp_fused_merge,
                 "one kernel merges the result of a ring step into those before; else a chain of 32-bit operators"),
        optional("cp_expands_kv", &S::cp_expands_kv,
                 "key-value heads are repeated to as many as query heads before context parallelism exchanges them"),
        optional("cp_gradient_bytes", &S::cp_gradient_bytes, Range{1, 8},
                 "bytes of a gradient of keys or values on its way round the ring"),
        optional("ep_exchange", &S::ep_exchange, "how tokens travel to their experts and back"),
        optional("ep_dispatch_bytes", &S::ep_dispatch_bytes, Range{0.5, 4},
                 "bytes of an activation on its way to its expert (1: sent in 8 bits, scales left out)"),
        optional("ep_sms", &S::ep_sms, Range{0, 1000},
                 "multiprocessors that the exchange with experts keeps from the compute that it runs beside; 0: as "
                 "comm_sm_fraction"),
        optional("permutation_relative_speed", &S::permutation_relative_speed, Range{0.05, 2},
                 "speed at which tokens are sorted by expert and put back, over streaming them once each way"),
        optional(
            "comm_sm_fraction", &S::comm_sm_fraction, share,
            "what a second of collectives costs the compute that it runs beside, in seconds: SMs, memory bandwidth, "
            "prefetch held back; messages between two devices cost an eighth of it"),
        optional("copies_shards", &S::copies_shards,
                 "gathered weights are copied out of, and gradients into, the buffers of their collectives (FSDP2)"),
        optional("copies_sequence_splits", &S::copies_sequence_splits,
                 "tensor-parallel gathers and scatters along the sequence copy the activation, which the collective "
                 "wants along the first dimension (DTensor)"),
        optional("rotary_bytes", &S::rotary_bytes, Range{0, 64},
                 "bytes moved per element and pass of a rotary embedding (4: one fused kernel in 16 bits)"),
        optional("gathers_in_8_bits", &S::gathers_in_8_bits,
                 "with products in 8 or 4 bits, tensor-parallel gathers carry activations already cast to 8 bits"),
        optional("fp8_cast_bytes", &S::fp8_cast_bytes, Range{0, 64},
                 "bytes moved to make the operands of plain FP8 products of one element of an activation or gradient; "
                 "0: one read and both layouts written (Transformer Engine)"),
        optional("groups_experts", &S::groups_experts,
                 "products of routed experts run as one grouped kernel; else each expert's is launched by itself "
                 "(Transformer Engine GroupedLinear)"),
        optional("fuses_expert_mlp", &S::fuses_expert_mlp,
                 "the grouped products of routed experts apply the activation and cast their results themselves "
                 "(Transformer Engine 2.14 and later: fused grouped MLP)"),
        optional("attention_in_8_bits", &S::attention_in_8_bits,
                 "with products in 8 or 4 bits, those inside the attention core run in 8 bits too (fp8_dpa)"),
        optional("head_in_8_bits", &S::head_in_8_bits,
                 "with products in 8 bits, the output embedding's run in 8 bits too"),
        optional("host_gap_s", &S::host_gap_s, Range{0, 1e-3}, "time that the host needs to launch one kernel"),
        optional("tensor_cast_host_s", &S::tensor_cast_host_s, Range{0, 1e-2},
                 "time that the host needs to make one operand in 8 bits with a scale per tensor, beside launching its "
                 "kernels"),
        optional("captures_attention", &S::captures_attention,
                 "attention, its projections and the norms are launched as a CUDA graph, which costs the host nothing"),
        optional("captures_router", &S::captures_router, "so is the router of a mixture of experts"),
        optional("launches_behind_collectives", &S::launches_behind_collectives,
                 "the host goes on launching kernels while the device is in a tensor-parallel collective"),
        optional("checkpoint_host_s", &S::checkpoint_host_s, Range{0, 1},
                 "time that the host needs to save and restore random states around one recomputed layer"),
        optional("step_overhead_s", &S::step_overhead_s, Range{0, 60}, "fixed time of a step: logging, data, scaling"),
        optional("weight_bytes", &S::weight_bytes, Range{1, 8},
                 "bytes of a stored weight (2: the 32-bit master counts as optimizer state; 4: it is the weight)"),
        optional("weights_in_8_bits", &S::weights_in_8_bits,
                 "ZeRO stage 3 with products in 8 bits and one scale for many weights: those of layers are kept and "
                 "gathered in 8 bits (fp8_param_gather)"),
        optional("shard_pools", &S::shard_pools,
                 "ZeRO stage 3: whole weights and gradients of layers pass through two fixed buffers each "
                 "(Megatron-FSDP: fsdp_double_buffer)"),
        optional("gradient_bytes", &S::gradient_bytes, Range{1, 8}, "bytes of a stored gradient"),
        optional("gradient_reduce_bytes", &S::gradient_reduce_bytes, Range{1, 8}, "bytes of a gradient on the wire"),
        optional(
            "accumulation_bytes", &S::accumulation_bytes, Range{0, 24},
            "bytes moved per parameter to add the gradient of a micro-batch to the stored one; 0: the product that "
            "makes it adds it"),
        optional("optimizer_bytes", &S::optimizer_bytes, Range{0, 32}, "bytes of master weight and moments"),
        optional("logit_bytes", &S::logit_bytes, Range{1, 32},
                 "bytes per logit at the fullest moment of the loss and its gradient"),
        optional("loss_bytes_per_logit", &S::loss_bytes_per_logit, Range{2, 200},
                 "bytes that the loss moves per logit in both directions, the output product aside"),
        optional(
            "loss_logits_per_sm_clock", &S::loss_logits_per_sm_clock, Range{0, 1e3},
            "logits that a multiprocessor takes through the loss and back in a clock; 0: as many as memory allows"),
        optional("split_logit_bytes", &S::split_logit_bytes, Range{0, 64},
                 "the same where tensor parallelism splits the vocabulary; 0 = as logit_bytes"),
        optional("gradient_placeholders", &S::gradient_placeholders,
                 "an unused gradient of each weight shape stays allocated beside gradients that are added in place"),
        optional("pipeline_keeps_gathered", &S::pipeline_keeps_gathered,
                 "with pipeline stages, sharded weights stay gathered and gradients whole until the step ends"),
        optional("gather_copies_out", &S::gather_copies_out,
                 "sharded weights are gathered into a flat buffer and copied out of it"),
        optional("collective_copies", &S::collective_copies, Range{0, 16},
                 "gathered activations that tensor-parallel collectives hold beside those at work"),
        optional("context_bytes", &S::context_bytes, Range{0, 1e11},
                 "device memory of driver context, libraries and communicators"),
        optional("fragmentation_fraction", &S::fragmentation_fraction, Range{0, 0.5},
                 "allocator overhead as a share of the tensors")};
  }
  friend bool operator==(const Software&, const Software&) = default;
};

}  // namespace ampacity
