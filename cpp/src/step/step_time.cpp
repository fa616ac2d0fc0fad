#include "step/step_time.hpp"

#include <algorithm>
#include <cmath>

#include "compute/kernels.hpp"
#include "schedule/pipeline.hpp"
#include "step/data_parallel.hpp"
#include "step/pass_kernels.hpp"
#include "step/stage_time.hpp"
#include "workload/stage_parameters.hpp"
#include "workload/stages.hpp"

namespace ampacity::step {
namespace {

PassTime layers_of(const PartTimes& parts, const workload::LayerMix& layers) {
  return layers.dense * (parts.dense.forward + parts.dense.backward) +
         layers.moe * (parts.moe.forward + parts.moe.backward);
}

/// One stage for one micro-batch.
struct Stage : PassTime {
  PartCounts parts;
};

/// The stages of a pipeline, per micro-batch.
struct Stages {
  Stage first;
  Stage middle;
  Stage last;

  [[nodiscard]] const Stage& slowest(std::int64_t pp) const {
    const Stage* found = &last;
    if (pp > 1 && first.total_s() > found->total_s()) found = &first;
    if (pp > 2 && middle.total_s() > found->total_s()) found = &middle;
    return *found;
  }
  [[nodiscard]] double mean_s(std::int64_t pp) const {
    if (pp == 1) return last.total_s();
    const double all = first.total_s() + last.total_s() + static_cast<double>(pp - 2) * middle.total_s();
    return all / static_cast<double>(pp);
  }
};

Stages stages_of(const Training& job, const PartTimes& parts, const workload::StageLayers& layers, std::int64_t pp) {
  // Each layer that predicts a further token has a loss of its own.
  const auto heads = static_cast<double>(1 + job.model.mtp_layers);
  Stages stages{{layers_of(parts, layers.first), {layers.first, 1, 0}},
                {layers_of(parts, layers.middle), {layers.middle, 0, 0}},
                {layers_of(parts, layers.last), {layers.last, pp == 1 ? 1.0 : 0.0, heads}}};
  stages.first += parts.embedding;
  stages.last += heads * parts.head;
  if (pp == 1) stages.last += parts.embedding;
  return stages;
}

/// Parameters of the stage that reduces most, on one device.
workload::StageParameters fullest_parameters(const Training& job, const Layout& layout,
                                             const workload::StageLayers& layers) {
  const auto of = [&](const workload::LayerMix& mix, workload::StagePlace place) {
    return workload::stage_parameters(job.model, layout, mix, place);
  };
  if (layout.pp == 1) return of(layers.last, {true, true});
  workload::StageParameters fullest = of(layers.first, {true, false});
  for (const workload::StageParameters& stage : {of(layers.middle, {false, false}), of(layers.last, {false, true})}) {
    if (stage.all() > fullest.all()) fullest = stage;
  }
  return fullest;
}

/// Stage-to-stage transfers that show: two per micro-batch and virtual stage, and those of the fill. With sequence
/// parallelism each tensor-parallel rank sends its slice; the scatter/gather optimisation of Narayanan et al. 2021
/// (section 4.1) does the same without it, and gathers the slices within the node that receives them.
double pipeline_comm(const Training& job, const Layout& layout, const network::Links& links, double micro_batches,
                     double& hidden) {
  if (layout.pp == 1) return 0;
  const double tokens = static_cast<double>(layout.micro_batch * job.seq_len) / static_cast<double>(layout.cp);
  const bool split = layout.sequence_parallel || job.software.splits_stage_transfers;
  const double bytes = 2 * tokens * static_cast<double>(job.model.hidden) / static_cast<double>(split ? layout.tp : 1);
  double send = network::send_s(links, layout.tp * layout.cp * layout.dp, bytes);
  if (split && !layout.sequence_parallel) {
    send += network::all_gather_s(links, {layout.tp, 1}, bytes * static_cast<double>(layout.tp));
  }
  const double overlap = job.software.pp_overlap_fraction;
  const double steady = 2 * static_cast<double>(layout.vp) * micro_batches * send;
  hidden += overlap * steady;
  return (1 - overlap) * steady + message_overlap_cost_s(job.software, overlap * steady) +
         2 * static_cast<double>(layout.pp - 1) * send;
}

void add_pass(Breakdown& breakdown, double times, const PassTime& pass) {
  breakdown.gemm_s += times * pass.gemm_s;
  breakdown.attention_s += times * pass.attention_s;
  breakdown.memory_bound_s += times * pass.memory_bound_s;
  breakdown.recompute_s += times * pass.recompute_s;
  breakdown.launch_s += times * pass.launch_s;
  breakdown.tp_comm_s += times * pass.tp_comm_s;
  breakdown.cp_comm_s += times * pass.cp_comm_s;
  breakdown.ep_comm_s += times * pass.ep_comm_s;
  breakdown.imbalance_s += times * pass.imbalance_s;
  breakdown.dp_comm_s += times * pass.dp_comm_s;
}

}  // namespace

StepTime step_time(const Training& job, const Layout& layout, const Accelerator& device, const network::Links& links) {
  return step_time(job, layout, device, links, part_times(job, layout, device, links));
}

StepTime step_time(const Training& job, const Layout& layout, const Accelerator& device, const network::Links& links,
                   const PartTimes& parts) {
  const workload::StageLayers layers = workload::stage_layers(job.model, layout);
  const Stages stages = stages_of(job, parts, layers, layout.pp);
  const Stage& slowest = stages.slowest(layout.pp);
  const auto batches = static_cast<double>(workload::micro_batches(job.global_batch, layout));

  StepTime step;
  step.micro_batches = batches;
  step.slowest = slowest.parts;
  Breakdown& b = step.breakdown;
  add_pass(b, batches, slowest);
  const schedule::PipelineTime pipeline = schedule::pipeline_time(
      layout, batches, {stages.first.total_s(), stages.middle.total_s(), stages.last.total_s()});
  b.bubble_s = pipeline.bubble_s;
  step.slowest_stage_s = slowest.total_s();
  step.mean_stage_s = stages.mean_s(layout.pp);
  b.pp_comm_s = pipeline_comm(job, layout, links, batches, step.hidden_pp_s);

  const workload::StageParameters parameters = fullest_parameters(job, layout, layers);
  const workload::LayerMix stage_layers = layout.pp == 1 ? layers.last : layers.middle;
  // With virtual stages only the chunks before the last one leave time behind which their gradients can travel.
  const double chunk_share = layout.vp > 1 ? 1 - 1 / static_cast<double>(layout.vp) : 1;
  const auto window_s = [&](PassTime LayerTime::* direction) {
    return chunk_share * (stage_layers.dense * (parts.dense.*direction).window_s() +
                          stage_layers.moe * (parts.moe.*direction).window_s());
  };
  const OverlapWindow window{window_s(&LayerTime::forward), window_s(&LayerTime::backward)};
  const StepComm dp = data_parallel_comm(job, layout, links, parameters, stage_layers.all(), window);
  b.dp_comm_s += dp.exposed_s;
  step.hidden_dp_s = dp.hidden_s;
  const double hidden = batches * slowest.hidden_comm_s + step.hidden_pp_s + step.hidden_dp_s;

  const compute::KernelCost optimizer = optimizer_cost(job, layout, device, parameters);
  b.optimizer_s = optimizer.seconds;
  // The norm of the gradient is summed over all devices before any may update.
  b.dp_comm_s += network::all_reduce_s(links, {layout.accelerators(), 1}, 8);
  b.overhead_s = job.software.step_overhead_s;
  // A synchronous step is as fast as its slowest device.
  const double compute = b.gemm_s + b.attention_s + b.memory_bound_s + b.recompute_s;
  b.straggler_s = device.speed_spread_fraction * expected_maximum(static_cast<double>(layout.accelerators())) * compute;

  const double communicating = b.tp_comm_s + b.cp_comm_s + b.ep_comm_s + b.pp_comm_s + b.dp_comm_s;
  const double waiting = b.bubble_s + b.launch_s + b.straggler_s + b.overhead_s;
  const double communicating_w = compute::communicating_w(device);
  const double stalled_w = compute::stalled_w(device);
  step.joules = batches * slowest.joules + optimizer.joules + communicating * communicating_w + waiting * stalled_w +
                hidden * (communicating_w - stalled_w);
  return step;
}

}  // namespace ampacity::step
