// One simulated step: what was asked, what each device does, and what comes out.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "ampacity/error.hpp"
#include "ampacity/simulate.hpp"
#include "base/team.hpp"
#include "power/site_power.hpp"
#include "simulate/columns.hpp"
#include "simulate/plan.hpp"
#include "simulate/replicas.hpp"
#include "simulate/slowed.hpp"
#include "simulate/traffic.hpp"
#include "simulate/watts.hpp"

namespace ampacity::simulation {

/// Devices worked on between two questions whether to go on: about a tenth of a second.
inline constexpr std::size_t devices_between_questions = 1'000'000;

/// Sets of replicas that do the same, on devices of one kind, or with their front stages on one and the rest on
/// another.
struct CrewRun {
  Plan plan;
  std::array<std::size_t, 2> kinds{};  ///< partitions of the front stages' devices and of the others'
  std::size_t first_set = 0;
  std::vector<Watts> watts;         // of each rank
  std::vector<StageMemory> memory;  // of each rank

  [[nodiscard]] std::size_t kind_of(const RankSums& rank) const { return kinds[rank.front ? 0 : 1]; }
};

/// `prepare`, `solve`, `finish` and `find_critical` in this order; after that it does not change.
struct Run {
  Run(Training the_job, Cluster the_cluster, const Layout& the_layout, SimulateOptions the_options)
      : job(std::move(the_job)),
        cluster(std::move(the_cluster)),
        layout(the_layout),
        options(std::move(the_options)),
        estimate(ampacity::estimate(job, cluster, layout)) {}

  Training job;
  Cluster cluster;
  Layout layout;
  SimulateOptions options;
  Estimate estimate;
  std::vector<CrewRun> crews;
  Places places;
  Traffic traffic;
  Slowed slowed;
  JitterTable table;
  Draws draws;
  std::unique_ptr<double[]> columns;
  std::vector<double> replica_end_s;
  std::vector<double> slowest_compute_s;  // set by set, rank by rank
  std::vector<double> network_s;          // the same: what crowded links add to its tasks
  double longest_tail_s = 0;
  double step_time_s = 0;
  double joules = 0;
  Power power;
  CriticalDevice critical;
  std::vector<std::string> warnings;

  // NOLINTNEXTLINE(readability-make-member-function-const): columns of a constant simulation are constant
  [[nodiscard]] std::span<double> column(Key key) {
    return {columns.get() + static_cast<std::size_t>(key) * places.devices(), places.devices()};
  }
  [[nodiscard]] std::span<const double> column(Key key) const {
    return {columns.get() + static_cast<std::size_t>(key) * places.devices(), places.devices()};
  }

  /// Shares rows out among the threads; each has a copy of `work`.
  template <class Work>
  void share(std::size_t rows, std::size_t portion, const Work& work) const {
    share(rows, portion, work, options.proceed);
  }
  template <class Work>
  void share(std::size_t rows, std::size_t portion, const Work& work, const std::function<bool()>& proceed) const {
    const base::Team team(proceed, portion);
    if (!team.run(rows, base::threads_for(options.threads, rows), [&] { return Work(work); })) {
      throw Cancelled("the simulation was stopped");
    }
  }
  [[nodiscard]] const CrewRun& crew_of(std::size_t set) const;
  /// Devices of one stage of a crew.
  [[nodiscard]] double devices_of_stage(std::size_t crew) const;
  [[nodiscard]] const Accelerator& device(std::size_t kind) const { return cluster.partitions[kind].node.accelerator; }
  /// Seconds of the step behind the slowest pipeline.
  /// When the pipelines of a set are done, and how much less than others it has to do behind them taken off.
  [[nodiscard]] double latest_s(std::size_t set, double end_s) const {
    return end_s + (crew_of(set).plan.tail_s() - longest_tail_s);
  }
  [[nodiscard]] double latest_s() const;
  void plan_crews();
  void draw_speeds();
  void prepare();
  void prepare_network();
  [[nodiscard]] bool has_flows() const;
  [[nodiscard]] network::Links links_on(std::size_t kind) const;
  /// Works by the plan of the first crew.
  [[nodiscard]] SetSolver solver() const { return {crews.front().plan, places, draws, &slowed}; }
  void solve();
  void solve_sets(SetSolver& solver, std::size_t from, std::size_t to);
  void keep(const SetSolver& solver, std::size_t set);
  void fill_rank(std::size_t set, std::int64_t rank, double last_end_s);
  void finish();
  [[nodiscard]] std::vector<power::KindWatts> watts_by_kind() const;
  void find_critical();
  [[nodiscard]] WattBins pipelines_w(double resolution_s) const;
  void add_slow_ends(WattBins& bins, std::size_t crew, std::size_t rank, double start_s) const;
  [[nodiscard]] PowerTrace trace(double resolution_s) const;
};

}  // namespace ampacity::simulation
