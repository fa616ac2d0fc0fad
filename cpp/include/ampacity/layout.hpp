// Layouts: how a job is spread over the accelerators.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>

#include "ampacity/field.hpp"

namespace ampacity {

/// What is computed again in the backward pass. `selective` = the attention core (Korthikanti et al. 2022);
/// `selective_op` = all but the attention output and every second matrix product (torchtitan); `full` = whole layers;
/// `modules` = those of `Layout::recompute_modules` (Megatron-Core).
enum class Recompute { none, selective, selective_op, full, modules };
template <>
struct EnumNames<Recompute> {
  static constexpr std::array<std::string_view, 5> names{"none", "selective", "selective-op", "full", "modules"};
};

/// Parts of a layer that can be computed again by themselves: Megatron-Core's `--recompute-modules`
/// (transformer_config.py). `layernorm`: both norms; `mla_up_proj`: up-projections and rotary embedding of latent
/// attention; `mlp`: the dense block; `moe`: router, exchange and all experts; `moe_act`: the routed experts'
/// activation function.
enum class RecomputeModule { core_attn, layernorm, mla_up_proj, mlp, moe, moe_act, shared_experts };
template <>
struct EnumNames<RecomputeModule> {
  static constexpr std::array<std::string_view, 7> names{"core_attn", "layernorm", "mla_up_proj",   "mlp",
                                                         "moe",       "moe_act",   "shared_experts"};
};
using RecomputeModules = EnumSet<RecomputeModule>;

/// Pipeline schedule. `one_f_one_b` with more than one virtual stage is the interleaved schedule. `zb_h1` and `zb_v`
/// take the weight gradients apart (Qi et al. 2024, arXiv:2401.10241); `dualpipe` keeps two copies of the model that
/// run in opposite directions (DeepSeek-V3, arXiv:2412.19437), `dualpipe_v` is its half with one copy. The V schedules
/// have two virtual stages per device, placed there and back.
enum class Schedule { one_f_one_b, gpipe, zb_h1, zb_v, dualpipe, dualpipe_v };
template <>
struct EnumNames<Schedule> {
  static constexpr std::array<std::string_view, 6> names{"1f1b", "gpipe", "zb-h1", "zb-v", "dualpipe", "dualpipe-v"};
};
/// Whether the schedule places two virtual stages per device there and back.
[[nodiscard]] constexpr bool is_v(Schedule schedule) {
  return schedule == Schedule::zb_v || schedule == Schedule::dualpipe_v;
}
/// Whether a forward and a backward pass run into one another.
[[nodiscard]] constexpr bool overlaps_passes(Schedule schedule) {
  return schedule == Schedule::dualpipe || schedule == Schedule::dualpipe_v;
}

/// How context parallelism shares one attention over devices that hold a slice of the sequence each. `software` = as
/// the training software does by default. `ring`: keys and values go round, slices are paired first with last so that a
/// causal mask leaves all devices the same work (zig-zag); `ring_unbalanced`: contiguous slices (Liu et al. 2023,
/// arXiv:2310.01889); `all_gather`: keys and values are gathered first (Llama 3, arXiv:2407.21783, section 3.3.2);
/// `ulysses`: heads are exchanged for sequence (Jacobs et al. 2023, arXiv:2309.14509).
enum class ContextParallel { software, ring, ring_unbalanced, all_gather, ulysses };
template <>
struct EnumNames<ContextParallel> {
  static constexpr std::array<std::string_view, 5> names{"software", "ring", "ring-unbalanced", "all-gather",
                                                         "ulysses"};
};

/// How a job that spans kinds of devices shares its work. `slowest`: all replicas have the same share and wait for the
/// slowest kind. `micro_batches`: each replica is on one kind, and those on faster kinds take more micro-batches of the
/// same global batch, so that all end as nearly together as whole micro-batches allow. `stages`: each pipeline stage is
/// on one kind, and those on the faster kind have more layers.
enum class Balance { slowest, micro_batches, stages };
template <>
struct EnumNames<Balance> {
  static constexpr std::array<std::string_view, 3> names{"slowest", "micro-batches", "stages"};
};

/// A parallel layout. The job runs on tp * pp * cp * dp accelerators.
struct Layout {
  std::int64_t tp = 1;
  std::int64_t pp = 1;
  std::int64_t vp = 1;
  std::int64_t cp = 1;
  ContextParallel cp_kind = ContextParallel::software;
  std::int64_t ep = 1;
  std::int64_t etp = 1;
  std::int64_t dp = 1;
  std::int64_t micro_batch = 1;
  std::int64_t zero_stage = 1;
  std::int64_t shard_group = 0;
  bool reshard_after_forward = true;
  std::int64_t first_stage_layers = 0;
  std::int64_t last_stage_layers = 0;
  bool uneven_stages = false;
  std::int64_t front_stages = 0;
  std::int64_t front_layers = 0;
  Balance balance = Balance::slowest;
  Schedule schedule = Schedule::one_f_one_b;
  Recompute recompute = Recompute::none;
  RecomputeModules recompute_modules;
  std::int64_t recompute_layers = 0;
  double offload_optimizer_fraction = 0;
  double offload_activations_fraction = 0;
  double offload_weights_fraction = 0;
  bool sequence_parallel = true;

