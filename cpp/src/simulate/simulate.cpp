#include "ampacity/simulate.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "ampacity/decode.hpp"
#include "ampacity/error.hpp"
#include "base/team.hpp"
#include "base/text.hpp"
#include "compute/kernels.hpp"
#include "network/collectives.hpp"
#include "power/site_power.hpp"
#include "simulate/critical.hpp"
#include "simulate/options.hpp"
#include "simulate/plan.hpp"
#include "simulate/replicas.hpp"
#include "simulate/watts.hpp"
#include "step/pace.hpp"

namespace ampacity {
namespace {

using simulation::Places;
using simulation::Plan;
using simulation::RankSums;
using simulation::SetSolver;

enum Key : std::size_t { speed, busy, communication, host, peers, pipeline, replicas, joules, mean_watts, keys };
constexpr std::array<ColumnInfo, keys> infos{{
    {"speed_fraction", "speed over that of the mean device"},
    {"busy_s", "kernels: products, attention, memory-bound operators, recomputation, optimizer (s)"},
    {"communication_s", "exposed communication: tensor, context, expert, pipeline and data parallel (s)"},
    {"host_s", "waiting for the host: launches, transfers, the software's fixed share of a step (s)"},
    {"wait_peers_s", "waiting for slower devices and busier experts of its groups within tasks (s)"},
    {"wait_pipeline_s", "waiting for other stages: fill, drain, unequal stages (s)"},
    {"wait_replicas_s", "waiting for the slowest replica at the end of the step (s)"},
    {"joules", "energy of the device over the step (J)"},
    {"mean_w", "mean power of the device over the step (W)"},
}};
static_assert(infos.size() == keys);

/// Work of a portion: about a tenth of a second, after which the caller is asked whether to go on.
constexpr double tasks_between_questions = 1e7;
constexpr std::size_t devices_between_questions = 1'000'000;

const Partition& partition_of(const Cluster& cluster, const Accelerator* device) {
  const auto found = std::find_if(cluster.partitions.begin(), cluster.partitions.end(),
                                  [&](const Partition& p) { return &p.node.accelerator == device; });
  return found == cluster.partitions.end() ? cluster.partitions.front() : *found;
}

}  // namespace

struct Simulation::Parts {
  Parts(Training the_job, Cluster the_cluster, const Layout& the_layout, SimulateOptions the_options)
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
  std::vector<simulation::Watts> watts;  // of each rank
  simulation::JitterTable table;
  simulation::Draws draws;
  std::unique_ptr<double[]> columns;
  std::vector<double> replica_end_s;
  std::vector<double> slowest_compute_s;  // set by set, rank by rank
  double step_time_s = 0;
  double joules = 0;
  Power power;
  CriticalDevice critical;
  std::vector<std::string> warnings;

  // NOLINTNEXTLINE(readability-make-member-function-const): columns of a constant simulation are constant
  [[nodiscard]] std::span<double> column(Key key) { return {columns.get() + key * places.devices(), places.devices()}; }
  [[nodiscard]] std::span<const double> column(Key key) const {
    return {columns.get() + key * places.devices(), places.devices()};
  }

