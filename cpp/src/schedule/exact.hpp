// The length of a pipeline by the recurrences of its schedule, for those that have no closed form.
#pragma once

#include <cstdint>
#include <span>

#include "schedule/pipeline.hpp"

namespace ampacity::schedule {

/// Length of the pipeline whose ranks, first to last, are `ranks`, task by task. The virtual stages between a rank's
/// first and its last take equally long. A pipeline that has long been full grows with each further micro-batch by what
/// its slowest rank does for it: those are not solved one by one.
[[nodiscard]] double exact_length(Schedule schedule, std::int64_t vp, std::int64_t micro_batches,
                                  std::span<const RankTimes> ranks, const Messages& messages);

/// How many of them are solved one by one.
[[nodiscard]] std::int64_t solved_micro_batches(Schedule schedule, std::int64_t pp, std::int64_t micro_batches);

}  // namespace ampacity::schedule
