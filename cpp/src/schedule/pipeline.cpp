#include "schedule/pipeline.hpp"

#include <algorithm>

namespace ampacity::schedule {

PipelineTime pipeline_time(const Layout& layout, double micro_batches, const StageTimes& stage) {
  if (layout.pp == 1) return {micro_batches * stage.last_s, 0};
  const auto middle_stages = static_cast<double>(layout.pp - 2);
  double slowest = std::max(stage.first_s, stage.last_s);
  if (layout.pp > 2) slowest = std::max(slowest, stage.middle_s);
  const double all = stage.first_s + stage.last_s + middle_stages * stage.middle_s;
  return {micro_batches * slowest, (all - slowest) / static_cast<double>(layout.vp)};
}

}  // namespace ampacity::schedule
