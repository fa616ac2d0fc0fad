// One simulated step: what was asked, what each device does, and what comes out.
#pragma once

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
#include "simulate/columns.hpp"
#include "simulate/plan.hpp"
#include "simulate/replicas.hpp"
#include "simulate/watts.hpp"

namespace ampacity::simulation {

/// The partition of the cluster that has these devices.
[[nodiscard]] const Partition& partition_of(const Cluster& cluster, const Accelerator* device);

/// Devices worked on between two questions whether to go on: about a tenth of a second.
inline constexpr std::size_t devices_between_questions = 1'000'000;

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
  const Accelerator* device = nullptr;
  Plan plan;
  Places places;
  std::vector<Watts> watts;  // of each rank
  JitterTable table;
  Draws draws;
  std::unique_ptr<double[]> columns;
  std::vector<double> replica_end_s;
  std::vector<double> slowest_compute_s;  // set by set, rank by rank
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
  void prepare();
  void solve();
  void solve_sets(SetSolver& solver, std::size_t from, std::size_t to);
  void keep(const SetSolver& solver, std::size_t set);
  void fill_rank(std::size_t set, std::int64_t rank, double last_end_s);
  void finish();
  void find_critical();
  [[nodiscard]] WattBins pipelines_w(double resolution_s) const;
  [[nodiscard]] PowerTrace trace(double resolution_s) const;
};

}  // namespace ampacity::simulation
