#include "step/expert_parallel.hpp"

#include <algorithm>

#include "workload/expert_load.hpp"

namespace ampacity::step {
namespace {

using workload::LayerWork;

constexpr double half = 2;  // bytes of an activation in 16 bits

/// One way, for tokens of `bytes` once per expert that they visit; the device with most tokens is the last to finish.
double one_way_s(const Context& c, const LayerWork& work, double bytes) {
  const network::Group group{c.layout.ep, c.layout.etp};
  if (c.job.software.ep_exchange == ExpertExchange::all_to_all) {
    return network::all_to_all_s(c.links, group, work.busiest_load * bytes);
  }
  const Model& m = c.job.model;
  const auto ranks = static_cast<double>(c.layout.ep);
  const double domains = network::domains_of(c.links, group);
  const double reachable = workload::reachable_domains(m, domains);
  network::Multicast tokens;
  tokens.bytes = work.busiest_load * bytes / static_cast<double>(m.experts_per_token);
  tokens.devices = workload::distinct_devices(m, ranks * reachable / domains);
  tokens.domains = workload::distinct_devices(m, reachable);
  return network::multicast_exchange_s(c.links, group, tokens);
}

/// Share of the device that the kernels of a hidden exchange take.
double exchange_sm_fraction(const Context& c) {
  const Software& software = c.job.software;
  if (software.ep_sms == 0) return software.comm_sm_fraction;
  return std::min(1.0, software.ep_sms / static_cast<double>(c.device.sm_count));
}

/// Experts that are split over `etp` devices need the tokens of all of them, and each gives a part of the sum.
double split_experts_s(const Context& c, const LayerWork& work) {
  if (c.layout.etp == 1) return 0;
  const network::Group group{c.layout.etp, 1};
  const double bytes = static_cast<double>(c.layout.etp) * work.busiest_load * work.exchange_bytes;
  return network::all_gather_s(c.links, group, bytes) + network::reduce_scatter_s(c.links, group, bytes);
}

}  // namespace

void add_expert_waiting(const Context& c, const LayerWork& work, double expert_gemm_s, bool backward, PassTime& pass) {
  if (work.busiest_load <= 1) return;
  const workload::Stream& stream = work.routed_stream;
  const compute::KernelCost streams =
      compute::streaming(c.device, backward ? stream.backward_bytes : stream.forward_bytes, 0);
  add_waiting(c, pass, (work.busiest_load - 1) * (expert_gemm_s + sustained(c, streams).seconds));
}

void add_expert_comm(const Context& c, const LayerWork& work, PassTime& pass) {
  if (work.exchange_bytes == 0) return;
  double exchange = split_experts_s(c, work);
  if (c.layout.ep > 1) {
    // There (in the backward pass: gradients of what came back) in the dispatch format, and back in 16 bits.
    const double dispatch = work.exchange_bytes * c.job.software.ep_dispatch_bytes / half;
    exchange += one_way_s(c, work, dispatch) + one_way_s(c, work, work.exchange_bytes);
  }
  const double hidden = c.job.software.ep_overlap_fraction * exchange;
  pass.hidden_comm_s += hidden;
  pass.ep_comm_s += exchange - hidden + exchange_sm_fraction(c) * hidden;
}

}  // namespace ampacity::step