  [[nodiscard]] std::int64_t accelerators() const { return tp * pp * cp * dp; }

  static constexpr std::string_view kind = "layout";
  template <class S = Layout>
  static constexpr auto fields() {
    constexpr Range degree{1, 1e7};
    constexpr Range share{0, 1};
    return std::tuple{
        optional("tp", &S::tp, degree, "tensor-parallel degree"),
        optional("pp", &S::pp, degree, "pipeline stages"),
        optional("vp", &S::vp, degree, "virtual stages per pipeline stage (interleaving)"),
        optional("cp", &S::cp, degree, "context-parallel degree"),
        optional("cp_kind", &S::cp_kind, "how context parallelism shares one attention"),
        optional("ep", &S::ep, degree, "expert-parallel degree (within tp * cp * dp)"),
        optional("etp", &S::etp, degree, "tensor-parallel degree of routed experts (ep * etp within tp * cp * dp)"),
        optional("dp", &S::dp, degree, "data-parallel degree"),
        optional("micro_batch", &S::micro_batch, Range{1, 1e6}, "sequences per micro-batch and replica"),
        optional("zero_stage", &S::zero_stage, Range{0, 3},
                 "what the data-parallel group shards: 1 optimizer, 2 + gradients, 3 + weights (FSDP)"),
        optional("shard_group", &S::shard_group, Range{0, 1e7},
                 "replicas that share one copy of the sharded state (hybrid sharding); 0 = all"),
        optional("reshard_after_forward", &S::reshard_after_forward,
                 "ZeRO stage 3: weights are dropped after the forward pass and gathered again in the "
                 "backward pass; else they stay from one to the other (FSDP2)"),
        optional("first_stage_layers", &S::first_stage_layers, Range{0, 1e5},
                 "layers of the first pipeline stage; 0 = as the others"),
        optional("last_stage_layers", &S::last_stage_layers, Range{0, 1e5},
                 "layers of the last pipeline stage; 0 = as the others"),
        optional("uneven_stages", &S::uneven_stages,
                 "layers that do not divide are spread one by one over the first virtual stages"),
        optional("front_stages", &S::front_stages, Range{0, 1e5},
                 "pipeline stages, from the first on, that share front_layers one by one; the others share the rest"),
        optional("front_layers", &S::front_layers, Range{0, 1e6}, "layers of all front stages together"),
        optional("balance", &S::balance,
                 "how a job over several kinds of devices shares its work: slowest (equal shares), micro-batches "
                 "(replicas on faster kinds take more) or stages (those on the faster kind have more layers)"),
        optional("schedule", &S::schedule, "pipeline schedule"),
        optional("recompute", &S::recompute, "what is computed again in the backward pass"),
        optional("recompute_modules", &S::recompute_modules,
                 "parts of a layer that are computed again where recompute is modules"),
        optional("recompute_layers", &S::recompute_layers, Range{0, 1e6},
                 "layers of a stage that recompute (the others keep everything); 0 = all"),
        optional("offload_optimizer_fraction", &S::offload_optimizer_fraction, share,
                 "share of the optimizer state that lies in host memory and is updated there"),
        optional("offload_activations_fraction", &S::offload_activations_fraction, share,
                 "share of the kept activations that waits in host memory for the backward pass"),
        optional("offload_weights_fraction", &S::offload_weights_fraction, share,
                 "share of the weights that lies in host memory and is fetched for each pass"),
        optional("sequence_parallel", &S::sequence_parallel,
                 "norms and dropout are split over the tensor-parallel group")};
  }
  friend bool operator==(const Layout&, const Layout&) = default;
};

}  // namespace ampacity
