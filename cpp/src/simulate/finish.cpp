// What each device did, and what the job as a whole.
#include <algorithm>

#include "compute/kernels.hpp"
#include "power/site_power.hpp"
#include "simulate/critical.hpp"
#include "simulate/run.hpp"

namespace ampacity::simulation {

namespace {

/// A link as users know it: of a trunk its first cable.
std::int64_t visible(const Network::Plan& network, std::uint32_t link) {
  return link < network.visible_links() ? link : network.cables_of(link).front();
}

}  // namespace

/// Fills the columns of the devices of one stage of one set. What they do adds up to the step.
void Run::fill_rank(std::size_t set, std::int64_t rank, double last_s) {
  const auto index = static_cast<std::size_t>(rank);
  const CrewRun& crew = crew_of(set);
  const Plan& plan = crew.plan;
  const RankSums& sums = plan.ranks[index];
  const step::StepEnd& end = plan.end_of(sums);
  const double slowest_s = slowest_compute_s[set * plan.ranks.size() + index];
  const double end_s = replica_end_s[set * static_cast<std::size_t>(places.together)];
  const double communication_s = sums.communication_s + end.replicas.exposed_s + end.norm_s;
  const double host_s = sums.host_s + end.offload_s + plan.overhead_s;
  const double tasks_network_s = network_s[set * plan.ranks.size() + index];
  // Differences of sums: nobody waits is a rounding error, which must not turn out below zero.
  const double pipeline_s = std::max(0.0, end_s - slowest_s - sums.fixed_s() - tasks_network_s);
  // Kinds of devices differ behind the pipelines too.
  const double replicas_s = std::max(0.0, last_s - end_s + (longest_tail_s - plan.tail_s(sums)));
  const Watts& w = crew.watts[index];
  const double fixed_j =
      end.optimizer.joules + communication_s * w.communicating_w + (host_s + pipeline_s + replicas_s) * w.stalled_w;
  const double memory_bytes = crew.memory[index].memory.total_bytes();
  const auto kind = static_cast<double>(crew.kind_of(sums));
  const std::size_t first = places.first_device(set, rank);
  for (std::size_t d = first; d < first + places.group(); ++d) {
    const double computing_s = column(Key::busy)[d];
    const double peers_s = slowest_s - computing_s + sums.imbalance_s;
    // Who is done with its reduction waits for the slowest one.
    const double end_network_s = slowed.end_s(d);
    const double others_s = slowed.longest_end_s() - end_network_s;
    const double waiting_s = tasks_network_s + end_network_s;
    const double beside_j = (peers_s + others_s) * w.stalled_w + waiting_s * w.communicating_w + fixed_j +
                            column(Key::leak_w)[d] * (step_time_s - computing_s);
    const double device_j = computing_s * column(Key::busy_w)[d] + column(Key::power)[d] * beside_j;
    column(Key::busy)[d] = computing_s + end.optimizer.seconds;
    column(Key::communication)[d] = communication_s;
    column(Key::host)[d] = host_s;
    column(Key::peers)[d] = peers_s;
    column(Key::pipeline)[d] = pipeline_s;
    column(Key::replicas)[d] = replicas_s + others_s;
    column(Key::network)[d] = waiting_s;
    column(Key::sent)[d] = traffic.sent_bytes.empty() ? 0 : traffic.sent_bytes[d];
    column(Key::received)[d] = traffic.received_bytes.empty() ? 0 : traffic.received_bytes[d];
    column(Key::joules)[d] = device_j;
    column(Key::mean_w)[d] = device_j / step_time_s;
    column(Key::memory)[d] = memory_bytes;
    column(Key::kind)[d] = kind;
  }
}

/// Gradients are summed when the slowest replicas have theirs, whatever the others could hide behind less work.
double Run::latest_s() const {
  double last_s = 0;
  for (std::size_t set = 0; set < places.sets(); ++set) {
    const double end_s = replica_end_s[set * static_cast<std::size_t>(places.together)];
    last_s = std::max(last_s, latest_s(set, end_s));
  }
  return last_s;
}

void Run::finish() {
  const double last_s = latest_s();
  step_time_s = last_s + longest_tail_s + slowed.longest_end_s();
  const std::size_t portion =
      1 + devices_between_questions / (places.group() * static_cast<std::size_t>(places.stages));
  share(places.sets(), portion, [&](std::size_t from, std::size_t to) {
    for (std::size_t set = from; set < to; ++set) {
      for (std::int64_t rank = 0; rank < places.stages; ++rank) fill_rank(set, rank, last_s);
    }
  });
  joules = 0;
  for (const double device_j : column(Key::joules)) joules += device_j;
  power = power::cluster_power(priced, watts_by_kind());
}

std::vector<power::KindWatts> Run::watts_by_kind() const {
  std::vector<power::KindWatts> kinds(priced.partitions.size());
  for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
    kinds[kind] = {kind, 0, {0, compute::busiest_w(device(kind)), compute::stalled_w(device(kind))}};
  }
  const std::span<const double> device_kind = column(Key::kind);
  const std::span<const double> device_j = column(Key::joules);
  for (std::size_t d = 0; d < places.devices(); ++d) {
    power::KindWatts& kind = kinds[static_cast<std::size_t>(device_kind[d])];
    kind.accelerators += 1;
    kind.device.mean_w += device_j[d];
  }
  for (power::KindWatts& kind : kinds) {
    if (kind.accelerators > 0) kind.device.mean_w /= kind.accelerators * step_time_s;
  }
  return kinds;
}

void Run::find_critical() {
  const auto together = static_cast<std::size_t>(places.together);
  std::size_t set = 0;
  for (std::size_t other = 1; other < places.sets(); ++other) {
    if (latest_s(other, replica_end_s[other * together]) > latest_s(set, replica_end_s[set * together])) set = other;
  }
  SetSolver solver = this->solver();
  solver.use(crew_of(set).plan);
  solver.solve(set, column(Key::speed));
  const CriticalLink limit = critical_link(solver, solver.plan(), slowed, traffic, set);
  const Critical found =
      critical_device(solver, solver.plan(), places, set, column(Key::speed), crew_of(set).mean_speed);
  double end_s = latest_s(set, found.end_without_s);
  for (std::size_t other = 0; other < places.sets(); ++other) {
    if (other != set) end_s = std::max(end_s, latest_s(other, replica_end_s[other * together]));
  }
  const auto at = static_cast<std::int64_t>(found.device);
  critical = {at,
              at / places.peers % places.replicas,
              found.rank,
              column(Key::speed)[found.device],
              found.on_path_s,
              end_s + longest_tail_s + slowed.longest_end_s(),
              traffic.network && limit.wait_s > 0 ? visible(traffic.network->plan(), limit.link) : -1,
              limit.wait_s};
}

}  // namespace ampacity::simulation
