// What each algorithm of a collective sends, step by step, as if ranks were numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "ampacity/communication.hpp"

namespace ampacity::network {

/// Flows between the ranks of one group; each carries the same bytes.
struct StepFlows {
  std::vector<std::uint32_t> source;
  std::vector<std::uint32_t> destination;
};

/// Flows that start together, and how often they are repeated.
struct PhasePlan {
  std::string name;
  std::uint32_t flows = 0;  ///< index in Program::flows
  double bytes = 0;         ///< of each flow, all its steps together
  double repeats = 0;       ///< steps after the first
  double wait_s = 0;        ///< of all steps: software, and reductions that hold a message up
  std::uint32_t level = 0;  ///< chunks take turns on a level
  std::uint32_t visit = 0;  ///< phases of one visit keep it
};

struct Program {
  std::vector<StepFlows> flows;
  std::vector<std::vector<PhasePlan>> chains;  ///< one a chunk; the phases of a chain follow each other
};

/// The collective must have been checked.
[[nodiscard]] Program program_of(const Collective& collective, const std::vector<std::int64_t>& levels);

/// What a collective does on one of its levels.
[[nodiscard]] CollectiveAlgorithm algorithm_on(const Collective& collective, std::size_t level);

/// Whether an algorithm can do it, on one level of that many ranks; empty, or what is wrong.
[[nodiscard]] std::string unable(CollectiveKind kind, CollectiveAlgorithm algorithm, std::int64_t ranks);

}  // namespace ampacity::network
