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
  double doublings = 0;   ///< devices beyond the largest measured job, in powers of two

  /// What the variance of ln(step time) is multiplied by.
  [[nodiscard]] double widening() const;
};
[[nodiscard]] Unmeasured unmeasured(const Training& job, const Accelerator& device, std::int64_t accelerators);

/// The interval about a step time.
[[nodiscard]] Interval interval_of(const Training& job, const Unmeasured& unmeasured, double step_time_s);

}  // namespace ampacity::interval
