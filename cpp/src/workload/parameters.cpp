#include "workload/parameters.hpp"

#include "workload/attention_mask.hpp"

namespace ampacity::workload {
namespace {

double attention_parameters(const Model& m) {
  const auto hidden = static_cast<double>(m.hidden);
  const auto heads = static_cast<double>(m.heads);
  const auto value_width = heads * static_cast<double>(m.value_head_dim);
  if (m.is_mla()) {
    // Multi-head latent attention (DeepSeek-V2, arXiv:2405.04434, section 2.1).
    const double key_dim = static_cast<double>(m.head_dim + m.rope_head_dim);
    const auto q_rank = static_cast<double>(m.q_lora_rank);
    const auto kv_rank = static_cast<double>(m.kv_lora_rank);
    const double query = q_rank > 0 ? hidden * q_rank + q_rank * heads * key_dim : hidden * heads * key_dim;
    const double key_value = hidden * (kv_rank + static_cast<double>(m.rope_head_dim)) +
                             kv_rank * (heads * static_cast<double>(m.head_dim) + value_width);
    return query + key_value + value_width * hidden;
  }
  const double query_width = heads * static_cast<double>(m.head_dim);
  const double key_value_width = static_cast<double>(m.kv_heads * (m.head_dim + m.value_head_dim));
  const double weights = hidden * (query_width + key_value_width) + value_width * hidden;
  return weights + (m.biases ? query_width + key_value_width + hidden : 0);
}

double ffn_parameters(const Model& m, std::int64_t inner) {
  const auto hidden = static_cast<double>(m.hidden);
  const auto width = static_cast<double>(inner);
  const double matrices = m.is_gated() ? 3 : 2;
  return matrices * hidden * width + (m.biases ? (matrices - 1) * width + hidden : 0);
}

}  // namespace

ParameterCount count_parameters(const Model& m) {
  ParameterCount count;
  const auto hidden = static_cast<double>(m.hidden);
  count.attention = attention_parameters(m);
  count.dense_ffn = ffn_parameters(m, m.ffn);
  count.norms = 2 * hidden * (m.layer_norm ? 2 : 1);
  count.embedding =
      static_cast<double>(m.vocab) * hidden + (m.learned_positions ? static_cast<double>(m.seq_len) * hidden : 0);
  count.head = m.tied_embeddings ? 0 : static_cast<double>(m.vocab) * hidden;
  if (m.is_moe()) {
    count.expert_ffn = ffn_parameters(m, m.expert_ffn);
    count.router = hidden * static_cast<double>(m.experts);
    const std::int64_t moe_layers = (m.layers - m.dense_layers) / m.moe_layer_interval;
    count.moe_layer_count = static_cast<double>(moe_layers);
  }
  count.dense_layer_count = static_cast<double>(m.layers) - count.moe_layer_count;

  const double every_layer = static_cast<double>(m.layers) * (count.attention + count.norms);
  const double ends = count.embedding + count.head + hidden * (m.layer_norm ? 2 : 1);
  const double dense = count.dense_layer_count * count.dense_ffn;
  const auto experts = static_cast<double>(m.experts + m.shared_experts);
  const auto met = static_cast<double>(m.experts_per_token + m.shared_experts);
  count.total = every_layer + ends + dense + count.moe_layer_count * (experts * count.expert_ffn + count.router);
  count.active = every_layer + ends + dense + count.moe_layer_count * (met * count.expert_ffn + count.router);
  return count;
}

double weight_flops_per_sequence(const Model& m, double seq_len) {
  const ParameterCount count = count_parameters(m);
  const auto met = static_cast<double>(m.experts_per_token + m.shared_experts);
  const double weights = static_cast<double>(m.layers) * count.attention + count.dense_layer_count * count.dense_ffn +
                         count.moe_layer_count * (met * count.expert_ffn + count.router) +
                         static_cast<double>(m.vocab) * static_cast<double>(m.hidden);
  return 2 * weights * seq_len;
}

double forward_flops_per_sequence(const Model& m, double seq_len) {
  const double key_dim = static_cast<double>(m.head_dim + (m.is_mla() ? m.rope_head_dim : 0));
  const double key_flops = 2 * static_cast<double>(m.heads) * (key_dim + static_cast<double>(m.value_head_dim));
  const double local = has_short_windows(m, seq_len) ? static_cast<double>(m.layers) - global_layers(m) : 0;
  const double keys = (static_cast<double>(m.layers) - local) * seq_len / 2;
  const double seen = keys + (local > 0 ? local * local_keys(m, seq_len) : 0);
  return weight_flops_per_sequence(m, seq_len) + key_flops * seen * seq_len;
}

}  // namespace ampacity::workload
