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

/// Joules of the mean device but for communication behind its kernels: what it does for its own stage, and being
/// stalled for the rest of the step. Messages of the fill and the drain count as waiting.
double joules_of(const StepTime& step, const PassTime& mean, const StepEnd& end, double communicating_s,
                 const Accelerator& device) {
  const double batches = step.micro_batches;
  const double stalled_w = compute::stalled_w(device);
  const double kernels_s = batches * mean.compute_s();
  const double kernels_j = batches * (mean.joules - mean.imbalance_s * stalled_w);
  const double waiting_s = step.breakdown.total_s() - kernels_s - end.optimizer.seconds - communicating_s;
  return kernels_j + end.optimizer.joules + communicating_s * compute::communicating_w(device) + waiting_s * stalled_w;
}

}  // namespace

StepTime step_time(const Training& job, const Layout& layout, const Accelerator& device, const network::Links& links) {
  return step_time(job, layout, device, links, part_times(job, layout, device, links));
}

StepTime step_time(const Training& job, const Layout& layout, const Accelerator& device, const network::Links& links,
                   const PartTimes& parts) {
  const workload::StageLayers stages = workload::stage_layers(job.model, layout);
  const auto batches = static_cast<double>(workload::micro_batches(job.global_batch, layout));
  const PipelineWork pipeline = pipeline_work(job, layout, links, parts, stages, batches);
  const PassTime& slowest = pipeline.slowest;

  StepTime step;
  step.micro_batches = batches;
  step.slowest = pipeline.slowest_parts;
  Breakdown& b = step.breakdown;
  add_pass(b, batches, slowest);
  b.bubble_s = pipeline.bubble_s;
  step.slowest_stage_s = slowest.total_s();
  step.mean_stage_s = pipeline.mean.total_s();
  step.hidden_ep_s = pipeline.hidden_ep_s;
  b.ep_comm_s -= step.hidden_ep_s;
  b.pp_comm_s = pipeline.messages_s;
  const double sends = 2 * static_cast<double>(layout.vp) * batches;
  step.hidden_pp_s = sends * pipeline.transfers.hidden_s;

  const StepEnd end = step_end(job, layout, device, links, parts, stages);
  b.dp_comm_s += end.replicas.exposed_s + end.norm_s;
  step.hidden_dp_s = end.replicas.hidden_s;

  b.optimizer_s = end.optimizer.seconds;
  b.offload_s += end.offload_s;
  b.overhead_s = job.software.step_overhead_s;
  // A synchronous step is as fast as its slowest device.
  const double compute = b.gemm_s + b.attention_s + b.memory_bound_s + b.recompute_s;
  b.straggler_s = device.speed_spread_fraction * expected_maximum(static_cast<double>(layout.accelerators())) * compute;

  const PassTime& mean = pipeline.mean;
  const double overlapped = schedule::mean_overlapped_share(layout.schedule, layout.pp, batches);
  const double hidden_ep_s = overlapped * batches * hideable_exchange_s(job.software, mean.ep_comm_s, mean.compute_s());
  const double communicating_s = batches * (mean.tp_comm_s + mean.cp_comm_s + mean.ep_comm_s + mean.dp_comm_s) -
                                 hidden_ep_s + sends * pipeline.transfers.shown_s + end.replicas.exposed_s + end.norm_s;
  step.joules = joules_of(step, mean, end, communicating_s, device) +
                mean_hidden_joules(pipeline, parts, job.software, device, batches, overlapped,
                                   step.hidden_pp_s + step.hidden_dp_s);
  return step;
}

}  // namespace ampacity::step
