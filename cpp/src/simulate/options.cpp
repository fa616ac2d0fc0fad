#include "simulate/options.hpp"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "ampacity/error.hpp"
#include "base/text.hpp"
#include "simulate/network_health.hpp"
#include "workload/stages.hpp"

namespace ampacity::simulation {
namespace {

constexpr Range spread_range{0, 0.5};
constexpr Range jitter_range{0, 0.25};  // tasks 3.7 deviations off still take time
constexpr Range share_range{0, 1};
constexpr Range speed_range{0.01, 100};

void check(const std::string& path, double value, Range range, std::vector<Problem>& problems) {
  if (value >= range.minimum && value <= range.maximum) return;
  problems.push_back(
      {path,
       base::number_text(value),
       "must be between " + base::number_text(range.minimum) + " and " + base::number_text(range.maximum),
       {}});
}

std::string percent(double fraction) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.3g %%", 100 * fraction);
  return buffer;
}

void check_speeds(const std::vector<double>& speeds, std::int64_t devices, std::vector<Problem>& problems) {
  if (speeds.empty()) return;
  if (static_cast<std::int64_t>(speeds.size()) != devices) {
    problems.push_back({"speed_fraction",
                        base::number_text(static_cast<std::int64_t>(speeds.size())) + " values",
                        "must have one value for each of the " + base::number_text(devices) +
                            " accelerators of the "
                            "layout",
                        {}});
    return;
  }
  for (std::size_t d = 0; d < speeds.size(); ++d) {
    const std::size_t before = problems.size();
    check("speed_fraction[" + std::to_string(d) + "]", speeds[d], speed_range, problems);
    if (problems.size() > before) return;
  }
}

}  // namespace

void check_index(const char* path, std::int64_t index, std::int64_t count) {
  if (index >= 0 && index < count) return;
  throw InvalidSpec({{path, base::number_text(index), "must be between 0 and " + base::number_text(count - 1), {}}});
}

void check_resolution(double resolution_s, double step_time_s) {
  const double least_s = std::max(1e-6, step_time_s / 1e8);
  if (resolution_s >= least_s && resolution_s <= 1e9) return;
  throw InvalidSpec({{"resolution_s",
                      base::number_text(resolution_s),
                      "must be between " + base::number_text(least_s) + " and 1e+09 seconds",
                      {}}});
}

void check_options(const SimulateOptions& options, const Layout& layout) {
  std::vector<Problem> problems;
  const Variability& v = options.variability;
  const double spread = v.device_spread_fraction;
  if (!(spread < 0)) check("variability.device_spread_fraction", spread, spread_range, problems);
  check("variability.task_jitter_fraction", v.task_jitter_fraction, jitter_range, problems);
  check("variability.fail_slow_fraction", v.fail_slow_fraction, share_range, problems);
  check("variability.fail_slow_speed_fraction", v.fail_slow_speed_fraction, {0.01, 1}, problems);
  check_speeds(options.speed_fraction, layout.accelerators(), problems);
  check_health(options.network, layout.accelerators(), problems);
  for (const std::int64_t d : options.exclude) {
    if (d >= 0 && d < layout.accelerators()) continue;
    problems.push_back(
        {"exclude", base::number_text(d), "must be between 0 and " + base::number_text(layout.accelerators() - 1), {}});
  }
  if (!problems.empty()) throw InvalidSpec(std::move(problems));
}

std::vector<std::string> warnings_of(const Layout& layout, const SimulateOptions& options, const Estimate& estimate,
                                     const Traffic& traffic) {
  std::vector<std::string> warnings;
  warnings.reserve(estimate.warnings.size() + 6);
  for (const Warning& warning : estimate.warnings) warnings.push_back(warning.text());
  const auto say = [&](std::string text) { warnings.push_back(std::move(text)); };
  const double jitter = options.variability.task_jitter_fraction;
  if (jitter > 0) {
    say("a jitter of " + percent(jitter) +
        " of each task's compute is assumed: no distribution measured at scale is "
        "published");
  }
  const bool mixed = std::any_of(estimate.warnings.begin(), estimate.warnings.end(),
                                 [](const Warning& warning) { return warning.caveat == Caveat::mixed_generations; });
  if (mixed) {
    say("seconds of communication are those of the closed form: flows of different replicas are not simulated together "
        "where a job spans kinds of devices, and neither links nor network cards differ");
  } else if (!traffic.network) {
    say("seconds of communication are those of the closed form: the links of this fabric are not simulated one by one");
  } else {
    say("groups of one kind (pipeline messages, gradients, experts) send all at once, kinds one after the other; "
        "switches inside scale-up domains hold nobody up");
  }
  if (!traffic.exact) {
    say("too many streams meet on crowded links to solve all of their rates: groups other than the slowest go at the "
        "pace of their fullest link, as if the others on it were held up nowhere else");
  }
  say("devices differ in speed only: temperatures, power caps and clocks are not simulated one by one, and a slower "
      "device draws the same watts for longer");
  if (mixed) {
    say("replicas are filled into the kinds of devices one by one (stages, with balance = stages): those that lie on "
        "several count as the slowest kind of them, and messages between kinds go at the pace of the slower links");
  }
  if (estimate.breakdown.imbalance_s > 0) {
    say("the imbalance of experts and attention is its expected value in each task, not a draw");
  }
  if (workload::replicas_together(layout) > 1 && layout.zero_stage >= 3) {
    say("replicas that share sharded weights wait for one another in each task; gathering ahead of time would let them "
        "drift apart by a layer or two");
  }
  if (layout.schedule == Schedule::dualpipe) {
    say("the two stages of a rank of DualPipe count as their mean");
  }
  return warnings;
}

}  // namespace ampacity::simulation
