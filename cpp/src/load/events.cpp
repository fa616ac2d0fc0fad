#include <cmath>

#include "ampacity/load.hpp"
#include "campaign/goodput.hpp"

namespace ampacity {

LoadEvents load_events(const Estimate& estimate, const Cluster& cluster) {
  LoadEvents events;
  const Run& run = estimate.run;
  if (!std::isfinite(run.mtbf_s)) return events;
  events.mtbf_s = run.mtbf_s;
  events.checkpoint_interval_s = std::isfinite(run.checkpoint_interval_s) ? run.checkpoint_interval_s : 0;
  events.checkpoint_s = cluster.reliability.checkpoint_blocking_s;
  events.detection_s = cluster.reliability.detection_s;
  events.restart_s = campaign::recovery_s(cluster.reliability, estimate.accelerators) - events.detection_s;
  return events;
}

}  // namespace ampacity
