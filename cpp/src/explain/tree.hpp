// The time of a step as a tree.
#pragma once

#include "ampacity/explain.hpp"
#include "network/collectives.hpp"
#include "step/step_time.hpp"

namespace ampacity::explain_detail {

/// The terms of `step.breakdown`, compute told apart by operator and direction. `step` is that on the devices of
/// `partition`. The leaves sum to the step time.
[[nodiscard]] Term time_tree(const Training& job, const Layout& layout, const Partition& partition,
                             const network::Links& links, const step::StepTime& step);

}  // namespace ampacity::explain_detail
