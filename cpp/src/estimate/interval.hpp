// How far off a prediction may be.
#pragma once

#include "ampacity/cluster.hpp"
#include "ampacity/estimate.hpp"
#include "ampacity/training.hpp"

namespace ampacity::interval {

/// What of a prediction no measured run resembles.
struct Unmeasured {
  bool format = false;    ///< no run of this device family in this format
  bool software = false;  ///< no run with this software
  bool frozen = false;    ///< frozen weights: three runs of one model, none of which any number was fitted to
  double waiting = 0;     ///< share of the step that the device waits for the host to launch kernels
  double doublings = 0;   ///< devices beyond the largest measured job, in powers of two

  /// What the variance of ln(step time) is multiplied by, the host's part aside.
  [[nodiscard]] double widening() const;
  /// Standard deviation of ln(step time) from what the host needs.
  [[nodiscard]] double host() const;
};
/// `waiting` as above.
[[nodiscard]] Unmeasured unmeasured(const Training& job, const Accelerator& device, std::int64_t accelerators,
                                    double waiting);

/// The interval about a step time.
[[nodiscard]] Interval interval_of(const Training& job, const Unmeasured& unmeasured, double step_time_s);

}  // namespace ampacity::interval
