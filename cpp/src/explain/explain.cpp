#include "ampacity/explain.hpp"

#include <algorithm>
#include <memory>
#include <utility>

#include "explain/bounds.hpp"
#include "explain/provenance.hpp"
#include "explain/sensitivity.hpp"
#include "explain/tree.hpp"
#include "step/pace.hpp"

namespace ampacity {
namespace {

/// The partition whose devices set the pace.
const Partition& pacing(const Cluster& cluster, const step::Pace& pace) {
  return *std::find_if(cluster.partitions.begin(), cluster.partitions.end(),
                       [&](const Partition& p) { return &p.node.accelerator == pace.device; });
}

/// How much of the step follows when whatever is measured takes a little longer: its share of the critical path.
double measured_share(const Training& job, const Cluster& cluster, const Layout& layout, const Accelerator& device,
                      double step_s) {
  constexpr double tilt = 1e-3;
  const auto longer = std::make_shared<const MeasuredKernels>(device.measured->tilted(tilt));
  const Cluster moved = with_measured_kernels(cluster, device.name, longer);
  return (step::pace_of(job, moved, layout).step.breakdown.total_s() / step_s - 1) / tilt;
}

}  // namespace

Explanation explain(const Training& job, const Cluster& cluster, const Layout& layout, const Catalogue& catalogue) {
  const Estimate checked = estimate(job, cluster, layout);
  const step::Pace pace = step::pace_of(job, cluster, layout);
  const Partition& partition = pacing(cluster, pace);

  Explanation result;
  result.model = checked.model;
  result.cluster = checked.cluster;
  result.accelerators = checked.accelerators;
  result.time =
      explain_detail::time_tree(job, layout, partition, step::links_of(job, layout, cluster, partition), pace.step);
  result.stage_imbalance_s = pace.step.micro_batches * (pace.step.slowest_stage_s - pace.step.mean_stage_s);
  result.sensitivities = explain_detail::sensitivities(job, cluster, layout);
  result.bounds = explain_detail::bounds(pace.step.breakdown, result.sensitivities, layout);
  result.provenance = explain_detail::provenance(job, cluster, partition.node, catalogue);
  result.doubts = explain_detail::doubts(job, partition.node, layout, result.provenance);
  const double waiting = pace.step.breakdown.launch_s / pace.step.breakdown.total_s();
  for (std::string& reason : explain_detail::widenings(job, partition.node.accelerator, result.accelerators, waiting)) {
    result.doubts.push_back(std::move(reason));
  }
  const Accelerator& device = partition.node.accelerator;
  if (device.measured != nullptr) {
    result.measured_fraction = measured_share(job, cluster, layout, device, pace.step.breakdown.total_s());
    result.measured_source = device.measured->source();
  }
  for (const Warning& warning : checked.warnings) result.doubts.push_back(warning.text());
  return result;
}

}  // namespace ampacity
