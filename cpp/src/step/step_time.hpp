// One step on one kind of device: parts put together by the schedule.
#pragma once

#include <array>

#include "ampacity/cluster.hpp"
#include "ampacity/estimate.hpp"
#include "ampacity/layout.hpp"
#include "ampacity/training.hpp"
#include "base/statistics.hpp"
#include "network/collectives.hpp"
#include "step/on_kind.hpp"
#include "step/pipeline_work.hpp"
#include "step/stage_time.hpp"

namespace ampacity::step {

/// A step on one kind of device.
struct StepTime {
  Breakdown breakdown;
  double joules = 0;  ///< of one device over the step
  double micro_batches = 0;
  double hidden_ep_s = 0;      ///< exchange with experts behind another pass (DualPipe)
  double hidden_pp_s = 0;      ///< stage-to-stage transfers behind compute
  double hidden_dp_s = 0;      ///< reduction of gradients and gathering of weights behind compute, once a step
  double slowest_stage_s = 0;  ///< for one micro-batch
  double mean_stage_s = 0;
  PartCounts slowest;  ///< the stage that the others wait for; `breakdown` has its seconds
  /// Joules of a device of the front stages and of one of the rest, where they lie on different kinds.
  std::array<double, 2> stage_joules{};
  bool slowest_in_front = false;
};
[[nodiscard]] StepTime step_time(const Training& job, const Layout& layout, const StageDevices& devices,
                                 const workload::StageLayers& stages);

using base::expected_maximum;

}  // namespace ampacity::step
