// Load over time: energy of steps, storage, contracts.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "scenario.hpp"

using namespace ampacity;
using namespace ampacity::testing;
using doctest::Approx;

namespace {

enum Column : std::size_t { accelerators = 1, facility = 6, into_storage = 7, lost = 8, grid = 9, stored = 12 };

/// A step of a second: high, then low.
LoadShape square(double high_w, double low_w) {
  LoadShape shape;
  shape.resolution_s = 0.01;
  shape.step_time_s = 1;
  shape.accelerators = 1;
  shape.accelerators_w.assign(50, high_w);
  shape.accelerators_w.insert(shape.accelerators_w.end(), 50, low_w);
  shape.phase_w.fill(low_w);
  shape.limit_w = high_w;
  return shape;
}

LoadJob steady(LoadShape shape) {
  LoadEvents events;
  events.step_spread_fraction = 0;
  return {std::move(shape), events, 0, {}};
}

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

}  // namespace

TEST_CASE("whole steps carry their energy") {
  SiteLoad load({steady(square(1000, 400))}, {});
  const auto rows = load.next(600);
  for (const double w : rows[accelerators]) CHECK(w == Approx(700).epsilon(1e-9));
  CHECK(load.bytes() < 4096);
}

TEST_CASE("a step of the closed form has the energy of its simulation") {
  const Training job = job_of("llama-3.1-405b", 64);
  const Cluster cluster = cluster_of("meta-llama3-16k");
  Layout layout = llama_layout();
  layout.dp = 4;
  SimulateOptions options;
  options.variability = Variability::none();
  const Simulation simulation = simulate(job, cluster, layout, options);
  const LoadShape shape = load_shape(job, cluster, layout);
  CHECK(shape.joules() == Approx(simulation.joules()).epsilon(1e-9));
  for (std::size_t bin = 0; bin < shape.accelerators_w.size(); ++bin) {
    double sum = 0;
    for (const std::vector<double>& share : shape.share) sum += share[bin];
    CHECK(sum == Approx(1).epsilon(1e-9));
  }
}

TEST_CASE("what goes into a battery is stored, lost or comes out again") {
  Storage battery;
  battery.energy_j = 500;
  battery.power_w = 200;
  battery.efficiency_fraction = 0.8;
  SiteLoad load({steady(square(1000, 400))}, {battery});
  const auto rows = load.next(200);
  double stored_j = 250;
  for (std::size_t row = 0; row < 200; ++row) {
    CHECK(rows[grid][row] == Approx(rows[facility][row] + rows[into_storage][row] + rows[lost][row]).epsilon(1e-12));
    CHECK(rows[lost][row] >= 0);
    stored_j += rows[into_storage][row];
    CHECK(rows[stored][row] == Approx(stored_j).epsilon(1e-9));
  }
  CHECK(mean(rows[grid]) > mean(rows[facility]));
}

TEST_CASE("any step, offset and failure ends where it should") {
  for (const double step_s : {0.1, 0.3, 0.7, 1.1, 6.88080636}) {
    LoadShape shape = square(1000, 400);
    shape.step_time_s = step_s;
    shape.resolution_s = step_s / 100;
    LoadJob job = steady(shape);
    job.events.step_spread_fraction = 0.2;
    job.events.mtbf_s = 0.05;
    job.events.detection_s = 0.01;
    job.offset_s = 123.456;
    SiteLoad load({job}, {});
    const auto columns = load.next(300);
    for (const double w : columns[grid]) {
      CHECK(w >= 0);
      CHECK(w <= 1000 * (1 + 1e-9));
    }
    CHECK(load.failures() > 100);
  }
}

TEST_CASE("a contract's monitor merges what goes on") {
  GridContract contract;
  contract.maximum_w = 10;
  ContractMonitor monitor(contract, 0.5);
  const std::vector<double> watts{5, 5, 20, 20, 30, 30, 5, 5, 20, 20};
  monitor.add(watts, watts, watts);
  const std::vector<Violation> found = monitor.violations();
  REQUIRE(found.size() == 2);
  CHECK(found[0].start_s == Approx(1));
  CHECK(found[0].end_s == Approx(3));
  CHECK(found[0].worst == Approx(30));
  CHECK(found[1].start_s == Approx(4));
  CHECK(monitor.count(ContractLimit::maximum) == 2);
  CHECK(monitor.reached(ContractLimit::ramp_per_s) == Approx(25));
}

TEST_CASE("what cannot be is named") {
  LoadShape gap = square(1000, 400);
  gap.accelerators_w[7] = std::numeric_limits<double>::quiet_NaN();
  Storage empty;
  empty.power_w = 1;
  SiteLoadOptions options;
  options.output_s = 0.015;
  try {
    const SiteLoad load({steady(gap)}, {empty}, options);
    FAIL("no error after " << load.failures());
  } catch (const InvalidSpec& error) {
    REQUIRE(error.problems().size() == 3);
    CHECK(error.problems()[0].path == "jobs[0].shape.accelerators_w[7]");
    CHECK(error.problems()[1].path == "mitigations[0].energy_j");
    CHECK(error.problems()[2].path == "output_s");
  }
  CHECK_THROWS_AS(SiteLoad({}, {}), InvalidSpec);
}
