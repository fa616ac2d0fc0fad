#include "simulate/response.hpp"

#include <algorithm>
#include <cmath>

#include "ampacity/kernels.hpp"
#include "compute/kernels.hpp"
#include "simulate/watts.hpp"
#include "workload/stages.hpp"

namespace ampacity::simulation {
namespace {

constexpr std::size_t ladder_rungs = 128;
// From 2 % above what a device draws before arithmetic and data, where it hardly moves, to where nothing is limited.
constexpr double lowest_over_active = 1.02;
constexpr double highest_over_design = 2.5;

/// Kernels of one micro-batch on each rank.
struct Kernels {
  double seconds = 0;
  double joules = 0;
};
std::vector<Kernels> kernels_of(const Training& job, const Layout& layout, const Accelerator& device,
                                const network::Links& links) {
  const step::PartTimes parts = step::part_times(job, layout, device, links);
  const double through = 1 / static_cast<double>(workload::stage_copies(layout));
  const auto losses = static_cast<double>(1 + job.model.mtp_layers);
  std::vector<Kernels> ranks;
  for (const workload::StageRun& run : workload::stage_layers(job.model, layout)) {
    const step::PartCounts counts{{through * run.layers.dense, through * run.layers.moe},
                                  run.embedding ? through : 0,
                                  run.head ? through * losses : 0};
    const step::StageTasks tasks = step::stage_tasks(parts, counts, compute::stalled_w(device));
    ranks.insert(ranks.end(), static_cast<std::size_t>(run.ranks),
                 {tasks.forward.compute_s + tasks.backward().compute_s, tasks.joules});
  }
  return ranks;
}

/// A product large enough that nothing but arithmetic matters.
compute::KernelCost large_product(const Accelerator& device, Precision precision) {
  constexpr double deep = 16384;
  return compute::gemm(device, precision, {deep, deep, deep, 1, 0});
}

}  // namespace

double least_limit_w(const Accelerator& device) {
  return lowest_over_active * active_w(device);
}

Response::Response(const Training& job, const Layout& layout, const Accelerator& device, const network::Links& links,
                   const Plan& plan)
    : design_limit_w_(device.limit_w()), rungs_(ladder_rungs) {
  const double lowest_w = least_limit_w(device);
  const double highest_w = highest_over_design * device.tdp_w;
  log_lowest_ = std::log(lowest_w);
  rungs_per_log_ = static_cast<double>(rungs_ - 1) / (std::log(highest_w) - log_lowest_);

  const std::vector<Kernels> mean = kernels_of(job, layout, device, links);
  for (const RankSums& sums : plan.ranks) design_.push_back({1, watts_of(plan, sums, device).busy_w});
  answers_.resize(plan.ranks.size() * rungs_);
  const double top_hz = device.top_clock_hz();
  const double free_s = large_product(compute::under_limit(device, 1e3 * highest_w), job.precision).seconds;
  const auto peak = [&](const Accelerator& limited) {
    const compute::KernelCost cost = large_product(limited, job.precision);
    return Peak{top_hz * free_s / cost.seconds, cost.joules / cost.seconds};
  };
  for (std::size_t rung = 0; rung < rungs_; ++rung) {
    const double limit_w = std::exp(log_lowest_ + static_cast<double>(rung) / rungs_per_log_);
    const Accelerator limited = compute::under_limit(device, limit_w);
    const std::vector<Kernels> kernels = kernels_of(job, layout, limited, links);
    for (std::size_t rank = 0; rank < plan.ranks.size(); ++rank) {
      RankSums sums = plan.ranks[rank];
      const double slowness = kernels[rank].seconds / mean[rank].seconds;
      sums.compute_s *= slowness;
      sums.joules *= kernels[rank].joules / mean[rank].joules;
      answers_[rank * rungs_ + rung] = {slowness, watts_of(plan, sums, limited).busy_w};
    }
    peaks_.push_back(peak(limited));
  }
  design_peak_ = peak(device);
}

Response::Rung Response::rung_of(double limit_w) const {
  const double at = std::max(0.0, (std::log(std::max(limit_w, 1e-3)) - log_lowest_) * rungs_per_log_);
  const auto below = std::min(static_cast<std::size_t>(at), rungs_ - 2);
  return {below, std::min(1.0, at - static_cast<double>(below))};
}

Answer Response::at(std::size_t rank, double limit_w) const {
  if (limit_w == design_limit_w_) return design_[rank];
  const Rung rung = rung_of(limit_w);
  const Answer* const below = answers_.data() + rank * rungs_ + rung.below;
  return {below[0].slowness + rung.share * (below[1].slowness - below[0].slowness),
          below[0].busy_w + rung.share * (below[1].busy_w - below[0].busy_w)};
}

Peak Response::peak_at(double limit_w) const {
  if (limit_w == design_limit_w_) return design_peak_;
  const Rung rung = rung_of(limit_w);
  const Peak& below = peaks_[rung.below];
  const Peak& above = peaks_[rung.below + 1];
  return {below.clock_hz + rung.share * (above.clock_hz - below.clock_hz),
          below.watts + rung.share * (above.watts - below.watts)};
}

double Response::limit_for(std::size_t rank, double busy_w) const {
  const auto begin = answers_.begin() + static_cast<std::ptrdiff_t>(rank * rungs_);
  const auto end = begin + static_cast<std::ptrdiff_t>(rungs_);
  const auto above = std::lower_bound(begin, end, busy_w, [](const Answer& a, double w) { return a.busy_w < w; });
  double at = 0;
  if (above == end) {
    at = static_cast<double>(rungs_ - 1);
  } else if (above != begin) {
    const Answer& lower = *(above - 1);
    at = static_cast<double>(above - 1 - begin) + (busy_w - lower.busy_w) / (above->busy_w - lower.busy_w);
  }
  return std::exp(log_lowest_ + at / rungs_per_log_);
}

}  // namespace ampacity::simulation
