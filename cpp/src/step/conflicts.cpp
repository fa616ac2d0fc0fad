#include "step/conflicts.hpp"

#include <cmath>
#include <string>

#include "base/text.hpp"
#include "spec/ranges.hpp"
#include "spec/rules.hpp"
#include "step/crews.hpp"
#include "workload/attention_mask.hpp"
#include "workload/stages.hpp"

namespace ampacity::step {
namespace {

using base::number_text;

/// Collects problems, or only notes that there is one (then no text is made).
class Finder {
 public:
  explicit Finder(bool with_words) : with_words_(with_words) {}

  template <class Value, class... Words>
  void require(bool right, const char* path, const Value& value, const Words&... rule) {
    if (right) return;
    if (first_ == nullptr) first_ = path;
    if (with_words_) problems_.push_back({path, word(value), (... + word(rule)), {}});
  }
  /// Path of the first problem; nullptr where there is none.
  [[nodiscard]] const char* first() const { return first_; }
  [[nodiscard]] std::vector<Problem> take() { return std::move(problems_); }

 private:
  static std::string word(const char* text) { return text; }
  static std::string word(std::int64_t number) { return number_text(number); }
  static std::string word(Recompute kind) { return std::string(name_of(kind)); }
  static std::string word(const RecomputeModules& modules) {
    std::string names;
    for (std::size_t i = 0; i < EnumNames<RecomputeModule>::names.size(); ++i) {
      if (!modules.contains(static_cast<RecomputeModule>(i))) continue;
      names += (names.empty() ? "" : ", ") + std::string(EnumNames<RecomputeModule>::names[i]);
    }
    return "[" + names + "]";
  }

