#include "step/step_time.hpp"

#include "compute/kernels.hpp"
#include "schedule/pipeline.hpp"
#include "step/pipeline_work.hpp"
#include "step/stage_time.hpp"
#include "step/step_terms.hpp"
#include "workload/stages.hpp"

namespace ampacity::step {
namespace {

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
  step.hidden_ep_s = schedule::overlapped_share(layout.schedule, layout.pp, batches) * batches *
                     hideable_exchange_s(job.software, slowest.ep_comm_s, slowest.compute_s());
  b.ep_comm_s -= step.hidden_ep_s;
  const StageTransfers transfers = stage_transfers(job, layout, links, batches, slowest.weight_gradient_s);
  const double sends = 2 * static_cast<double>(layout.vp) * batches;
  b.pp_comm_s = sends * transfers.shown_s + 2 * static_cast<double>(layout.pp - 1) * transfers.send_s;
  step.hidden_pp_s = sends * transfers.hidden_s;

  const StepEnd end = step_end(job, layout, device, links, parts, stages);
  b.dp_comm_s += end.replicas.exposed_s + end.norm_s;
  step.hidden_dp_s = end.replicas.hidden_s;
  const double hidden = batches * slowest.hidden_comm_s + step.hidden_ep_s + step.hidden_pp_s + step.hidden_dp_s;

  b.optimizer_s = end.optimizer.seconds;
  b.offload_s += end.offload_s;
  b.overhead_s = job.software.step_overhead_s;
  // A synchronous step is as fast as its slowest device.
  const double compute = b.gemm_s + b.attention_s + b.memory_bound_s + b.recompute_s;
  b.straggler_s = device.speed_spread_fraction * expected_maximum(static_cast<double>(layout.accelerators())) * compute;

  const double communicating = b.tp_comm_s + b.cp_comm_s + b.ep_comm_s + b.pp_comm_s + b.dp_comm_s;
  const double waiting = b.offload_s + b.bubble_s + b.launch_s + b.straggler_s + b.overhead_s;
  const double communicating_w = compute::communicating_w(device);
  const double stalled_w = compute::stalled_w(device);
  const double kernels_j = batches * (slowest.joules - slowest.imbalance_s * stalled_w);
  step.joules = batches * slowest.joules + end.optimizer.joules + communicating * communicating_w +
                waiting * stalled_w + hidden_joules(device, hidden, compute, kernels_j);
  // The mean rank has less to do in each micro-batch than the slowest, for which it waits.
  const double in_pass_comm = slowest.tp_comm_s + slowest.cp_comm_s + slowest.ep_comm_s + slowest.dp_comm_s;
  const double in_pass_j = slowest.joules + in_pass_comm * communicating_w + slowest.launch_s * stalled_w;
  step.joules -= (1 - pipeline.mean_fraction) * batches * (in_pass_j - slowest.total_s() * stalled_w);
  return step;
}

}  // namespace ampacity::step
