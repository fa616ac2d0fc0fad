#include "step/mixed_pace.hpp"

#include <algorithm>

#include "compute/kernels.hpp"
#include "workload/memory.hpp"
#include "workload/stages.hpp"

namespace ampacity::step {
namespace {

/// A job on the kinds of a cluster.
class MixedJob {
 public:
  MixedJob(const Training& job, const Cluster& cluster, const Layout& layout, const PartsOn& parts_on)
      : job_(job),
        cluster_(cluster),
        layout_(layout),
        parts_on_(parts_on),
        batches_(workload::micro_batches(job.global_batch, layout)) {
    const std::size_t kinds = kinds_of(cluster, layout);
    links_.reserve(kinds);
    for (std::size_t kind = 0; kind < kinds; ++kind) {
      links_.push_back(links_of(job, layout, cluster, cluster.partitions[kind]));
    }
    for (std::size_t kind = 0; kind < kinds; ++kind) at_end_.push_back(links_at_end(links_, kind, layout));
  }

  [[nodiscard]] Pace pace() const {
    std::vector<double> step_s;
    step_s.reserve(links_.size());
    for (std::size_t kind = 0; kind < links_.size(); ++kind)
      step_s.push_back(step_on(kind, batches_).breakdown.total_s());
    Pace pace;
    if (layout_.balance == Balance::stages) {
      pace = by_stages(step_s);
      if (pace.device != nullptr) return pace;
    }
    pace.layout = layout_;
    pace.crews = crews_by_kind(cluster_, layout_, batches_, step_s);
    if (layout_.balance == Balance::micro_batches) {
      pace.crews = balanced(pace.crews, layout_, [&](std::size_t kind, std::int64_t micro_batches) {
        return step_on(kind, micro_batches).breakdown.total_s();
      });
    }
    by_replicas(pace);
    return pace;
  }

 private:
  [[nodiscard]] const Accelerator& device(std::size_t kind) const { return cluster_.partitions[kind].node.accelerator; }

  [[nodiscard]] StepTime step_on(std::size_t kind, std::int64_t micro_batches) const {
    const Training job = with_micro_batches(job_, layout_, micro_batches);
    const PartTimes parts = parts_on_(kind, job);
    const OnKind here{device(kind), links_[kind], parts, &at_end_[kind]};
    return step_time(job, layout_, {here, here}, workload::stage_layers(job.model, layout_));
  }

  /// Each crew does its share and waits for the slowest.
  void by_replicas(Pace& pace) const {
    std::vector<StepTime> steps;
    steps.reserve(pace.crews.size());
    for (const Crew& crew : pace.crews) {
      steps.push_back(step_on(crew.kind, crew.micro_batches));
      if (pace.device != nullptr && steps.back().breakdown.total_s() <= pace.step.breakdown.total_s()) continue;
      pace.step = steps.back();
      pace.device = &device(crew.kind);
    }
    const double slowest_s = pace.step.breakdown.total_s();
    const auto replica = static_cast<double>(layout_.accelerators()) / static_cast<double>(layout_.dp);
    double least_room = 0;
    for (std::size_t i = 0; i < steps.size(); ++i) {
      const Crew& crew = pace.crews[i];
      const double waiting_s = slowest_s - steps[i].breakdown.total_s();
      pace.shares.push_back({crew.kind, static_cast<double>(crew.replicas) * replica,
                             steps[i].joules + waiting_s * compute::stalled_w(device(crew.kind))});
      const StageKinds kinds = workload::stage_kinds(job_, layout_, device(crew.kind));
      const Memory memory = workload::fullest_of(kinds, layout_, static_cast<double>(crew.micro_batches));
      const double room = memory.capacity_bytes - memory.total_bytes();
      if (i > 0 && room >= least_room) continue;
      least_room = room;
      pace.memory = memory;
      pace.memory_kinds = kinds;
    }
    pace.partitions = static_cast<std::int64_t>(links_.size());
  }

  /// Layers of the front stages for which the step is shortest; no device where no stage is all on one of the kinds.
  [[nodiscard]] Pace by_stages(const std::vector<double>& step_s) const {
    Pace pace;
    if (links_.size() != 2) return pace;
    const bool given = layout_.front_stages > 0;
    Layout layout = layout_;
    if (!given) layout.front_stages = stages_in_front(cluster_, layout_, step_s[0] >= step_s[1]);
    if (layout.front_stages == 0 || layout.front_stages >= layout.pp) return pace;
    const PartTimes front = parts_on_(0, job_);
    const PartTimes rest = parts_on_(1, job_);
    const StageDevices devices{{device(0), links_[0], front}, {device(1), links_[1], rest}};
    const std::int64_t layers = job_.model.layers + job_.model.mtp_layers;
    const std::int64_t others = layout.pp - layout.front_stages;
    const std::int64_t least = given ? layout.front_layers : layout.front_stages;
    const std::int64_t most = given ? least : layers - others;
    for (layout.front_layers = least; layout.front_layers <= most; ++layout.front_layers) {
      const StepTime step = step_time(job_, layout, devices, workload::stage_layers(job_.model, layout));
      if (pace.device != nullptr && step.breakdown.total_s() >= pace.step.breakdown.total_s()) continue;
      pace.step = step;
      pace.layout = layout;
      pace.device = &device(step.slowest_in_front ? 0 : 1);
    }
    if (pace.device == nullptr) return pace;
    pace.crews = {{0, layout.dp, batches_}};
    const double front_share = static_cast<double>(layout.front_stages) / static_cast<double>(layout.pp);
    const auto all = static_cast<double>(layout.accelerators());
    pace.shares = {{0, front_share * all, pace.step.stage_joules[0]},
                   {1, (1 - front_share) * all, pace.step.stage_joules[1]}};
    stage_memory(pace);
    pace.partitions = 2;
    return pace;
  }

  void stage_memory(Pace& pace) const {
    pace.memory_kinds = workload::stage_kinds(job_, pace.layout, device(0));
    const StageKinds on_rest = workload::stage_kinds(job_, pace.layout, device(1));
    double least_room = 0;
    for (std::size_t i = 0; i < on_rest.kinds.size(); ++i) {
      StageKinds one = on_rest;
      if (on_rest.kinds[i].first_stage >= pace.layout.front_stages) {
        pace.memory_kinds.kinds[i] = on_rest.kinds[i];
      }
      one.kinds = {pace.memory_kinds.kinds[i]};
      const Memory memory = workload::fullest_of(one, pace.layout, static_cast<double>(batches_));
      const double room = memory.capacity_bytes - memory.total_bytes();
      if (i > 0 && room >= least_room) continue;
      least_room = room;
      pace.memory = memory;
    }
  }

  const Training& job_;
  const Cluster& cluster_;
  const Layout& layout_;
  const PartsOn& parts_on_;
  std::int64_t batches_;
  std::vector<network::Links> links_;
  std::vector<network::Links> at_end_;  // of replicas on all kinds
};

}  // namespace

Pace mixed_pace(const Training& job, const Cluster& cluster, const Layout& layout, const PartsOn& parts_on) {
  return MixedJob(job, cluster, layout, parts_on).pace();
}

}  // namespace ampacity::step
