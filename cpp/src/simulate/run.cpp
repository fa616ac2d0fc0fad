#include "simulate/run.hpp"

#include <algorithm>
#include <atomic>
#include <functional>

#include "simulate/network_health.hpp"
#include "simulate/options.hpp"
#include "simulate/sites.hpp"
#include "simulate/torus.hpp"
#include "step/pace.hpp"
#include "workload/memory.hpp"
#include "workload/stages.hpp"

namespace ampacity::simulation {
namespace {

/// Work of a portion: about a tenth of a second, after which the caller is asked whether to go on.
constexpr double tasks_between_questions = 1e7;

}  // namespace

namespace {

/// Activations are those that the order of the tasks has in flight.
std::vector<StageMemory> memory_of(const Plan& plan, const StageKinds& front, const StageKinds& rest) {
  std::vector<StageMemory> table;
  table.reserve(plan.ranks.size());
  for (const RankSums& rank : plan.ranks) {
    const auto stage = static_cast<std::int64_t>(table.size());
    const StageKind& kind = (rank.front ? front : rest).of(stage);
    table.push_back({stage, kind.layers, rank.held, workload::filled(kind, rank.held, rest.fragmentation_fraction)});
  }
  return table;
}

}  // namespace

/// One crew but for jobs that span kinds of devices.
void Run::plan_crews() {
  const step::Pace pace = step::pace_of(job, priced, layout);
  if (!pace.shares.empty()) layout = pace.layout;
  const bool by_stages = pace.crews.size() == 1 && pace.shares.size() > 1;
  std::vector<step::Crew> found = pace.crews;
  if (found.empty()) {
    found = {{0, layout.dp, workload::micro_batches(job.global_batch, layout)}};
  } else if (!by_stages) {
    places.fill_kinds(found, cluster);
  }
  std::size_t set = 0;
  for (const step::Crew& crew : found) {
    add_crew(crew, by_stages ? std::array<std::size_t, 2>{0, 1} : std::array{crew.kind, crew.kind});
    crews.back().first_set = set;
    set += static_cast<std::size_t>(crew.replicas / workload::replicas_together(layout));
    longest_tail_s = std::max(longest_tail_s, crews.back().plan.tail_s());
  }
}

void Run::add_crew(const step::Crew& crew, const std::array<std::size_t, 2>& kinds) {
  CrewRun& run = crews.emplace_back();
  run.job = step::with_micro_batches(job, layout, crew.micro_batches);
  run.kinds = kinds;
  run.links = {links_on(kinds[0]), links_on(kinds[1])};
  run.end_links = {end_links_on(kinds[0]), end_links_on(kinds[1])};
  const auto& [front, rest] = run.links;
  const step::PartTimes front_parts = step::part_times(run.job, layout, device(kinds[0]), front);
  const step::PartTimes rest_parts =
      kinds[0] != kinds[1] ? step::part_times(run.job, layout, device(kinds[1]), rest) : front_parts;
  const step::PartTimes& behind = kinds[0] != kinds[1] ? rest_parts : front_parts;
  run.plan = plan_of(run.job, layout,
                     {{device(kinds[0]), front, front_parts, run.end_links.data()},
                      {device(kinds[1]), rest, behind, run.end_links.data() + 1}});
  if (has_flows() && cluster.fabric.sites > 1) {
    network::Links all = front;
    all.paths = distances_of(cluster);
    for (step::StepEnd& end : run.plan.ends) end.norm_s = network::all_reduce_s(all, {layout.accelerators(), 1}, 8);
  }
  for (const RankSums& sums : run.plan.ranks) {
    run.watts.push_back(watts_of(run.plan, sums, device(run.kind_of(sums))));
  }
  run.memory = memory_of(run.plan, workload::stage_kinds(job, layout, device(kinds[0])),
                         workload::stage_kinds(job, layout, device(kinds[1])));
}

const CrewRun& Run::crew_of(std::size_t set) const {
  return crews[crew_of_set(crews, set)];
}

double Run::devices_of_stage(std::size_t crew) const {
  return static_cast<double>((end_set(crews, crew, places) - crews[crew].first_set) * places.group());
}

void Run::prepare() {
  check_options(options, layout);
  places = places_of(layout);
  plan_crews();
  prepare_network();
  draws = {options.seed, options.variability.task_jitter_fraction, &table};
  columns.resize(infos.size() * places.devices());
  replica_end_s.resize(static_cast<std::size_t>(places.replicas));
  slowest_compute_s.resize(places.sets() * static_cast<std::size_t>(places.stages));
  network_s.resize(slowest_compute_s.size());
  prepare_devices();
}

bool Run::has_flows() const {
  return is_on_torus(cluster, layout) || has_links(cluster, step::kinds_of(cluster, layout));
}

/// Where flows on the links say how crowded they are, the closed form's expectation stays out.
network::Links Run::links_on(std::size_t kind) const {
  network::Links links = step::links_of(job, layout, priced, priced.partitions[kind]);
  if (has_flows()) links.paths = {};
  links.torus.has_flows = is_on_torus(cluster, layout);
  return links;
}

/// The same where replicas reduce with those on other kinds.
network::Links Run::end_links_on(std::size_t kind) const {
  if (places.kinds.empty()) return links_on(kind);
  std::vector<network::Links> kinds(step::kinds_of(cluster, layout));
  for (std::size_t other = 0; other < kinds.size(); ++other) kinds[other] = links_on(other);
  return step::links_at_end(kinds, kind, layout);
}

void Run::prepare_network() {
  if (!has_flows()) {
    if (!options.network.whole()) throw_no_links(cluster);
    return;
  }
  std::vector<TrafficCrew> asked;
  for (const CrewRun& crew : crews) {
    const Accelerator& front = device(crew.kinds[0]);
    const Accelerator& rest = device(crew.kinds[1]);
    asked.push_back({crew.job,
                     crew.plan,
                     crew.first_set,
                     {{{front, crew.links[0]}, {rest, crew.links[1]}}},
                     {{{front, crew.end_links[0]}, {rest, crew.end_links[1]}}}});
  }
  const TrafficQuestion question{cluster, layout, places, asked, options};
  traffic = traffic_of(question);
  slowed = Slowed(question, traffic);
}

void Run::keep(const SetSolver& solver, std::size_t set) {
  for (std::int64_t r = 0; r < places.together; ++r) {
    replica_end_s[set * static_cast<std::size_t>(places.together) + static_cast<std::size_t>(r)] = solver.end_s();
  }
  const auto ranks = static_cast<std::size_t>(places.stages);
  for (std::size_t rank = 0; rank < ranks; ++rank) {
    slowest_compute_s[set * ranks + rank] = solver.slowest_compute_s(static_cast<std::int64_t>(rank));
    network_s[set * ranks + rank] = solver.rank_network_s(static_cast<std::int64_t>(rank));
  }
}

/// Sets whose devices are all of mean speed and have no jitter are the same: one of them is solved.
void Run::solve_sets(SetSolver& solver, std::size_t from, std::size_t to) {
  const std::span<const double> speeds = std::as_const(*this).column(Key::speed);
  const std::span<double> busy_s = column(Key::busy);
  bool solved_mean = false;
  for (std::size_t set = from; set < to; ++set) {
    const CrewRun& crew = crew_of(set);
    const Plan& plan = crew.plan;
    solved_mean = solved_mean && &plan == &solver.plan();
    solver.use(plan);
    bool mean = draws.jitter_fraction <= 0 && !slowed.any_in(set);
    for (std::int64_t rank = 0; rank < places.stages && mean; ++rank) {
      const auto begin = speeds.begin() + static_cast<std::ptrdiff_t>(places.first_device(set, rank));
      const double mean_s = crew.mean_speed[static_cast<std::size_t>(rank)];
      mean = std::all_of(begin, begin + static_cast<std::ptrdiff_t>(places.group()),
                         [mean_s](double s) { return s == mean_s; });
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
  const double tasks_of_set =
      static_cast<double>(places.group()) * static_cast<double>(crews.front().plan.slots.size());
  const auto portion = static_cast<std::size_t>(std::max(1.0, tasks_between_questions / tasks_of_set));
  std::atomic<std::size_t> done = 0;
  const std::function<bool()> told = [&] {
    const double step_done = static_cast<double>(done) / static_cast<double>(places.sets());
    options.progress((static_cast<double>(steps.step_time_s.size()) + step_done) / static_cast<double>(options.steps));
    return !options.proceed || options.proceed();
  };
  share(
      places.sets(), portion,
      [this, &done, solver = this->solver()](std::size_t from, std::size_t to) mutable {
        solve_sets(solver, from, to);
        done += to - from;
      },
      options.progress ? told : options.proceed);
}

}  // namespace ampacity::simulation
