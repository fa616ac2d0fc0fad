#include "step/stage_time.hpp"

#include <algorithm>

#include "compute/kernels.hpp"
#include "workload/layer.hpp"
#include "workload/stage_parameters.hpp"

namespace ampacity::step {
namespace {

using compute::KernelCost;
using workload::LayerWork;
using workload::Linear;

/// Everything that pricing a part needs.
struct Context {
  const Training& job;
  const Layout& layout;
  const Accelerator& device;
  const network::Links& links;
};

/// Inside a step kernels run more slowly than in a loop of their own, at the same power.
KernelCost sustained(const Context& c, const KernelCost& cost) {
  return (1 / c.device.architecture.sustained_fraction) * cost;
}
void add_gemm(const Context& c, PassTime& pass, const KernelCost& cost) {
  pass.gemm_s += sustained(c, cost).seconds;
  pass.joules += sustained(c, cost).joules;
}
void add_stream(const Context& c, PassTime& pass, const KernelCost& cost) {
  pass.memory_bound_s += sustained(c, cost).seconds;
  pass.joules += sustained(c, cost).joules;
}
void add_attention(const Context& c, PassTime& pass, const KernelCost& cost) {
  pass.attention_s += sustained(c, cost).seconds;
  pass.joules += sustained(c, cost).joules;
}

KernelCost forward_gemm(const Context& c, Precision precision, const Linear& l) {
  return compute::gemm(c.device, precision, {l.tokens, l.out, l.in, l.batch, false});
}
/// Gradients of input and weight; the latter is added to the stored gradient.
KernelCost backward_gemms(const Context& c, Precision precision, const Linear& l) {
  return compute::gemm(c.device, precision, {l.tokens, l.in, l.out, l.batch, false}) +
         compute::gemm(c.device, precision, {l.in, l.out, l.tokens, l.batch, c.job.software.fused_kernels});
}

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

/// Bytes of one activation of the width of the model, before the split over tensor parallelism.
double activation_bytes(const Context& c) {
  const workload::Sizes size = workload::sizes_of(c.job, c.layout);
  return 2 * size.tokens * size.hidden;
}

/// Tensor-parallel communication of a layer (Korthikanti et al. 2022, section 4.2). With sequence parallelism forward
/// gathers before and scatters after each of the two blocks; backward does the same and gathers the two block inputs
/// once more for the weight gradients, which hides behind the products for the input gradients. Without it both passes
/// reduce the block output twice.
double tp_comm(const Context& c, bool backward, double& hidden) {
  if (c.layout.tp == 1) return 0;
  const network::Group group{c.layout.tp, 1};
  const double bytes = activation_bytes(c);
  const double overlap = c.job.software.tp_overlap_fraction;
  if (!c.layout.sequence_parallel) {
    const double reduce = 2 * network::all_reduce_s(c.links, group, bytes);
    hidden += overlap * reduce;
    return (1 - overlap) * reduce;
  }
  const double gather = network::all_gather_s(c.links, group, bytes);
  const double scatter = network::reduce_scatter_s(c.links, group, bytes);
  const double all = 2 * (gather + scatter);
  hidden += overlap * all + (backward ? 2 * gather : 0);
  return (1 - overlap) * all;
}

/// Ring attention: each of cp - 1 steps passes a slice of keys and values (backward: and their gradients) to the
/// neighbour while attention works on the slice before (Liu et al. 2023, arXiv:2310.01889).
double cp_comm(const Context& c, const LayerWork& work, double attention_s, bool backward, double& hidden) {
  if (c.layout.cp == 1) return 0;
  const auto ranks = static_cast<double>(c.layout.cp);
  const workload::Sizes size = workload::sizes_of(c.job, c.layout);
  const double slice = 2 * size.tokens * work.attention_kv_heads * (work.attention_key_dim + work.attention_value_dim) *
                       (backward ? 2 : 1);
  const double send = network::send_s(c.links, c.layout.tp, slice);
  const double behind = attention_s / ranks;
  hidden += (ranks - 1) * std::min(send, behind);
  return (ranks - 1) * std::max(0.0, send - behind);
}

/// Tokens go to their experts and come back, in each direction of the step (all-to-all within the expert-parallel
/// group).
double ep_comm(const Context& c, const LayerWork& work, double& hidden) {
  if (c.layout.ep == 1 || work.exchange_bytes == 0) return 0;
  const network::Group group{c.layout.ep, 1};
  const double exchange = 2 * network::all_to_all_s(c.links, group, work.exchange_bytes);
  hidden += c.job.software.ep_overlap_fraction * exchange;
  return (1 - c.job.software.ep_overlap_fraction) * exchange;
}

/// Time that the device waits because the host is slower than the device.
void add_launch(PassTime& pass, double host_s) {
  pass.launch_s += std::max(0.0, host_s - pass.compute_s() - pass.tp_comm_s);
}

/// Sharded weights (ZeRO stage 3) are gathered ahead of the pass, and gradients scattered behind it. What is longer
/// than the compute shows; what is not still takes part of the SMs.
void add_sharding(const Context& c, PassTime& pass, double comm) {
  const double compute = pass.compute_s() + pass.launch_s;
  const double behind = std::min(comm, compute);
  pass.hidden_comm_s += behind;
  pass.dp_comm_s += comm - behind + c.job.software.comm_sm_fraction * behind;
}

struct ShardingTimes {
  double gather_s = 0;
  double scatter_s = 0;
};
ShardingTimes sharding_times(const Context& c, double parameters) {
  if (c.layout.zero_stage < 3) return {};
  const std::int64_t shards = workload::state_shards(c.layout);
  const network::Group group{shards, c.layout.tp};
  const double gather = network::all_gather_s(c.links, group, 2 * parameters);
  double scatter = network::reduce_scatter_s(c.links, group, c.job.software.gradient_reduce_bytes * parameters);
  if (c.layout.shard_group > 0 && c.layout.dp > c.layout.shard_group) {
    const network::Group replicas{c.layout.dp / c.layout.shard_group, c.layout.tp * shards};
    scatter += network::all_reduce_s(c.links, replicas,
                                     c.job.software.gradient_reduce_bytes * parameters / static_cast<double>(shards));
  }
  if (!c.job.software.reduces_every_micro_batch) {
    scatter /=
        static_cast<double>(std::max<std::int64_t>(1, c.job.global_batch / (c.layout.dp * c.layout.micro_batch)));
  }
  return {gather, scatter};
}

PassTime layer_forward(const Context& c, const LayerWork& work) {
  PassTime pass;
  for (std::size_t i = 0; i < work.linear_count; ++i)
    add_gemm(c, pass, forward_gemm(c, c.job.precision, work.linears[i]));
  add_attention(c, pass, attention(c, work, false));
  add_stream(c, pass, compute::streaming(c.device, work.forward_stream_bytes, work.forward_kernels - 5));
  pass.tp_comm_s = tp_comm(c, false, pass.hidden_comm_s);
  pass.cp_comm_s = cp_comm(c, work, pass.attention_s, false, pass.hidden_comm_s);
  pass.ep_comm_s = ep_comm(c, work, pass.hidden_comm_s);
  add_launch(pass, c.job.software.host_gap_s * work.forward_kernels);
  return pass;
}

/// Forward work that the backward pass repeats.
void add_recompute(const Context& c, const LayerWork& work, const PassTime& forward, PassTime& pass) {
  switch (c.layout.recompute) {
    case Recompute::none:
      return;
    case Recompute::selective: {
      // Flash attention recomputes its scores inside its backward kernel anyway; nothing else is left to do again.
      if (c.job.software.flash_attention) return;
      const KernelCost again = sustained(c, score_attention(c, work, false));
      pass.recompute_s += again.seconds;
      pass.joules += again.joules;
      return;
    }
    case Recompute::selective_op: {
      const double share =
          forward.compute_s() > 0 ? (0.5 * forward.gemm_s + forward.memory_bound_s) / forward.compute_s() : 0;
      pass.recompute_s += share * forward.compute_s();
      pass.joules += share * forward.joules;
      return;
    }
    case Recompute::full:
      pass.recompute_s += forward.compute_s();
      pass.joules += forward.joules;
      pass.tp_comm_s += forward.tp_comm_s;
      pass.cp_comm_s += forward.cp_comm_s;
      pass.ep_comm_s += forward.ep_comm_s;
      pass.hidden_comm_s += forward.hidden_comm_s;
      return;
  }
}

PassTime layer_backward(const Context& c, const LayerWork& work, const PassTime& forward) {
  PassTime pass;
  for (std::size_t i = 0; i < work.linear_count; ++i)
    add_gemm(c, pass, backward_gemms(c, c.job.precision, work.linears[i]));
  add_attention(c, pass, attention(c, work, true));
  add_stream(c, pass, compute::streaming(c.device, work.backward_stream_bytes, work.backward_kernels - 10));
  pass.tp_comm_s = tp_comm(c, true, pass.hidden_comm_s);
  pass.cp_comm_s = cp_comm(c, work, pass.attention_s, true, pass.hidden_comm_s);
  pass.ep_comm_s = ep_comm(c, work, pass.hidden_comm_s);
  add_recompute(c, work, forward, pass);
  const bool whole = c.layout.recompute == Recompute::full;
  const double kernels = work.backward_kernels + (whole ? work.forward_kernels : 0);
  add_launch(pass, c.job.software.host_gap_s * kernels + (whole ? c.job.software.checkpoint_host_s : 0));
  return pass;
}

LayerTime layer_time(const Context& c, const LayerWork& work, const workload::LayerMix& one) {
  LayerTime time;
  time.forward = layer_forward(c, work);
  time.backward = layer_backward(c, work, time.forward);
  const ShardingTimes sharding = sharding_times(c, workload::layer_parameters(c.job.model, c.layout, one).all());
  add_sharding(c, time.forward, sharding.gather_s);
  add_sharding(c, time.backward, sharding.gather_s + sharding.scatter_s);
  return time;
}

PassTime embedding_part(const Context& c) {
  PassTime pass;
  add_stream(c, pass, compute::streaming(c.device, workload::embedding_stream_bytes(c.job, c.layout), 3));
  if (c.layout.tp > 1) {
    // The vocabulary is split: partial rows are summed forward; backward needs the gradient of the whole sequence.
    const network::Group group{c.layout.tp, 1};
    pass.tp_comm_s = 2 * network::reduce_scatter_s(c.links, group, activation_bytes(c));
  }
  return pass;
}

PassTime head_part(const Context& c) {
  PassTime pass;
  const workload::Sizes size = workload::sizes_of(c.job, c.layout);
  const Linear head{size.tokens, size.hidden, static_cast<double>(c.job.model.vocab) / size.tp};
  // The output embedding stays in 16 bits in every 8-bit recipe that we know of.
  const Precision precision = c.job.precision >= Precision::fp8 ? Precision::bf16 : c.job.precision;
  add_gemm(c, pass, forward_gemm(c, precision, head));
  add_gemm(c, pass, backward_gemms(c, precision, head));
  add_stream(c, pass, compute::streaming(c.device, workload::loss_stream_bytes(c.job, c.layout), 8));
  if (c.layout.tp > 1) {
    const network::Group group{c.layout.tp, 1};
    pass.tp_comm_s = network::all_gather_s(c.links, group, activation_bytes(c)) +
                     network::reduce_scatter_s(c.links, group, activation_bytes(c)) +
                     3 * network::all_reduce_s(c.links, group, 4 * size.tokens);  // maximum, sum, target logit
  }
  return pass;
}

}  // namespace

PassTime& PassTime::operator+=(const PassTime& other) {
  gemm_s += other.gemm_s;
  attention_s += other.attention_s;
  memory_bound_s += other.memory_bound_s;
  recompute_s += other.recompute_s;
  launch_s += other.launch_s;
  tp_comm_s += other.tp_comm_s;
  cp_comm_s += other.cp_comm_s;
  ep_comm_s += other.ep_comm_s;
  dp_comm_s += other.dp_comm_s;
  joules += other.joules;
  hidden_comm_s += other.hidden_comm_s;
  return *this;
}

PassTime operator+(PassTime a, const PassTime& b) {
  return a += b;
}

PassTime operator*(double times, PassTime pass) {
  for (double PassTime::* term :
       {&PassTime::gemm_s, &PassTime::attention_s, &PassTime::memory_bound_s, &PassTime::recompute_s,
        &PassTime::launch_s, &PassTime::tp_comm_s, &PassTime::cp_comm_s, &PassTime::ep_comm_s, &PassTime::dp_comm_s,
        &PassTime::joules, &PassTime::hidden_comm_s}) {
    pass.*term *= times;
  }
  return pass;
}

PartTimes part_times(const Training& job, const Layout& layout, const Accelerator& device,
                     const network::Links& links) {
  const Context c{job, layout, device, links};
  PartTimes parts;
  const bool has_dense = !job.model.is_moe() || job.model.dense_layers > 0 || job.model.moe_layer_interval > 1;
  if (has_dense) parts.dense = layer_time(c, workload::dense_layer(job, layout), {1, 0});
  if (job.model.is_moe()) parts.moe = layer_time(c, workload::moe_layer(job, layout), {0, 1});
  parts.embedding = embedding_part(c);
  parts.head = head_part(c);
  return parts;
}

}  // namespace ampacity::step
