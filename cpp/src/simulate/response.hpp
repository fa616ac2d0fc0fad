// How the kernels of each rank answer to watts: what they take and draw under any power limit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "ampacity/layout.hpp"
#include "ampacity/training.hpp"
#include "network/collectives.hpp"
#include "simulate/plan.hpp"

namespace ampacity::simulation {

/// The mean device under one limit.
struct Answer {
  double slowness = 1;  ///< seconds of a rank's kernels over those under the design's limit
  double busy_w = 0;    ///< while they run, with communication behind them
};
/// Its hungriest kernel, a large matrix product in the job's format.
struct Peak {
  double clock_hz = 0;
  double watts = 0;
};

/// The lowest limit under which a device still computes: a little more than it draws with clocks up and nothing to do.
[[nodiscard]] double least_limit_w(const Accelerator& device);

/// Every kernel of the plan priced under a ladder of power limits, as the closed form prices it under the device's own;
/// between the rungs (2 % apart) it is interpolated. Whatever shifts what a device may spend on its kernels (another
/// limit, leakage, silicon that draws more) is another rung for the mean device, so that which share of the time
/// stretches with the clock and which does not needs no model of its own.
class Response {
 public:
  Response() = default;
  Response(const Training& job, const Layout& layout, const Accelerator& device, const network::Links& links,
           const Plan& plan);

  [[nodiscard]] Answer at(std::size_t rank, double limit_w) const;
  [[nodiscard]] Peak peak_at(double limit_w) const;
  /// The limit under which the rank's kernels draw so many watts; the lowest rung's where they always draw more.
  [[nodiscard]] double limit_for(std::size_t rank, double busy_w) const;
  [[nodiscard]] double design_limit_w() const { return design_limit_w_; }

 private:
  struct Rung {
    std::size_t below;
    double share;  // of the one above
  };
  [[nodiscard]] Rung rung_of(double limit_w) const;

  double design_limit_w_ = 0;
  double log_lowest_ = 0;
  double rungs_per_log_ = 0;
  std::size_t rungs_ = 0;
  std::vector<Answer> design_;   // of each rank
  std::vector<Answer> answers_;  // rank by rank, rung by rung
  std::vector<Peak> peaks_;      // of each rung
  Peak design_peak_;
};

}  // namespace ampacity::simulation
