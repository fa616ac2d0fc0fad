// How many micro-batches a pipeline stage holds at once.
#pragma once

#include <algorithm>

#include "ampacity/layout.hpp"

namespace ampacity::workload {

/// Micro-batches (in units of the layers of a whole stage) whose activations a stage holds at once.
/// 1F1B: Narayanan et al. 2021, section 2.2; the interleaved warm-up has 2 (pp - rank - 1) + (vp - 1) pp + 1 chunks.
[[nodiscard]] inline double in_flight(const Layout& layout, double micro_batches, double stages_behind) {
  const auto pp = static_cast<double>(layout.pp);
  const auto vp = static_cast<double>(layout.vp);
  if (layout.schedule == Schedule::gpipe) return micro_batches;
  const double chunks = layout.vp == 1 ? stages_behind + 1 : 2 * stages_behind + (vp - 1) * pp + 1;
  return std::min(chunks / vp, micro_batches);
}

}  // namespace ampacity::workload
