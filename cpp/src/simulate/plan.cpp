#include "simulate/plan.hpp"

#include <algorithm>
#include <span>

#include "ampacity/error.hpp"
#include "workload/stages.hpp"

namespace ampacity::simulation {
namespace {

using schedule::Step;
using step::StageTasks;
using step::TaskWork;

constexpr std::int32_t nothing = 0;

/// Tasks of every virtual stage of every rank. With DualPipe a rank's two stages count as their mean, as in the closed
/// form; so do the virtual stages between the first and the last of a rank.
class StageTable {
 public:
  StageTable(const Training& job, const Layout& layout, const step::StageDevices& devices,
             const workload::StageLayers& stages)
      : layout_(layout), chunks_(static_cast<std::size_t>(layout.vp)) {
    const double through = 1 / static_cast<double>(workload::stage_copies(layout));
    const auto losses = static_cast<double>(1 + job.model.mtp_layers);
    for (const workload::StageRun& run : stages) {
      const step::OnKind& kind = devices.of(run.first_rank < layout.front_stages);
      const double stalled_w = compute::stalled_w(kind.device);
      std::vector<StageTasks> rank;
      for (std::int64_t chunk = 0; chunk < layout.vp; ++chunk) {
        const bool first = chunk == 0;
        const bool last = chunk + 1 == layout.vp;
        const workload::LayerMix layers = chunk_layers(run, chunk);
        const step::PartCounts counts{{through * layers.dense, through * layers.moe},
                                      first && run.embedding ? through : 0,
                                      last && run.head ? through * losses : 0};
        rank.push_back(step::stage_tasks(kind.parts, counts, stalled_w));
      }
      for (std::int64_t i = 0; i < run.ranks; ++i) tasks_.insert(tasks_.end(), rank.begin(), rank.end());
    }
  }

  [[nodiscard]] const StageTasks& of(std::int64_t rank, std::int32_t stage) const {
    return tasks_[static_cast<std::size_t>(rank) * chunks_ + chunk_of(stage)];
  }
  [[nodiscard]] std::span<const StageTasks> chunks_of(std::int64_t rank) const {
    return {tasks_.data() + static_cast<std::size_t>(rank) * chunks_, chunks_};
  }

 private:
  [[nodiscard]] workload::LayerMix chunk_layers(const workload::StageRun& run, std::int64_t chunk) const {
    if (layout_.vp == 1) return run.layers;
    if (chunk == 0) return run.first_chunk;
    if (chunk + 1 == layout_.vp) return run.last_chunk;
    const auto others = static_cast<double>(layout_.vp - 2);
    return {(run.layers.dense - run.first_chunk.dense - run.last_chunk.dense) / others,
            (run.layers.moe - run.first_chunk.moe - run.last_chunk.moe) / others};
  }
  [[nodiscard]] std::size_t chunk_of(std::int32_t stage) const {
    return layout_.vp == 1 ? 0 : static_cast<std::size_t>(stage / layout_.pp);
  }

  const Layout& layout_;
  std::size_t chunks_;
  std::vector<StageTasks> tasks_;
};

/// How many passes forward a rank holds the activations of, until their gradients are done.
class Held {
 public:
  void start(PipelineTask kind) {
    if (kind == PipelineTask::forward) most_ = std::max(most_, ++now_);
  }
  void finish(PipelineTask kind) {
    if (kind == PipelineTask::backward || kind == PipelineTask::weight_gradient) --now_;
  }
  [[nodiscard]] std::int64_t most() const { return most_; }

 private:
  std::int64_t now_ = 0;
  std::int64_t most_ = 0;
};

/// Turns the order of the schedule into slots that know what they wait for.
class Builder {
 public:
  Builder(const Training& job, const Layout& layout, const StageTable& table, const step::StageTransfers& transfers,
          Plan& plan)
      : job_(job),
        layout_(layout),
        table_(table),
        transfers_(transfers),
        plan_(plan),
        stages_(layout.schedule == Schedule::dualpipe ? layout.pp : layout.pp * layout.vp),
        forward_(cells(), nothing),
        backward_(cells(), nothing) {}

