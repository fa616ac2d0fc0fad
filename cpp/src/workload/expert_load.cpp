#include "workload/expert_load.hpp"

#include <algorithm>
#include <cmath>

#include "base/statistics.hpp"
#include "workload/layer.hpp"

namespace ampacity::workload {
namespace {

/// Standard deviation of tokens per expert over their mean, where `devices` route theirs together.
double deviation(const Training& job, const Layout& layout, double devices) {
  const Model& m = job.model;
  const double own = job.expert_imbalance < 0 ? m.expert_imbalance : job.expert_imbalance;
  const Sizes size = sizes_of(job, layout);
  const double routed = devices * size.tokens / size.tp * static_cast<double>(m.experts_per_token);
  const double drawing = static_cast<double>(m.experts) / routed;  // variance of a Poisson variable over its mean^2
  return std::sqrt(own * own + drawing);
}

}  // namespace

double busiest_load(const Training& job, const Layout& layout) {
  if (!job.model.is_moe() || layout.ep == 1 || job.capacity_factor > 0) return 1;
  const auto devices = static_cast<double>(layout.ep);
  const double experts = static_cast<double>(job.model.experts) / devices;
  const double spread = deviation(job, layout, static_cast<double>(layout.ep * layout.etp)) / std::sqrt(experts);
  // No device can get more than one copy of every token for each of its experts that a token may visit.
  const double visits = std::min(static_cast<double>(job.model.experts_per_token), experts);
  const double most = devices * visits / static_cast<double>(job.model.experts_per_token);
  return std::min(base::expected_gamma_maximum(devices, spread), std::max(1.0, most));
}

double expert_slots(const Training& job) {
  return job.model.is_moe() && job.capacity_factor > 0 ? job.capacity_factor : 1;
}

double dropped_fraction(const Training& job, const Layout& layout) {
  if (!job.model.is_moe() || job.capacity_factor <= 0) return 0;
  return base::gamma_excess(job.capacity_factor, deviation(job, layout, 1));
}

double distinct_devices(const Model& model, double devices) {
  const auto experts = static_cast<double>(model.experts);
  double missed = 1;
  for (std::int64_t visit = 0; visit < model.experts_per_token; ++visit) {
    const auto gone = static_cast<double>(visit);
    missed *= std::max(0.0, experts - experts / devices - gone) / (experts - gone);
  }
  return devices * (1 - missed);
}

double reachable_domains(const Model& model, double domains) {
  if (model.expert_groups == 0) return domains;
  const auto groups = static_cast<double>(model.expert_groups);
  const auto chosen = static_cast<double>(model.expert_groups_per_token);
  if (domains >= groups) return std::min(domains, domains / groups * chosen);
  // A domain holds several groups, and is left out if none of them is chosen.
  const double held = groups / domains;
  double missed = 1;
  for (std::int64_t choice = 0; choice < model.expert_groups_per_token; ++choice) {
    const auto gone = static_cast<double>(choice);
    missed *= std::max(0.0, groups - held - gone) / (groups - gone);
  }
  return domains * (1 - missed);
}

}  // namespace ampacity::workload
