// Memory of a device: what a framework holds, by purpose.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ampacity {

/// Memory of one device of a pipeline stage at its fullest moment.
struct Memory {
  double weights_bytes = 0;
  double gradients_bytes = 0;
  double optimizer_bytes = 0;
  double activations_bytes = 0;    ///< kept for the backward pass by all micro-batches in flight
  double other_bytes = 0;          ///< the sum of the four below
  double workspace_bytes = 0;      ///< what the fullest moment needs beside them: logits, gradients of activations
  double communication_bytes = 0;  ///< gathered weights, buffers of collectives and of stage-to-stage transfers
  double context_bytes = 0;        ///< outside the framework's allocator: driver context, libraries, communicators
  double fragmentation_bytes = 0;  ///< held by the allocator and of no use
  double capacity_bytes = 0;

  [[nodiscard]] double total_bytes() const {
    return weights_bytes + gradients_bytes + optimizer_bytes + activations_bytes + other_bytes;
  }
  /// Peak that PyTorch's `max_memory_reserved` reports.
  [[nodiscard]] double reserved_bytes() const { return total_bytes() - context_bytes; }
  /// Peak that PyTorch's `max_memory_allocated` reports.
  [[nodiscard]] double allocated_bytes() const { return reserved_bytes() - fragmentation_bytes; }
  [[nodiscard]] bool fits() const { return total_bytes() <= capacity_bytes; }
};

/// One line of the table of pipeline stages.
struct StageMemory {
  std::int64_t stage = 0;              ///< from 0, the one with the embedding
  double layers = 0;                   ///< that it holds
  double micro_batches_in_flight = 0;  ///< whose activations it keeps at once, in units of all its layers
  Memory memory;
};

/// A kind of stage without its activations, and what each micro-batch in flight adds.
struct StageKind {
  Memory fixed;  ///< nothing in flight
  double activations_per_micro_batch_bytes = 0;
  double layers = 0;
  std::int64_t first_stage = 0;  ///< of the neighbours that are alike
};

/// All that the table of stages is made of: kinds in the order of the pipeline.
struct StageKinds {
  std::vector<StageKind> kinds;
  double fragmentation_fraction = 0;

  [[nodiscard]] const StageKind& of(std::int64_t stage) const {
    std::size_t found = 0;
    while (found + 1 < kinds.size() && kinds[found + 1].first_stage <= stage) ++found;
    return kinds[found];
  }
};

}  // namespace ampacity
