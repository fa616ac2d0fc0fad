// Seconds and joules of the parts that a pipeline stage is made of, on one device of a kind.
#pragma once

#include "ampacity/cluster.hpp"
#include "ampacity/layout.hpp"
#include "ampacity/training.hpp"
#include "network/collectives.hpp"
#include "step/ledger.hpp"
#include "step/pass_time.hpp"

namespace ampacity::step {

/// What one step needs of a kind of device, per micro-batch.
struct PartTimes {
  LayerTime dense;
  LayerTime moe;                             ///< zero where the model has no experts
  PassTime embedding;                        ///< forward and backward
  PassTime head;                             ///< output embedding and loss, forward and backward
  double embedding_backward_fraction = 0.5;  ///< of the embedding's bytes, moved on the way back for its weights
};
/// What the seconds of those parts are made of.
struct PartLedgers {
  Ledger dense;
  Ledger moe;
  Ledger embedding;
  Ledger head;
};
[[nodiscard]] PartTimes part_times(const Training& job, const Layout& layout, const Accelerator& device,
                                   const network::Links& links, PartLedgers* ledgers = nullptr);

}  // namespace ampacity::step