  bool with_words_;
  const char* first_ = nullptr;
  std::vector<Problem> problems_;
};

void check_model_split(const Training& job, const Layout& layout, Finder& find) {
  const Model& m = job.model;
  find.require(m.heads % layout.tp == 0, "layout.tp", layout.tp, "must divide model.heads (", m.heads, ")");
  find.require(m.kv_heads % layout.tp == 0 || layout.tp % m.kv_heads == 0, "layout.tp", layout.tp,
               "must divide model.kv_heads (", m.kv_heads, ") or be a multiple of it");
  find.require(m.ffn % layout.tp == 0, "layout.tp", layout.tp, "must divide model.ffn (", m.ffn, ")");
  find.require(job.seq_len % layout.cp == 0, "layout.cp", layout.cp, "must divide training.seq_len (", job.seq_len,
               ")");
  find.require(!layout.sequence_parallel || (job.seq_len / layout.cp) % layout.tp == 0 || layout.tp == 1, "layout.tp",
               layout.tp, "must divide the sequence of one device (", job.seq_len / layout.cp,
               ") for sequence parallelism");
}

bool cuts_stages_freely(const Layout& layout) {
  const bool in_line = layout.schedule != Schedule::dualpipe && !is_v(layout.schedule);
  return layout.pp > 1 && layout.vp == 1 && in_line && layout.first_stage_layers == 0 &&
         layout.last_stage_layers == 0 && !layout.uneven_stages;
}

/// Front stages and the others share their layers among themselves.
void check_front(const Training& job, const Layout& layout, Finder& find) {
  const std::int64_t layers = job.model.layers + job.model.mtp_layers;
  find.require(cuts_stages_freely(layout), "layout.front_stages", layout.front_stages,
               "must be 0 unless each of several stages is one piece (vp 1; 1f1b, gpipe or zb-h1) and no other field "
               "says how layers are spread");
  if (!cuts_stages_freely(layout)) return;
  find.require(layout.front_stages < layout.pp, "layout.front_stages", layout.front_stages,
               "must be less than layout.pp (", layout.pp, ")");
  const std::int64_t others = layout.pp - layout.front_stages;
  find.require(layout.front_layers >= layout.front_stages && layout.front_layers <= layers - others,
               "layout.front_layers", layout.front_layers, "must leave each of ", layout.front_stages, " front and ",
               others, " other stages a layer of model.layers (", layers, ")");
}

/// Stages on two kinds of devices get the layers that make them equally long.
void check_balance(const Cluster& cluster, const Layout& layout, Finder& find) {
  if (layout.balance != Balance::stages || !spans_kinds(cluster, layout)) return;
  find.require(kinds_of(cluster, layout) == 2, "layout.balance", "stages",
               "must be another where the job spans more than two partitions of the cluster");
  find.require(
      cuts_stages_freely(layout) && layout.recompute_layers == 0, "layout.balance", "stages",
      "needs stages of one piece (pp above 1, vp 1; 1f1b, gpipe or zb-h1) whose layers no other field spreads, "
      "and layout.recompute_layers 0");
}

/// Whether the layers can be spread over the stages.
void check_stages(const Training& job, const Layout& layout, Finder& find) {
  const Model& m = job.model;
  if (layout.front_stages > 0) return check_front(job, layout, find);
  find.require(layout.front_layers == 0, "layout.front_layers", layout.front_layers,
               "must be 0 without layout.front_stages");
  const std::int64_t first = layout.first_stage_layers;
  const std::int64_t last = layout.last_stage_layers;
  const bool given = first > 0 || last > 0;
  const char* end = first > 0 ? "layout.first_stage_layers" : "layout.last_stage_layers";
  if (given && (layout.pp == 1 || is_v(layout.schedule))) {
    find.require(layout.pp > 1, end, first > 0 ? first : last, "must be 0 without pipeline stages");
    find.require(!is_v(layout.schedule), end, first > 0 ? first : last,
                 "must be 0 with the zb-v and dualpipe-v schedules: one rank has the first and the last stage");
    return;
  }
  find.require(!given || !layout.uneven_stages, end, first > 0 ? first : last,
               "must be 0 where layout.uneven_stages spreads the layers");
  if (given && layout.uneven_stages) return;
  const bool possible = workload::stages_possible(m, layout);
  if (given) {
    const std::int64_t others = layout.pp - (first > 0 ? 1 : 0) - (last > 0 ? 1 : 0);
    find.require(possible, end, first > 0 ? first : last, "and layout.last_stage_layers (", last, ") must leave ",
                 others, " x layout.vp (", layout.vp, ") virtual stages the same share of model.layers (", m.layers,
                 "), and be multiples of layout.vp");
  } else if (layout.uneven_stages) {
    find.require(possible, "layout.pp", layout.pp, "times layout.vp (", layout.vp,
                 ") must leave each virtual stage a layer of model.layers (", m.layers + m.mtp_layers,
                 "), counting embedding and head as one layer each");
  } else {
    find.require(possible, "layout.pp", layout.pp, "times layout.vp (", layout.vp, ") must divide model.layers (",
                 m.layers + m.mtp_layers, "), counting embedding and head as up to one layer each");
  }
}

void check_context_parallel(const Training& job, const Layout& layout, Finder& find) {
  if (layout.cp == 1) return;
  const Model& m = job.model;
  const ContextParallel kind = workload::context_parallel(job, layout);
  if (kind == ContextParallel::ring || kind == ContextParallel::all_gather) {
    find.require(job.seq_len % (2 * layout.cp) == 0, "layout.cp", layout.cp, "must divide half of training.seq_len (",
                 job.seq_len, "): slices are paired first with last to balance the causal mask");
  }
  if (kind != ContextParallel::ulysses) return;
  const std::int64_t split = layout.tp * layout.cp;
  find.require(m.heads % split == 0, "layout.cp", layout.cp, "times layout.tp (", layout.tp,
               ") must divide model.heads (", m.heads, ") for ulysses");
  find.require(m.kv_heads % split == 0 || split % m.kv_heads == 0, "layout.cp", layout.cp, "times layout.tp (",
               layout.tp, ") must divide model.kv_heads (", m.kv_heads, ") or be a multiple of it for ulysses");
}

void check_experts(const Training& job, const Layout& layout, Finder& find) {
  const Model& m = job.model;
  if (!m.is_moe()) {
    find.require(layout.ep == 1, "layout.ep", layout.ep, "must be 1: the model has no experts");
    find.require(layout.etp == 1, "layout.etp", layout.etp, "must be 1: the model has no experts");
    return;
  }
  find.require(m.experts % layout.ep == 0, "layout.ep", layout.ep, "must divide model.experts (", m.experts, ")");
  find.require(m.expert_ffn % layout.etp == 0, "layout.etp", layout.etp, "must divide model.expert_ffn (", m.expert_ffn,
               ")");
  const std::int64_t across = layout.tp * layout.cp * layout.dp;
  find.require(across % (layout.ep * layout.etp) == 0, "layout.ep", layout.ep, "times layout.etp (", layout.etp,
               ") must divide layout.tp x layout.cp x layout.dp (", across, ")");
}

/// What the schedule asks of degrees and micro-batches. The number of micro-batches is no field: what it follows from
/// is named.
void check_pipeline(const Layout& layout, std::int64_t batches, Finder& find) {
  const bool v = is_v(layout.schedule);
  const bool interleaved = layout.schedule == Schedule::one_f_one_b && layout.vp > 1;
  find.require(!v || layout.pp > 1, "layout.pp", layout.pp,
               "must be at least 2 with the zb-v and dualpipe-v schedules");
  find.require(v || layout.vp == 1 || layout.pp > 1, "layout.vp", layout.vp, "must be 1 without pipeline stages");
  find.require(!v || layout.vp == 2, "layout.vp", layout.vp,
               "must be 2 with the zb-v and dualpipe-v schedules: stages go there and back");
  find.require(v || layout.vp == 1 || interleaved, "layout.vp", layout.vp,
               "must be 1 with the gpipe, zb-h1 and dualpipe schedules");
  const bool dual = layout.schedule == Schedule::dualpipe;
  find.require(!dual || layout.pp % 2 == 0, "layout.pp", layout.pp,
               "must be even with the dualpipe schedule: two directions meet in the middle");
  if (batches == 0) return;
  find.require(!interleaved || batches % layout.pp == 0, "layout.vp", layout.vp, "needs micro-batches (", batches,
               ") in multiples of layout.pp (", layout.pp, ")");
  find.require(!dual || batches % 2 == 0, "layout.schedule", batches,
               "micro-batches: dualpipe sends half of them in each direction and needs an even number");
  find.require(!overlaps_passes(layout.schedule) || batches >= 2 * layout.pp, "layout.pp", layout.pp,
               "must be at most half of the micro-batches (", batches, ") with the dualpipe and dualpipe-v schedules");
  find.require(layout.schedule != Schedule::zb_v || batches >= 2 * layout.pp - 1, "layout.pp", layout.pp,
               "times 2 less 1 must be at most the micro-batches (", batches, ") with the zb-v schedule");
}

void check_recompute(const Training& job, const Layout& layout, Finder& find) {
  const Model& m = job.model;
  const RecomputeModules& modules = layout.recompute_modules;
  const char* path = "layout.recompute_modules";
  const bool by_module = layout.recompute == Recompute::modules;
  find.require(by_module || modules.empty(), path, modules, "must be empty unless layout.recompute is modules");
  find.require(!by_module || !modules.empty(), path, modules, "must name what is computed again: core_attn, mlp, ...");
  const bool experts = modules.contains(RecomputeModule::moe) || modules.contains(RecomputeModule::moe_act);
  find.require(m.is_moe() || !experts, path, modules, "must not name moe or moe_act: the model has no experts");
  find.require(m.shared_experts > 0 || !modules.contains(RecomputeModule::shared_experts), path, modules,
               "must not name shared_experts: the model has none");
  find.require(m.is_mla() || !modules.contains(RecomputeModule::mla_up_proj), path, modules,
               "must not name mla_up_proj: the model has no latent attention");
  if (layout.recompute_layers == 0) return;
  find.require(layout.recompute != Recompute::none, "layout.recompute_layers", layout.recompute_layers,
               "must be 0 where layout.recompute is none");
  const workload::StageLayers stages = workload::stage_layers(m, layout);
  const auto most = static_cast<std::int64_t>(workload::fullest_layers(stages).all());
  find.require(!stages.possible || layout.recompute_layers <= most, "layout.recompute_layers", layout.recompute_layers,
               "must not exceed the layers of a stage (", most, ")");
}

/// Adapters are split over devices like the products that they stand beside.
void check_adapters(const Training& job, const Layout& layout, Finder& find) {
  if (job.lora_rank == 0) return;
  find.require(job.lora_rank % layout.tp == 0, "layout.tp", layout.tp, "must divide training.lora_rank (",
               job.lora_rank, ")");
  find.require(job.lora_rank % layout.etp == 0, "layout.etp", layout.etp, "must divide training.lora_rank (",
               job.lora_rank, ")");
}

void check_schedule(const Training& job, const Layout& layout, Finder& find) {
  const std::int64_t batches = workload::micro_batches(job.global_batch, layout);
  find.require(batches > 0, "training.global_batch", job.global_batch,
               "must be a multiple of layout.dp x layout.micro_batch (", layout.dp, " x ", layout.micro_batch, " = ",
               layout.dp * layout.micro_batch, ")");
  check_pipeline(layout, batches, find);
  find.require(layout.shard_group == 0 || layout.dp % layout.shard_group == 0, "layout.shard_group", layout.shard_group,
               "must divide layout.dp (", layout.dp, ")");
  find.require(layout.reshard_after_forward || layout.zero_stage == 3, "layout.zero_stage", layout.zero_stage,
               "must be 3 where layout.reshard_after_forward is false");
}

void check_all(const Training& job, const Layout& layout, Finder& find) {
  check_model_split(job, layout, find);
  check_stages(job, layout, find);
  check_context_parallel(job, layout, find);
  check_experts(job, layout, find);
  check_adapters(job, layout, find);
  check_recompute(job, layout, find);
  check_schedule(job, layout, find);
}

/// Rules of job and layout on a cluster of that size.
void check_all(const Training& job, const Cluster& cluster, const Layout& layout, Finder& find) {
  const std::int64_t has = cluster.accelerators();
  find.require(layout.accelerators() <= has, "layout", layout.accelerators(), "accelerators (tp ", layout.tp, " x pp ",
               layout.pp, " x cp ", layout.cp, " x dp ", layout.dp, ") must not exceed those of the cluster (", has,
               ")");
  check_all(job, layout, find);
  if (layout.accelerators() <= has) check_balance(cluster, layout, find);
}

double product_of_degrees(const Layout& layout) {
  return static_cast<double>(layout.tp) * static_cast<double>(layout.pp) * static_cast<double>(layout.cp) *
         static_cast<double>(layout.dp);
}

}  // namespace

std::vector<Problem> conflicts(const Training& job, const Cluster& cluster, const Layout& layout) {
  Finder find(true);
  check_all(job, cluster, layout, find);
  return find.take();
}

const char* first_conflict(const Training& job, const Cluster& cluster, const Layout& layout) {
  Finder find(false);
  check_all(job, cluster, layout, find);
  return find.first();
}

bool can_run(const Training& job, const Layout& layout) {
  Finder find(false);
  check_all(job, layout, find);
  return find.first() == nullptr;
}

bool exact_product(const Layout& layout) {
  return product_of_degrees(layout) <= 1e9;
}

std::vector<Problem> out_of_range(const Training& job, const Cluster& cluster, const Layout& layout) {
  std::vector<Problem> problems;
  spec::check_ranges(job, problems);
  spec::check_ranges(cluster, problems);
  spec::check_ranges(layout, problems);
  if (job.in_network_reduction && !cluster.fabric.in_network_reduction) {
    problems.push_back({"training.in_network_reduction",
                        "true",
                        "must be false: the switches of " + cluster.fabric.name + " cannot reduce",
                        {}});
  }
  spec::check_fine_tuning(job, "training", problems);
  // Documents have these from their model; structs filled by hand may not.
  if (job.global_batch == 0) problems.push_back({"training.global_batch", "0", "must be at least 1", {}});
  if (job.seq_len == 0) problems.push_back({"training.seq_len", "0", "must be at least 1", {}});
  // Products of degrees must stay exact.
  if (problems.empty() && !exact_product(layout)) {
    problems.push_back({"layout", number_text(product_of_degrees(layout)), "must use at most 1e9 accelerators", {}});
  }
  return problems;
}

}  // namespace ampacity::step
