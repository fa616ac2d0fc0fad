#include "simulate/options.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

#include "ampacity/error.hpp"
#include "base/text.hpp"
#include "simulate/network_health.hpp"
#include "simulate/replicas.hpp"
#include "simulate/response.hpp"
#include "workload/stages.hpp"

namespace ampacity::simulation {
namespace {

constexpr Range spread_range{0, 0.5};
constexpr Range jitter_range{0, 0.25};  // tasks 3.7 deviations off still take time
constexpr Range share_range{0, 1};
constexpr Range speed_range{0.01, 100};
constexpr Range power_range{0.1, 10};
constexpr Range inlet_range{-40, 120};
constexpr std::int64_t most_steps = 1'000'000;

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

/// A column of the devices: one value for each, in its range; the first that is not is named.
void check_column(const std::string& name, const std::vector<double>& column, Range range, std::int64_t devices,
                  std::vector<Problem>& problems) {
  if (column.empty()) return;
  if (static_cast<std::int64_t>(column.size()) != devices) {
    problems.push_back(
        {name,
         base::number_text(static_cast<std::int64_t>(column.size())) + " values",
         "must have one value for each of the " + base::number_text(devices) + " accelerators of the layout",
         {}});
    return;
  }
  for (std::size_t d = 0; d < column.size(); ++d) {
    const std::size_t before = problems.size();
    check(name + "[" + std::to_string(d) + "]", column[d], range, problems);
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

void check_cap(const std::string& path, double cap_w, const Accelerator& device, std::vector<Problem>& problems) {
  const std::size_t before = problems.size();
  // Up to a tenth of a watt: what is named as allowed must be a number that people can give.
  check(path, cap_w, {std::ceil(10 * least_limit_w(device)) / 10, device.tdp_w}, problems);
  if (problems.size() == before) return;
  problems.back().hint = device.name + " idles at " + base::number_text(device.idle_w) +
                         " W, and draws the lowest limit before it computes anything";
}

Cluster limited(const Cluster& cluster, const SimulateOptions& options) {
  if (options.cap_w.size() != 1) return cluster;
  const double cap_w = options.cap_w.front();
  std::vector<Problem> problems;
  Cluster other = cluster;
  for (Partition& partition : other.partitions) {
    Accelerator& device = partition.node.accelerator;
    check_cap("cap_w", cap_w, device, problems);
    device.power_cap_w = cap_w;
  }
  if (!problems.empty()) throw InvalidSpec(std::move(problems));
  return other;
}

void check_options(const SimulateOptions& options, const Layout& layout) {
  std::vector<Problem> problems;
  const Variability& v = options.variability;
  const double spread = v.device_spread_fraction;
  if (!(spread < 0)) check("variability.device_spread_fraction", spread, spread_range, problems);
  check("variability.task_jitter_fraction", v.task_jitter_fraction, jitter_range, problems);
  check("variability.fail_slow_fraction", v.fail_slow_fraction, share_range, problems);
  check("variability.fail_slow_speed_fraction", v.fail_slow_speed_fraction, {0.01, 1}, problems);
  if (!(v.power_spread_fraction < 0)) {
    check("variability.power_spread_fraction", v.power_spread_fraction, {0, 0.3}, problems);
  }
  if (!(v.inlet_spread_c < 0)) check("variability.inlet_spread_c", v.inlet_spread_c, {0, 30}, problems);
  const std::int64_t devices = layout.accelerators();
  check_column("speed_fraction", options.speed_fraction, speed_range, devices, problems);
  check_column("power_fraction", options.power_fraction, power_range, devices, problems);
  check_column("inlet_c", options.inlet_c, inlet_range, devices, problems);
  check_column("temperature_c", options.temperature_c, inlet_range, devices, problems);
  if (options.steps < 1 || options.steps > most_steps) {
    problems.push_back(
        {"steps", base::number_text(options.steps), "must be between 1 and " + base::number_text(most_steps), {}});
  }
  if (options.cap_w.size() != 1) {
    check_column("cap_w", options.cap_w, {1, 1e5}, devices, problems);
  }
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
  for (const Warning& warning : estimate.warnings) {
    // Streams cross the border that the closed form does not see.
    if (warning.caveat != Caveat::border_between_stages || !traffic.network) warnings.push_back(warning.text());
  }
  const auto say = [&](std::string text) { warnings.push_back(std::move(text)); };
  const double jitter = options.variability.task_jitter_fraction;
  if (jitter > 0) {
    say("a jitter of " + percent(jitter) +
        " of each task's compute is assumed: no distribution measured at scale is "
        "published");
  }
  const bool mixed = std::any_of(estimate.warnings.begin(), estimate.warnings.end(),
                                 [](const Warning& warning) { return warning.caveat == Caveat::mixed_generations; });
  if (!traffic.network) {
    say(std::string("seconds of communication are those of the closed form: the links of ") +
        (mixed ? "this fabric, or of its rails for nodes of different sizes," : "this fabric") +
        " are not simulated one by one");
  } else {
    say("groups of one kind (pipeline messages, gradients, experts) send all at once, kinds one after the other; "
        "switches inside scale-up domains hold nobody up");
  }
  if (!traffic.exact) {
    say("too many streams meet on crowded links to solve all of their rates: groups other than the slowest go at the "
        "pace of their fullest link, as if the others on it were held up nowhere else");
  }
  say("spreads of silicon and of inlet temperatures, leakage and thermal resistances are engineering estimates");
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
