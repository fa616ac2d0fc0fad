#include "simulate/watts.hpp"

#include <algorithm>
#include <cmath>

#include "compute/kernels.hpp"

namespace ampacity::simulation {

Watts watts_of(const Plan& plan, const RankSums& sums, const Accelerator& device) {
  Watts watts;
  watts.communicating_w = compute::communicating_w(device);
  watts.stalled_w = compute::stalled_w(device);
  const compute::KernelCost& optimizer = plan.end_of(sums).optimizer;
  watts.optimizer_w = optimizer.seconds > 0 ? optimizer.joules / optimizer.seconds : 0;
  if (sums.compute_s > 0) {
    const double hidden_s = sums.hidden_comm_s + plan.end_of(sums).replicas.hidden_s;
    const double hidden_j = step::hidden_joules(device, hidden_s, sums.compute_s, sums.joules);
    watts.busy_w = (sums.joules + hidden_j) / sums.compute_s;
  }
  return watts;
}

WattBins::WattBins(double end_s, double resolution_s)
    : end_s_(end_s),
      per_s_(1 / resolution_s),
      bins_(static_cast<std::size_t>(std::max(1.0, std::ceil(end_s / resolution_s)))),
      slopes_(bins_ + 2) {}  // a step at the very end changes nothing

WattBins& WattBins::operator+=(const WattBins& other) {
  for (std::size_t bin = 0; bin < slopes_.size(); ++bin) slopes_[bin] += other.slopes_[bin];
  return *this;
}

std::vector<double> WattBins::mean_w() const {
  std::vector<double> watts(bins_);
  double sum = 0;
  for (std::size_t bin = 0; bin < bins_; ++bin) {
    sum += slopes_[bin];
    watts[bin] = sum;
  }
  // The last bin ends with the step: it has the joules of a whole one.
  watts.back() /= end_s_ * per_s_ - static_cast<double>(bins_ - 1);
  return watts;
}

void add_set(const SetSolver& solver, const Plan& plan, std::span<const double> communicating_w, WattBins& bins) {
  for (std::size_t at = 1; at < plan.slots.size(); ++at) {
    const Slot& slot = plan.slots[at];
    const double longest_s = solver.compute_s()[at];
    const double compute_end_s = solver.ends_s()[at] - slot.fixed_s - solver.network_s()[at];
    // Devices of a group end one after the other, within a few per cent of a task: their joules are spread over it.
    if (longest_s > 0) {
      bins.add(std::max(0.0, compute_end_s - longest_s), longest_s, solver.sums()[at] / longest_s);
    }
    const double communication_s = slot.communication_s + solver.network_s()[at];
    const double more_w = communicating_w[static_cast<std::size_t>(slot.rank)];
    if (communication_s > 0) bins.add(compute_end_s, communication_s, more_w);
  }
}

}  // namespace ampacity::simulation
