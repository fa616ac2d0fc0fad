#include "workload/stages.hpp"

#include <algorithm>
#include <numeric>

namespace ampacity::workload {
namespace {

/// How many layers each virtual stage has.
class Chunks {
 public:
  Chunks(const Model& model, const Layout& layout)
      : pp_(layout.pp), count_(layout.pp * layout.vp), vp_(layout.vp), layers_(model.layers + model.mtp_layers) {
    if (layout.first_stage_layers > 0 || layout.last_stage_layers > 0) {
      fix_ends(model, layout);
    } else if (layout.front_stages > 0) {
      split(layout);
    } else if (layout.uneven_stages) {
      spread();
    } else {
      divide(model);
    }
  }

  [[nodiscard]] bool possible() const { return possible_; }
  [[nodiscard]] std::int64_t count() const { return count_; }
  /// The first chunks have a layer more than those behind; how many.
  [[nodiscard]] std::int64_t larger() const { return larger_; }

  /// Of the first stages, which share their layers among themselves, so many have a layer more than the others.
  [[nodiscard]] std::int64_t front() const { return front_; }
  [[nodiscard]] std::int64_t larger_in_front() const { return front_ > 0 ? front_layers_ % front_ : 0; }

  [[nodiscard]] std::int64_t size(std::int64_t chunk) const {
    if (chunk < front_) return front_layers_ / front_ + (chunk < larger_in_front() ? 1 : 0);
    const std::int64_t rank = chunk % pp_;
    std::int64_t layers = each_ + (chunk < larger_ ? 1 : 0);
    if (first_rank_ > 0 && rank == 0) layers = first_rank_ / vp_;
    if (last_rank_ > 0 && rank == pp_ - 1) layers = last_rank_ / vp_;
    if (chunk == 0) layers -= first_spared_;
    if (chunk == count_ - 1) layers += last_added_;
    return layers;
  }

 private:
  /// Layers of the first and the last rank are given (Megatron-LM: --decoder-first-pipeline-num-layers and
  /// --decoder-last-pipeline-num-layers); the others share the rest. Layers of multi-token prediction are extra.
  void fix_ends(const Model& model, const Layout& layout) {
    first_rank_ = layout.first_stage_layers;
    last_rank_ = layout.last_stage_layers;
    last_added_ = model.mtp_layers;
    const std::int64_t others = pp_ - (first_rank_ > 0 ? 1 : 0) - (last_rank_ > 0 ? 1 : 0);
    const std::int64_t rest = model.layers - first_rank_ - last_rank_;
    possible_ = first_rank_ % vp_ == 0 && last_rank_ % vp_ == 0;
    if (others == 0) {
      possible_ = possible_ && rest == 0;
      return;
    }
    each_ = rest / (others * vp_);
    possible_ = possible_ && rest > 0 && rest % (others * vp_) == 0;
  }

  /// Two groups of stages, each of which spreads its layers one by one over its first stages.
  void split(const Layout& layout) {
    front_ = layout.front_stages;
    front_layers_ = layout.front_layers;
    const std::int64_t others = pp_ - front_;
    const std::int64_t rest = layers_ - front_layers_;
    possible_ = vp_ == 1 && others > 0 && front_layers_ >= front_ && rest >= others;
    if (!possible_) return;
    each_ = rest / others;
    larger_ = rest % others > 0 ? front_ + rest % others : 0;
  }

  /// torchtitan (generate_llm_fqn_per_model_part): embedding and head count as a layer each, and the first stages take
  /// one layer more until all are spread.
  void spread() {
    each_ = (layers_ + 2) / count_;
    larger_ = (layers_ + 2) % count_;
    first_spared_ = 1;
    last_added_ = -1;
    possible_ = size(0) >= 1 && size(count_ - 1) >= 1 && each_ >= 1;
  }

  /// All have the same number, the ends less by what embedding and head stand for. A layer of multi-token prediction on
  /// the last stage stands for itself and its loss: 61 layers of DeepSeek-V3 on 16 stages are 4 x 15 + 1, and so are 61
  /// of a mixture of experts without it (Megatron-Bridge, set_deepseek_v3_pipeline_model_parallel_layout and
  /// _get_kimi_k2_pipeline_layout).
  void divide(const Model& model) {
    const std::int64_t further = model.mtp_layers;
    if (further > 0 && share(further, 0, 1 + 2 * further)) return;
    if (share(further, 0, further) || share(further, 0, further + 1) || share(further, 1, further + 1)) return;
    if (model.is_moe()) share(further, 0, 3);
  }

  /// The first and the last chunk have so many of the model's own layers less than the others, and the last the further
  /// ones; false where that does not divide, or leaves a rank without layers.
  bool share(std::int64_t further, std::int64_t first, std::int64_t last) {
    const std::int64_t all = layers_ - further + first + last;
    each_ = all / count_;
    first_spared_ = first;
    last_added_ = further - last;
    const std::int64_t change = std::min(-first_spared_, last_added_);
    possible_ = all % count_ == 0 && each_ + change >= 0 && each_ * vp_ + change >= 1;
    return possible_;
  }

  std::int64_t pp_;
  std::int64_t count_;
  std::int64_t vp_;
  std::int64_t layers_;
  std::int64_t each_ = 0;
  std::int64_t larger_ = 0;
  std::int64_t first_rank_ = 0;
  std::int64_t last_rank_ = 0;
  std::int64_t first_spared_ = 0;
  std::int64_t last_added_ = 0;
  std::int64_t front_ = 0;
  std::int64_t front_layers_ = 0;
  bool possible_ = false;
};

/// Layers by kind: the model's first layers are dense, of the others every n-th is mixture of experts.
class Kinds {
 public:
  Kinds(const Model& model, const Chunks& chunks) : model_(model), chunks_(chunks) {
    if (!model.is_moe()) return;
    for (; dense_chunks_ < chunks.count() && dense_behind_ < model.dense_layers; ++dense_chunks_) {
      dense_behind_ += chunks.size(dense_chunks_);
    }
  }