  void build() {
    plan_.slots.emplace_back();
    for (std::int64_t rank = 0; rank < layout_.pp; ++rank) add_rank(rank);
    plan_.begin.push_back(static_cast<std::int32_t>(plan_.slots.size()));
    for (std::size_t i = 1; i < plan_.slots.size(); ++i) connect(plan_.slots[i]);
    arrange();
  }

 private:
  [[nodiscard]] std::size_t cells() const { return static_cast<std::size_t>(stages_ * plan_.micro_batches); }
  [[nodiscard]] std::size_t cell(std::int32_t stage, std::int32_t micro_batch) const {
    return static_cast<std::size_t>(stage * plan_.micro_batches + micro_batch);
  }

  [[nodiscard]] TaskWork work_of(std::int64_t rank, const Step& step) const {
    const StageTasks& tasks = table_.of(rank, step.stage);
    TaskWork work;
    switch (step.kind) {
      case PipelineTask::forward:
        work = tasks.forward;
        break;
      case PipelineTask::backward:
        work = tasks.backward();
        break;
      case PipelineTask::input_gradient:
        work = tasks.input_gradient;
        break;
      case PipelineTask::weight_gradient:
        return tasks.weight_gradient;
    }
    work.communication_s += transfers_.shown_s;
    return work;
  }

  void add_rank(std::int64_t rank) {
    plan_.begin.push_back(static_cast<std::int32_t>(plan_.slots.size()));
    RankSums sums;
    sums.front = rank < layout_.front_stages;
    for (const StageTasks& tasks : table_.chunks_of(rank)) {
      // With DualPipe half of the micro-batches go through each of the two stages of a rank.
      sums.joules += static_cast<double>(plan_.micro_batches) * tasks.joules;
      sums.hidden_comm_s += static_cast<double>(plan_.micro_batches) * tasks.hidden_comm_s;
    }
    const auto end = plan_.order.begin[static_cast<std::size_t>(rank) + 1];
    Held held;
    for (std::size_t at = plan_.order.begin[static_cast<std::size_t>(rank)]; at < end; ++at) {
      Slot slot;
      slot.rank = static_cast<std::int32_t>(rank);
      slot.first_step = static_cast<std::int32_t>(at);
      slot.first_of_rank = static_cast<std::int32_t>(plan_.slots.size()) == plan_.begin.back();
      const Step& step = plan_.order.steps[at];
      TaskWork work = work_of(rank, step);
      finishes(step);
      held.start(step.kind);
      if (step.with_next) {
        const Step& other = plan_.order.steps[++at];
        work += overlap(work, work_of(rank, other), sums);
        finishes(other);
        held.start(other.kind);
        held.finish(other.kind);
      }
      held.finish(step.kind);
      if (step.kind != PipelineTask::weight_gradient) sums.hidden_comm_s += transfers_.hidden_s;
      if (step.with_next) sums.hidden_comm_s += transfers_.hidden_s;
      sums.compute_s += work.compute_s;
      sums.communication_s += work.communication_s;
      sums.host_s += work.host_s;
      sums.imbalance_s += work.imbalance_s;
      slot.compute_s = work.compute_s;
      slot.fixed_s = work.fixed_s();
      slot.communication_s = work.communication_s;
      slot.host_s = work.host_s;
      plan_.slots.push_back(slot);
    }
    // A rank has so many virtual stages, or one of each direction.
    sums.held = static_cast<double>(held.most()) / static_cast<double>(layout_.vp * workload::stage_copies(layout_));
    plan_.ranks.push_back(sums);
  }

  /// The second of two tasks that run into one another, less what of their exchange with experts does not show.
  [[nodiscard]] TaskWork overlap(const TaskWork& first, TaskWork second, RankSums& sums) const {
    const double hidden = step::hideable_exchange_s(job_.software, first.exchange_s + second.exchange_s,
                                                    first.compute_s + second.compute_s);
    second.communication_s -= hidden;
    sums.hidden_comm_s += hidden;
    return second;
  }

