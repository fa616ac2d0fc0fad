#include "step/step_terms.hpp"

#include <algorithm>

#include "schedule/pipeline.hpp"
#include "step/offload_time.hpp"
#include "step/pass_kernels.hpp"
#include "workload/adapters.hpp"

namespace ampacity::step {
namespace {

/// Trained parameters of the stage that reduces most, on one device.
workload::StageParameters fullest_parameters(const Training& job, const Layout& layout,
                                             const workload::StageLayers& stages) {
  workload::StageParameters fullest;
  for (const workload::StageRun& run : stages) {
    const workload::StageParameters stage =
        workload::trained_parameters(job, layout, run.layers, {run.embedding, run.head});
    if (stage.all() > fullest.all()) fullest = stage;
  }
  return fullest;
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

}  // namespace

// With sequence parallelism each tensor-parallel rank sends its slice; the scatter/gather optimisation of Narayanan et
// al. 2021 (section 4.1) does the same without it, and gathers the slices within the node that receives them. Weight
// gradients that are put off fill the time that a gradient is on its way, and so does what DualPipe runs beside it
// (DeepSeek-V3, arXiv:2412.19437, section 3.2.1).
StageTransfers stage_transfers(const Training& job, const Layout& layout, const network::Links& links,
                               double micro_batches, double weight_gradient_s) {
  if (layout.pp == 1) return {};
  const double tokens = static_cast<double>(layout.micro_batch * job.seq_len) / static_cast<double>(layout.cp);
  const bool split = layout.sequence_parallel || job.software.splits_stage_transfers;
  const double bytes = 2 * tokens * static_cast<double>(job.model.hidden) / static_cast<double>(split ? layout.tp : 1);
  double send = network::send_s(links, layout.tp * layout.cp * layout.dp, bytes);
  if (split && !layout.sequence_parallel) {
    send += network::all_gather_s(links, {layout.tp, 1}, bytes * static_cast<double>(layout.tp));
  }
  double overlap = job.software.pp_overlap_fraction;
  const double steady = 2 * static_cast<double>(layout.vp) * send;  // of a micro-batch
  if (overlaps_passes(layout.schedule)) {
    overlap = std::max(overlap, schedule::overlapped_share(layout.schedule, layout.pp, micro_batches));
  } else if ((layout.schedule == Schedule::zb_h1 || layout.schedule == Schedule::zb_v) && steady > 0) {
    overlap = std::max(overlap, std::min(1.0, weight_gradient_s / steady));
  }
  return {send, (1 - overlap) * send + message_overlap_cost_s(job.software, overlap * send), overlap * send};
}

double hideable_exchange_s(const Software& software, double exchange_s, double compute_s) {
  return (1 - software.comm_sm_fraction) * std::min(exchange_s, compute_s);
}

double hidden_joules(const Accelerator& device, double hidden_s, double compute_s, double compute_j) {
  const double room_j = std::max(0.0, device.limit_w() * compute_s - compute_j);
  return std::min(hidden_s * (compute::communicating_w(device) - compute::stalled_w(device)), room_j);
}

StepEnd step_end(const Training& job, const Layout& layout, const Accelerator& device, const network::Links& links,
                 const PartTimes& parts, const workload::StageLayers& stages) {
  const workload::StageParameters parameters = fullest_parameters(job, layout, stages);
  const workload::LayerMix layers = workload::fullest_layers(stages);
  const OverlapWindow window = overlap_window(layout, parts, layers);
  return {data_parallel_comm(job, layout, links, parameters, layers.all(), window),
          optimizer_cost(job, layout, device, parameters),
          optimizer_offload_s(layout, links, parameters, window.backward_s),
          network::all_reduce_s(links, {layout.accelerators(), 1}, 8)};
}

}  // namespace ampacity::step
