#include "simulate/slices.hpp"

#include <cstddef>
#include <utility>

namespace ampacity::simulation {
namespace {

/// What a slice belongs to.
struct Task {
  std::int32_t stage = -1;
  std::int32_t micro_batch = -1;
  std::int32_t kind = -1;
};

/// Appends slices one behind the other.
class Writer {
 public:
  explicit Writer(std::int64_t device) { slices_.device = device; }

  void add(Key activity, double seconds, double watts, const Task& task = {}) {
    if (!(seconds > 0)) return;
    slices_.activity.push_back(static_cast<std::int32_t>(activity));
    slices_.stage.push_back(task.stage);
    slices_.micro_batch.push_back(task.micro_batch);
    slices_.kind.push_back(task.kind);
    slices_.start_s.push_back(now_s_);
    now_s_ += seconds;
    slices_.end_s.push_back(now_s_);
    slices_.watts.push_back(watts);
  }
  void wait_until(Key activity, double time_s, double watts) { add(activity, time_s - now_s_, watts); }
  DeviceSlices take() { return std::move(slices_); }

 private:
  DeviceSlices slices_;
  double now_s_ = 0;
};

DeviceSlices slices_of(const Run& run, const SetSolver& solver, std::size_t device, std::int64_t rank) {
  const Plan& plan = solver.plan();
  const RankSums& sums = plan.ranks[static_cast<std::size_t>(rank)];
  const step::StepEnd& end = plan.end_of(sums);
  const std::vector<double> own_s = solver.device_compute_s(device, rank, run.column(Key::speed)[device]);
  const Watts w = run.device_watts(device);
  Writer writer(static_cast<std::int64_t>(device));
  const auto first = static_cast<std::size_t>(plan.begin[static_cast<std::size_t>(rank)]);
  for (std::size_t i = 0; i < own_s.size(); ++i) {
    const Slot& slot = plan.slots[first + i];
    const schedule::Step& step = plan.order.steps[static_cast<std::size_t>(slot.first_step)];
    const Task task{step.stage, step.micro_batch, static_cast<std::int32_t>(step.kind)};
    const double slowest_s = solver.compute_s()[first + i];
    const double network_s = solver.network_s()[first + i];
    writer.wait_until(Key::pipeline, solver.ends_s()[first + i] - slot.fixed_s - network_s - slowest_s, w.stalled_w);
    writer.add(Key::busy, own_s[i], w.busy_w, task);
    writer.add(Key::peers, slowest_s - own_s[i], w.stalled_w, task);
    writer.add(Key::communication, slot.communication_s, w.communicating_w, task);
    writer.add(Key::network, network_s, w.communicating_w, task);
    writer.add(Key::host, slot.host_s, w.stalled_w, task);
    writer.add(Key::peers, slot.fixed_s - slot.communication_s - slot.host_s, w.stalled_w, task);
  }
  writer.wait_until(Key::pipeline, solver.end_s(), w.stalled_w);
  writer.wait_until(Key::replicas, run.latest_s() + (run.longest_tail_s - plan.tail_s(sums)), w.stalled_w);
  writer.add(Key::communication, end.replicas.exposed_s + end.norm_s, w.communicating_w);
  const double network_s = run.slowed.end_s(device);
  writer.add(Key::network, network_s, w.communicating_w);
  writer.add(Key::replicas, run.slowed.longest_end_s() - network_s, w.stalled_w);
  writer.add(Key::busy, end.optimizer.seconds, w.optimizer_w);
  writer.add(Key::host, end.offload_s + plan.overhead_s, w.stalled_w);
  return writer.take();
}

}  // namespace

std::vector<DeviceSlices> slices_of(const Run& run, std::span<const std::int64_t> devices) {
  const Places& places = run.places;
  SetSolver solver = run.solver();
  std::size_t solved = places.sets();
  std::vector<DeviceSlices> found;
  for (const std::int64_t device : devices) {
    const auto set = static_cast<std::size_t>(device / places.peers % places.replicas / places.together);
    const CrewRun& crew = run.crew_of(set);
    solver.use(crew.plan);
    if (set != solved) solver.solve(set, run.column(Key::speed));
    solved = set;
    const std::int64_t rank = device / (places.peers * places.replicas);
    found.push_back(slices_of(run, solver, static_cast<std::size_t>(device), rank));
  }
  return found;
}

}  // namespace ampacity::simulation
