#include "step/step_time.hpp"

#include <algorithm>
#include <cmath>

#include "compute/kernels.hpp"
#include "schedule/pipeline.hpp"
#include "step/data_parallel.hpp"
#include "step/offload_time.hpp"
#include "step/pass_kernels.hpp"
#include "step/pipeline_work.hpp"
#include "step/stage_time.hpp"
#include "workload/stage_parameters.hpp"
#include "workload/stages.hpp"

namespace ampacity::step {
namespace {

/// Parameters of the stage that reduces most, on one device.
workload::StageParameters fullest_parameters(const Training& job, const Layout& layout,
                                             const workload::StageLayers& stages) {
  workload::StageParameters fullest;
  for (const workload::StageRun& run : stages) {
    const workload::StageParameters stage =
        workload::stage_parameters(job.model, layout, run.layers, {run.embedding, run.head});
    if (stage.all() > fullest.all()) fullest = stage;
  }
  return fullest;
}

/// Stage-to-stage transfers that show: two per micro-batch and virtual stage, and those of the fill. With sequence
/// parallelism each tensor-parallel rank sends its slice; the scatter/gather optimisation of Narayanan et al. 2021
/// (section 4.1) does the same without it, and gathers the slices within the node that receives them. Weight gradients
/// that are put off fill the time that a gradient is on its way, and so does what DualPipe runs beside it (DeepSeek-V3,
/// arXiv:2412.19437, section 3.2.1).
double pipeline_comm(const Training& job, const Layout& layout, const network::Links& links, double micro_batches,
                     double weight_gradient_s, double& hidden) {
  if (layout.pp == 1) return 0;
  const double tokens = static_cast<double>(layout.micro_batch * job.seq_len) / static_cast<double>(layout.cp);
  const bool split = layout.sequence_parallel || job.software.splits_stage_transfers;
  const double bytes = 2 * tokens * static_cast<double>(job.model.hidden) / static_cast<double>(split ? layout.tp : 1);
  double send = network::send_s(links, layout.tp * layout.cp * layout.dp, bytes);
  if (split && !layout.sequence_parallel) {
    send += network::all_gather_s(links, {layout.tp, 1}, bytes * static_cast<double>(layout.tp));
  }
  const double passes = static_cast<double>(layout.vp) * micro_batches;
  const double steady = 2 * passes * send;
  double overlap = job.software.pp_overlap_fraction;
  if (overlaps_passes(layout.schedule)) {
    overlap = std::max(overlap, schedule::overlapped_share(layout.schedule, layout.pp, micro_batches));
  } else if ((layout.schedule == Schedule::zb_h1 || layout.schedule == Schedule::zb_v) && steady > 0) {
    overlap = std::max(overlap, std::min(1.0, micro_batches * weight_gradient_s / steady));
  }
  hidden += overlap * steady;
  return (1 - overlap) * steady + message_overlap_cost_s(job.software, overlap * steady) +
         2 * static_cast<double>(layout.pp - 1) * send;
}

/// DualPipe runs a forward and a backward pass into one another so that the exchange with experts of the one is behind
/// the compute of the other (DeepSeek-V3, arXiv:2412.19437, section 3.2.1), as far as there is compute; the kernels of
/// the exchange keep their share of the SMs. Returns seconds of the exchange that do not show.
double overlapped_exchange_s(const Training& job, const Layout& layout, double micro_batches, const PassTime& pass) {
  const double share = schedule::overlapped_share(layout.schedule, layout.pp, micro_batches);
  return share * micro_batches * (1 - job.software.comm_sm_fraction) * std::min(pass.ep_comm_s, pass.compute_s());
}

/// Passes of the last (first) micro-batch behind which gradients (weights) travel. With virtual stages only the chunks
/// before the last one leave time behind which their gradients can travel; where weight gradients are put off, they
/// come at the end and only they.
OverlapWindow overlap_window(const Layout& layout, const PartTimes& parts, const workload::LayerMix& layers) {
  const double chunks = static_cast<double>(layout.vp * workload::stage_copies(layout));
  const double share = chunks > 1 ? 1 - 1 / chunks : 1;
  const auto sum = [&](const auto& seconds) {
    return share * (layers.dense * seconds(parts.dense) + layers.moe * seconds(parts.moe));
  };
  const bool at_once = layout.schedule == Schedule::one_f_one_b || layout.schedule == Schedule::gpipe;
  return {sum([](const LayerTime& layer) { return layer.forward.window_s(); }), sum([&](const LayerTime& layer) {
            return at_once ? layer.backward.window_s() : layer.backward.weight_gradient_s;
          })};
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
  breakdown.offload_s += times * pass.offload_s;
}

}  // namespace

StepTime step_time(const Training& job, const Layout& layout, const Accelerator& device, const network::Links& links) {
  return step_time(job, layout, device, links, part_times(job, layout, device, links));
}

StepTime step_time(const Training& job, const Layout& layout, const Accelerator& device, const network::Links& links,
                   const PartTimes& parts) {
  const workload::StageLayers stages = workload::stage_layers(job.model, layout);
  const auto batches = static_cast<double>(workload::micro_batches(job.global_batch, layout));
  const PipelineWork pipeline = pipeline_work(job, layout, parts, stages, batches);
  const PassTime& slowest = pipeline.slowest;

  StepTime step;
  step.micro_batches = batches;
  step.slowest = pipeline.slowest_parts;
  Breakdown& b = step.breakdown;
  add_pass(b, batches, slowest);
  b.bubble_s = pipeline.bubble_s;
  step.slowest_stage_s = slowest.total_s();
  step.mean_stage_s = pipeline.mean_fraction * slowest.total_s();
  step.hidden_ep_s = overlapped_exchange_s(job, layout, batches, slowest);
  b.ep_comm_s -= step.hidden_ep_s;
  b.pp_comm_s = pipeline_comm(job, layout, links, batches, slowest.weight_gradient_s, step.hidden_pp_s);

  const workload::StageParameters parameters = fullest_parameters(job, layout, stages);
  const workload::LayerMix layers = workload::fullest_layers(stages);
  const OverlapWindow window = overlap_window(layout, parts, layers);
  const StepComm dp = data_parallel_comm(job, layout, links, parameters, layers.all(), window);
  b.dp_comm_s += dp.exposed_s;
  step.hidden_dp_s = dp.hidden_s;
  const double hidden = batches * slowest.hidden_comm_s + step.hidden_ep_s + step.hidden_pp_s + step.hidden_dp_s;

  const compute::KernelCost optimizer = optimizer_cost(job, layout, device, parameters);
  b.optimizer_s = optimizer.seconds;
  b.offload_s += optimizer_offload_s(layout, links, parameters, window.backward_s);
  // The norm of the gradient is summed over all devices before any may update.
  b.dp_comm_s += network::all_reduce_s(links, {layout.accelerators(), 1}, 8);
  b.overhead_s = job.software.step_overhead_s;
  // A synchronous step is as fast as its slowest device.
  const double compute = b.gemm_s + b.attention_s + b.memory_bound_s + b.recompute_s;
  b.straggler_s = device.speed_spread_fraction * expected_maximum(static_cast<double>(layout.accelerators())) * compute;

  const double communicating = b.tp_comm_s + b.cp_comm_s + b.ep_comm_s + b.pp_comm_s + b.dp_comm_s;
  const double waiting = b.offload_s + b.bubble_s + b.launch_s + b.straggler_s + b.overhead_s;
  const double communicating_w = compute::communicating_w(device);
  const double stalled_w = compute::stalled_w(device);
  step.joules = batches * slowest.joules + optimizer.joules + communicating * communicating_w + waiting * stalled_w +
                hidden * (communicating_w - stalled_w);
  // The mean rank has less to do in each micro-batch than the slowest, for which it waits.
  const double in_pass_comm = slowest.tp_comm_s + slowest.cp_comm_s + slowest.ep_comm_s + slowest.dp_comm_s;
  const double in_pass_j = slowest.joules + in_pass_comm * communicating_w + slowest.launch_s * stalled_w;
  step.joules -= (1 - pipeline.mean_fraction) * batches * (in_pass_j - slowest.total_s() * stalled_w);
  return step;
}

}  // namespace ampacity::step
