// Classes of operators that a step's compute is told apart by.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "ampacity/field.hpp"

namespace ampacity {

/// What a kernel of a training step belongs to.
enum class Operator {
  attention_projections,  ///< queries, keys, values, output; of latent attention all products down and up
  attention_core,         ///< scores, softmax, values
  feed_forward,           ///< dense blocks and shared experts
  experts,                ///< products of routed experts
  router,                 ///< scores of the experts, top-k
  permutation,            ///< tokens sorted by expert and back, weighted sum
  norms_and_residuals,
  activation,
  rotary,
  casts,  ///< to 8 and 4 bits, scales included
  embedding,
  output_head,
  loss,
  shard_copies,  ///< gathered weights and gradients, in and out of the buffers of their collectives
  adapters,      ///< low-rank adapters beside frozen weights: products, scaling, sums
};
inline constexpr std::size_t operator_count = 15;

template <>
struct EnumNames<Operator> {
  static constexpr std::array<std::string_view, operator_count> names{"attention-projections",
                                                                      "attention-core",
                                                                      "feed-forward",
                                                                      "experts",
                                                                      "router",
                                                                      "permutation",
                                                                      "norms-and-residuals",
                                                                      "activation",
                                                                      "rotary",
                                                                      "casts",
                                                                      "embedding",
                                                                      "output-head",
                                                                      "loss",
                                                                      "shard-copies",
                                                                      "adapters"};
};

}  // namespace ampacity
