#include "ampacity/estimate.hpp"

#include "campaign/goodput.hpp"
#include "campaign/run.hpp"
#include "compute/kernels.hpp"
#include "estimate/answer.hpp"
#include "estimate/interval.hpp"
#include "estimate/plausibility.hpp"
#include "network/cluster_tree.hpp"
#include "power/site_power.hpp"
#include "spec/ranges.hpp"
#include "step/conflicts.hpp"
#include "step/pace.hpp"
#include "workload/adapters.hpp"
#include "workload/expert_load.hpp"

namespace ampacity {
namespace {

/// Largest job among the measurements of the scoreboard.
constexpr double largest_measured_job = 10752;
/// Dropped tokens are worth a warning above this share of all.
constexpr double smallest_dropped_share = 1e-3;
/// Above this share of the time between failures the closed form of goodput is optimistic by up to 0.08, because
/// failures strike during recovery too (goodput.cpp).
constexpr double recovery_limit = 0.3;

/// Seconds that the WAN needs for the messages between two pipeline stages with a border between sites between them.
/// The closed form sees a border where two neighbouring stages are together larger than a site, and no other: then 0.
double unseen_border_s(const Training& job, const Cluster& cluster, const Layout& layout) {
  const Fabric& fabric = cluster.fabric;
  if (fabric.sites <= 1 || fabric.wan_bytes_per_s <= 0 || layout.pp == 1) return 0;
  const std::int64_t each = network::per_site(fabric, cluster.accelerators());
  if (layout.accelerators() <= each || 2 * layout.accelerators() > each * layout.pp) return 0;
  constexpr double activation_bytes = 2;  // 16 bits in each direction
  const double values =
      static_cast<double>(job.global_batch) * static_cast<double>(job.seq_len) * static_cast<double>(job.model.hidden);
  return values * activation_bytes * static_cast<double>(layout.vp) / fabric.wan_bytes_per_s;
}

void add_warnings(const Training& job, const Cluster& cluster, const step::Pace& pace, Estimate& result) {
  const auto warn = [&](Caveat caveat, double value = 0, double limit = 0) {
    result.warnings.push_back({caveat, value, limit});
  };
  const auto used = static_cast<double>(result.accelerators);
  if (!result.memory.fits()) warn(Caveat::does_not_fit, result.memory.total_bytes(), result.memory.capacity_bytes);
  if (pace.partitions > 1) {
    warn(Caveat::mixed_generations, static_cast<double>(pace.partitions), static_cast<double>(pace.layout.balance));
  }
  if (!compute::supports(*pace.device, job.precision)) {
    warn(Caveat::precision_fallback, static_cast<double>(job.precision),
         static_cast<double>(compute::format_on(*pace.device, job.precision)));
  }
  if (job.tokens <= 0) warn(Caveat::no_tokens);
  if (job.is_frozen()) {
    warn(Caveat::frozen_weights, static_cast<double>(job.lora_rank), job.frozen_weight_bytes);
  }
  const double dropped = workload::dropped_fraction(job, result.layout);
  if (job.model.is_moe() && job.expert_imbalance == 0) warn(Caveat::balanced_experts);
  if (dropped > smallest_dropped_share) warn(Caveat::tokens_dropped, dropped, job.capacity_factor);
  if (used > largest_measured_job) warn(Caveat::extrapolated_scale, used, largest_measured_job);
  const double border_s = unseen_border_s(job, cluster, result.layout);
  if (border_s > 0.01 * result.step_time_s) warn(Caveat::border_between_stages, border_s, result.step_time_s);
  const double recovery_s = campaign::recovery_s(cluster.reliability, result.accelerators);
  if (recovery_s > recovery_limit * result.run.mtbf_s) warn(Caveat::failures_dominate, result.run.mtbf_s, recovery_s);
  const double grant_w = cluster.site.power_limit_w;
  if (grant_w > 0 && result.power.facility_peak_w > grant_w) {
    warn(Caveat::power_limit_exceeded, result.power.facility_peak_w, grant_w);
  }
}

power::DeviceWatts watts_of(const Accelerator& device, double joules, double step_time_s) {
  return {joules / step_time_s, compute::busiest_w(device), compute::stalled_w(device)};
}

Power power_of(const Cluster& cluster, const step::Pace& pace, std::int64_t accelerators, double step_time_s) {
  if (pace.shares.empty()) {
    return power::cluster_power(cluster, accelerators, watts_of(*pace.device, pace.step.joules, step_time_s));
  }
  std::vector<power::KindWatts> kinds;
  for (const step::KindShare& share : pace.shares) {
    const Accelerator& device = cluster.partitions[share.kind].node.accelerator;
    kinds.push_back({share.kind, share.accelerators, watts_of(device, share.joules, step_time_s)});
  }
  return power::cluster_power(cluster, kinds);
}

}  // namespace

void answer(const Training& job, const Cluster& cluster, const Layout& layout, const step::Pace& pace,
            Estimate& result) {
  result.accelerators = layout.accelerators();
  result.global_batch = job.global_batch;
  result.seq_len = job.seq_len;
  result.precision = job.precision;
  result.layout = pace.shares.empty() ? layout : pace.layout;
  result.breakdown = pace.step.breakdown;
  result.memory = pace.memory;
  result.memory_kinds = pace.memory_kinds;

  const auto used = static_cast<double>(result.accelerators);
  const double tokens_per_step = static_cast<double>(job.global_batch) * static_cast<double>(job.seq_len);
  result.step_time_s = result.breakdown.total_s();
  result.interval = interval::interval_of(
      job, interval::unmeasured(job, *pace.device, result.accelerators, result.breakdown.launch_s / result.step_time_s),
      result.step_time_s);
  result.tokens_per_s = tokens_per_step / result.step_time_s;
  result.model_flops_per_step = static_cast<double>(job.global_batch) * workload::training_flops_per_sequence(job);
  result.flops_per_s_per_accelerator = result.model_flops_per_step / result.step_time_s / used;
  result.mfu_fraction = result.flops_per_s_per_accelerator / compute::peak_flops_per_s(*pace.device, job.precision);

  result.power = power_of(cluster, pace, result.accelerators, result.step_time_s);
  const double tokens = job.tokens > 0 ? job.tokens : tokens_per_step;
  result.run =
      campaign::training_run(cluster, result.accelerators, tokens, tokens_per_step, result.step_time_s, result.power);
  result.warnings.clear();
  add_warnings(job, cluster, pace, result);
  add_implausible(job, cluster, layout, result.warnings);
}

namespace {

void refuse_impossible(const Training& job, const Cluster& cluster, const Layout& layout) {
  std::vector<Problem> problems = step::out_of_range(job, cluster, layout);
  if (problems.empty()) problems = step::conflicts(job, cluster, layout);
  if (!problems.empty()) throw InvalidSpec(std::move(problems));
}

}  // namespace

Estimate estimate(const Training& job, const Cluster& cluster, const Layout& layout) {
  refuse_impossible(job, cluster, layout);
  Estimate result;
  result.model = job.model.name;
  result.cluster = cluster.name;
  answer(job, cluster, layout, step::pace_of(job, cluster, layout), result);
  return result;
}

std::vector<Estimate> estimate_all(const Training& job, const Cluster& cluster, std::span<const Layout> layouts) {
  std::vector<Estimate> results;
  if (layouts.empty()) return results;
  refuse_impossible(job, cluster, layouts.front());  // job and cluster are the same for all
  results.resize(layouts.size());
  step::Pacer pacer(cluster);
  for (std::size_t i = 0; i < layouts.size(); ++i) {
    const Layout& layout = layouts[i];
    if (!spec::in_range(layout) || !step::exact_product(layout) ||
        step::first_conflict(job, cluster, layout) != nullptr) {
      refuse_impossible(job, cluster, layout);
    }
    results[i].model = job.model.name;
    results[i].cluster = cluster.name;
    answer(job, cluster, layout, pacer.pace_of(job, layout), results[i]);
  }
  return results;
}

}  // namespace ampacity
