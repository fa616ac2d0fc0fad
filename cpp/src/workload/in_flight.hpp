// How many micro-batches a pipeline stage holds at once.
#pragma once

#include <algorithm>

#include "ampacity/layout.hpp"

namespace ampacity::workload {

/// Micro-batches (in units of the layers of a whole stage) whose activations a stage holds at once.
/// 1F1B: Narayanan et al. 2021, section 2.2; the interleaved warm-up has 2 (pp - rank - 1) + (vp - 1) pp + 1 chunks.
/// ZB-H1 and ZB-V: pp on every rank (Qi et al. 2024, arXiv:2401.10241, sections 2.1 and 6). DualPipe: activations of
/// pp + 1 stages, of which a rank holds two (DeepSeek-V3, arXiv:2412.19437, Table 2); DualPipeV has 2 pp stages.
[[nodiscard]] inline double in_flight(const Layout& layout, double micro_batches, double stages_behind) {
  const auto pp = static_cast<double>(layout.pp);
  const auto vp = static_cast<double>(layout.vp);
  switch (layout.schedule) {
    case Schedule::gpipe:
      return micro_batches;
    case Schedule::zb_h1:
    case Schedule::zb_v:
      return std::min(pp, micro_batches);
    case Schedule::dualpipe:
      return (pp + 1) / 2;
    case Schedule::dualpipe_v:
      return pp + 0.5;
    case Schedule::one_f_one_b:
      break;
  }
  const double chunks = layout.vp == 1 ? stages_behind + 1 : 2 * stages_behind + (vp - 1) * pp + 1;
  return std::min(chunks / vp, micro_batches);
}

}  // namespace ampacity::workload
