// The numbers and warnings of an estimate, from the pace of its step.
#pragma once

#include "ampacity/estimate.hpp"
#include "step/pace.hpp"

namespace ampacity {

/// Fills everything of `result` but the names of model and cluster; allocates nothing but room for its warnings.
void answer(const Training& job, const Cluster& cluster, const Layout& layout, const step::Pace& pace,
            Estimate& result);

}  // namespace ampacity
