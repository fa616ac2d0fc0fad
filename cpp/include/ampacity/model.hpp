// Models: decoder-only transformers, dense or mixture of experts.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>

#include "ampacity/field.hpp"

namespace ampacity {

/// Shape of the feed-forward block. `swiglu` and `geglu` have three matrices, the others two.
enum class Activation { gelu, relu, squared_relu, swiglu, geglu };
template <>
struct EnumNames<Activation> {
  static constexpr std::array<std::string_view, 5> names{"gelu", "relu", "squared-relu", "swiglu", "geglu"};
};

/// Architecture of a decoder-only transformer, and the recipe that it was published with.
struct Model {
  std::string name;
  std::string title;
  std::int64_t layers = 0;
  std::int64_t hidden = 0;
  std::int64_t ffn = 0;
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;
  std::int64_t head_dim = 0;
  std::int64_t vocab = 0;
  Activation activation = Activation::swiglu;
  bool tied_embeddings = false;
  bool learned_positions = false;
  bool biases = false;
  bool layer_norm = false;
  bool dropout = false;
  std::int64_t experts = 0;
  std::int64_t experts_per_token = 0;
  std::int64_t shared_experts = 0;
  std::int64_t expert_ffn = 0;
  std::int64_t dense_layers = 0;
  std::int64_t moe_layer_interval = 1;
  std::int64_t q_lora_rank = 0;
  std::int64_t kv_lora_rank = 0;
  std::int64_t rope_head_dim = 0;
  std::int64_t value_head_dim = 0;
  std::int64_t mtp_layers = 0;
  std::int64_t attention_window = 0;
  bool chunked_attention = false;
  std::int64_t global_attention_interval = 0;
  double expert_imbalance = 0.3;
  std::int64_t expert_groups = 0;
  std::int64_t expert_groups_per_token = 0;
  std::int64_t seq_len = 2048;
  std::int64_t global_batch = 0;
  double tokens = 0;

  [[nodiscard]] bool is_moe() const { return experts > 0; }
  [[nodiscard]] bool is_mla() const { return kv_lora_rank > 0; }
  [[nodiscard]] bool has_local_layers() const { return attention_window > 0; }
  [[nodiscard]] bool is_gated() const { return activation == Activation::swiglu || activation == Activation::geglu; }

  static constexpr std::string_view kind = "model";
  template <class S = Model>
  static constexpr auto fields() {
    constexpr Range width{1, 1e7};
    constexpr Range count{0, 1e6};
    return std::tuple{
        required("name", &S::name, "catalogue name"),
        optional("title", &S::title, "full name"),
        required("layers", &S::layers, Range{1, 1e5}, "transformer layers"),
        required("hidden", &S::hidden, width, "model width"),
        required("ffn", &S::ffn, width, "inner width of the dense feed-forward block (of one gate for swiglu)"),
        required("heads", &S::heads, Range{1, 1e5}, "attention (query) heads"),
        optional("kv_heads", &S::kv_heads, Range{0, 1e5}, "key-value heads; 0 = as many as heads"),
        optional("head_dim", &S::head_dim, Range{0, 1e5}, "width of a head; 0 = hidden / heads"),
        required("vocab", &S::vocab, Range{1, 1e8}, "vocabulary as trained, padding included"),
        optional("activation", &S::activation, "feed-forward activation"),
        optional("tied_embeddings", &S::tied_embeddings, "input and output embedding are one matrix"),
        optional("learned_positions", &S::learned_positions, "learned absolute position embedding (else rotary)"),
        optional("biases", &S::biases, "linear layers have biases"),
        optional("layer_norm", &S::layer_norm, "LayerNorm (else RMSNorm)"),
        optional("dropout", &S::dropout, "trained with dropout"),
        optional("experts", &S::experts, count, "routed experts per mixture-of-experts layer; 0 = dense"),
        optional("experts_per_token", &S::experts_per_token, count, "routed experts that one token visits"),
        optional("shared_experts", &S::shared_experts, count, "experts that every token visits"),
        optional("expert_ffn", &S::expert_ffn, Range{0, 1e7}, "inner width of one expert; 0 = ffn"),
        optional("dense_layers", &S::dense_layers, count, "first layers that stay dense"),
        optional("moe_layer_interval", &S::moe_layer_interval, Range{1, 1e3}, "every n-th layer is mixture of experts"),
        optional("q_lora_rank", &S::q_lora_rank, count, "multi-head latent attention: rank of the query; 0 = none"),
        optional("kv_lora_rank", &S::kv_lora_rank, count,
                 "multi-head latent attention: rank of keys and values; 0 = none"),
        optional("rope_head_dim", &S::rope_head_dim, count, "multi-head latent attention: rotary part of a head"),
        optional("value_head_dim", &S::value_head_dim, count, "width of a value head; 0 = head_dim"),
        optional("mtp_layers", &S::mtp_layers, Range{0, 16},
                 "layers that predict further tokens (trained, not counted)"),
        optional("attention_window", &S::attention_window, Range{0, 1e8},
                 "tokens that a query of a local layer sees, itself included; 0 = every layer sees all before it"),
        optional(
            "chunked_attention", &S::chunked_attention,
            "local layers see the chunk of attention_window tokens that they are in (else the last ones: sliding)"),
        optional("global_attention_interval", &S::global_attention_interval, count,
                 "with a window: every n-th layer is global; 0 = none is"),
        optional(
            "expert_imbalance", &S::expert_imbalance, Range{0, 10},
            "standard deviation of tokens per expert over their mean, in one layer and micro-batch, as the model's "
            "balancing leaves it (default: 64 experts under an auxiliary loss, MaxVio 0.72, arXiv:2408.15664)"),
        optional("expert_groups", &S::expert_groups, count,
                 "groups of experts, one per node of the training cluster, for node-limited routing; 0 = no limit"),
        optional("expert_groups_per_token", &S::expert_groups_per_token, count,
                 "expert groups that one token may visit"),
        optional("seq_len", &S::seq_len, Range{1, 1e8}, "published training sequence length"),
        optional("global_batch", &S::global_batch, Range{0, 1e8}, "published batch in sequences; 0 = unknown"),
        optional("tokens", &S::tokens, Range{0, 1e18}, "published training tokens; 0 = unknown")};
  }
  friend bool operator==(const Model&, const Model&) = default;
};

}  // namespace ampacity
