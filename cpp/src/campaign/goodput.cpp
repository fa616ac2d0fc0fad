#include "campaign/goodput.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace ampacity::campaign {
namespace {
constexpr double kSecondsPerHour = 3600.0;
constexpr double kNever = std::numeric_limits<double>::infinity();
}  // namespace

double mean_time_between_failures_s(const Reliability& reliability, std::int64_t accelerators) {
  const double count = static_cast<double>(accelerators);
  // Independent parts: M = 1/(rate x N). 6.5 per 1000 node-days gives 1.80 h at 16,384 and 0.23 h at 131,072
  // accelerators, as Kokolis et al. (arXiv:2410.21680) project.
  double per_hour = reliability.failures_per_accelerator_hour * count;
  // Failures born of scale: 2.3 per 1000 server-days at 32K GPUs would give 50 minutes at 98K, where 18 were seen
  // (Salpekar et al., arXiv:2602.00277): 2.8 times worse over a factor of three in size. One pair of observations, so
  // it is a power law of the excess size that profiles switch on, not a law of nature.
  const double excess =
      count / static_cast<double>(std::max<std::int64_t>(reliability.scale_reference_accelerators, 1));
  if (reliability.scale_exponent > 0 && excess > 1) per_hour *= std::pow(excess, reliability.scale_exponent);
  return per_hour > 0 ? kSecondsPerHour / per_hour : kNever;
}

double recovery_s(const Reliability& reliability, std::int64_t accelerators) {
  // Linear in size: 200 s at 16K, 300 at 22K, 600 at 64K, 900 at 98K GPUs (arXiv:2602.00277, figure 2).
  return reliability.detection_s + reliability.restart_s +
         reliability.restart_s_per_accelerator * static_cast<double>(accelerators);
}

Goodput goodput(const Reliability& reliability, std::int64_t accelerators, double productive_s, double step_time_s) {
  Goodput result;
  const double mtbf_s = mean_time_between_failures_s(reliability, accelerators);
  result.mtbf_s = mtbf_s;
  if (mtbf_s == kNever) {
    // Nothing fails, so nobody writes checkpoints to survive failures.
    result.checkpoint_interval_s = kNever;
    return result;
  }
  // Young (1974), Daly (2006): d/tau + tau/(2M) is least at tau = sqrt(2 M d). A checkpoint is taken after a whole step
  // at the soonest and at the end of the run at the latest.
  const double blocking_s = reliability.checkpoint_blocking_s;
  const double shortest_s = std::min(step_time_s, productive_s);
  const double tau_s = std::clamp(std::sqrt(2 * mtbf_s * blocking_s), shortest_s, std::max(productive_s, shortest_s));
  result.checkpoint_interval_s = tau_s;
  result.checkpoint_overhead = tau_s > 0 ? blocking_s / tau_s : 0;
  result.redo_overhead = tau_s / (2 * mtbf_s);
  result.recovery_overhead = recovery_s(reliability, accelerators) / mtbf_s;
  // ETTR = 1/(1 + d/tau + tau/(2M) + R/M), first order in 1/M, with M as time between failures of a running job: within
  // 0.01 of a Monte Carlo while R/M < 0.3. Beyond, it is optimistic by up to 0.08, because failures during recovery are
  // not counted: at 98K GPUs 0.44 was reported (arXiv:2602.00277), where this gives 0.50.
  result.fraction = 1 / (1 + result.checkpoint_overhead + result.redo_overhead + result.recovery_overhead);
  return result;
}

}  // namespace ampacity::campaign
