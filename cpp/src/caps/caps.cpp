#include "ampacity/caps.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "ampacity/decode.hpp"
#include "ampacity/error.hpp"
#include "ampacity/estimate.hpp"
#include "ampacity/tariff.hpp"
#include "base/text.hpp"
#include "compute/device.hpp"

namespace ampacity {
namespace {

using base::number_text;

constexpr double finest_step = 0.01;  // of the device's limit
constexpr double joules_per_kwh = 3.6e6;

/// Lowest cap that leaves anything for work: what the device draws with its clocks up.
double lowest_cap_w(const Accelerator& device) {
  return std::ceil(compute::watts_at(device, device.architecture.active_fraction));
}

double highest_limit_w(const Cluster& cluster) {
  double limit_w = 0;
  for (const Partition& partition : cluster.partitions) {
    limit_w = std::max(limit_w, partition.node.accelerator.limit_w());
  }
  return limit_w;
}

double highest_floor_w(const Cluster& cluster) {
  double floor_w = 0;
  for (const Partition& partition : cluster.partitions) {
    floor_w = std::max(floor_w, lowest_cap_w(partition.node.accelerator));
  }
  return floor_w;
}

double usd_per_s(const Cluster& cluster, const Estimate& found) {
  const double energy_usd = found.power.facility_mean_w / joules_per_kwh * cluster.site.electricity_usd_per_kwh;
  return owning_usd_per_s(cluster, found.accelerators, found.power.it_peak_w) + energy_usd;
}

/// Whole replicas that the site carries. A replica is what cannot be split: one pipeline with its tensor and context
/// parallelism.
std::int64_t carried(const Layout& layout, double site_w, double provisioned_w) {
  if (site_w <= 0) return layout.accelerators();
  const std::int64_t replica = layout.accelerators() / layout.dp;
  return static_cast<std::int64_t>(site_w / (provisioned_w * static_cast<double>(replica))) * replica;
}

CapPoint point_of(const Training& job, const Cluster& cluster, const Layout& layout, double cap_w,
                  const CapQuestion& question) {
  const Cluster capped = with_limits(cluster, cap_w);
  const Estimate found = estimate(job, capped, layout);
  const auto devices = static_cast<double>(found.accelerators);
  CapPoint point;
  point.cap_w = cap_w;
  point.layout = layout;
  point.step_time_s = found.step_time_s;
  point.device_mean_w = found.power.gpu_mean_w;
  point.metered_w = found.power.facility_mean_w / devices;
  point.provisioned_w = question.provision == Provision::mean ? point.metered_w : found.power.facility_peak_w / devices;
  point.accelerators = carried(layout, question.site_w, point.provisioned_w);
  point.tokens_per_s = found.tokens_per_s / devices * static_cast<double>(point.accelerators);
  point.tokens_per_j = found.tokens_per_s / found.power.facility_mean_w;
  const double cost = usd_per_s(capped, found);
  point.tokens_per_usd = cost > 0 ? found.tokens_per_s / cost : 0;
  return point;
}

void relate(CapPoint& point, const Estimate& free) {
  point.throughput_fraction = free.step_time_s / point.step_time_s;
  point.energy_fraction = point.device_mean_w / free.power.gpu_mean_w / point.throughput_fraction;
}

double score(const CapPoint& point, CapObjective objective) {
  switch (objective) {
    case CapObjective::tokens_per_s:
      return point.tokens_per_s;
    case CapObjective::tokens_per_j:
      return point.tokens_per_j;
    case CapObjective::tokens_per_usd:
      return point.tokens_per_usd;
  }
  return 0;
}

void check(const CapQuestion& question) {
  if (!(question.site_w >= 0 && std::isfinite(question.site_w))) {
    throw InvalidSpec({{"site_w", number_text(question.site_w), "must be 0 or a positive number of watts", ""}});
  }
}

}  // namespace

Cluster with_limits(const Cluster& cluster, double cap_w, double locked_clock_hz) {
  Cluster limited = cluster;
  std::vector<Problem> problems;
  for (Partition& partition : limited.partitions) {
    Accelerator& device = partition.node.accelerator;
    const double lowest_w = lowest_cap_w(device);
    if (cap_w != 0 && !(cap_w >= lowest_w)) {
      problems.push_back({"cap_w", number_text(cap_w),
                          "must be at least " + number_text(lowest_w) + " on " + device.name +
                              ", which draws that with clocks up, before any work",
                          ""});
    }
    const double top_hz = std::max(device.boost_clock_hz, device.tensor_clock_hz);
    const double lowest_hz = Accelerator::lowest_clock_fraction * top_hz;
    if (locked_clock_hz != 0 && !(locked_clock_hz >= lowest_hz && locked_clock_hz <= top_hz)) {
      problems.push_back(
          {"locked_clock_hz", number_text(locked_clock_hz),
           "must be between " + number_text(lowest_hz) + " and " + number_text(top_hz) + " on " + device.name,
           "clocks are in hertz"});
    }
    if (cap_w > 0) device.power_cap_w = std::min(cap_w, device.tdp_w);
    if (locked_clock_hz > 0) device.locked_clock_hz = locked_clock_hz;
  }
  if (!problems.empty()) throw InvalidSpec(std::move(problems));
  return limited;
}

std::vector<CapPoint> cap_sweep(const Training& job, const Cluster& cluster, const Layout& layout,
                                std::span<const double> caps_w, const CapQuestion& question) {
  check(question);
  const Estimate free = estimate(job, cluster, layout);
  std::vector<CapPoint> points;
  points.reserve(caps_w.size());
  for (const double cap_w : caps_w) {
    points.push_back(point_of(job, cluster, layout, cap_w, question));
    relate(points.back(), free);
  }
  return points;
}

CapPoint best_cap(const Training& job, const Cluster& cluster, std::span<const Layout> layouts,
                  const CapQuestion& question) {
  check(question);
  if (layouts.empty()) throw InvalidSpec({{"layouts", "[]", "must not be empty", ""}});
  const double limit_w = highest_limit_w(cluster);
  const double floor_w = std::min(highest_floor_w(cluster), limit_w);
  const auto steps = static_cast<int>((limit_w - floor_w) / (finest_step * limit_w));
  CapPoint best;
  for (const Layout& layout : layouts) {
    const Estimate free = estimate(job, cluster, layout);
    for (int step = 0; step <= steps; ++step) {
      const double cap_w = limit_w - finest_step * limit_w * step;
      CapPoint point = point_of(job, cluster, layout, cap_w, question);
      if (point.accelerators == 0) continue;
      relate(point, free);
      if (best.accelerators == 0 || score(point, question.objective) > score(best, question.objective)) best = point;
    }
  }
  if (best.accelerators == 0) {
    throw InvalidSpec(
        {{"site_w", number_text(question.site_w), "does not carry one replica of any layout under any cap",
          "give the site more power, or the layout fewer accelerators per replica"}});
  }
  return best;
}

}  // namespace ampacity
