// What would help most.
#pragma once

#include <vector>

#include "ampacity/explain.hpp"

namespace ampacity::explain_detail {

/// All levers, that with most gain first.
[[nodiscard]] std::vector<Sensitivity> sensitivities(const Training& job, const Cluster& cluster, const Layout& layout);

/// The elasticity of one of them.
[[nodiscard]] double elasticity(const std::vector<Sensitivity>& all, Lever lever);

}  // namespace ampacity::explain_detail
