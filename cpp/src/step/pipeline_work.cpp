#include "step/pipeline_work.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <tuple>

#include "compute/kernels.hpp"
#include "schedule/exact.hpp"
#include "schedule/pipeline.hpp"

namespace ampacity::step {
namespace {

using schedule::PassSeconds;
using schedule::RankTimes;

PassSeconds seconds_of(const LayerTime& layer) {
  const double weight = layer.backward.weight_gradient_s;
  return {layer.forward.total_s(), layer.backward.total_s() - weight, weight};
}

/// Forward and backward pass of the head are not kept apart: three products of the same size.
PassSeconds seconds_of_head(const PassTime& head) {
  const double rest = head.total_s() - head.weight_gradient_s;
  return {rest / 2, rest / 2, head.weight_gradient_s};
}

PassSeconds seconds_of_embedding(const PartTimes& parts) {
  const double backward = parts.embedding_backward_fraction;
  return {(1 - backward) * parts.embedding.total_s(), 0, backward * parts.embedding.total_s()};
}

/// Seconds of the parts of a pipeline.
struct Parts {
  PassSeconds dense;
  PassSeconds moe;
  PassSeconds embedding;
  PassSeconds head;

  [[nodiscard]] PassSeconds of(const PartCounts& counts) const {
    PassSeconds sum = counts.layers.dense * dense;
    if (counts.layers.moe > 0) sum += counts.layers.moe * moe;
    if (counts.embeddings > 0) sum += counts.embeddings * embedding;
    if (counts.heads > 0) sum += counts.heads * head;
    return sum;
  }
};

PassTime pass_of(const PartTimes& parts, const PartCounts& counts) {
  PassTime pass = counts.layers.dense * (parts.dense.forward + parts.dense.backward);
  if (counts.layers.moe > 0) pass += counts.layers.moe * (parts.moe.forward + parts.moe.backward);
  if (counts.embeddings > 0) pass += counts.embeddings * parts.embedding;
  if (counts.heads > 0) pass += counts.heads * parts.head;
  return pass;
}

void add(PartCounts& sum, double times, const PartCounts& counts) {
  sum.layers.dense += times * counts.layers.dense;
  sum.layers.moe += times * counts.layers.moe;
  sum.embeddings += times * counts.embeddings;
  sum.heads += times * counts.heads;
}

/// Kernels and the communication that is behind them, or could be.
struct Behind {
  double compute_s = 0;
  double kernels_j = 0;
  double hidden_s = 0;
  double exchange_s = 0;
};
Behind operator+(const Behind& a, const Behind& b) {
  return {a.compute_s + b.compute_s, a.kernels_j + b.kernels_j, a.hidden_s + b.hidden_s, a.exchange_s + b.exchange_s};
}
Behind operator*(double times, const Behind& one) {
  return {times * one.compute_s, times * one.kernels_j, times * one.hidden_s, times * one.exchange_s};
}
Behind behind_of(const PassTime& pass, double stalled_w) {
  return {pass.compute_s(), pass.joules - pass.imbalance_s * stalled_w, pass.hidden_comm_s, pass.ep_comm_s};
}

schedule::Messages messages_of(const StageTransfers& transfers) {
  return {transfers.shown_s, std::max(0.0, transfers.send_s - transfers.shown_s)};
}

using AllTimes = std::array<RankTimes, std::tuple_size_v<decltype(workload::StageLayers::runs)>>;

PartCounts counts_of(const workload::StageRun& run, const Layout& layout, double losses) {
  // With DualPipe half of the micro-batches go through each of the two stages of a rank.
  const double through = 1 / static_cast<double>(workload::stage_copies(layout));
  return {{through * run.layers.dense, through * run.layers.moe},
          run.embedding ? through : 0,
          run.head ? through * losses : 0};
}

RankTimes rank_times(const workload::StageRun& run, const Layout& layout, double losses, const PartCounts& counts,
                     const Parts& seconds) {
  RankTimes rank;
  rank.ranks = run.ranks;
  rank.all = seconds.of(counts);
  if (layout.vp == 1) {
    rank.first_chunk = rank.all;
    rank.last_chunk = rank.all;
  } else {
    rank.first_chunk = seconds.of({run.first_chunk, run.embedding ? 1.0 : 0.0, 0});
    rank.last_chunk = seconds.of({run.last_chunk, 0, run.head ? losses : 0});
  }
  return rank;
}

/// What shows of messages between stages is part of each pass.
void add_messages(double chunks, double shown_s, RankTimes& rank) {
  const PassSeconds both{shown_s, shown_s, 0};
  rank.all += chunks * both;
  rank.first_chunk += both;
  rank.last_chunk += both;
}

/// Whether the closed form is near (1 %). That of the interleaved schedule wants virtual stages of equal length, but
/// for embedding and head and the layers that stand for these; that of ZB-H1 also a pipeline that fills.
bool has_closed_form(const Model& model, const Layout& layout, double micro_batches) {
  const bool equal = !layout.uneven_stages && layout.first_stage_layers == 0 && layout.last_stage_layers == 0 &&
                     layout.front_stages == 0;
  switch (layout.schedule) {
    case Schedule::gpipe:
      return true;
    case Schedule::one_f_one_b:
      return layout.vp == 1 || (equal && !(model.is_moe() && model.dense_layers > 0));
    case Schedule::zb_h1:
      return equal && micro_batches >= 2 * static_cast<double>(layout.pp);
    default:
      return layout.pp == 1;
  }
}

Parts seconds_of(const PartTimes& parts) {
  return {seconds_of(parts.dense), seconds_of(parts.moe), seconds_of_embedding(parts), seconds_of_head(parts.head)};
}

/// Messages between kinds of devices go at the pace of the slower one.
StageTransfers transfers_of(const Training& job, const Layout& layout, const StageDevices& devices,
                            double micro_batches, double weight_gradient_s) {
  const StageTransfers rest = stage_transfers(job, layout, devices.rest.links, micro_batches, weight_gradient_s);
  if (!devices.mixed()) return rest;
  const StageTransfers front = stage_transfers(job, layout, devices.front.links, micro_batches, weight_gradient_s);
  return front.send_s > rest.send_s ? front : rest;
}

bool among(const RankParts& run, Ranks ranks) {
  return ranks == Ranks::all || run.front == (ranks == Ranks::front);
}

}  // namespace

PipelineWork pipeline_work(const Training& job, const Layout& layout, const StageDevices& devices,
                           const workload::StageLayers& stages, double micro_batches) {
  // Each layer that predicts a further token has a loss of its own.
  const auto losses = static_cast<double>(1 + job.model.mtp_layers);
  const Parts rest = seconds_of(devices.rest.parts);
  const Parts front = devices.mixed() ? seconds_of(devices.front.parts) : rest;
  AllTimes times;
  PipelineWork work;
  work.count = stages.count;
  for (std::size_t i = 0; i < stages.count; ++i) {
    const workload::StageRun& run = stages.runs[i];
    RankParts& rank = work.runs[i];
    rank.parts = counts_of(run, layout, losses);
    rank.share = static_cast<double>(run.ranks) / static_cast<double>(layout.pp);
    rank.front = run.first_rank < layout.front_stages;
    times[i] = rank_times(run, layout, losses, rank.parts, rank.front ? front : rest);
  }
  const std::span<RankTimes> used{times.data(), stages.count};
  const std::size_t slowest = schedule::slowest_rank(used);

  work.slowest_rank = work.runs[slowest];
  work.slowest = pass_of(devices.of(work.slowest_rank.front).parts, work.slowest_rank.parts);
  work.transfers = transfers_of(job, layout, devices, micro_batches, work.slowest.weight_gradient_s);
  work.messages_s = 2 * static_cast<double>(layout.vp) * micro_batches * work.transfers.shown_s +
                    2 * static_cast<double>(layout.pp - 1) * work.transfers.send_s;
  work.hidden_ep_s = schedule::overlapped_share(layout.schedule, layout.pp, micro_batches) * micro_batches *
                     hideable_exchange_s(job.software, work.slowest.ep_comm_s, work.slowest.compute_s());
  const schedule::Messages messages = messages_of(work.transfers);
  const double work_s = micro_batches * used[slowest].all.total_s();
  double length_s = 0;
  if (has_closed_form(job.model, layout, micro_batches)) {
    const double chunks = static_cast<double>(layout.vp);
    for (RankTimes& rank : used) add_messages(chunks, messages.shown_s, rank);
    const schedule::PipelineTime time =
        schedule::pipeline_time(layout.schedule, layout.vp, micro_batches, used, messages.late_s);
    length_s = time.busy_s + time.bubble_s;
  } else {
    if (overlaps_passes(layout.schedule)) {
      for (std::size_t i = 0; i < stages.count; ++i) {
        const PassTime pass = pass_of(devices.rest.parts, work.runs[i].parts);
        used[i].saved_s =
            hideable_exchange_s(job.software, pass.ep_comm_s, pass.compute_s()) / static_cast<double>(layout.vp);
      }
    }
    length_s =
        schedule::exact_length(layout.schedule, layout.vp, static_cast<std::int64_t>(micro_batches), used, messages) +
        work.hidden_ep_s;
  }
  const double waiting_s = std::max(0.0, length_s - work_s);
  work.messages_s = std::min(work.messages_s, waiting_s);
  work.bubble_s = waiting_s - work.messages_s;
  return work;
}

MeanRank mean_rank(const PipelineWork& work, const PartTimes& parts, Ranks ranks) {
  PartCounts sum;
  double share = 0;
  for (std::size_t i = 0; i < work.count; ++i) {
    const RankParts& run = work.runs[i];
    if (!among(run, ranks)) continue;
    add(sum, run.share, run.parts);
    share += run.share;
  }
  return {1 / share * pass_of(parts, sum), share};
}

double mean_hidden_joules(const PipelineWork& work, const OnKind& kind, Ranks ranks, const Software& software,
                          double micro_batches, double overlapped_share, double hidden_s) {
  const double stalled_w = compute::stalled_w(kind.device);
  const PartTimes& parts = kind.parts;
  const Behind dense = behind_of(parts.dense.forward, stalled_w) + behind_of(parts.dense.backward, stalled_w);
  const Behind moe = behind_of(parts.moe.forward, stalled_w) + behind_of(parts.moe.backward, stalled_w);
  const Behind embedding = behind_of(parts.embedding, stalled_w);
  const Behind head = behind_of(parts.head, stalled_w);
  double joules = 0;
  double share = 0;
  for (std::size_t i = 0; i < work.count; ++i) {
    const RankParts& run = work.runs[i];
    if (!among(run, ranks)) continue;
    const PartCounts& counts = run.parts;
    const Behind rank = micro_batches * (counts.layers.dense * dense + counts.layers.moe * moe +
                                         counts.embeddings * embedding + counts.heads * head);
    const double exchange_s = overlapped_share * hideable_exchange_s(software, rank.exchange_s, rank.compute_s);
    joules +=
        run.share * hidden_joules(kind.device, rank.hidden_s + exchange_s + hidden_s, rank.compute_s, rank.kernels_j);
    share += run.share;
  }
  return joules / share;
}

}  // namespace ampacity::step
