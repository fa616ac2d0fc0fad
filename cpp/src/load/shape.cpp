// The shape of one step: watts from the simulation, phases from the timeline of a replica.
#include <algorithm>
#include <numeric>

#include "ampacity/load.hpp"
#include "compute/kernels.hpp"
#include "load/bins.hpp"
#include "load/chain.hpp"
#include "step/pace.hpp"

namespace ampacity {
namespace {

using load::Bins;

std::size_t index_of(LoadPhase phase) {
  return static_cast<std::size_t>(phase);
}

LoadPhase phase_of(PipelineTask task) {
  return task == PipelineTask::forward ? LoadPhase::forward : LoadPhase::backward;
}

/// What one replica does: calls `visit(rank, phase, start, stop, weight)` for its tasks; `weight` is a half where two
/// passes run into one another.
template <class Visit>
void for_each_task(const Simulation& simulation, Visit&& visit) {
  const PipelineTimeline line = simulation.timeline(0);
  std::vector<double> fixed_s;
  std::int32_t rank = -1;
  std::size_t slot = 0;
  for (std::size_t row = 0; row < line.size(); ++row) {
    if (line.rank[row] != rank) {
      rank = line.rank[row];
      fixed_s = simulation.task_fixed_s(rank);
      slot = 0;
    }
    const bool two = row + 1 < line.size() && line.rank[row + 1] == rank &&
                     line.start_s[row + 1] == line.start_s[row] && line.end_s[row + 1] == line.end_s[row] &&
                     line.end_s[row] > line.start_s[row];
    const double computed_s = std::max(line.start_s[row], line.end_s[row] - fixed_s[slot]);
    const double weight = two ? 0.5 : 1;
    visit(rank, phase_of(line.kind[row]), line.start_s[row], computed_s, weight);
    if (two) visit(rank, phase_of(line.kind[row + 1]), line.start_s[row], computed_s, weight);
    visit(rank, LoadPhase::communication, computed_s, line.end_s[row], 1.0);
    if (two) ++row;
    ++slot;
  }
}

/// Watts of one accelerator of a pipeline rank while it works on micro-batches, from what the simulation says of it.
struct RankWatts {
  double communicating_w = 0;
  double stalled_w = 0;
  double optimizer_w = 0;
  std::vector<double> busy_w;
};

RankWatts rank_watts(const Simulation& simulation, const Accelerator& device) {
  RankWatts watts;
  watts.communicating_w = compute::communicating_w(device);
  watts.stalled_w = compute::stalled_w(device);
  // The optimizer streams its state: a memory-bound kernel that is long enough for its launch not to matter.
  const compute::KernelCost streaming = compute::streaming(device, 1e10);
  watts.optimizer_w = streaming.joules / streaming.seconds;
  const Layout& layout = simulation.layout();
  const auto of_rank = static_cast<std::size_t>(layout.accelerators() / layout.pp);
  const double optimizer_s = simulation.estimate().breakdown.optimizer_s;
  for (std::size_t rank = 0; rank < static_cast<std::size_t>(layout.pp); ++rank) {
    const std::size_t at = rank * of_rank;
    const auto of = [&](std::string_view key) { return simulation.column(key)[at]; };
    const double waiting_s = of("host_s") + of("wait_peers_s") + of("wait_pipeline_s") + of("wait_replicas_s");
    const double busy_s = of("busy_s") - optimizer_s;
    const double kernels_j = of("joules") - optimizer_s * watts.optimizer_w - waiting_s * watts.stalled_w -
                             (of("communication_s") + of("wait_network_s")) * watts.communicating_w;
    watts.busy_w.push_back(busy_s > 0 ? std::clamp(kernels_j / busy_s, watts.stalled_w, device.limit_w())
                                      : watts.stalled_w);
  }
  return watts;
}

/// When what comes behind the pipelines happens: reductions, optimizer, host.
struct Tail {
  double pipelines_s = 0;
  double reduced_s = 0;
  double updated_s = 0;
};
Tail tail_of(const Simulation& simulation) {
  const std::span<const double> ends = simulation.replica_end_s();
  const Breakdown& closed = simulation.estimate().breakdown;
  Tail tail;
  tail.pipelines_s = *std::max_element(ends.begin(), ends.end());
  const double left_s = simulation.step_time_s() - tail.pipelines_s;
  const double host_s = std::min(left_s, closed.overhead_s + closed.offload_s);
  tail.updated_s = simulation.step_time_s() - host_s;
  tail.reduced_s = std::max(tail.pipelines_s, tail.updated_s - closed.optimizer_s);
  return tail;
}

void add_shares(const Simulation& simulation, double resolution_s, LoadShape& shape) {
  const double end_s = simulation.step_time_s();
  std::vector<Bins> bins(load_phases, Bins(end_s, resolution_s));
  const Tail tail = tail_of(simulation);
  const double rank_share = 1 / static_cast<double>(simulation.layout().pp);
  const std::size_t bubble = index_of(LoadPhase::bubble);
  bins[bubble].add(0, tail.pipelines_s, 1);
  for_each_task(simulation, [&](std::int32_t, LoadPhase phase, double start_s, double stop_s, double weight) {
    bins[index_of(phase)].add(start_s, stop_s, weight * rank_share);
    bins[bubble].add(start_s, stop_s, -weight * rank_share);
  });
  bins[index_of(LoadPhase::communication)].add(tail.pipelines_s, tail.reduced_s, 1);
  bins[index_of(LoadPhase::optimizer)].add(tail.reduced_s, tail.updated_s, 1);
  bins[index_of(LoadPhase::stall)].add(tail.updated_s, end_s, 1);
  for (std::size_t phase = 0; phase < load_phases; ++phase) {
    shape.share[phase] = bins[phase].means();
    for (double& share : shape.share[phase]) share = std::clamp(share, 0.0, 1.0);  // rounding
  }
}

const Accelerator& device_of(const Simulation& simulation) {
  return *step::pace_of(simulation.job(), simulation.cluster(), simulation.layout()).device;
}

}  // namespace

double LoadShape::joules() const {
  const double whole = std::accumulate(accelerators_w.begin(), accelerators_w.end() - 1, 0.0) * resolution_s;
  const double last_s = step_time_s - static_cast<double>(accelerators_w.size() - 1) * resolution_s;
  return whole + accelerators_w.back() * last_s;
}

LoadShape load_shape(const Simulation& simulation, double resolution_s) {
  LoadShape shape;
  const Accelerator& device = device_of(simulation);
  shape.resolution_s = resolution_s;
  shape.step_time_s = simulation.step_time_s();
  shape.accelerators = simulation.layout().accelerators();
  shape.accelerators_w = simulation.power_trace(resolution_s).accelerators_w;
  shape.limit_w = device.limit_w();
  shape.idle_w = device.idle_w;
  const RankWatts watts = rank_watts(simulation, device);
  const double busy_w =
      std::accumulate(watts.busy_w.begin(), watts.busy_w.end(), 0.0) / static_cast<double>(watts.busy_w.size());
  shape.phase_w = {busy_w, busy_w, watts.communicating_w, watts.stalled_w, watts.optimizer_w, watts.stalled_w};
  add_shares(simulation, resolution_s, shape);
  shape.chain = load::chain_of(simulation.cluster(), shape.accelerators,
                               shape.mean_w() / static_cast<double>(shape.accelerators));
  return shape;
}

LoadShape load_shape(const Training& job, const Cluster& cluster, const Layout& layout, double resolution_s) {
  SimulateOptions options;
  options.variability = Variability::none();
  return load_shape(simulate(job, cluster, layout, std::move(options)), resolution_s);
}

std::vector<std::vector<double>> stage_watts(const Simulation& simulation, double resolution_s) {
  const double end_s = simulation.step_time_s();
  const RankWatts watts = rank_watts(simulation, device_of(simulation));
  const Tail tail = tail_of(simulation);
  std::vector<Bins> bins(watts.busy_w.size(), Bins(end_s, resolution_s));
  for (Bins& rank : bins) {
    rank.add(0, end_s, watts.stalled_w);
    rank.add(tail.pipelines_s, tail.reduced_s, watts.communicating_w - watts.stalled_w);
    rank.add(tail.reduced_s, tail.updated_s, watts.optimizer_w - watts.stalled_w);
  }
  for_each_task(simulation, [&](std::int32_t rank, LoadPhase phase, double start_s, double stop_s, double weight) {
    const auto at = static_cast<std::size_t>(rank);
    const double w = phase == LoadPhase::communication ? watts.communicating_w : watts.busy_w[at];
    bins[at].add(start_s, stop_s, weight * (w - watts.stalled_w));
  });
  std::vector<std::vector<double>> columns;
  columns.reserve(bins.size());
  for (const Bins& rank : bins) columns.push_back(rank.means());
  return columns;
}

}  // namespace ampacity
