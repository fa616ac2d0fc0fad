#include "step/layer_time.hpp"

#include <algorithm>

#include "step/attention_time.hpp"
#include "step/context_parallel.hpp"
#include "step/expert_parallel.hpp"
#include "step/layer_comm.hpp"
#include "step/offload_time.hpp"
#include "step/recompute_time.hpp"
#include "workload/stage_parameters.hpp"

namespace ampacity::step {
namespace {

using workload::LayerWork;

void add_streams(const Context& c, const workload::Stream& stream, bool backward, PassTime& pass) {
  add_stream(c, pass,
             backward ? compute::streaming(c.device, stream.backward_bytes, stream.backward_kernels)
                      : compute::streaming(c.device, stream.forward_bytes, stream.forward_kernels));
}

/// All memory-bound operators at once; class by class, with the same sum, where somebody wants to know.
void add_streams(const Context& c, const LayerWork& work, bool backward, PassTime& pass) {
  if (c.ledger == nullptr) {
    add_streams(c, work.stream, backward, pass);
    return;
  }
  for (std::size_t i = 0; i < work.streams.size(); ++i) {
    add_streams(c, work.streams[i], backward, pass);
    note(c, static_cast<Operator>(i), pass);
  }
}

/// All products with weights; returns the seconds of those of routed experts.
double add_products(const Context& c, const LayerWork& work, bool backward, PassTime& pass) {
  double experts_s = 0;
  for (std::size_t i = 0; i < work.linear_count; ++i) {
    const workload::Linear& linear = work.linears[i];
    const double before_s = pass.gemm_s;
    if (backward) {
      add_backward_gemms(c, pass, c.job.precision, linear);
    } else {
      add_gemm(c, pass, forward_gemm(c, c.job.precision, linear));
    }
    if (backward) add_accumulation(c, pass, linear);
    note(c, linear.kind, pass);
    if (linear.rank > 0) {
      add_adapter(c, pass, linear, backward);
      note(c, Operator::adapters, pass);
    }
    if (linear.kind == Operator::experts) experts_s += pass.gemm_s - before_s;
  }
  return experts_s;
}

/// Without a fixed capacity the host reads back how many tokens each expert will get before it sends them off, and so
/// loses its lead over the device: it launches the experts while tokens travel to them, are sorted and worked on.
/// (Megatron-Core, token_dispatcher.py: cuda_sync_point before the exchange; fused_a2a.py: a blocking dispatch.)
double restart_s(const Context& c, const LayerWork& work, double expert_gemm_s, const PassTime& pass) {
  if (c.job.capacity_factor > 0 || work.expert_forward_kernels == 0) return 0;
  const double launching_s = host_s(c, work.expert_forward_kernels, work.expert_tensor_casts);
  if (launching_s <= expert_gemm_s) return 0;
  const compute::KernelCost streams = compute::streaming(c.device, work.routed_stream.forward_bytes, 0);
  return launching_s - expert_gemm_s - sustained(c, streams).seconds - pass.ep_comm_s / 2;
}

PassTime layer_forward(const Context& c, const LayerWork& work) {
  PassTime pass;
  if (c.ledger != nullptr) c.ledger->begin(false);
  const double expert_gemm_s = add_products(c, work, false, pass);
  add_attention(c, work, false, pass);
  add_ring_merges(c, work, false, pass);
  note(c, Operator::attention_core, pass);
  add_streams(c, work, false, pass);
  add_expert_waiting(c, work, expert_gemm_s, false, pass);
  pass.tp_comm_s = tp_comm(c, false, pass.hidden_comm_s) + adapter_comm(c, work, false);
  note(c, Comm::tensor, pass);
  add_context_comm(c, work, false, pass);
  note(c, Comm::context, pass);
  add_expert_comm(c, work, pass);
  note(c, Comm::expert, pass);
  add_launch(c, pass, host_s(c, work.forward_kernels(), work.tensor_casts));
  pass.launch_s = std::max(pass.launch_s, restart_s(c, work, expert_gemm_s, pass));
  return pass;
}

PassTime layer_backward(const Context& c, const LayerWork& work, const PassTime& forward) {
  PassTime pass;
  if (c.ledger != nullptr) c.ledger->begin(true);
  const double expert_gemm_s = add_products(c, work, true, pass);
  add_attention(c, work, true, pass);
  add_ring_merges(c, work, true, pass);
  note(c, Operator::attention_core, pass);
  add_streams(c, work, true, pass);
  add_expert_waiting(c, work, expert_gemm_s, true, pass);
  pass.tp_comm_s = tp_comm(c, true, pass.hidden_comm_s) + adapter_comm(c, work, true);
  note(c, Comm::tensor, pass);
  add_context_comm(c, work, true, pass);
  note(c, Comm::context, pass);
  add_expert_comm(c, work, pass);
  note(c, Comm::expert, pass);
  add_recompute(c, work, forward, pass);
  const bool whole = c.layout.recompute == Recompute::full;
  const double again = whole ? recompute_share(c) : 0;
  const double launching_s =
      host_s(c, work.backward_kernels() + again * work.forward_kernels(), (1 + again) * work.tensor_casts);
  add_launch(c, pass, launching_s + again * c.job.software.checkpoint_host_s / c.links.host_relative_speed);
  return pass;
}

/// Weights of the layer, in 16 bits, out of the buffer that they were gathered into, before either pass; gradients into
/// the buffer that they are scattered from, as wide as they travel.
void add_shard_copies(const Context& c, double parameters, LayerTime& time) {
  if (c.layout.zero_stage < 3 || !c.job.software.copies_shards) return;
  const double weights = 2 * 2 * parameters;
  const double gradients = c.job.is_frozen() ? 0 : (2 + c.job.software.gradient_reduce_bytes) * parameters;
  const double before_forward_s = time.forward.memory_bound_s;
  const double before_backward_s = time.backward.memory_bound_s;
  add_stream(c, time.forward, compute::streaming(c.device, weights, 1));
  add_stream(c, time.backward, compute::streaming(c.device, weights + gradients, 2));
  if (c.ledger != nullptr) {
    c.ledger->add_streams(Operator::shard_copies, time.forward.memory_bound_s - before_forward_s,
                          time.backward.memory_bound_s - before_backward_s);
  }
}

}  // namespace

LayerTime layer_time(const Context& c, const LayerWork& work, const workload::LayerMix& one) {
  LayerTime time;
  time.forward = layer_forward(c, work);
  time.backward = layer_backward(c, work, time.forward);
  const workload::StageParameters parameters = workload::layer_parameters(c.job.model, c.layout, one);
  const ShardingTimes sharding =
      sharding_times(c, parameters, c.job.is_frozen() ? workload::adapter_parameters(work) : parameters);
  add_shard_copies(c, parameters.all(), time);
  const double hidden_s = time.forward.hidden_comm_s + time.backward.hidden_comm_s;
  add_sharding(c, time.forward, sharding.forward_gather_s);
  add_sharding(c, time.backward, sharding.backward_gather_s + sharding.scatter_s);
  if (c.ledger != nullptr) {
    c.ledger->hide(Comm::sharding, time.forward.hidden_comm_s + time.backward.hidden_comm_s - hidden_s);
  }
  add_offload(c, one, time);
  share_limit(c, time.forward);
  share_limit(c, time.backward);
  return time;
}

}  // namespace ampacity::step
