// What each device did, and what the job as a whole.
#include <algorithm>

#include "compute/kernels.hpp"
#include "power/site_power.hpp"
#include "simulate/critical.hpp"
#include "simulate/run.hpp"

namespace ampacity::simulation {

/// Fills the columns of the devices of one stage of one set. What they do adds up to the step.
void Run::fill_rank(std::size_t set, std::int64_t rank, double last_end_s) {
  const auto index = static_cast<std::size_t>(rank);
  const RankSums& sums = plan.ranks[index];
  const step::StepEnd& end = plan.end;
  const double slowest_s = slowest_compute_s[set * plan.ranks.size() + index];
  const double end_s = replica_end_s[set * static_cast<std::size_t>(places.together)];
  const double communication_s = sums.communication_s + end.replicas.exposed_s + end.norm_s;
  const double host_s = sums.host_s + end.offload_s + plan.overhead_s;
  const double pipeline_s = end_s - slowest_s - sums.fixed_s();
  const double replicas_s = last_end_s - end_s;
  const Watts& w = watts[index];
  const double fixed_j =
      end.optimizer.joules + communication_s * w.communicating_w + (host_s + pipeline_s + replicas_s) * w.stalled_w;
  const std::size_t first = places.first_device(set, rank);
  for (std::size_t d = first; d < first + places.group(); ++d) {
    const double computing_s = column(Key::busy)[d];
    const double peers_s = slowest_s - computing_s + sums.imbalance_s;
    const double device_j = computing_s * w.busy_w + peers_s * w.stalled_w + fixed_j;
    column(Key::busy)[d] = computing_s + end.optimizer.seconds;
    column(Key::communication)[d] = communication_s;
    column(Key::host)[d] = host_s;
    column(Key::peers)[d] = peers_s;
    column(Key::pipeline)[d] = pipeline_s;
    column(Key::replicas)[d] = replicas_s;
    column(Key::joules)[d] = device_j;
    column(Key::mean_w)[d] = device_j / step_time_s;
  }
}

void Run::finish() {
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

void Run::find_critical() {
  const auto last = std::max_element(replica_end_s.begin(), replica_end_s.end());
  const auto set = static_cast<std::size_t>((last - replica_end_s.begin()) / places.together);
  SetSolver solver(plan, places, draws);
  solver.solve(set, column(Key::speed));
  const Critical found = critical_device(solver, plan, places, set, column(Key::speed));
  double end_s = found.end_without_s;
  for (std::size_t r = 0; r < replica_end_s.size(); ++r) {
    if (r / static_cast<std::size_t>(places.together) != set) end_s = std::max(end_s, replica_end_s[r]);
  }
  const auto at = static_cast<std::int64_t>(found.device);
  critical = {at,
              at / places.peers % places.replicas,
              found.rank,
              column(Key::speed)[found.device],
              found.on_path_s,
              end_s + plan.tail_s()};
}

}  // namespace ampacity::simulation
