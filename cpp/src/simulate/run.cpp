#include "simulate/run.hpp"

#include <algorithm>
#include <atomic>
#include <functional>

#include "network/collectives.hpp"
#include "simulate/options.hpp"
#include "step/pace.hpp"

namespace ampacity::simulation {
namespace {

/// Work of a portion: about a tenth of a second, after which the caller is asked whether to go on.
constexpr double tasks_between_questions = 1e7;

}  // namespace

const Partition& partition_of(const Cluster& cluster, const Accelerator* device) {
  const auto found = std::find_if(cluster.partitions.begin(), cluster.partitions.end(),
                                  [&](const Partition& p) { return &p.node.accelerator == device; });
  return found == cluster.partitions.end() ? cluster.partitions.front() : *found;
}

void Run::prepare() {
  check_options(options, layout);
  device = step::pace_of(job, cluster, layout).device;
  Variability& v = options.variability;
  if (v.device_spread_fraction < 0) v.device_spread_fraction = device->speed_spread_fraction;
  plan = plan_of(job, layout, *device, network::links_of(cluster, partition_of(cluster, device)));
  places = places_of(layout);
  draws = {options.seed, v.task_jitter_fraction, &table};
  columns = std::make_unique_for_overwrite<double[]>(infos.size() * places.devices());
  for (const RankSums& sums : plan.ranks) watts.push_back(watts_of(plan, sums, *device));
  replica_end_s.resize(static_cast<std::size_t>(places.replicas));
  slowest_compute_s.resize(places.sets() * plan.ranks.size());
  if (options.speed_fraction.empty()) {
    share(places.devices(), devices_between_questions, [&](std::size_t from, std::size_t to) {
      for (std::size_t d = from; d < to; ++d) column(Key::speed)[d] = drawn_speed(options.seed, v, d);
    });
  } else {
    std::copy(options.speed_fraction.begin(), options.speed_fraction.end(), column(Key::speed).begin());
  }
  for (const std::int64_t d : options.exclude) column(Key::speed)[static_cast<std::size_t>(d)] = 1;
}

void Run::keep(const SetSolver& solver, std::size_t set) {
  for (std::int64_t r = 0; r < places.together; ++r) {
    replica_end_s[set * static_cast<std::size_t>(places.together) + static_cast<std::size_t>(r)] = solver.end_s();
  }
  for (std::size_t rank = 0; rank < plan.ranks.size(); ++rank) {
    slowest_compute_s[set * plan.ranks.size() + rank] = solver.slowest_compute_s(static_cast<std::int64_t>(rank));
  }
}

/// Sets whose devices are all of mean speed and have no jitter are the same: one of them is solved.
void Run::solve_sets(SetSolver& solver, std::size_t from, std::size_t to) {
  const std::span<const double> speeds = std::as_const(*this).column(Key::speed);
  const std::span<double> busy_s = column(Key::busy);
  bool solved_mean = false;
  for (std::size_t set = from; set < to; ++set) {
    bool mean = draws.jitter_fraction <= 0;
    for (std::int64_t rank = 0; rank < places.stages && mean; ++rank) {
      const auto begin = speeds.begin() + static_cast<std::ptrdiff_t>(places.first_device(set, rank));
      mean = std::all_of(begin, begin + static_cast<std::ptrdiff_t>(places.group()), [](double s) { return s == 1; });
    }
    if (mean && solved_mean) {
      for (std::int64_t rank = 0; rank < places.stages; ++rank) {
        const auto begin = busy_s.begin() + static_cast<std::ptrdiff_t>(places.first_device(set, rank));
        std::fill_n(begin, places.group(), solver.slowest_compute_s(rank));
      }
    } else {
      solver.solve(set, speeds, busy_s);
    }
    solved_mean = mean;
    keep(solver, set);
  }
}

void Run::solve() {
  const double tasks_of_set = static_cast<double>(places.group()) * static_cast<double>(plan.slots.size());
  const auto portion = static_cast<std::size_t>(std::max(1.0, tasks_between_questions / tasks_of_set));
  std::atomic<std::size_t> done = 0;
  const std::function<bool()> told = [&] {
    options.progress(static_cast<double>(done) / static_cast<double>(places.sets()));
    return !options.proceed || options.proceed();
  };
  share(
      places.sets(), portion,
      [this, &done, solver = SetSolver(plan, places, draws)](std::size_t from, std::size_t to) mutable {
        solve_sets(solver, from, to);
        done += to - from;
      },
      options.progress ? told : options.proceed);
}

}  // namespace ampacity::simulation
