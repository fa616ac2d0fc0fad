// What context parallelism adds to a layer besides its attention kernels: exchange, and merging of partial results.
#pragma once

#include "step/pass_kernels.hpp"

namespace ampacity::step {

/// Adds to one direction of a layer the merging of a ring's partial results (part of its attention).
void add_ring_merges(const Context& c, const workload::LayerWork& work, bool backward, PassTime& pass);

/// Adds the exchange, after the attention of `pass`, behind which a ring hides it.
void add_context_comm(const Context& c, const workload::LayerWork& work, bool backward, PassTime& pass);

}  // namespace ampacity::step