  /// The first chunks have leading dense layers; how many chunks.
  [[nodiscard]] std::int64_t dense_chunks() const { return dense_chunks_; }

  [[nodiscard]] LayerMix of(std::int64_t chunk) const {
    const auto layers = static_cast<double>(chunks_.size(chunk));
    if (!model_.is_moe()) return {layers, 0};
    double kept = 0;
    if (chunk < dense_chunks_) {
      std::int64_t before = 0;
      for (std::int64_t c = 0; c < chunk; ++c) before += chunks_.size(c);
      kept = std::min(layers, static_cast<double>(model_.dense_layers - before));
    }
    const double moe = (layers - kept) / static_cast<double>(model_.moe_layer_interval);
    return {layers - moe, moe};
  }

 private:
  const Model& model_;
  const Chunks& chunks_;
  std::int64_t dense_chunks_ = 0;
  std::int64_t dense_behind_ = 0;
};

void add(LayerMix& sum, const LayerMix& layers) {
  sum.dense += layers.dense;
  sum.moe += layers.moe;
}

StageRun rank_of(const Kinds& kinds, const Layout& layout, std::int64_t count, std::int64_t rank) {
  const std::int64_t pp = layout.pp;
  StageRun run;
  run.first_rank = rank;
  run.first_chunk = kinds.of(rank);
  add(run.layers, run.first_chunk);
  const bool there_and_back = is_v(layout.schedule);
  if (there_and_back || layout.schedule == Schedule::dualpipe) {
    run.last_chunk = kinds.of(count - 1 - rank);
    add(run.layers, run.last_chunk);
    // DualPipe: the last rank has the first stage of the other direction.
    run.embedding = rank == 0 || (!there_and_back && rank == pp - 1);
    run.head = run.embedding;
    return run;
  }
  run.last_chunk = run.first_chunk;
  for (std::int64_t chunk = rank + pp; chunk < count; chunk += pp) {
    run.last_chunk = kinds.of(chunk);
    add(run.layers, run.last_chunk);
  }
  run.embedding = rank == 0;
  run.head = rank == pp - 1;
  return run;
}

/// Ranks at which the number of layers may change.
class Breaks {
 public:
  explicit Breaks(const Layout& layout) : layout_(layout) {
    add(0);
    add(1);
    add(layout.pp - 1);
  }

  /// What changes from chunk `chunk` on changes at its rank.
  void at_chunk(std::int64_t chunk) {
    const std::int64_t pp = layout_.pp;
    if (is_v(layout_.schedule)) {
      add(chunk < pp ? chunk : 2 * pp - chunk);
    } else if (layout_.schedule == Schedule::dualpipe) {
      add(chunk);
      add(pp - chunk);
    } else {
      add(chunk % pp);
    }
  }
  void sort() { std::sort(at_.begin(), at_.begin() + count_); }
  [[nodiscard]] const std::int64_t* begin() const { return at_.data(); }
  [[nodiscard]] const std::int64_t* end() const { return at_.data() + count_; }

 private:
  void add(std::int64_t rank) {
    const auto last = at_.begin() + count_;
    if (rank >= 0 && rank < layout_.pp && std::find(at_.begin(), last, rank) == last) {
      at_[static_cast<std::size_t>(count_++)] = rank;
    }
  }

  const Layout& layout_;
  std::array<std::int64_t, 12> at_{};
  std::ptrdiff_t count_ = 0;
};

/// One stage has one chunk, whose layers nobody shares.
bool can_be_cut(const Layout& layout) {
  return layout.pp > 1 || (layout.vp == 1 && layout.first_stage_layers == 0 && layout.last_stage_layers == 0);
}

}  // namespace

StageLayers stage_layers(const Model& model, const Layout& layout) {
  StageLayers stages;
  const Chunks chunks(model, layout);
  stages.possible = chunks.possible() && can_be_cut(layout);
  if (!stages.possible) return stages;
  const Kinds kinds(model, chunks);
  Breaks breaks(layout);
  if (chunks.larger() > 0) breaks.at_chunk(chunks.larger());
  if (chunks.front() > 0) {
    breaks.at_chunk(chunks.larger_in_front());
    breaks.at_chunk(chunks.front());
  }
  if (kinds.dense_chunks() > 0) {
    breaks.at_chunk(kinds.dense_chunks() - 1);
    breaks.at_chunk(kinds.dense_chunks());
  }
  breaks.sort();
  for (const std::int64_t* at = breaks.begin(); at != breaks.end(); ++at) {
    StageRun& run = stages.runs[stages.count++];
    run = rank_of(kinds, layout, chunks.count(), *at);
    run.ranks = (at + 1 == breaks.end() ? layout.pp : at[1]) - *at;
  }
  return stages;
}

LayerMix fullest_layers(const StageLayers& stages) {
  LayerMix fullest;
  for (const StageRun& run : stages) {
    if (run.layers.all() > fullest.all()) fullest = run.layers;
  }
  return fullest;
}

std::int64_t replicas_together(const Layout& layout) {
  const std::int64_t peers = layout.tp * layout.cp;
  std::int64_t together = std::lcm(layout.ep * layout.etp, peers) / peers;
  if (layout.zero_stage >= 3) {
    together = std::lcm(together, layout.shard_group > 0 ? layout.shard_group : layout.dp);
  }
  return std::min(together, layout.dp);
}

bool stages_possible(const Model& model, const Layout& layout) {
  return can_be_cut(layout) && Chunks(model, layout).possible();
}

}  // namespace ampacity::workload
