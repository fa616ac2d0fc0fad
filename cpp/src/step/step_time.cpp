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

/// Joules of the mean device of those ranks: what it does for its own stage, and being stalled for the rest of the
/// step. Messages of the fill and the drain count as waiting.
double mean_joules(const Training& job, const Layout& layout, const StepTime& step, const PipelineWork& pipeline,
                   const OnKind& kind, Ranks ranks, const PassTime& mean, const StepEnd& end) {
  const double batches = step.micro_batches;
  const double stalled_w = compute::stalled_w(kind.device);
  const double overlapped = schedule::mean_overlapped_share(layout.schedule, layout.pp, batches);
  const double kernels_s = batches * mean.compute_s();
  const double kernels_j = batches * (mean.joules - mean.imbalance_s * stalled_w);
  const double hidden_ep_s = overlapped * batches * hideable_exchange_s(job.software, mean.ep_comm_s, mean.compute_s());
  const double messages_s = 2 * static_cast<double>(layout.vp) * batches * pipeline.transfers.shown_s;
  const double communicating_s = batches * (mean.tp_comm_s + mean.cp_comm_s + mean.ep_comm_s + mean.dp_comm_s) -
                                 hidden_ep_s + messages_s + end.replicas.exposed_s + end.norm_s;
  const double waiting_s = step.breakdown.total_s() - kernels_s - end.optimizer.seconds - communicating_s;
  return kernels_j + end.optimizer.joules + communicating_s * compute::communicating_w(kind.device) +
         waiting_s * stalled_w +
         mean_hidden_joules(pipeline, kind, ranks, job.software, batches, overlapped,
                            step.hidden_pp_s + end.replicas.hidden_s);
}

StepEnd end_on(const Training& job, const Layout& layout, const OnKind& kind, const workload::StageLayers& stages) {
  return step_end(job, layout, kind.device, kind.links_at_end(), kind.parts, stages);
}

double seconds_of(const StepEnd& end) {
  return end.replicas.exposed_s + end.optimizer.seconds + end.offload_s + end.norm_s;
}

}  // namespace

StepTime step_time(const Training& job, const Layout& layout, const StageDevices& devices,
                   const workload::StageLayers& stages) {
  const auto batches = static_cast<double>(workload::micro_batches(job.global_batch, layout));
  const PipelineWork pipeline = pipeline_work(job, layout, devices, stages, batches);
  const PassTime& slowest = pipeline.slowest;
  const OnKind& slow = devices.of(pipeline.slowest_rank.front);

  StepTime step;
  step.micro_batches = batches;
  step.slowest = pipeline.slowest_rank.parts;
  step.slowest_in_front = pipeline.slowest_rank.front;
  Breakdown& b = step.breakdown;
  add_pass(b, batches, slowest);
  b.bubble_s = pipeline.bubble_s;
  step.slowest_stage_s = slowest.total_s();
  step.hidden_ep_s = pipeline.hidden_ep_s;
  b.ep_comm_s -= step.hidden_ep_s;
  b.pp_comm_s = pipeline.messages_s;
  step.hidden_pp_s = 2 * static_cast<double>(layout.vp) * batches * pipeline.transfers.hidden_s;

  const StepEnd rest_end = end_on(job, layout, devices.rest, stages);
  const StepEnd front_end = devices.mixed() ? end_on(job, layout, devices.front, stages) : rest_end;
  // All wait for the longer one.
  const StepEnd& end = seconds_of(front_end) > seconds_of(rest_end) ? front_end : rest_end;
  b.dp_comm_s += end.replicas.exposed_s + end.norm_s;
  step.hidden_dp_s = end.replicas.hidden_s;
  b.optimizer_s = end.optimizer.seconds;
  b.offload_s += end.offload_s;
  b.overhead_s = job.software.step_overhead_s;
  // A synchronous step is as fast as its slowest device.
  const double compute = b.gemm_s + b.attention_s + b.memory_bound_s + b.recompute_s;
  b.straggler_s =
      slow.device.speed_spread_fraction * expected_maximum(static_cast<double>(layout.accelerators())) * compute;

  if (!devices.mixed()) {
    const PassTime mean = mean_rank(pipeline, devices.rest.parts, Ranks::all).pass;
    step.mean_stage_s = mean.total_s();
    step.joules = mean_joules(job, layout, step, pipeline, devices.rest, Ranks::all, mean, end);
    return step;
  }
  const MeanRank front = mean_rank(pipeline, devices.front.parts, Ranks::front);
  const MeanRank rest = mean_rank(pipeline, devices.rest.parts, Ranks::rest);
  step.mean_stage_s = front.share * front.pass.total_s() + rest.share * rest.pass.total_s();
  step.stage_joules = {mean_joules(job, layout, step, pipeline, devices.front, Ranks::front, front.pass, front_end),
                       mean_joules(job, layout, step, pipeline, devices.rest, Ranks::rest, rest.pass, rest_end)};
  step.joules = front.share * step.stage_joules[0] + rest.share * step.stage_joules[1];
  return step;
}

}  // namespace ampacity::step
