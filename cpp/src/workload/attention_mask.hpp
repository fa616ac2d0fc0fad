// What of the score matrix a model's masks keep, and how context parallelism shares it.
#pragma once

#include <algorithm>
#include <cmath>

#include "ampacity/layout.hpp"
#include "ampacity/model.hpp"
#include "ampacity/training.hpp"

namespace ampacity::workload {

/// Whether the layers with a window see less than the whole sequence.
[[nodiscard]] inline bool has_short_windows(const Model& model, double sequence) {
  return model.has_local_layers() && static_cast<double>(model.attention_window) < sequence;
}

/// Global layers: every n-th, the last of each group (Gemma 3: five local, then one global; Llama 4: three, then one).
[[nodiscard]] inline double global_layers(const Model& model) {
  if (!model.has_local_layers()) return static_cast<double>(model.layers);
  const std::int64_t interval = model.global_attention_interval;
  const std::int64_t layers = interval > 0 ? model.layers / interval : 0;
  return static_cast<double>(layers);
}

/// Share of layers that see a window or chunk only. They are taken as spread evenly over pipeline stages.
[[nodiscard]] inline double local_layer_share(const Model& model) {
  return 1 - global_layers(model) / static_cast<double>(model.layers);
}

/// Keys that a query of a local layer sees on average, of a causal sequence: with a sliding window of w tokens
/// w - w^2 / (2 s), in chunks of w tokens half of its chunk. (As s / 2 for the whole sequence: terms of one token are
/// left out.)
[[nodiscard]] inline double local_keys(const Model& model, double sequence) {
  const double window = std::min(static_cast<double>(model.attention_window), sequence);
  if (!model.chunked_attention) return window - window * window / (2 * sequence);
  const double whole = std::floor(sequence / window);
  const double rest = sequence - whole * window;
  return (whole * window * window + rest * rest) / (2 * sequence);
}

/// The kind of context parallelism that runs.
[[nodiscard]] inline ContextParallel context_parallel(const Training& job, const Layout& layout) {
  if (layout.cp_kind != ContextParallel::software) return layout.cp_kind;
  return job.software.cp_kind == ContextParallel::software ? ContextParallel::ring : job.software.cp_kind;
}

/// Whether keys and values go round a ring, one block of attention at a time.
[[nodiscard]] inline bool is_ring(const Training& job, const Layout& layout) {
  const ContextParallel kind = context_parallel(job, layout);
  return layout.cp > 1 && (kind == ContextParallel::ring || kind == ContextParallel::ring_unbalanced);
}

}  // namespace ampacity::workload
