// What one device has to do for one layer and one micro-batch: matrix products, attention, bytes moved.
#pragma once

#include <array>
#include <cstddef>

#include "ampacity/layout.hpp"
#include "ampacity/operator.hpp"
#include "ampacity/training.hpp"

namespace ampacity::workload {

/// Which product of a layer, and over how many devices it is split: by columns (what it gives), or by rows (what it
/// takes).
struct Module {
  LoraTarget name = LoraTarget::linear_qkv;
  double split = 1;
  bool splits_in = false;
};

/// A linear layer: [tokens, in] x [in, out], sizes per device; `batch` equal products side by side (experts).
struct Linear {
  double tokens = 0;
  double in = 0;
  double out = 0;
  double batch = 1;
  Operator kind = Operator::feed_forward;
  Module module;
  double rank = 0;  ///< of the adapter beside it; 0: none
};

/// Memory-bound operators: bytes moved, and launches.
struct Stream {
  double forward_bytes = 0;
  double backward_bytes = 0;
  double forward_kernels = 0;
  double backward_kernels = 0;

  Stream& operator+=(const Stream& other) {
    forward_bytes += other.forward_bytes;
    backward_bytes += other.backward_bytes;
    forward_kernels += other.forward_kernels;
    backward_kernels += other.backward_kernels;
    return *this;
  }
};

/// Work of one layer on one device for one micro-batch.
struct LayerWork {
  std::array<Linear, 12> linears{};
  std::size_t linear_count = 0;
  double attention_heads = 0;
  double attention_kv_heads = 0;
  double attention_key_dim = 0;
  double attention_value_dim = 0;
  double score_elements = 0;  ///< of the whole (unmasked) score matrix; used where attention is not flash
  double exchange_bytes = 0;  ///< that one device sends to the experts of a layer, and gets back from them
  double busiest_load = 1;    ///< tokens that the busiest device of an expert-parallel group gets, over their mean
  Stream routed_stream;       ///< of `stream`, what grows with the tokens that a device gets
  Stream stream;              ///< all memory-bound operators
  double products = 0;        ///< launches of matrix products in the forward pass
  double backward_products = 0;
  double expert_forward_kernels = 0;    ///< launches of the forward pass for products of routed experts and their casts
  double captured_forward_kernels = 0;  ///< launched as CUDA graphs: they cost the host nothing
  double captured_backward_kernels = 0;
  double tensor_casts = 0;                       ///< operands with a scale per tensor that a pass casts, one by one
  double expert_tensor_casts = 0;                ///< of them, those of routed experts
  std::array<Stream, operator_count> streams{};  ///< the same by class

  void add(Operator kind, const Module& module, double tokens, double in, double out, double batch = 1) {
    linears[linear_count++] = {tokens, in, out, batch, kind, module};
  }
  void add(Operator kind, const Stream& more) {
    stream += more;
    streams[static_cast<std::size_t>(kind)] += more;
  }
  /// Launches of a pass by the host: matrix products (backward: of input and weight), attention (backward: and its row
  /// sums), memory-bound operators, without those of CUDA graphs.
  [[nodiscard]] double forward_kernels() const {
    return stream.forward_kernels + products + 1 - captured_forward_kernels;
  }
  [[nodiscard]] double backward_kernels() const {
    return stream.backward_kernels + backward_products + 2 - captured_backward_kernels;
  }
};

/// Sizes that all layers of a job share on one device.
struct Sizes {
  double tokens = 0;        ///< of one micro-batch on one device, before the split over tensor parallelism
  double split_tokens = 0;  ///< tokens of norms and residuals: split over tensor parallelism where sequence parallel
  double sequence = 0;      ///< whole sequence
  double hidden = 0;
  double tp = 1;
};
[[nodiscard]] Sizes sizes_of(const Training& job, const Layout& layout);

/// Bytes of an activation in a tensor-parallel gather over those of 16 bits.
[[nodiscard]] double gathered_share(const Training& job);

/// A dense layer. All linears run in the job's precision.
[[nodiscard]] LayerWork dense_layer(const Training& job, const Layout& layout);

/// A mixture-of-experts layer: router, shared experts (split over tensor parallelism like a dense block), routed
/// experts (on one of `ep` groups of `etp` devices; tokens are split over tensor and context parallelism). The work is
/// that of the average device.
[[nodiscard]] LayerWork moe_layer(const Training& job, const Layout& layout);

/// Casts of the output embedding's operands, where they are cast.
[[nodiscard]] Stream head_casts(const Training& job, const Linear& head);

/// Bytes that embedding (forward and backward), and loss on the logits (forward and backward) move.
[[nodiscard]] double embedding_stream_bytes(const Training& job, const Layout& layout);
[[nodiscard]] double loss_stream_bytes(const Training& job, const Layout& layout);

}  // namespace ampacity::workload