  void finishes(const Step& step) {
    const auto slot = static_cast<std::int32_t>(plan_.slots.size());
    if (step.kind == PipelineTask::weight_gradient) return;
    (step.kind == PipelineTask::forward ? forward_ : backward_)[cell(step.stage, step.micro_batch)] = slot;
  }

  void connect(Slot& slot) const {
    const Step& step = plan_.order.steps[static_cast<std::size_t>(slot.first_step)];
    connect(slot, step, 0);
    if (step.with_next) connect(slot, plan_.order.steps[static_cast<std::size_t>(slot.first_step) + 1], 1);
  }

  void connect(Slot& slot, const Step& step, std::size_t place) const {
    const bool is_forward = step.kind == PipelineTask::forward;
    if (step.kind == PipelineTask::weight_gradient) return;
    if (is_forward ? step.stage == 0 : step.stage + 1 == stages_) return;
    const std::int32_t sender = is_forward ? step.stage - 1 : step.stage + 1;
    slot.needs[place] = (is_forward ? forward_ : backward_)[cell(sender, step.micro_batch)];
    slot.delay_s[place] = delay_s(slot.rank, step, slot.needs[place]);
  }

  /// Messages of a full pipeline show in the tasks; there is nothing to hide those of its fill and its drain.
  [[nodiscard]] double delay_s(std::int32_t rank, const Step& step, std::int32_t sender) const {
    const bool is_forward = step.kind == PipelineTask::forward;
    const std::int32_t higher = is_forward ? step.stage : step.stage + 1;
    if (plan_.slots[static_cast<std::size_t>(sender)].rank == rank || higher >= layout_.pp) return 0;
    const std::int64_t in_each_way = plan_.micro_batches / workload::stage_copies(layout_);
    const std::int64_t at = step.micro_batch % in_each_way;
    const bool at_the_end = is_forward ? at == 0 : at + 1 == in_each_way;
    return at_the_end ? std::max(0.0, transfers_.send_s - transfers_.shown_s) : 0;
  }

  /// Every rank advances until it has to wait for another; each sweep finishes at least one slot.
  void arrange() {
    std::vector<bool> done(plan_.slots.size(), false);
    done[nothing] = true;
    std::vector<std::int32_t> next(plan_.begin.begin(), plan_.begin.end() - 1);
    plan_.sequence.reserve(plan_.slots.size() - 1);
    while (plan_.sequence.size() + 1 < plan_.slots.size()) {
      const std::size_t before = plan_.sequence.size();
      for (std::size_t rank = 0; rank < next.size(); ++rank) {
        for (std::int32_t& at = next[rank]; at < plan_.begin[rank + 1]; ++at) {
          const auto& needs = plan_.slots[static_cast<std::size_t>(at)].needs;
          if (!done[static_cast<std::size_t>(needs[0])] || !done[static_cast<std::size_t>(needs[1])]) break;
          done[static_cast<std::size_t>(at)] = true;
          plan_.sequence.push_back(at);
        }
      }
      if (plan_.sequence.size() == before) throw Error("a pipeline schedule waits for itself");  // of `order_of`
    }
  }

