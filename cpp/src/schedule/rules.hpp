// Which pipelines a schedule can run.
#pragma once

#include <cstdint>

#include "ampacity/layout.hpp"

namespace ampacity::schedule {

/// A rule of a schedule that is broken: the field with its value, and the rule in words (null: none is).
struct Violation {
  const char* field = nullptr;
  std::int64_t value = 0;
  const char* rule = nullptr;
};

[[nodiscard]] inline Violation broken_rule(Schedule schedule, std::int64_t pp, std::int64_t vp,
                                           std::int64_t micro_batches) {
  const bool v = is_v(schedule);
  if (v && pp == 1) return {"pp", pp, "must be at least 2 with the zb-v and dualpipe-v schedules"};
  if (vp > 1 && pp == 1) return {"vp", vp, "must be 1 without pipeline stages"};
  if (v && vp != 2) return {"vp", vp, "must be 2 with the zb-v and dualpipe-v schedules (stages go there and back)"};
  if (!v && vp > 1 && schedule != Schedule::one_f_one_b) {
    return {"vp", vp, "must be 1 with the gpipe, zb-h1 and dualpipe schedules"};
  }
  if (schedule == Schedule::one_f_one_b && vp > 1 && micro_batches % pp != 0) {
    return {"micro_batches", micro_batches, "must be a multiple of pp in the interleaved schedule"};
  }
  if (schedule == Schedule::dualpipe && pp % 2 != 0) {
    return {"pp", pp, "must be even with the dualpipe schedule (two directions meet in the middle)"};
  }
  if (schedule == Schedule::dualpipe && micro_batches % 2 != 0) {
    return {"micro_batches", micro_batches, "must be even with the dualpipe schedule (half go in each direction)"};
  }
  if (overlaps_passes(schedule) && micro_batches < 2 * pp) {
    return {"micro_batches", micro_batches, "must be at least 2 x pp with the dualpipe and dualpipe-v schedules"};
  }
  if (schedule == Schedule::zb_v && micro_batches < 2 * pp - 1) {
    return {"micro_batches", micro_batches, "must be at least 2 x pp - 1 with the zb-v schedule"};
  }
  return {};
}

}  // namespace ampacity::schedule
