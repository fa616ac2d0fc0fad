// What bounds a step, in words.
#pragma once

#include <vector>

#include "ampacity/explain.hpp"

namespace ampacity::explain_detail {

/// The terms of the breakdown in words, longest first; terms below half a per cent of the step are left out.
[[nodiscard]] std::vector<Bound> bounds(const Breakdown& breakdown, const std::vector<Sensitivity>& sensitivities,
                                        const Layout& layout);

}  // namespace ampacity::explain_detail
