#include "ampacity/simulate.hpp"

#include <string>
#include <utility>

#include "ampacity/decode.hpp"
#include "ampacity/error.hpp"
#include "base/text.hpp"
#include "simulate/energy.hpp"
#include "simulate/groups.hpp"
#include "simulate/options.hpp"
#include "simulate/run.hpp"
#include "simulate/slices.hpp"

namespace ampacity {

using simulation::SetSolver;

struct Simulation::Parts : simulation::Run {
  using Run::Run;
};

Simulation::Simulation(Training job, Cluster cluster, const Layout& layout, SimulateOptions options)
    : parts_(std::make_unique<Parts>(std::move(job), std::move(cluster), layout, std::move(options))) {
  Parts& p = *parts_;
  p.prepare();
  p.run_steps();
  p.find_critical();
  p.warnings = simulation::warnings_of(p.layout, p.options, p.estimate, p.traffic);
  p.options.progress = nullptr;  // of this call
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
const std::vector<StageMemory>& Simulation::memory_stages() const {
  return parts_->crews.front().memory;
}
const std::vector<std::string>& Simulation::warnings() const {
  return parts_->warnings;
}
const StepColumns& Simulation::steps() const {
  return parts_->steps;
}
std::size_t Simulation::devices() const {
  return parts_->places.devices();
}
std::span<const ColumnInfo> Simulation::info() {
  return simulation::infos;
}
std::span<const double> Simulation::replica_end_s() const {
  return parts_->replica_end_s;
}

const Network* Simulation::network() const {
  return parts_->traffic.network ? &*parts_->traffic.network : nullptr;
}
LinkColumns Simulation::links() const {
  return simulation::link_columns(parts_->traffic, parts_->step_time_s);
}

std::span<const double> Simulation::column(std::string_view key) const {
  std::vector<std::string> known;
  for (std::size_t i = 0; i < simulation::infos.size(); ++i) {
    if (simulation::infos[i].key == key) return std::as_const(*parts_).column(static_cast<simulation::Key>(i));
    known.emplace_back(simulation::infos[i].key);
  }
  const std::vector<std::string> near = nearest_names(key, known);
  throw UnknownName("no column " + std::string(key) +
                    (near.empty() ? "" : "; did you mean " + base::either(near) + "?"));
}

StepEnergy Simulation::energy() const {
  return simulation::energy_of(*parts_);
}

std::vector<std::int32_t> Simulation::group_of(GroupKind kind) const {
  return simulation::group_of(parts_->cluster, parts_->places, kind);
}

GroupColumns Simulation::by(GroupKind kind) const {
  const Parts& p = *parts_;
  return simulation::by_group(group_of(kind), info(),
                              [&](std::size_t column) { return p.column(static_cast<simulation::Key>(column)); });
}

std::vector<DeviceSlices> Simulation::slices(std::span<const std::int64_t> devices) const {
  const auto count = static_cast<std::int64_t>(parts_->places.devices());
  for (const std::int64_t device : devices) simulation::check_index("devices", device, count);
  return simulation::slices_of(*parts_, devices);
}

PowerTrace Simulation::power_trace(double resolution_s) const {
  simulation::check_resolution(resolution_s, parts_->step_time_s);
  return parts_->trace(resolution_s);
}

PipelineTimeline Simulation::timeline(std::int64_t replica) const {
  const Parts& p = *parts_;
  simulation::check_index("replica", replica, p.places.replicas);
  const auto set = static_cast<std::size_t>(replica / p.places.together);
  const simulation::Plan& plan = p.crew_of(set).plan;
  SetSolver solver = p.solver();
  solver.use(plan);
  solver.solve(set, p.column(simulation::Key::speed));
  PipelineTimeline timeline;
  for (std::size_t at = 1; at < plan.slots.size(); ++at) {
    const simulation::Slot& slot = plan.slots[at];
    const double end_s = solver.ends_s()[at];
    const auto first = static_cast<std::size_t>(slot.first_step);
    const std::size_t steps = plan.order.steps[first].with_next ? 2 : 1;
    for (std::size_t row = first; row < first + steps; ++row) {
      const schedule::Step& step = plan.order.steps[row];
      timeline.rank.push_back(slot.rank);
      timeline.stage.push_back(step.stage);
      timeline.micro_batch.push_back(step.micro_batch);
      timeline.kind.push_back(step.kind);
      timeline.start_s.push_back(end_s - solver.compute_s()[at] - slot.fixed_s - solver.network_s()[at]);
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
  const std::int64_t set = device / p.places.peers % p.places.replicas / p.places.together;
  SetSolver solver = p.solver();
  solver.use(p.crew_of(static_cast<std::size_t>(set)).plan);
  return solver.device_compute_s(d, rank, p.column(simulation::Key::speed)[d]);
}

std::vector<double> Simulation::task_fixed_s(std::int64_t stage, std::int64_t replica) const {
  const Parts& p = *parts_;
  simulation::check_index("stage", stage, p.places.stages);
  simulation::check_index("replica", replica, p.places.replicas);
  const auto set = static_cast<std::size_t>(replica / p.places.together);
  const simulation::Plan& plan = p.crew_of(set).plan;
  SetSolver solver = p.solver();
  solver.use(plan);
  solver.slow_down(set);
  std::vector<double> seconds;
  const auto rank = static_cast<std::size_t>(stage);
  for (std::int32_t at = plan.begin[rank]; at < plan.begin[rank + 1]; ++at) {
    const auto slot = static_cast<std::size_t>(at);
    seconds.push_back(plan.slots[slot].fixed_s + solver.network_s()[slot]);
  }
  return seconds;
}

Simulation simulate(Training job, Cluster cluster, const Layout& layout, SimulateOptions options) {
  return {std::move(job), std::move(cluster), layout, std::move(options)};
}

}  // namespace ampacity
