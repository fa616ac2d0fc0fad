// How much of a long run is progress: failures, checkpoints, restarts in closed form.
#pragma once

#include <cstdint>

#include "ampacity/site.hpp"

namespace ampacity::campaign {

/// Mean time between interruptions of a job of that size; infinite where nothing ever fails. Seconds.
/// Holds above about 4,096 accelerators: small jobs are interrupted by other things than their hardware.
[[nodiscard]] double mean_time_between_failures_s(const Reliability& reliability, std::int64_t accelerators);

/// From a failure to the first step after it, lost work not counted. Seconds.
[[nodiscard]] double recovery_s(const Reliability& reliability, std::int64_t accelerators);

/// A run cut by failures. Overheads are in seconds per second of lasting progress.
struct Goodput {
  double mtbf_s = 0;
  double checkpoint_interval_s = 0;  ///< progress between two checkpoints; infinite where none is taken
  double checkpoint_overhead = 0;    ///< standing still while checkpoints are written
  double redo_overhead = 0;          ///< doing again what was lost since the last checkpoint
  double recovery_overhead = 0;      ///< detecting failures and starting again
  double fraction = 1;               ///< lasting progress over all time (effective training time ratio)
};

/// Goodput of a run that needs `productive_s` of steps, each `step_time_s` long, with the best checkpoint interval.
[[nodiscard]] Goodput goodput(const Reliability& reliability, std::int64_t accelerators, double productive_s,
                              double step_time_s);

}  // namespace ampacity::campaign
