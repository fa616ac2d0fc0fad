#include "step/pipeline_work.hpp"

#include <array>

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

/// Half of the embedding's bytes are moved on the way back, for its weights.
PassSeconds seconds_of_embedding(const PassTime& embedding) {
  return {embedding.total_s() / 2, 0, embedding.total_s() / 2};
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

}  // namespace

PipelineWork pipeline_work(const Training& job, const Layout& layout, const PartTimes& parts,
                           const workload::StageLayers& stages, double micro_batches) {
  // Each layer that predicts a further token has a loss of its own.
  const auto losses = static_cast<double>(1 + job.model.mtp_layers);
  // With DualPipe half of the micro-batches go through each of the two stages of a rank.
  const double through = 1 / static_cast<double>(workload::stage_copies(layout));
  const auto counts_of = [&](const workload::StageRun& run) {
    return PartCounts{{through * run.layers.dense, through * run.layers.moe},
                      run.embedding ? through : 0,
                      run.head ? through * losses : 0};
  };
  const Parts seconds{seconds_of(parts.dense), seconds_of(parts.moe), seconds_of_embedding(parts.embedding),
                      seconds_of_head(parts.head)};
  std::array<RankTimes, std::tuple_size_v<decltype(stages.runs)>> ranks;
  for (std::size_t i = 0; i < stages.count; ++i) {
    const workload::StageRun& run = stages.runs[i];
    RankTimes& rank = ranks[i];
    rank.ranks = run.ranks;
    rank.all = seconds.of(counts_of(run));
    if (layout.vp == 1) {
      rank.first_chunk = rank.all;
      rank.last_chunk = rank.all;
    } else {
      rank.first_chunk = seconds.of({run.first_chunk, run.embedding ? 1.0 : 0.0, 0});
      rank.last_chunk = seconds.of({run.last_chunk, 0, run.head ? losses : 0});
    }
  }
  const schedule::PipelineTime time =
      schedule::pipeline_time(layout.schedule, layout.vp, micro_batches, {ranks.data(), stages.count});

  PipelineWork work;
  work.slowest_parts = counts_of(stages.runs[time.slowest]);
  work.slowest = pass_of(parts, work.slowest_parts);
  work.bubble_s = time.bubble_s;
  double all_s = 0;
  for (std::size_t i = 0; i < stages.count; ++i) all_s += static_cast<double>(ranks[i].ranks) * ranks[i].all.total_s();
  const double slowest_s = ranks[time.slowest].all.total_s();
  if (slowest_s > 0) work.mean_fraction = all_s / (static_cast<double>(layout.pp) * slowest_s);
  return work;
}

}  // namespace ampacity::step
