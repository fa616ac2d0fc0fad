// What each algorithm of a collective sends, step by step, as if ranks were numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "ampacity/communication.hpp"

namespace ampacity::network {

/// What switches reduce, or copy, for some ranks: one flow that takes every link of a tree over them once.
struct SwitchTree {
  /// The ranks' links up to their scale-up switch, those down from it, or all cables of a tree in the network, both
  /// ways.
  enum class Links { domain_up, domain_down, network };

  Links links = Links::network;
  std::vector<std::uint32_t> members;
};

/// Flows between the ranks of one group: those between two ranks, then trees. Each carries its share of the phase's
/// bytes.
struct StepFlows {
  std::vector<std::uint32_t> source;
  std::vector<std::uint32_t> destination;
  std::vector<SwitchTree> trees;
  std::vector<double> share;  ///< empty: 1

  [[nodiscard]] std::uint32_t count() const { return static_cast<std::uint32_t>(source.size() + trees.size()); }
  [[nodiscard]] double share_of(std::size_t flow) const { return share.empty() ? 1 : share[flow]; }
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
  std::vector<std::vector<PhasePlan>> chains;  ///< one a chunk, or more; the phases of a chain follow each other
};

/// The collective must have been checked.
[[nodiscard]] Program program_of(const Collective& collective, const std::vector<std::int64_t>& levels);

/// What a collective does on one of its levels.
[[nodiscard]] CollectiveAlgorithm algorithm_on(const Collective& collective, std::size_t level);

/// Whether it works inside domains and between them at once, on levels that are theirs.
[[nodiscard]] constexpr bool spans_domains(CollectiveAlgorithm algorithm) {
  return algorithm == CollectiveAlgorithm::nvls_tree || algorithm == CollectiveAlgorithm::collnet;
}

/// Whether an algorithm can do it, on one level of that many ranks; empty, or what is wrong.
[[nodiscard]] std::string unable(CollectiveKind kind, CollectiveAlgorithm algorithm, std::int64_t ranks);

}  // namespace ampacity::network
