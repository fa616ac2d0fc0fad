// One simulated step: what was asked, what each device does, and what comes out.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "ampacity/error.hpp"
#include "ampacity/simulate.hpp"
#include "base/large.hpp"
#include "base/team.hpp"
#include "power/site_power.hpp"
#include "simulate/columns.hpp"
#include "simulate/devices.hpp"
#include "simulate/options.hpp"
#include "simulate/plan.hpp"
#include "simulate/replicas.hpp"
#include "simulate/slowed.hpp"
#include "simulate/traffic.hpp"
#include "simulate/watts.hpp"
#include "step/crews.hpp"
#include "step/pace.hpp"

namespace ampacity::simulation {

/// Devices worked on between two questions whether to go on: about a tenth of a second.
inline constexpr std::size_t devices_between_questions = 1'000'000;

/// Standard deviations that devices of a kind are drawn with.
struct Spreads {
  double speed_fraction = 0;  ///< of speed, all causes together
  double power_fraction = 0;  ///< of power at a clock
  double rack_c = 0;          ///< of inlets between racks
  double preheat_c = 0;       ///< between the first and the last devices of a host

  /// Of inlets, both together: devices along a stream stand half the preheating off its mean.
  [[nodiscard]] double inlet_c() const { return std::hypot(rack_c, 0.5 * preheat_c); }
};
[[nodiscard]] Spreads spreads_of(const SimulateOptions& options, const Accelerator& device, const Kind& kind);

/// Sets of replicas that do the same, on devices of one kind, or with their front stages on one and the rest on
/// another.
struct CrewRun {
  Training job;  ///< with the micro-batches of one of its replicas
  Plan plan;
  std::array<std::size_t, 2> kinds{};       ///< partitions of the front stages' devices and of the others'
  std::array<network::Links, 2> links;      ///< of the same
  std::array<network::Links, 2> end_links;  ///< of the same, with replicas on other kinds at the end of the step
  std::size_t first_set = 0;
  std::vector<Watts> watts;         // of each rank
  std::vector<StageMemory> memory;  // of each rank
  std::array<Kind, 2> answers;      // of the devices of both kinds to silicon, heat and limits
  std::array<Spreads, 2> spreads;   // of the same
  std::vector<double> mean_speed;   // of each rank: the mean device's in this hall
  std::vector<double> rest_spread;  // of each rank: spread of speed that power and temperature do not cause

  [[nodiscard]] std::size_t side_of(std::size_t rank) const { return plan.ranks[rank].front ? 0 : 1; }
  [[nodiscard]] const Kind& answers_of(std::size_t rank) const { return answers[side_of(rank)]; }
  [[nodiscard]] std::size_t kind_of(const RankSums& rank) const { return kinds[rank.front ? 0 : 1]; }
};

/// The step of a crew of mean devices.
struct MeanCrew {
  double step_s = 0;
  std::vector<double> network_s;  ///< of each rank: what crowded links add to its tasks, on average over its sets
};

/// `prepare`, `run_steps` and `find_critical` in this order; after that it does not change.
struct Run {
  Run(Training the_job, Cluster the_cluster, const Layout& the_layout, SimulateOptions the_options)
      : job(std::move(the_job)),
        cluster(std::move(the_cluster)),
        layout(the_layout),
        options(std::move(the_options)),
        priced(limited(cluster, options)),
        estimate(ampacity::estimate(job, priced, layout)) {
    job.precision = step::precision_on(cluster, layout, job.precision);
  }

  Training job;
  Cluster cluster;
  Layout layout;
  SimulateOptions options;
  Cluster priced;  // the cluster under the common power limit
  Estimate estimate;
  std::vector<CrewRun> crews;
  Places places;
  Traffic traffic;
  Slowed slowed;
  JitterTable table;
  Draws draws;
  base::Large<double> columns;  // one after the other
  std::vector<double> replica_end_s;
  std::vector<double> slowest_compute_s;  // set by set, rank by rank
  std::vector<double> network_s;          // the same: what crowded links add to its tasks
  double longest_tail_s = 0;
  double step_time_s = 0;
  double joules = 0;
  Power power;
  CriticalDevice critical;
  std::vector<std::string> warnings;
  StepColumns steps;
  double mean_temperature_c = 0;  // of those that were measured