  const Training& job_;
  const Layout& layout_;
  const StageTable& table_;
  const step::StageTransfers& transfers_;
  Plan& plan_;
  std::int64_t stages_;
  std::vector<std::int32_t> forward_;  // slots that end a pass of (stage, micro-batch)
  std::vector<std::int32_t> backward_;
};

network::Links slowed(network::Links links, const Way& way) {
  if (way.plain()) return links;
  links.scaleout_bytes_per_s /= way.slowdown;
  links.paths = way.distances;
  if (links.torus.has_flows) links.torus.slowdown *= way.slowdown;
  return links;
}

/// The parts with one kind of communication at another pace.
void slow_down(double step::PassTime::* kind, const step::PartTimes& slower, step::PartTimes& parts) {
  parts.dense.forward.*kind = slower.dense.forward.*kind;
  parts.dense.backward.*kind = slower.dense.backward.*kind;
  parts.moe.forward.*kind = slower.moe.forward.*kind;
  parts.moe.backward.*kind = slower.moe.backward.*kind;
  parts.embedding.*kind = slower.embedding.*kind;
  parts.head.*kind = slower.head.*kind;
}

step::PartTimes parts_of(const Training& job, const Layout& layout, const Accelerator& device,
                         const network::Links& links, const Slower& slower) {
  step::PartTimes parts = step::part_times(job, layout, device, links);
  const auto one = [&](double step::PassTime::* kind, const Way& way) {
    if (!way.plain()) slow_down(kind, step::part_times(job, layout, device, slowed(links, way)), parts);
  };
  one(&step::PassTime::tp_comm_s, slower.tensor);
  one(&step::PassTime::cp_comm_s, slower.context);
  one(&step::PassTime::ep_comm_s, slower.experts);
  one(&step::PassTime::dp_comm_s, slower.shards);
  return parts;
}

/// What a replica does when messages between its stages take that long.
Plan built(const Training& job, const Layout& layout, const step::StageDevices& devices,
           const workload::StageLayers& stages, const step::StageTransfers& transfers) {
  Plan plan;
  plan.micro_batches = workload::micro_batches(job.global_batch, layout);
  plan.order = schedule::order_of(layout.schedule, layout.pp, layout.vp, plan.micro_batches);
  const StageTable table(job, layout, devices, stages);
  Builder(job, layout, table, transfers, plan).build();
  for (const bool front : {true, false}) {
    const step::OnKind& kind = devices.of(front);
    plan.ends[front ? 0 : 1] = step::step_end(job, layout, kind.device, kind.links_at_end(), kind.parts, stages);
  }
  plan.overhead_s = job.software.step_overhead_s;
  return plan;
}

step::StageTransfers transfers_of(const Training& job, const Layout& layout, const step::StageDevices& devices,
                                  const workload::StageLayers& stages) {
  const auto batches = static_cast<double>(workload::micro_batches(job.global_batch, layout));
  return step::pipeline_work(job, layout, devices, stages, batches).transfers;
}

}  // namespace

Plan plan_of(const Training& job, const Layout& layout, const step::StageDevices& devices) {
  const workload::StageLayers stages = workload::stage_layers(job.model, layout);
  return built(job, layout, devices, stages, transfers_of(job, layout, devices, stages));
}

Plan plan_of(const Training& job, const Layout& layout, const LinkedDevice& front, const LinkedDevice& rest,
             const Slower& slower) {
  const workload::StageLayers stages = workload::stage_layers(job.model, layout);
  const bool mixed = &front != &rest;
  const step::PartTimes rest_parts = parts_of(job, layout, rest.device, rest.links, slower);
  const step::PartTimes front_parts =
      mixed ? parts_of(job, layout, front.device, front.links, slower) : step::PartTimes{};
  const step::PartTimes& before = mixed ? front_parts : rest_parts;
  const network::Links between_front = slowed(front.links, slower.stages);
  const network::Links between_rest = slowed(rest.links, slower.stages);
  const step::StageDevices messages{{front.device, between_front, before}, {rest.device, between_rest, rest_parts}};
  const step::StageDevices devices{{front.device, front.links, before}, {rest.device, rest.links, rest_parts}};
  return built(job, layout, devices, stages, transfers_of(job, layout, messages, stages));
}

double exposed_end_s(const Training& job, const Layout& layout, const Accelerator& device, const network::Links& links,
                     const Way& way) {
  const step::PartTimes parts = step::part_times(job, layout, device, links);
  return step::step_end(job, layout, device, slowed(links, way), parts, workload::stage_layers(job.model, layout))
      .replicas.exposed_s;
}

}  // namespace ampacity::simulation
