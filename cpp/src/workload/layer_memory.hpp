// Activation bytes that one layer keeps for its backward pass, and what that pass needs beside them.
#pragma once

#include "ampacity/layout.hpp"
#include "ampacity/training.hpp"

namespace ampacity::workload {

/// Bytes of one layer and one micro-batch by where they come from.
struct LayerActivations {
  double residuals = 0;      ///< inputs of both norms
  double masks = 0;          ///< dropout
  double norms = 0;          ///< outputs of both norms, as their products take them
  double norm_casts = 0;     ///< 32-bit copies in norms that are not fused
  double latents = 0;        ///< queries and keys before their up-projection (latent attention)
  double attention_in = 0;   ///< queries, keys, values
  double scores = 0;         ///< of attention that writes them; else the log-sum-exp of their rows
  double attention_out = 0;  ///< and its low-precision copy
  double ffn_norm = 0;       ///< that part of `norms` which feeds the feed-forward block
  double block = 0;          ///< dense block: both sides of its activation function
  double shared = 0;         ///< the same of shared experts
  double routed = 0;         ///< inputs of the routed experts, both sides of their activation, router scores
  double routed_act = 0;     ///< that part of `routed` which the activation function gives
  double adapters = 0;       ///< between the matrices of low-rank adapters
  double first_product = 0;  ///< outputs of the first product of each block, in 16 bits, without its gate

  [[nodiscard]] double all() const {
    return residuals + masks + norms + norm_casts + latents + attention_in + scores + attention_out + block + shared +
           routed + adapters;
  }
};

/// One layer with nothing recomputed.
[[nodiscard]] LayerActivations dense_activations(const Training& job, const Layout& layout);
[[nodiscard]] LayerActivations moe_activations(const Training& job, const Layout& layout);

/// What is left of them with the layout's recomputation (in every layer).
[[nodiscard]] double kept_activations(const Training& job, const Layout& layout, const LayerActivations& whole);

/// Gradients of activations, and gathered inputs, at the fullest moment of a layer's backward pass.
[[nodiscard]] double backward_workspace(const Training& job, const Layout& layout, bool moe);

}  // namespace ampacity::workload
