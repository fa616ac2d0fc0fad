// Training jobs: which model, how many tokens, in which number format, with which software.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>

#include "ampacity/field.hpp"
#include "ampacity/model.hpp"
#include "ampacity/precision.hpp"
#include "ampacity/software.hpp"

namespace ampacity {

/// Products of a layer that low-rank adapters can stand beside, by Megatron-Core's names: `linear_qkv` makes queries,
/// keys and values (of latent attention all products down and up), `linear_proj` is the attention output; `linear_fc1`
/// and `linear_fc2` are those of dense blocks, shared and routed experts, before and behind the activation.
enum class LoraTarget { linear_qkv, linear_proj, linear_fc1, linear_fc2 };
template <>
struct EnumNames<LoraTarget> {
  static constexpr std::array<std::string_view, 4> names{"linear_qkv", "linear_proj", "linear_fc1", "linear_fc2"};
};
using LoraTargets = EnumSet<LoraTarget>;

/// A training job: pre-training, fine-tuning of all weights, or of adapters beside frozen weights.
struct Training {
  Model model;
  Software software;
  std::int64_t global_batch = 0;
  std::int64_t seq_len = 0;
  double tokens = 0;
  Precision precision = Precision::bf16;
  double expert_imbalance = -1;
  double capacity_factor = 0;
  bool in_network_reduction = false;
  std::int64_t lora_rank = 0;
  LoraTargets lora_targets;
  bool frozen_weights = false;
  double frozen_weight_bytes = 2;

  /// Whether the model's weights stay as they are.
  [[nodiscard]] bool is_frozen() const { return frozen_weights || lora_rank > 0; }
  /// Whether low-rank adapters stand beside that product.
  [[nodiscard]] bool adapts(LoraTarget target) const {
    return lora_rank > 0 && (lora_targets.empty() || lora_targets.contains(target));
  }

  static constexpr std::string_view kind = "training";
  template <class S = Training>
  static constexpr auto fields() {
    return std::tuple{
        required("model", &S::model, "the model"),
        optional("software", &S::software, "the training software (default megatron-core)"),
        optional("global_batch", &S::global_batch, Range{1, 1e8},
                 "sequences per step (default: the model's published batch)"),
        optional("seq_len", &S::seq_len, Range{1, 1e8}, "tokens per sequence (default: the model's published length)"),
        optional("tokens", &S::tokens, Range{1, 1e18},
                 "tokens of the whole run (default: the model's published number; 0 where it has none or is frozen)"),
        optional("precision", &S::precision, "format of matrix products"),
        optional("expert_imbalance", &S::expert_imbalance, Range{-1, 10},
                 "standard deviation of tokens per expert over their mean; 0 = the router is forced to balance, as "
                 "benchmarks do; -1 = the model's"),
        optional("capacity_factor", &S::capacity_factor, Range{0, 100},
                 "tokens that an expert takes, over their mean: it is padded to that many and further ones are dropped "
                 "(GShard, Switch); 0 = no token is dropped or added"),
        optional("in_network_reduction", &S::in_network_reduction,
                 "all-reduces across nodes go through the network's switches (SHARP), where the fabric's can reduce"),
        optional(
            "lora_rank", &S::lora_rank, Range{0, 1e5},
            "rank of trained low-rank adapters beside weights that stay frozen (LoRA, arXiv:2106.09685); 0 = none"),
        optional("lora_targets", &S::lora_targets,
                 "products that have adapters: linear_qkv, linear_proj, linear_fc1, linear_fc2; empty = all four"),
        optional("frozen_weights", &S::frozen_weights,
                 "the model's weights are not trained: no weight gradients, no state for them; lora_rank implies it. "
                 "Without adapters: what tuning of prompts or of a few scales costs"),
        optional("frozen_weight_bytes", &S::frozen_weight_bytes, Range{0.25, 4},
                 "bytes of a frozen weight of a layer as stored, scales included (2: 16 bits; 1: 8 bits; 0.52: NF4 of "
                 "QLoRA, arXiv:2305.14314); where products take more they are cast for each pass")};
  }
  friend bool operator==(const Training&, const Training&) = default;
};

}  // namespace ampacity
