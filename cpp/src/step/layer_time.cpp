#include "step/layer_time.hpp"

#include <algorithm>

#include "step/attention_time.hpp"
#include "step/context_parallel.hpp"
#include "step/layer_comm.hpp"
#include "step/recompute_time.hpp"
#include "workload/stage_parameters.hpp"

namespace ampacity::step {
namespace {

using workload::LayerWork;

/// Time that the device waits because the host is slower than the device.
void add_launch(PassTime& pass, double host_s) {
  pass.launch_s += std::max(0.0, host_s - pass.compute_s() - pass.tp_comm_s);
}

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

PassTime layer_forward(const Context& c, const LayerWork& work) {
  PassTime pass;
  if (c.ledger != nullptr) c.ledger->begin(false);
  for (std::size_t i = 0; i < work.linear_count; ++i) {
    add_gemm(c, pass, forward_gemm(c, c.job.precision, work.linears[i]));
    note(c, work.linears[i].kind, pass);
  }
  add_attention(c, work, false, pass);
  add_ring_merges(c, work, false, pass);
  note(c, Operator::attention_core, pass);
  add_streams(c, work, false, pass);
  pass.tp_comm_s = tp_comm(c, false, pass.hidden_comm_s);
  note(c, Comm::tensor, pass);
  add_context_comm(c, work, false, pass);
  note(c, Comm::context, pass);
  pass.ep_comm_s = ep_comm(c, work, pass.hidden_comm_s);
  note(c, Comm::expert, pass);
  add_launch(pass, c.job.software.host_gap_s * work.forward_kernels());
  return pass;
}

PassTime layer_backward(const Context& c, const LayerWork& work, const PassTime& forward) {
  PassTime pass;
  if (c.ledger != nullptr) c.ledger->begin(true);
  for (std::size_t i = 0; i < work.linear_count; ++i) {
    add_gemm(c, pass, backward_gemms(c, c.job.precision, work.linears[i]));
    note(c, work.linears[i].kind, pass);
  }
  add_attention(c, work, true, pass);
  add_ring_merges(c, work, true, pass);
  note(c, Operator::attention_core, pass);
  add_streams(c, work, true, pass);
  pass.tp_comm_s = tp_comm(c, true, pass.hidden_comm_s);
  note(c, Comm::tensor, pass);
  add_context_comm(c, work, true, pass);
  note(c, Comm::context, pass);
  pass.ep_comm_s = ep_comm(c, work, pass.hidden_comm_s);
  note(c, Comm::expert, pass);
  add_recompute(c, work, forward, pass);
  const bool whole = c.layout.recompute == Recompute::full;
  const double kernels = work.backward_kernels() + (whole ? work.forward_kernels() : 0);
  add_launch(pass, c.job.software.host_gap_s * kernels + (whole ? c.job.software.checkpoint_host_s : 0));
  return pass;
}

}  // namespace

LayerTime layer_time(const Context& c, const LayerWork& work, const workload::LayerMix& one) {
  LayerTime time;
  time.forward = layer_forward(c, work);
  time.backward = layer_backward(c, work, time.forward);
  const ShardingTimes sharding = sharding_times(c, workload::layer_parameters(c.job.model, c.layout, one).all());
  const double hidden_s = time.forward.hidden_comm_s + time.backward.hidden_comm_s;
  add_sharding(c, time.forward, sharding.gather_s);
  add_sharding(c, time.backward, sharding.gather_s + sharding.scatter_s);
  if (c.ledger != nullptr) {
    c.ledger->hide(Comm::sharding, time.forward.hidden_comm_s + time.backward.hidden_comm_s - hidden_s);
  }
  return time;
}

}  // namespace ampacity::step