  // NOLINTNEXTLINE(readability-make-member-function-const): columns of a constant simulation are constant
  [[nodiscard]] std::span<double> column(Key key) {
    return {columns.data() + static_cast<std::size_t>(key) * places.devices(), places.devices()};
  }
  [[nodiscard]] std::span<const double> column(Key key) const {
    return {columns.data() + static_cast<std::size_t>(key) * places.devices(), places.devices()};
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
  [[nodiscard]] const Accelerator& device(std::size_t kind) const { return priced.partitions[kind].node.accelerator; }
  /// Seconds of the step behind the slowest pipeline.
  /// When the pipelines of a set are done, and how much less than others it has to do behind them taken off.
  [[nodiscard]] double latest_s(std::size_t set, double end_s) const {
    return end_s + (crew_of(set).plan.tail_s() - longest_tail_s);
  }
  [[nodiscard]] double latest_s() const;
  void plan_crews();
  void add_crew(const step::Crew& crew, const std::array<std::size_t, 2>& kinds);
  void prepare();
  void prepare_network();
  [[nodiscard]] bool has_flows() const;
  [[nodiscard]] network::Links links_on(std::size_t kind) const;
  [[nodiscard]] network::Links end_links_on(std::size_t kind) const;
  /// Works by the plan of the first crew.
  [[nodiscard]] SetSolver solver() const { return {crews.front().plan, places, draws, &slowed}; }
  void prepare_devices();
  void check_caps() const;
  [[nodiscard]] MeanCrew mean_crew(std::size_t crew) const;
  [[nodiscard]] std::vector<MeanStep> mean_step(const CrewRun& crew, const std::vector<double>& waits_s,
                                                double step_s) const;
  [[nodiscard]] State steady_state(const Kind& kind, std::size_t d, std::size_t rank, const Given& given,
                                   double step_s) const;
  [[nodiscard]] Given given_of(const CrewRun& crew, std::size_t d) const;
  [[nodiscard]] double own_speed(const CrewRun& crew, std::size_t d, const Given& given) const;
  void set_device(const CrewRun& crew, std::size_t d, double own_speed, const Given& given, const State& state);
  void slow_down(const CrewRun& crew, std::size_t d);
  /// What one device draws in each of its states.
  [[nodiscard]] Watts device_watts(std::size_t d) const;
  /// Steps one after the other; between them dies warm up or cool down.
  void run_steps();
  void cool_down();
  void warm(std::int64_t next_step);
  /// States of all devices; `state_of(kind, d, rank, given)` is that of one.
  template <class StateOf>
  void set_devices(const StateOf& state_of);
  [[nodiscard]] std::size_t rank_of(std::size_t d) const { return places.rank_of(d); }
  [[nodiscard]] std::size_t set_of(std::size_t d) const { return places.set_of(d); }
  void solve();
  void solve_sets(SetSolver& solver, std::size_t from, std::size_t to);
  void keep(const SetSolver& solver, std::size_t set);
  void fill_rank(std::size_t set, std::int64_t rank, double last_end_s);
  void finish();
  [[nodiscard]] std::vector<power::KindWatts> watts_by_kind() const;
  void find_critical();
  [[nodiscard]] WattBins pipelines_w(double resolution_s, std::span<const double> busier_w) const;
  [[nodiscard]] std::vector<double> communicating_w(const CrewRun& crew, std::size_t set) const;
  void add_slow_ends(WattBins& bins, std::size_t crew, std::size_t rank, double start_s) const;
  [[nodiscard]] PowerTrace trace(double resolution_s) const;
};

}  // namespace ampacity::simulation
