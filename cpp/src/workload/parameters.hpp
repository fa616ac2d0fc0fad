// How many parameters a model has and how many floating-point operations its algorithm needs.
#pragma once

#include "ampacity/model.hpp"

namespace ampacity::workload {

/// Parameters of a model by place.
struct ParameterCount {
  double attention = 0;   ///< one layer
  double dense_ffn = 0;   ///< one dense layer
  double expert_ffn = 0;  ///< one expert
  double router = 0;      ///< one mixture-of-experts layer
  double norms = 0;       ///< one layer
  double embedding = 0;   ///< token and position embedding
  double head = 0;        ///< output embedding; 0 where tied
  double dense_layer_count = 0;
  double moe_layer_count = 0;

  [[nodiscard]] double dense_layer() const { return attention + dense_ffn + norms; }
  double total = 0;   ///< all parameters
  double active = 0;  ///< those that one token meets
};
[[nodiscard]] ParameterCount count_parameters(const Model& model);

/// Forward FLOPs of one sequence: matrix products with weights, head included (2 per multiply-add), and the causal half
/// of the attention scores. Training needs three times as much (Narayanan et al. 2021, without recompute).
[[nodiscard]] double weight_flops_per_sequence(const Model& model, double seq_len);  ///< products with weights only
[[nodiscard]] double forward_flops_per_sequence(const Model& model, double seq_len);

}  // namespace ampacity::workload
