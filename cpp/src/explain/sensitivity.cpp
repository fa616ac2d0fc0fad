#include "explain/sensitivity.hpp"

#include <algorithm>
#include <cmath>

#include "step/pace.hpp"

namespace ampacity::explain_detail {
namespace {

constexpr double small_step = 0.01;
constexpr double shown_step = 0.1;

void scale_arithmetic(Accelerator& device, double factor) {
  for (double Accelerator::* peak :
       {&Accelerator::fp64_flops_per_s, &Accelerator::fp32_flops_per_s, &Accelerator::tf32_flops_per_s,
        &Accelerator::bf16_flops_per_s, &Accelerator::fp8_flops_per_s, &Accelerator::fp4_flops_per_s}) {
    device.*peak *= factor;
  }
}

void scale(Lever lever, double factor, Training& job, Cluster& cluster) {
  for (Partition& partition : cluster.partitions) {
    Node& node = partition.node;
    Accelerator& device = node.accelerator;
    if (lever == Lever::arithmetic) scale_arithmetic(device, factor);
    if (lever == Lever::memory_bandwidth) device.memory_bytes_per_s *= factor;
    if (lever == Lever::power_limit) device.set_tdp_w(factor * device.tdp_w);
    if (lever == Lever::scaleup_bandwidth) device.scaleup_bytes_per_s *= factor;
    // The slower of network cards and fabric sets the rate: both are moved.
    if (lever == Lever::scaleout_bandwidth) node.nic.bytes_per_s *= factor;
    if (lever == Lever::kernel_start) device.architecture.kernel_launch_s *= factor;
    if (lever == Lever::device_spread) device.speed_spread_fraction *= factor;
    if (lever == Lever::latency) {
      node.scaleup_latency_s *= factor;
      node.collective_launch_s *= factor;
    }
  }
  if (lever == Lever::scaleout_bandwidth) cluster.fabric.bytes_per_s_per_accelerator *= factor;
  if (lever == Lever::latency) cluster.fabric.message_latency_s *= factor;
  if (lever == Lever::host) {
    job.software.host_gap_s *= factor;
    job.software.tensor_cast_host_s *= factor;
    job.software.checkpoint_host_s *= factor;
  }
  if (lever == Lever::expert_imbalance) {
    job.model.expert_imbalance *= factor;
    if (job.expert_imbalance > 0) job.expert_imbalance *= factor;
  }
  if (lever == Lever::fixed_overhead) job.software.step_overhead_s *= factor;
}

/// More of a rate or limit is better, less of a time or spread.
double sign_of(Lever lever) {
  switch (lever) {
    case Lever::arithmetic:
    case Lever::memory_bandwidth:
    case Lever::power_limit:
    case Lever::scaleup_bandwidth:
    case Lever::scaleout_bandwidth:
      return 1;
    default:
      return -1;
  }
}

}  // namespace

std::vector<Sensitivity> sensitivities(const Training& job, const Cluster& cluster, const Layout& layout) {
  const auto log_time = [&](Lever lever, double factor) {
    Training moved_job = job;
    Cluster moved_cluster = cluster;
    scale(lever, factor, moved_job, moved_cluster);
    return std::log(step::pace_of(moved_job, moved_cluster, layout).step.breakdown.total_s());
  };
  const double as_it_is = log_time(Lever::arithmetic, 1);
  std::vector<Sensitivity> all;
  for (std::size_t i = 0; i < EnumNames<Lever>::names.size(); ++i) {
    const auto lever = static_cast<Lever>(i);
    Sensitivity found{lever, 0, sign_of(lever) * shown_step, 0};
    found.elasticity = (log_time(lever, 1 + small_step) - log_time(lever, 1 - small_step)) /
                       (std::log1p(small_step) - std::log1p(-small_step));
    found.faster_fraction = std::expm1(as_it_is - log_time(lever, 1 + found.change_fraction));
    all.push_back(found);
  }
  std::stable_sort(all.begin(), all.end(),
                   [](const Sensitivity& a, const Sensitivity& b) { return a.faster_fraction > b.faster_fraction; });
  return all;
}

double elasticity(const std::vector<Sensitivity>& all, Lever lever) {
  for (const Sensitivity& one : all) {
    if (one.lever == lever) return one.elasticity;
  }
  return 0;
}

}  // namespace ampacity::explain_detail
