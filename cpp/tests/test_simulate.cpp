// Every device an individual: draws, sums, and agreement with the closed form.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "base/statistics.hpp"
#include "scenario.hpp"
#include "simulate/draws.hpp"

using namespace ampacity;
using namespace ampacity::testing;
using doctest::Approx;

namespace {

Layout small_layout() {
  Layout layout;
  layout.tp = 8;
  layout.pp = 16;
  layout.dp = 8;
  layout.recompute = Recompute::full;
  return layout;
}

}  // namespace

TEST_CASE("normal quantiles") {
  // Abramowitz and Stegun, table 26.5, and one far out (from the expansion of the tail).
  CHECK(base::normal_quantile(0.5) == Approx(0).epsilon(1e-12));
  CHECK(base::normal_quantile(0.975) == Approx(1.959963984540054).epsilon(1e-9));
  CHECK(base::normal_quantile(0.025) == Approx(-1.959963984540054).epsilon(1e-9));
  CHECK(base::normal_quantile(1e-6) == Approx(-4.753424308822899).epsilon(1e-9));
  CHECK(base::normal_quantile(1e-12) == Approx(-7.034483825301132).epsilon(1e-9));
}

TEST_CASE("the slowest of n devices is as slow as order statistics say") {
  for (const std::size_t devices : {64U, 1024U}) {
    double sum = 0;
    constexpr int seeds = 4000;
    for (int seed = 0; seed < seeds; ++seed) {
      double slowest = 1;
      for (std::size_t d = 0; d < devices; ++d) {
        slowest = std::min(slowest, simulation::drawn_speed(static_cast<std::uint64_t>(seed), {0.01, 0, 0, 1}, d));
      }
      sum += (1 - slowest) / 0.01;
    }
    // The mean of 4,000 maxima has a standard error of 0.3 % (64 draws) and 0.2 % (1,024).
    CHECK(sum / seeds == Approx(base::expected_maximum(static_cast<double>(devices))).epsilon(0.01));
  }
}

TEST_CASE("jitter has mean 0 and variance 1, and differs from device to device") {
  const simulation::JitterTable table;
  double sum = 0;
  double squares = 0;
  double product = 0;
  constexpr std::size_t tasks = 200003;  // no multiple of the draws of a hash
  std::vector<double> first(tasks);
  simulation::for_each_deviation(table, 1, 5, tasks, [&](std::size_t task, double normal) {
    first[task] = normal;
    sum += normal;
    squares += normal * normal;
  });
  simulation::for_each_deviation(table, 1, 6, tasks,
                                 [&](std::size_t task, double normal) { product += normal * first[task]; });
  // Four standard errors: 4 / sqrt(200,000) = 0.009; that of a variance is sqrt(2) times as large.
  CHECK(std::abs(sum / tasks) < 0.009);
  CHECK(squares / tasks == Approx(1).epsilon(0.013));
  CHECK(std::abs(product / tasks) < 0.009);
}

TEST_CASE("a simulation is sound and depends on nothing but its question") {
  const Training job = job_of("llama-3.1-405b", 256);
  const Cluster cluster = cluster_of("meta-llama3-16k");
  SimulateOptions options;
  options.seed = 11;
  const Simulation one = simulate(job, cluster, small_layout(), options);
  options.threads = 3;
  const Simulation other = simulate(job, cluster, small_layout(), options);
  REQUIRE(one.devices() == 1024);
  CHECK(one.step_time_s() == other.step_time_s());
  CHECK(one.joules() == other.joules());
  double joules = 0;
  for (std::size_t d = 0; d < one.devices(); ++d) {
    double sum = 0;
    for (const ColumnInfo& info : Simulation::info()) {
      CHECK(one.column(info.key)[d] == other.column(info.key)[d]);
      if (info.key.ends_with("_s")) sum += one.column(info.key)[d];
    }
    CHECK(sum == Approx(one.step_time_s()).epsilon(1e-9));
    joules += one.column("joules")[d];
  }
  CHECK(joules == Approx(one.joules()).epsilon(1e-9));
  CHECK(one.critical().step_time_without_s <= one.step_time_s());
  CHECK_THROWS_AS(static_cast<void>(one.column("busy")), UnknownName);
}

TEST_CASE("without variability the step is that of the closed form") {
  const Training job = job_of("llama-3.1-405b", 256);
  const Cluster cluster = cluster_of("meta-llama3-16k");
  SimulateOptions options;
  options.variability = Variability::none();
  const Simulation sim = simulate(job, cluster, small_layout(), options);
  const Estimate& est = sim.estimate();
  CHECK(sim.step_time_s() == Approx(est.step_time_s - est.breakdown.straggler_s).epsilon(0.001));
}

TEST_CASE("a simulation can be stopped, and refuses what it cannot do") {
  const Training job = job_of("llama-3.1-405b", 256);
  const Cluster cluster = cluster_of("meta-llama3-16k");
  SimulateOptions options;
  options.proceed = [] { return false; };
  CHECK_THROWS_AS(static_cast<void>(simulate(job, cluster, small_layout(), options)), Cancelled);
  options.proceed = nullptr;
  options.exclude = {1024};
  options.variability.task_jitter_fraction = std::numeric_limits<double>::quiet_NaN();
  try {
    static_cast<void>(simulate(job, cluster, small_layout(), options));
    CHECK(false);
  } catch (const InvalidSpec& error) {
    CHECK(error.problems().size() == 2);
  }
}

TEST_CASE("groups and slices hold what the columns hold") {
  const Simulation sim = simulate(job_of("llama-3.1-405b", 64), cluster_of("meta-llama3-16k"), small_layout());
  for (const GroupKind kind :
       {GroupKind::stage, GroupKind::replica, GroupKind::node, GroupKind::rack, GroupKind::hall}) {
    const GroupColumns groups = sim.by(kind);
    double joules = 0;
    for (const GroupColumn& column : groups.columns) {
      CHECK(column.values.size() == groups.devices.size());
      CHECK(column.key != "sum_speed_fraction");
      if (column.key == "sum_joules") joules = std::accumulate(column.values.begin(), column.values.end(), 0.0);
    }
    CHECK(joules == Approx(sim.joules()).epsilon(1e-9));
  }
  CHECK(sim.by(GroupKind::node).devices.size() == 128);  // 1,024 devices, eight a node
  CHECK(sim.by(GroupKind::rack).devices.size() == 64);
  const std::vector<std::int64_t> devices{0, 1023, 512};
  const std::vector<DeviceSlices> slices = sim.slices(devices);
  for (std::size_t i = 0; i < devices.size(); ++i) {
    double joules = 0;
    for (std::size_t at = 0; at < slices[i].size(); ++at) {
      joules += slices[i].watts[at] * (slices[i].end_s[at] - slices[i].start_s[at]);
    }
    CHECK(slices[i].end_s.back() == Approx(sim.step_time_s()).epsilon(1e-12));
    CHECK(joules == Approx(sim.column("joules")[static_cast<std::size_t>(devices[i])]).epsilon(1e-9));
  }
  CHECK_THROWS_AS(static_cast<void>(sim.slices(std::vector<std::int64_t>{1024})), InvalidSpec);
}
