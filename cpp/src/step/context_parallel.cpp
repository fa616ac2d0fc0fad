#include "step/context_parallel.hpp"

#include <algorithm>

#include "workload/attention_mask.hpp"

namespace ampacity::step {
namespace {

using workload::LayerWork;

constexpr double half = 2;  // bytes of an activation in 16 bits

/// Elements of the tensors of one device's slice.
struct Slice {
  double queries;
  double keys_values;
  double result;
};
Slice slice_of(const Context& c, const LayerWork& work) {
  const double tokens = workload::sizes_of(c.job, c.layout).tokens;
  const double kv_heads = c.job.software.cp_expands_kv ? work.attention_heads : work.attention_kv_heads;
  return {tokens * work.attention_heads * work.attention_key_dim,
          tokens * kv_heads * (work.attention_key_dim + work.attention_value_dim),
          tokens * work.attention_heads * work.attention_value_dim};
}

/// Bytes that merging one ring step moves. Fused (Transformer Engine, "flash_attn_fwd_out_correction"): read the
/// block's result, read and write the running one in 32 bits; backward adds gradients in 16 bits. As a chain of eager
/// 32-bit operators (PyTorch, torch.distributed.tensor.experimental, _SDPAMerger): to 32 bits (2 + 4), difference (8 +
/// 4), times a sigmoid (4 + 4), difference (8 + 4); every second step has half of the rows only but copies all (4 + 4):
/// 33 on average. Backward adds 16-bit gradients to 32-bit sums (2 + 8), by halves with a copy of all in every second
/// step; those of keys and values are put together for the exchange (4 + 4).
double merge_bytes(const Context& c, const Slice& slice, bool backward) {
  if (c.job.software.cp_fused_merge) return backward ? 6 * (slice.queries + slice.keys_values) : 10 * slice.result;
  return backward ? 11.5 * slice.queries + 19.5 * slice.keys_values : 33 * slice.result;
}

/// Each of cp - 1 steps passes a slice of keys and values (backward: and their gradients) to the neighbour while
/// attention works on the slice before (Liu et al. 2023, arXiv:2310.01889).
void add_ring(const Context& c, const Slice& slice, bool backward, PassTime& pass) {
  const auto ranks = static_cast<double>(c.layout.cp);
  const Software& software = c.job.software;
  const double bytes = slice.keys_values * (backward ? half + software.cp_gradient_bytes : half);
  // A ring over several domains goes at the pace of the step between two of them.
  const bool inside = c.layout.tp * c.layout.cp <= c.links.scaleup_domain;
  const double send = inside ? network::neighbours_s(c.links, {c.layout.cp, c.layout.tp}, bytes)
                             : network::send_s(c.links, std::max(c.layout.tp, c.links.scaleup_domain), bytes);
  const double behind = (pass.attention_s + pass.imbalance_s) / ranks;
  const double hidden = (ranks - 1) * std::min(send, behind);
  pass.hidden_comm_s += hidden;
  pass.cp_comm_s += (ranks - 1) * std::max(0.0, send - behind) + message_overlap_cost_s(software, hidden);
}

/// Keys and values are gathered before attention, and again before its backward pass, which scatters their gradients
/// (Llama 3, arXiv:2407.21783, section 3.3.2).
double gather_s(const Context& c, const Slice& slice, bool backward) {
  const network::Group group{c.layout.cp, c.layout.tp};
  const double whole = static_cast<double>(c.layout.cp) * slice.keys_values;
  const double gather = network::all_gather_s(c.links, group, half * whole);
  return backward ? gather + network::reduce_scatter_s(c.links, group, c.job.software.cp_gradient_bytes * whole)
                  : gather;
}

/// Queries, keys and values change from a slice of the sequence to a share of the heads, the result changes back
/// (Jacobs et al. 2023, arXiv:2309.14509); backward the same with gradients. Key-value heads are repeated until every
/// device gets one.
double exchange_s(const Context& c, const LayerWork& work, const Slice& slice) {
  const network::Group group{c.layout.cp, c.layout.tp};
  const double copies = std::max(1.0, static_cast<double>(c.layout.cp) / work.attention_kv_heads);
  return network::all_to_all_s(c.links, group, half * (slice.queries + copies * slice.keys_values)) +
         network::all_to_all_s(c.links, group, half * slice.result);
}

}  // namespace

void add_ring_merges(const Context& c, const LayerWork& work, bool backward, PassTime& pass) {
  if (!workload::is_ring(c.job, c.layout)) return;
  const double kernels = c.job.software.cp_fused_merge ? 1 : 8;
  const double bytes = merge_bytes(c, slice_of(c, work), backward);
  add_stream(c, pass, static_cast<double>(c.layout.cp - 1) * compute::streaming(c.device, bytes, kernels));
}

void add_context_comm(const Context& c, const LayerWork& work, bool backward, PassTime& pass) {
  if (c.layout.cp == 1) return;
  const Slice slice = slice_of(c, work);
  switch (workload::context_parallel(c.job, c.layout)) {
    case ContextParallel::all_gather:
      pass.cp_comm_s += gather_s(c, slice, backward);
      return;
    case ContextParallel::ulysses:
      pass.cp_comm_s += exchange_s(c, work, slice);
      return;
    case ContextParallel::software:
    case ContextParallel::ring:
    case ContextParallel::ring_unbalanced:
      add_ring(c, slice, backward, pass);
      return;
  }
}

}  // namespace ampacity::step
