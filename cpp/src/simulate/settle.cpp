// Clock, temperature and watts of every device, before any waits for another.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "ampacity/kernels.hpp"
#include "base/random.hpp"
#include "network/collectives.hpp"
#include "simulate/run.hpp"
#include "step/pace.hpp"

namespace ampacity::simulation {
namespace {

constexpr std::size_t settled_between_questions = 50'000;  // devices, in less than a tenth of a second
constexpr std::size_t most_mean_sets = 64;

}  // namespace

Spreads spreads_of(const SimulateOptions& options, const Accelerator& device, const Kind& kind) {
  const power::Cooler& cooler = kind.cooler();
  const Variability& v = options.variability;
  // Speeds that are given, or drawn from a spread that is given, have all causes in them.
  const bool caused = options.speed_fraction.empty() && v.device_spread_fraction < 0;
  Spreads spreads;
  spreads.speed_fraction = v.device_spread_fraction < 0 ? device.speed_spread_fraction : v.device_spread_fraction;
  spreads.rack_c = v.inlet_spread_c >= 0 ? v.inlet_spread_c : caused ? cooler.rack_spread_c : 0;
  spreads.preheat_c = v.inlet_spread_c > 0 || (v.inlet_spread_c < 0 && caused) ? cooler.preheat_c : 0;
  if (v.power_spread_fraction >= 0) {
    spreads.power_fraction = v.power_spread_fraction;
  } else if (caused) {
    spreads.power_fraction =
        std::min(device.power_spread_fraction, kind.power_spread_at_limit(spreads.speed_fraction, spreads.inlet_c()));
  }
  return spreads;
}

/// A step of mean devices on links as crowded as they are.
MeanCrew Run::mean_crew(std::size_t crew) const {
  const CrewRun& run = crews[crew];
  const std::size_t first = run.first_set;
  const std::size_t sets = (crew + 1 < crews.size() ? crews[crew + 1].first_set : places.sets()) - first;
  // Sets differ in what crowded links add to them only: so many stand for all.
  const std::size_t asked = slowed.any() ? std::min(sets, most_mean_sets) : 1;
  SetSolver solver(run.plan, places, draws, &slowed);
  MeanCrew mean;
  mean.network_s.resize(run.plan.ranks.size());
  for (std::size_t i = 0; i < asked; ++i) {
    const std::size_t set = first + sets * i / asked;
    solver.slow_down(set);
    solver.solve_mean();
    mean.step_s = std::max(mean.step_s, solver.end_s() + run.plan.tail_s() + slowed.longest_end_s());
    for (std::size_t rank = 0; rank < mean.network_s.size(); ++rank) {
      const auto index = static_cast<std::int64_t>(rank);
      mean.network_s[rank] += solver.rank_network_s(index) / static_cast<double>(asked);
    }
  }
  return mean;
}

/// Share of the step in kernels, and watts, of a mean device of each rank among mean devices.
std::vector<MeanStep> Run::mean_step(const CrewRun& crew, const std::vector<double>& waits_s, double step_s) const {
  SetSolver solver(crew.plan, places, draws);
  solver.solve_mean();
  std::vector<MeanStep> ranks;
  for (std::size_t rank = 0; rank < crew.plan.ranks.size(); ++rank) {
    const Watts& w = crew.watts[rank];
    const step::StepEnd& end = crew.plan.end_of(crew.plan.ranks[rank]);
    const double computing_s = solver.slowest_compute_s(static_cast<std::int64_t>(rank));
    const double communication_s =
        crew.plan.ranks[rank].communication_s + end.replicas.exposed_s + end.norm_s + waits_s[rank];
    const double waiting_s = step_s - computing_s - communication_s - end.optimizer.seconds;
    const double step_j =
        computing_s * w.busy_w + communication_s * w.communicating_w + end.optimizer.joules + waiting_s * w.stalled_w;
    ranks.push_back({computing_s / step_s, step_j / step_s});
  }
  return ranks;
}

/// At the end of the step devices on crowded links draw more than those that wait for them, and are warmer by it.
/// (Their kernels are those of the mean device in the same work.)
State Run::steady_state(const Kind& kind, std::size_t d, std::size_t rank, const Given& given, double step_s) const {
  State state = kind.steady(rank, given);
  const Watts& w = crew_of(set_of(d)).watts[rank];
  const double more_w = given.power_fraction * (w.communicating_w - w.stalled_w) * slowed.end_s(d) / step_s;
  state.temperature_c += kind.cooler().resistance_c_per_w * more_w;
  return state;
}

Given Run::given_of(const CrewRun& crew, std::size_t d) const {
  const std::size_t rank = rank_of(d);
  const Kind& kind = crew.answers_of(rank);
  const Spreads& spreads = crew.spreads[crew.side_of(rank)];
  Given given = kind.mean();
  given.power_fraction = options.power_fraction.empty() ? drawn_power_fraction(options.seed, spreads.power_fraction, d)
                                                        : options.power_fraction[d];
  if (!options.cap_w.empty()) given.cap_w = options.cap_w.size() == 1 ? options.cap_w.front() : options.cap_w[d];
  if (!options.inlet_c.empty()) {
    given.inlet_c = options.inlet_c[d];
  } else if (!options.temperature_c.empty()) {
    // In the same air; at its limit hungry silicon draws no more.
    const double warmer_c = kind.steady(rank, given).temperature_c - kind.steady(rank, kind.mean()).temperature_c;
    given.inlet_c += options.temperature_c[d] - mean_temperature_c - warmer_c;
  } else {
    given.inlet_c +=
        drawn_inlet_offset_c(options.seed, kind.room(), spreads.rack_c, spreads.preheat_c, places.stands_at(d));
  }
  return given;
}

/// What power and temperature do not cause of a device's speed. A given speed has them in it, in a hall at the design's
/// temperature under the common limit.
double Run::own_speed(const CrewRun& crew, std::size_t d, const Given& given) const {
  const std::size_t rank = rank_of(d);
  if (options.speed_fraction.empty()) {
    Variability rest = options.variability;
    rest.device_spread_fraction = crew.rest_spread[rank];
    return drawn_speed(options.seed, rest, d);
  }
  const Kind& kind = crew.answers_of(rank);
  const Given mean = kind.mean();
  const Given there{given.power_fraction, given.inlet_c - mean.inlet_c + kind.cooler().design_inlet_c, mean.cap_w};
  return options.speed_fraction[d] * kind.steady(rank, there).slowness;
}

void Run::set_device(const CrewRun& crew, std::size_t d, double own_speed, const Given& given, const State& state) {
  const Peak peak = crew.answers_of(rank_of(d)).peak_of(given, state);
  column(Key::speed)[d] = own_speed / state.slowness;
  column(Key::power)[d] = given.power_fraction;
  column(Key::inlet)[d] = given.inlet_c;
  column(Key::cap)[d] = given.cap_w;
  column(Key::temperature)[d] = state.temperature_c;
  column(Key::clock)[d] = peak.clock_hz;
  column(Key::busy_w)[d] = state.busy_w;
  column(Key::peak_w)[d] = peak.watts;
  column(Key::leak_w)[d] = state.leak_w;
}

Watts Run::device_watts(std::size_t d) const {
  const Watts& mean = crew_of(set_of(d)).watts[rank_of(d)];
  const double leak_w = column(Key::leak_w)[d];
  const double share = column(Key::power)[d];
  return {column(Key::busy_w)[d], share * (mean.communicating_w + leak_w), share * (mean.stalled_w + leak_w),
          share * (mean.optimizer_w + leak_w)};
}

/// A device that fails slow has a lower clock than its limits would allow; what is on draws as before.
void Run::slow_down(const CrewRun& crew, std::size_t d) {
  const double share = options.variability.fail_slow_speed_fraction;
  const Accelerator& accelerator = device(crew.kind_of(crew.plan.ranks[rank_of(d)]));
  const double on_w = column(Key::power)[d] * (active_w(accelerator) + column(Key::leak_w)[d]);
  column(Key::clock)[d] *= share;
  for (const Key watts_now : {Key::busy_w, Key::peak_w}) {
    double& w = column(watts_now)[d];
    w = std::min(w, on_w + share * (w - on_w));
  }
}

/// Each device's own limit must be one of its kind.
void Run::check_caps() const {
  if (options.cap_w.size() <= 1) return;
  for (std::size_t d = 0; d < places.devices(); ++d) {
    const CrewRun& crew = crew_of(set_of(d));
    std::vector<Problem> problems;
    check_cap("cap_w[" + std::to_string(d) + "]", options.cap_w[d], device(crew.kind_of(crew.plan.ranks[rank_of(d)])),
              problems);
    if (!problems.empty()) throw InvalidSpec(std::move(problems));
  }
}

void Run::prepare_devices() {
  check_caps();
  double step_s = 0;
  std::vector<MeanCrew> means;
  for (std::size_t i = 0; i < crews.size(); ++i) {
    means.push_back(mean_crew(i));
    step_s = std::max(step_s, means.back().step_s);
  }
  for (std::size_t i = 0; i < crews.size(); ++i) {
    CrewRun& crew = crews[i];
    const std::vector<MeanStep> mean = mean_step(crew, means[i].network_s, step_s);
    for (std::size_t side = crew.kinds[0] == crew.kinds[1] && !crew.plan.ranks.front().front ? 1 : 0; side < 2;
         ++side) {
      const Partition& partition = priced.partitions[crew.kinds[side]];
      const network::Links links = step::links_of(job, layout, priced, partition);
      crew.answers[side] =
          Kind(priced, partition, Response(job, layout, partition.node.accelerator, links, crew.plan), mean);
      crew.spreads[side] = spreads_of(options, partition.node.accelerator, crew.answers[side]);
    }
    for (std::size_t rank = 0; rank < crew.plan.ranks.size(); ++rank) {
      const Spreads& spreads = crew.spreads[crew.side_of(rank)];
      const double caused = crew.answers_of(rank).caused_spread(rank, spreads.power_fraction, spreads.inlet_c());
      const double rest = spreads.speed_fraction * spreads.speed_fraction - caused * caused;
      crew.rest_spread.push_back(std::sqrt(std::max(0.0, rest)));
    }
  }
  if (!options.temperature_c.empty()) {
    const double sum = std::accumulate(options.temperature_c.begin(), options.temperature_c.end(), 0.0);
    mean_temperature_c = sum / static_cast<double>(places.devices());
  }
  if (options.warm_up) {
    cool_down();
    warm(0);
  } else {
    set_devices([&](const Kind& kind, std::size_t d, std::size_t rank, const Given& given) {
      return steady_state(kind, d, rank, given, step_s);
    });
  }
}

template <class StateOf>
void Run::set_devices(const StateOf& state_of) {
  for (CrewRun& crew : crews) {
    crew.mean_speed.clear();
    for (std::size_t rank = 0; rank < crew.plan.ranks.size(); ++rank) {
      const Kind& kind = crew.answers_of(rank);
      crew.mean_speed.push_back(1 / kind.steady(rank, kind.mean()).slowness);
    }
  }
  share(places.devices(), settled_between_questions, [&](std::size_t from, std::size_t to) {
    for (std::size_t d = from; d < to; ++d) {
      const std::size_t rank = rank_of(d);
      const CrewRun& crew = crew_of(set_of(d));
      const Given given = given_of(crew, d);
      set_device(crew, d, own_speed(crew, d, given), given, state_of(crew.answers_of(rank), d, rank, given));
      if (options.speed_fraction.empty() && fails_slow(options.seed, options.variability, d)) slow_down(crew, d);
    }
  });
  for (const std::int64_t excluded : options.exclude) {
    const auto d = static_cast<std::size_t>(excluded);
    const CrewRun& crew = crew_of(set_of(d));
    const Kind& kind = crew.answers_of(rank_of(d));
    set_device(crew, d, 1, kind.mean(), kind.steady(rank_of(d), kind.mean()));
  }
}

/// Dies of idle devices.
void Run::cool_down() {
  for (std::size_t d = 0; d < places.devices(); ++d) {
    const CrewRun& crew = crew_of(set_of(d));
    const std::size_t rank = rank_of(d);
    const Given given = given_of(crew, d);
    column(Key::inlet)[d] = given.inlet_c;
    column(Key::mean_w)[d] = given.power_fraction * device(crew.kind_of(crew.plan.ranks[rank])).idle_w;
    const double rise_c = crew.answers_of(rank).cooler().resistance_c_per_w * column(Key::mean_w)[d];
    column(Key::temperature)[d] = given.inlet_c + rise_c;
  }
}

/// The states in which devices start their next step: the way of a die from its temperature to the one that it would
/// settle at.
void Run::warm(std::int64_t next_step) {
  const std::span<const double> inlet_c = column(Key::inlet);
  const std::span<const double> mean_w = column(Key::mean_w);
  const std::span<const double> now_c = column(Key::temperature);
  set_devices([&](const Kind& kind, std::size_t d, std::size_t rank, const Given& given) {
    const power::Cooler& cooler = kind.cooler();
    const double left = next_step == 0 ? 1 : std::exp(-step_time_s / cooler.time_constant_s);
    const double settled_c = inlet_c[d] + cooler.resistance_c_per_w * mean_w[d];
    return kind.at_temperature(rank, given, settled_c + left * (now_c[d] - settled_c));
  });
}

void Run::run_steps() {
  for (std::int64_t step = 0; step < options.steps; ++step) {
    if (step > 0) {
      warm(step);
      draws.seed = base::random_bits(options.seed, static_cast<std::uint64_t>(step), later_step);
    }
    solve();
    finish();
    const std::span<const double> dies_c = column(Key::temperature);
    steps.step_time_s.push_back(step_time_s);
    steps.joules.push_back(joules);
    steps.mean_temperature_c.push_back(std::accumulate(dies_c.begin(), dies_c.end(), 0.0) /
                                       static_cast<double>(dies_c.size()));
    steps.hottest_temperature_c.push_back(*std::max_element(dies_c.begin(), dies_c.end()));
  }
}

}  // namespace ampacity::simulation
