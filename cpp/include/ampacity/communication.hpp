// Collectives as flows on the links of a network: all groups of a job at once, with the contention they cause each
// other.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ampacity/field.hpp"
#include "ampacity/network.hpp"

namespace ampacity {

enum class CollectiveKind { all_reduce, reduce_scatter, all_gather, all_to_all, broadcast, reduce };
template <>
struct EnumNames<CollectiveKind> {
  static constexpr std::array<std::string_view, 6> names{"all_reduce", "reduce_scatter", "all_gather",
                                                         "all_to_all", "broadcast",      "reduce"};
};

/// Who sends to whom in which step.
///  - `ring`: neighbours, 2(n-1) steps for an all-reduce (Patarasuk, Yuan 2009)
///  - `double_binary_tree`: two trees that carry half each, as one pipeline (Sanders, Speck, Traeff 2009; NCCL)
///  - `halving_doubling`: recursive halving, then doubling (Thakur, Rabenseifner, Gropp 2005); powers of two
///  - `pat`: log2 n rounds of parallel aggregated trees (arXiv 2506.20252)
///  - `pairwise`: n-1 rounds of an all-to-all, in round k to the rank k away
///  - `direct`: to all others at once
///  - `hierarchical`: level by level, each with an algorithm of its own (in the node, then along the rails)
///  - `nvls`: the switch of a scale-up domain reduces and copies; of n parts of the buffer a rank sends its n and one
///    that is reduced, and receives as many (NVLink SHARP; Ishii, Wells, Hot Chips 34, 2022: N + 1 in place of 2N)
///  - `nvls_tree`: that inside the domains and, at the same time, double binary trees over them, one for every member
///  of
///    a domain with its part of the buffer (NCCL)
///  - `collnet`: the network's switches reduce: the members of a domain scatter and gather, and at the same time each
///  of
///    them has a tree of switches over the domains that every cable of carries its part once each way (SHARP; Graham et
///    al., COM-HPC 2016; NCCL's CollNet direct). Trees are static: hashed, or as d-mod-k leads to their first rank
enum class CollectiveAlgorithm {
  ring,
  double_binary_tree,
  halving_doubling,
  pat,
  pairwise,
  direct,
  hierarchical,
  nvls,
  nvls_tree,
  collnet
};
template <>
struct EnumNames<CollectiveAlgorithm> {
  static constexpr std::array<std::string_view, 10> names{
      "ring", "double_binary_tree", "halving_doubling", "pat", "pairwise", "direct", "hierarchical",
      "nvls", "nvls_tree",          "collnet"};
};

/// One collective of any number of groups of the same size, all of which start at once.
struct Collective {
  CollectiveKind kind = CollectiveKind::all_reduce;
  CollectiveAlgorithm algorithm = CollectiveAlgorithm::ring;
  std::span<const std::int64_t> endpoints;  ///< of every rank, group by group
  std::int64_t ranks = 1;                   ///< of each group
  /// Size of the whole (gathered, unreduced) buffer of one rank; what one rank of an all-to-all sends in total, its own
  /// part included.
  double bytes = 0;
  /// Of an all-to-all with unequal parts, in place of `bytes`: from every rank (row) to every rank (column) of a group.
  std::span<const double> matrix = {};  // NOLINT(readability-redundant-member-init): may be left out of a list
  double start_s = 0;
  /// Of `hierarchical`: lengths of the levels, lowest (neighbours in rank) first; their product is `ranks`. None: the
  /// ranks of a scale-up domain, then the domains.
  std::vector<std::int64_t> levels;
  /// Of `hierarchical`: one for each level, or one for all; none: rings (for an all-to-all: direct).
  std::vector<CollectiveAlgorithm> level_algorithms;
  std::int64_t chunks = 1;     ///< parts of the buffer that follow each other through the levels, one a level at a time
  bool rotate = false;         ///< chunk c starts at level c (bucket algorithm on a torus)
  bool bidirectional = false;  ///< rings send half each way
  double step_latency_s = 0;   ///< of software, for every step
  double reduce_bytes_per_s = 0;  ///< memory rate of reductions (two reads, one write each); 0: not counted
};

/// How a collective went. Arrays of phases are group by group.
struct CollectiveTimes {
  std::vector<double> end_s;  ///< of every group; infinite where failed links cut it off
  std::vector<std::string> phases;
  std::vector<double> phase_start_s;
  std::vector<double> phase_end_s;
  std::vector<std::int64_t> phase_bottleneck_link;  ///< of the flow that ended last; -1: none
  std::vector<double> rank_end_s;                   ///< when a rank has sent and received everything; group by group
};

struct Communication {
  std::vector<CollectiveTimes> collectives;
  std::vector<double> link_bytes;  ///< carried by every link
  double end_s = 0;                ///< of the last group that ends
  std::int64_t flows = 0;          ///< between endpoints, alike steps counted once
  std::int64_t classes = 0;        ///< of flows that cannot be told apart
  std::int64_t events = 0;         ///< times at which rates were solved
};

/// Runs collectives together. A phase is a set of flows that start together; it is over when the last has ended, and
/// the next phase of its group begins. Steps with the same flows (those of a ring) are one phase: k times the bytes, k
/// latencies (of the average flow after the first, since each passes its data on to another). Between two events all
/// rates are max-min fair. With `aggregate`, flows that cannot be told apart by size, start, path and what they meet
/// are solved as one; the answer is the same. Adaptive flows choose their cables one after the other and know those of
/// their own step and, where it is fullest, of the collectives before theirs; flowlets follow each other, each hashed
/// anew, at most 64 of a flow.
/// \throws InvalidSpec naming everything that makes no collective.
[[nodiscard]] Communication communicate(const Network& network, std::span<const Collective> collectives,
                                        const FlowRules& rules = {}, bool aggregate = true);

}  // namespace ampacity
