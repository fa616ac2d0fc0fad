// The table of pipeline stages, made when it is asked for.
#include "ampacity/estimate.hpp"
#include "workload/in_flight.hpp"
#include "workload/memory.hpp"
#include "workload/stages.hpp"

namespace ampacity {

std::vector<StageMemory> Estimate::memory_stages() const {
  const auto batches = static_cast<double>(workload::micro_batches(global_batch, layout));
  std::vector<StageMemory> table;
  table.reserve(static_cast<std::size_t>(layout.pp));
  for (std::int64_t stage = 0; stage < layout.pp; ++stage) {
    const std::int64_t behind = layout.pp - 1 - stage;
    const StageKind& kind = memory_kinds.of(stage);
    const double held = workload::in_flight(layout, batches, static_cast<double>(behind));
    table.push_back({stage, kind.layers, held, workload::filled(kind, held, memory_kinds.fragmentation_fraction)});
  }
  return table;
}

}  // namespace ampacity
