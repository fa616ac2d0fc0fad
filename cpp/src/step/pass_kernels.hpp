// Adds kernels to a pass at the speed they keep inside a step.
#pragma once

#include <algorithm>

#include "ampacity/cluster.hpp"
#include "ampacity/layout.hpp"
#include "ampacity/training.hpp"
#include "compute/kernels.hpp"
#include "network/collectives.hpp"
#include "step/ledger.hpp"
#include "step/pass_time.hpp"
#include "workload/adapters.hpp"
#include "workload/layer.hpp"

namespace ampacity::step {

/// Everything that pricing a part needs.
struct Context {
  const Training& job;
  const Layout& layout;
  const Accelerator& device;
  const network::Links& links;
  Ledger* ledger = nullptr;  ///< where to note what the seconds are made of, if anybody wants to know
};

/// Puts what a pass has gained since the last note down to an operator, or what it has hidden to a communication.
template <class Kind>
inline void note(const Context& c, Kind kind, const PassTime& pass) {
  if (c.ledger != nullptr) c.ledger->note(kind, pass);
}

/// Inside a step kernels run more slowly than in a loop of their own, at the same power: by how much goes with the
/// family of devices and with the release of the software.
inline double sustained_fraction(const Context& c) {
  return c.device.architecture.sustained_fraction * c.job.software.kernel_relative_speed;
}
inline compute::KernelCost sustained(const Context& c, const compute::KernelCost& cost) {
  return (1 / sustained_fraction(c)) * cost;
}
/// Energy of kernels that take part in a pass.
inline void spend(PassTime& pass, double times, const compute::KernelCost& cost) {
  pass.joules += times * cost.joules;
  pass.held_back_j += times * cost.held_back_j;
}
inline void add_gemm(const Context& c, PassTime& pass, const compute::KernelCost& cost) {
  pass.gemm_s += sustained(c, cost).seconds;
  spend(pass, 1, sustained(c, cost));
}
inline void add_stream(const Context& c, PassTime& pass, const compute::KernelCost& cost) {
  pass.memory_bound_s += sustained(c, cost).seconds;
  spend(pass, 1, sustained(c, cost));
}
/// Gradients of a product's weights are added to the stored ones by a kernel of its own, if the product does not.
inline void add_accumulation(const Context& c, PassTime& pass, const workload::Linear& l) {
  if (c.job.is_frozen() && l.kind != Operator::adapters) return;
  const double bytes = c.job.software.accumulation_bytes * l.in * l.out * l.batch;
  if (bytes > 0) add_stream(c, pass, compute::streaming(c.device, bytes, 1));
}
/// Time for which this device has nothing to do until a busier one of its group is done.
inline void add_waiting(const Context& c, PassTime& pass, double seconds) {
  pass.imbalance_s += seconds;
  pass.joules += seconds * compute::stalled_w(c.device);
}

/// The limit's controller averages over tens of milliseconds, the kernels of a layer take fractions of one: what
/// memory-bound kernels leave of the limit, the products between them draw above it. The seconds are those of kernels
/// inside a step already (`sustained`). MLPerf power logs: eight H100 hold 0.95-0.98 of the limit over whole steps.
inline void share_limit(const Context& c, PassTime& pass) {
  const double waiting_j = pass.imbalance_s * compute::stalled_w(c.device);
  const double room_j = compute::held_w(c.device) * pass.compute_s() - (pass.joules - waiting_j);
  pass.joules += std::clamp(room_j, 0.0, pass.held_back_j);
  pass.held_back_j = 0;
}

/// Time that the host needs to launch so many kernels, some of which cast tensors.
inline double host_s(const Context& c, double kernels, double tensor_casts = 0) {
  const Software& software = c.job.software;
  return (kernels * software.host_gap_s + tensor_casts * software.tensor_cast_host_s) / c.links.host_relative_speed;
}
/// Time that the device waits because the host is slower.
inline void add_launch(const Context& c, PassTime& pass, double host_s) {
  // The host runs ahead while the device waits for a slice of its ring (a message, not a collective), or for tokens.
  const double covered_s = pass.compute_s() + pass.cp_comm_s + pass.ep_comm_s +
                           (c.job.software.launches_behind_collectives ? pass.tp_comm_s : 0);
  pass.launch_s += std::max(0.0, host_s - covered_s);
}

/// What hidden communication still costs: it takes part of the SMs and of the memory bandwidth from the kernels that it
/// runs beside.
inline double overlap_cost_s(const Software& software, double hidden_s) {
  return software.comm_sm_fraction * hidden_s;
}
/// The same for messages between two devices, which NCCL sends on 2 channels (NCCL_NCHANNELS_PER_NET_PEER) where a
/// collective has 16.
inline double message_overlap_cost_s(const Software& software, double hidden_s) {
  return 2.0 / 16.0 * software.comm_sm_fraction * hidden_s;
}

/// Bytes of one activation of the width of the model, before the split over tensor parallelism.
inline double activation_bytes(const Context& c) {
  const workload::Sizes size = workload::sizes_of(c.job, c.layout);
  return 2 * size.tokens * size.hidden;
}

inline compute::KernelCost forward_gemm(const Context& c, Precision precision, const workload::Linear& l) {
  return compute::gemm(c.device, precision, {l.tokens, l.out, l.in, l.batch, 0});
}
/// What the product of a weight's gradient adds it to; 0 where another kernel does that, or nobody.
inline double fused_accumulator_bytes(const Context& c) {
  const Software& software = c.job.software;
  return software.fused_kernels && software.accumulation_bytes == 0 ? software.gradient_bytes : 0;
}
/// Adds the gradient of input, and that of a weight that is trained; the latter is added to the stored gradient. FP8
/// with a scale per tensor accumulates them in full precision (Transformer Engine: split accumulators in backward
/// products).
inline void add_backward_gemms(const Context& c, PassTime& pass, Precision precision, const workload::Linear& l) {
  const double slower = precision == Precision::fp8 ? 1 / c.device.architecture.fp8_backward_efficiency_fraction : 1;
  const compute::KernelCost input = slower * compute::gemm(c.device, precision, {l.tokens, l.in, l.out, l.batch, 0});
  if (c.job.is_frozen() && l.kind != Operator::adapters) return add_gemm(c, pass, input);
  const compute::KernelCost weight =
      slower * compute::gemm(c.device, precision, {l.in, l.out, l.tokens, l.batch, fused_accumulator_bytes(c)});
  add_gemm(c, pass, input + weight);
  pass.weight_gradient_s += sustained(c, weight).seconds;
}

/// Both products of the adapter beside a linear layer, in 16 bits.
inline void add_adapter(const Context& c, PassTime& pass, const workload::Linear& l, bool backward) {
  for (const workload::Linear& product : {workload::adapter_down(l), workload::adapter_up(l)}) {
    if (backward) {
      add_backward_gemms(c, pass, Precision::bf16, product);
      add_accumulation(c, pass, product);
    } else {
      add_gemm(c, pass, forward_gemm(c, Precision::bf16, product));
    }
  }
}

}  // namespace ampacity::step
