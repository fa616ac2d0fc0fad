#include "simulate/exchanges.hpp"

#include "workload/attention_mask.hpp"
#include "workload/stages.hpp"

namespace ampacity::simulation {
namespace {

Pattern::Kind context_kind(const Training& job, const Layout& layout) {
  switch (workload::context_parallel(job, layout)) {
    case ContextParallel::ulysses:
      return Pattern::Kind::exchange;
    case ContextParallel::all_gather:
      return Pattern::Kind::ring;
    case ContextParallel::software:
    case ContextParallel::ring:
    case ContextParallel::ring_unbalanced:
      break;
  }
  return Pattern::Kind::neighbours;
}

}  // namespace

Pattern pattern_of(const Training& job, const Layout& layout, Exchange kind) {
  switch (kind) {
    case Exchange::tensor:
      return {{layout.tp, 1}, Pattern::Kind::ring};
    case Exchange::context:
      return {{layout.cp, layout.tp}, context_kind(job, layout)};
    case Exchange::experts:
      return {{layout.ep, layout.etp}, Pattern::Kind::exchange};
    case Exchange::shards:
      break;
  }
  return {{layout.zero_stage >= 3 ? workload::state_shards(layout) : 1, layout.tp}, Pattern::Kind::ring};
}

}  // namespace ampacity::simulation
