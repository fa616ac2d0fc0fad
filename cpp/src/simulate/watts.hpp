// What a simulated device draws in each of its states, and the watts of all devices over time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "ampacity/accelerator.hpp"
#include "simulate/plan.hpp"
#include "simulate/replicas.hpp"

namespace ampacity::simulation {

/// Watts of a device of one rank. Those of its kernels have communication behind them in them.
struct Watts {
  double busy_w = 0;
  double communicating_w = 0;
  double stalled_w = 0;
  double optimizer_w = 0;
};
[[nodiscard]] Watts watts_of(const Plan& plan, const RankSums& sums, const Accelerator& device);

/// Mean watts in equal bins of time, the last one shorter, from steps at any time. Exact: the integral is that of the
/// steps.
class WattBins {
 public:
  WattBins(double end_s, double resolution_s);

  /// From that time on so many watts more.
  void step(double time_s, double watts) {
    const double at = time_s * per_s_;
    const auto bin = static_cast<std::size_t>(at);
    const double share = static_cast<double>(bin + 1) - at;
    slopes_[bin] += watts * share;
    slopes_[bin + 1] += watts * (1 - share);
  }
  /// So many watts more for a time.
  void add(double start_s, double seconds, double watts) {
    step(start_s, watts);
    step(start_s + seconds, -watts);
  }
  /// Bins of the same length and number.
  WattBins& operator+=(const WattBins& other);
  [[nodiscard]] std::size_t count() const { return bins_; }
  [[nodiscard]] std::vector<double> mean_w() const;

 private:
  double end_s_;
  double per_s_;
  std::size_t bins_;
  std::vector<double> slopes_;
};

/// Adds what the set that the solver holds draws above its stalled devices until its pipelines are done. The weights of
/// its sums (`keep_sums`) are what each device draws more while kernels run; `communicating_w`, of each rank, is what
/// the devices of its group together draw more while they communicate.
void add_set(const SetSolver& solver, const Plan& plan, std::span<const double> communicating_w, WattBins& bins);

}  // namespace ampacity::simulation