  template <class Work>
  void share(std::size_t rows, std::size_t portion, const Work& work) const;
  void prepare();
  void solve();
  void solve_sets(SetSolver& solver, std::size_t from, std::size_t to);
  void keep(const SetSolver& solver, std::size_t set);
  void fill_rank(std::size_t set, std::int64_t rank, double last_end_s);
  void finish();
  void find_critical();
  [[nodiscard]] PowerTrace trace(double resolution_s) const;
};

void Simulation::Parts::prepare() {
  simulation::check_options(options, layout);
  device = step::pace_of(job, cluster, layout).device;
  Variability& v = options.variability;
  if (v.device_spread_fraction < 0) v.device_spread_fraction = device->speed_spread_fraction;
  plan = simulation::plan_of(job, layout, *device, network::links_of(cluster, partition_of(cluster, device)));
  places = simulation::places_of(layout);
  draws = {options.seed, v.task_jitter_fraction, &table};
  columns = std::make_unique_for_overwrite<double[]>(keys * places.devices());
  for (const RankSums& sums : plan.ranks) watts.push_back(simulation::watts_of(plan, sums, *device));
  replica_end_s.resize(static_cast<std::size_t>(places.replicas));
  slowest_compute_s.resize(places.sets() * plan.ranks.size());
  if (options.speed_fraction.empty()) {
    share(places.devices(), devices_between_questions, [&](std::size_t from, std::size_t to) {
      for (std::size_t d = from; d < to; ++d) column(speed)[d] = simulation::drawn_speed(options.seed, v, d);
    });
  } else {
    std::copy(options.speed_fraction.begin(), options.speed_fraction.end(), column(speed).begin());
  }
  for (const std::int64_t d : options.exclude) column(speed)[static_cast<std::size_t>(d)] = 1;
}

void Simulation::Parts::keep(const SetSolver& solver, std::size_t set) {
  for (std::int64_t r = 0; r < places.together; ++r) {
    replica_end_s[set * static_cast<std::size_t>(places.together) + static_cast<std::size_t>(r)] = solver.end_s();
  }
  for (std::size_t rank = 0; rank < plan.ranks.size(); ++rank) {
    slowest_compute_s[set * plan.ranks.size() + rank] = solver.slowest_compute_s(static_cast<std::int64_t>(rank));
  }
}

/// Sets whose devices are all of mean speed and have no jitter are the same: one of them is solved.
void Simulation::Parts::solve_sets(SetSolver& solver, std::size_t from, std::size_t to) {
  const std::span<const double> speeds = std::as_const(*this).column(speed);
  const std::span<double> busy_s = column(busy);
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

void Simulation::Parts::solve() {
  const double tasks_of_set = static_cast<double>(places.group()) * static_cast<double>(plan.slots.size());
  const auto portion = static_cast<std::size_t>(std::max(1.0, tasks_between_questions / tasks_of_set));
  share(places.sets(), portion,
        [this, solver = SetSolver(plan, places, draws)](std::size_t from, std::size_t to) mutable {
          solve_sets(solver, from, to);
        });
}

/// Shares rows out among the threads; each has a copy of `work`.
template <class Work>
void Simulation::Parts::share(std::size_t rows, std::size_t portion, const Work& work) const {
  const base::Team team(options.proceed, portion);
  if (!team.run(rows, base::threads_for(options.threads, rows), [&] { return Work(work); })) {
    throw Cancelled("the simulation was stopped");
  }
}

/// Fills the columns of the devices of one stage of one set. What they do adds up to the step.
void Simulation::Parts::fill_rank(std::size_t set, std::int64_t rank, double last_end_s) {
  const auto index = static_cast<std::size_t>(rank);
  const RankSums& sums = plan.ranks[index];
  const step::StepEnd& end = plan.end;
  const double slowest_s = slowest_compute_s[set * plan.ranks.size() + index];
  const double end_s = replica_end_s[set * static_cast<std::size_t>(places.together)];
  const double communication_s = sums.communication_s + end.replicas.exposed_s + end.norm_s;
  const double host_s = sums.host_s + end.offload_s + plan.overhead_s;
  const double pipeline_s = end_s - slowest_s - sums.fixed_s();
  const double replicas_s = last_end_s - end_s;
  const simulation::Watts& w = watts[index];
  const double fixed_j =
      end.optimizer.joules + communication_s * w.communicating_w + (host_s + pipeline_s + replicas_s) * w.stalled_w;
  const std::size_t first = places.first_device(set, rank);
  for (std::size_t d = first; d < first + places.group(); ++d) {
    const double computing_s = column(busy)[d];
    const double peers_s = slowest_s - computing_s + sums.imbalance_s;
    const double device_j = computing_s * w.busy_w + peers_s * w.stalled_w + fixed_j;
    column(busy)[d] = computing_s + end.optimizer.seconds;
    column(communication)[d] = communication_s;
    column(host)[d] = host_s;
    column(peers)[d] = peers_s;
    column(pipeline)[d] = pipeline_s;
    column(replicas)[d] = replicas_s;
    column(Key::joules)[d] = device_j;
    column(mean_watts)[d] = device_j / step_time_s;
  }
}

void Simulation::Parts::finish() {
  const double last_end_s = *std::max_element(replica_end_s.begin(), replica_end_s.end());
  step_time_s = last_end_s + plan.tail_s();
  const std::size_t portion = 1 + devices_between_questions / (places.group() * plan.ranks.size());
  share(places.sets(), portion, [&](std::size_t from, std::size_t to) {
    for (std::size_t set = from; set < to; ++set) {
      for (std::int64_t rank = 0; rank < places.stages; ++rank) fill_rank(set, rank, last_end_s);
    }
  });
  for (const double device_j : column(Key::joules)) joules += device_j;
  const double mean_w = joules / step_time_s / static_cast<double>(places.devices());
  power = power::cluster_power(cluster, layout.accelerators(),
                               {mean_w, compute::busiest_w(*device), compute::stalled_w(*device)});
}

void Simulation::Parts::find_critical() {
  const auto last = std::max_element(replica_end_s.begin(), replica_end_s.end());
  const auto set = static_cast<std::size_t>((last - replica_end_s.begin()) / places.together);
  SetSolver solver(plan, places, draws);
  solver.solve(set, column(speed));
  const simulation::Critical found = simulation::critical_device(solver, plan, places, set, column(speed));
  double end_s = found.end_without_s;
  for (std::size_t r = 0; r < replica_end_s.size(); ++r) {
    if (r / static_cast<std::size_t>(places.together) != set) end_s = std::max(end_s, replica_end_s[r]);
  }
  const auto at = static_cast<std::int64_t>(found.device);
  critical = {at,
              at / places.peers % places.replicas,
              found.rank,
              column(speed)[found.device],
              found.on_path_s,
              end_s + plan.tail_s()};
}

PowerTrace Simulation::Parts::trace(double resolution_s) const {
  simulation::WattBins bins(step_time_s, resolution_s);
  const auto devices = static_cast<double>(places.devices());
  const simulation::Watts& any = watts.front();
  bins.add(0, step_time_s, devices * any.stalled_w);
  SetSolver solver(plan, places, draws);
  solver.keep_sums();
  for (std::size_t set = 0; set < places.sets(); ++set) {
    solver.solve(set, column(speed));
    simulation::add_set(solver, plan, places, watts, bins);
  }
  // Behind the slowest pipeline: reductions, optimizer, host.
  const double last_end_s = *std::max_element(replica_end_s.begin(), replica_end_s.end());
  const double network_s = plan.end.replicas.exposed_s + plan.end.norm_s;
  bins.add(last_end_s, network_s, devices * (any.communicating_w - any.stalled_w));
  bins.add(last_end_s + network_s, plan.end.optimizer.seconds, devices * (any.optimizer_w - any.stalled_w));

  PowerTrace trace;
  trace.resolution_s = resolution_s;
  trace.accelerators_w = bins.mean_w();
  const std::size_t count = trace.accelerators_w.size();
  trace.seconds.assign(count, resolution_s);
  trace.seconds.back() = step_time_s - static_cast<double>(count - 1) * resolution_s;
  const double supplies = partition_of(cluster, device).node.psu_efficiency_fraction;
  for (const double watts_now : trace.accelerators_w) {
    trace.it_w.push_back(power.it_mean_w + (watts_now - joules / step_time_s) / supplies);
    trace.facility_w.push_back(trace.it_w.back() + power.facility_mean_w - power.it_mean_w);
  }
  return trace;
}

Simulation::Simulation(Training job, Cluster cluster, const Layout& layout, SimulateOptions options)
    : parts_(std::make_unique<Parts>(std::move(job), std::move(cluster), layout, std::move(options))) {
  Parts& p = *parts_;
  p.prepare();
  p.solve();
  p.finish();
  p.find_critical();
  p.warnings = simulation::warnings_of(p.layout, p.options, p.estimate);
}
Simulation::~Simulation() = default;
Simulation::Simulation(Simulation&&) noexcept = default;
Simulation& Simulation::operator=(Simulation&&) noexcept = default;

const Training& Simulation::job() const {
  return parts_->job;
}
const Cluster& Simulation::cluster() const {
  return parts_->cluster;
}
const Layout& Simulation::layout() const {
  return parts_->layout;
}
const SimulateOptions& Simulation::options() const {
  return parts_->options;
}
double Simulation::step_time_s() const {
  return parts_->step_time_s;
}
double Simulation::tokens_per_s() const {
  return static_cast<double>(parts_->job.global_batch) * static_cast<double>(parts_->job.seq_len) / step_time_s();
}
double Simulation::joules() const {
  return parts_->joules;
}
const Power& Simulation::power() const {
  return parts_->power;
}
const Estimate& Simulation::estimate() const {
  return parts_->estimate;
}
const CriticalDevice& Simulation::critical() const {
  return parts_->critical;
}
const std::vector<std::string>& Simulation::warnings() const {
  return parts_->warnings;
}
std::size_t Simulation::devices() const {
  return parts_->places.devices();
}
std::span<const ColumnInfo> Simulation::info() {
  return infos;
}
std::span<const double> Simulation::replica_end_s() const {
  return parts_->replica_end_s;
}

std::span<const double> Simulation::column(std::string_view key) const {
  std::vector<std::string> known;
  for (std::size_t i = 0; i < infos.size(); ++i) {
    if (infos[i].key == key) return std::as_const(*parts_).column(static_cast<Key>(i));
    known.emplace_back(infos[i].key);
  }
  const std::vector<std::string> near = nearest_names(key, known);
  throw UnknownName("no column " + std::string(key) +
                    (near.empty() ? "" : "; did you mean " + base::either(near) + "?"));
}

PowerTrace Simulation::power_trace(double resolution_s) const {
  simulation::check_resolution(resolution_s, parts_->step_time_s);
  return parts_->trace(resolution_s);
}

PipelineTimeline Simulation::timeline(std::int64_t replica) const {
  const Parts& p = *parts_;
  simulation::check_index("replica", replica, p.places.replicas);
  SetSolver solver(p.plan, p.places, p.draws);
  solver.solve(static_cast<std::size_t>(replica / p.places.together), p.column(speed));
  PipelineTimeline timeline;
  for (std::size_t at = 1; at < p.plan.slots.size(); ++at) {
    const simulation::Slot& slot = p.plan.slots[at];
    const double end_s = solver.ends_s()[at];
    const auto first = static_cast<std::size_t>(slot.first_step);
    const std::size_t steps = p.plan.order.steps[first].with_next ? 2 : 1;
    for (std::size_t row = first; row < first + steps; ++row) {
      const schedule::Step& step = p.plan.order.steps[row];
      timeline.rank.push_back(slot.rank);
      timeline.stage.push_back(step.stage);
      timeline.micro_batch.push_back(step.micro_batch);
      timeline.kind.push_back(step.kind);
      timeline.start_s.push_back(end_s - solver.compute_s()[at] - slot.fixed_s);
      timeline.end_s.push_back(end_s);
    }
  }
  return timeline;
}

std::vector<double> Simulation::task_compute_s(std::int64_t device) const {
  const Parts& p = *parts_;
  simulation::check_index("device", device, static_cast<std::int64_t>(p.places.devices()));
  const auto d = static_cast<std::size_t>(device);
  const std::int64_t rank = device / (p.places.peers * p.places.replicas);
  return SetSolver(p.plan, p.places, p.draws).device_compute_s(d, rank, p.column(speed)[d]);
}

std::vector<double> Simulation::task_fixed_s(std::int64_t stage) const {
  const Parts& p = *parts_;
  simulation::check_index("stage", stage, p.places.stages);
  std::vector<double> seconds;
  const auto rank = static_cast<std::size_t>(stage);
  for (std::int32_t at = p.plan.begin[rank]; at < p.plan.begin[rank + 1]; ++at) {
    seconds.push_back(p.plan.slots[static_cast<std::size_t>(at)].fixed_s);
  }
  return seconds;
}

Simulation simulate(Training job, Cluster cluster, const Layout& layout, SimulateOptions options) {
  return {std::move(job), std::move(cluster), layout, std::move(options)};
}

}  // namespace ampacity
