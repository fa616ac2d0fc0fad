#include "ampacity/estimate.hpp"

#include <algorithm>

#include "campaign/run.hpp"
#include "compute/kernels.hpp"
#include "network/collectives.hpp"
#include "power/site_power.hpp"
#include "step/checked_estimate.hpp"
#include "step/conflicts.hpp"
#include "step/step_time.hpp"
#include "workload/memory.hpp"
#include "workload/parameters.hpp"
#include "workload/stages.hpp"

namespace ampacity {
namespace step {
namespace {

/// Largest job of the measurements that the scoreboard holds.
constexpr double largest_measured_job = 16384;

/// The job on the partitions that it fills: the slowest kind of device sets the pace, the smallest memory must hold it.
struct Pace {
  StepTime step;
  Memory memory;
  const Accelerator* device = nullptr;  // the slowest
  double partitions = 0;
};

Pace pace_of(const Training& job, const Cluster& cluster, const Layout& layout) {
  Pace pace;
  std::int64_t left = layout.accelerators();
  for (const Partition& partition : cluster.partitions) {
    if (left <= 0) break;
    const Accelerator& device = partition.node.accelerator;
    const StepTime step = step_time(job, layout, device, network::links_of(cluster, partition));
    const Memory memory = workload::memory_of(job, layout, device);
    const bool first = pace.device == nullptr;
    if (first || step.breakdown.total_s() > pace.step.breakdown.total_s()) {
      pace.step = step;
      pace.device = &device;
    }
    if (first || memory.capacity_bytes < pace.memory.capacity_bytes) pace.memory = memory;
    pace.partitions += 1;
    left -= partition.accelerators;
  }
  return pace;
}

void add_warnings(const Training& job, const Cluster& cluster, const Pace& pace, Estimate& result) {
  const auto used = static_cast<double>(result.accelerators);
  const auto warn = [&](Caveat caveat, double value = 0, double limit = 0) { result.warnings.push_back({caveat, value, limit}); };
  if (pace.partitions > 1) warn(Caveat::mixed_generations, pace.partitions);
  if (!compute::supports(*pace.device, job.precision)) warn(Caveat::precision_fallback);
  if (job.tokens <= 0) warn(Caveat::no_tokens);
  if (!result.memory.fits()) warn(Caveat::does_not_fit, result.memory.total_bytes(), result.memory.capacity_bytes);
  if (used > largest_measured_job) warn(Caveat::extrapolated_scale, used, largest_measured_job);
  const double limit = cluster.site.power_limit_w;
  if (limit > 0 && result.power.facility_peak_w > limit) warn(Caveat::power_limit_exceeded, result.power.facility_peak_w, limit);
}

}  // namespace

QuickEstimate quick_estimate(const Training& job, const Cluster& cluster, const Layout& layout) {
  const Pace pace = pace_of(job, cluster, layout);
  return {pace.step.breakdown.total_s(), pace.memory.total_bytes(), pace.memory.capacity_bytes};
}

Estimate checked_estimate(const Training& job, const Cluster& cluster, const Layout& layout) {
  const Pace pace = pace_of(job, cluster, layout);
  Estimate result;
  result.model = job.model.name;
  result.cluster = cluster.name;
  result.accelerators = layout.accelerators();
  result.global_batch = job.global_batch;
  result.seq_len = job.seq_len;
  result.precision = job.precision;
  result.layout = layout;
  result.breakdown = pace.step.breakdown;
  result.memory = pace.memory;

  const auto used = static_cast<double>(result.accelerators);
  const double tokens_per_step = static_cast<double>(job.global_batch) * static_cast<double>(job.seq_len);
  result.step_time_s = result.breakdown.total_s();
  result.tokens_per_s = tokens_per_step / result.step_time_s;
  result.model_flops_per_step = 3 * static_cast<double>(job.global_batch) *
                                workload::forward_flops_per_sequence(job.model, static_cast<double>(job.seq_len));
  result.flops_per_s_per_accelerator = result.model_flops_per_step / result.step_time_s / used;
  result.mfu_fraction = result.flops_per_s_per_accelerator / compute::peak_flops_per_s(*pace.device, job.precision);

  const power::DeviceWatts device{pace.step.joules / result.step_time_s, compute::busiest_w(*pace.device),
                                  compute::stalled_w(*pace.device)};
  result.power = power::cluster_power(cluster, result.accelerators, device);
  const double tokens = job.tokens > 0 ? job.tokens : tokens_per_step;
  result.run = campaign::training_run(cluster, result.accelerators, tokens, tokens_per_step, result.step_time_s, result.power);
  add_warnings(job, cluster, pace, result);
  return result;
}

}  // namespace step

Estimate estimate(const Training& job, const Cluster& cluster, const Layout& layout) {
  std::vector<Problem> problems = step::out_of_range(job, cluster, layout);
  if (problems.empty()) problems = step::conflicts(job, cluster, layout);
  if (!problems.empty()) throw InvalidSpec(std::move(problems));
  return step::checked_estimate(job, cluster, layout);
}

}  // namespace ampacity
