#include "network/collective_steps.hpp"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <map>
#include <tuple>
#include <utility>

namespace ampacity::network {
namespace {

using Algorithm = CollectiveAlgorithm;
using Kind = CollectiveKind;

// A reduction reads two operands and writes one.
constexpr double passes_per_reduction = 3;

/// Ranks that differ in one digit: rank = (... * length + digit) * stride + ...
struct Level {
  std::uint32_t index;
  std::uint32_t length;
  std::uint32_t stride;
};

enum class Pattern { ring, both_rings, distance, exchange, tree, chain, all, domain_switch, network_tree };

std::uint32_t depth_of(std::uint32_t ranks) {
  return static_cast<std::uint32_t>(std::bit_width(ranks - 1));
}

/// Parent of a node other than 0 in NCCL's binary tree over `ranks`, in which odd nodes are leaves: the lowest bit that
/// is set goes, and the next higher one is set where there is such a node.
std::uint32_t parent_of(std::uint32_t node, std::uint32_t ranks) {
  const std::uint32_t bit = node & (~node + 1);
  const std::uint32_t parent = (node ^ bit) | (bit << 1U);
  return parent < ranks ? parent : node ^ bit;
}

class Planner {
 public:
  explicit Planner(const Collective& collective)
      : collective_(collective), ranks_(static_cast<std::uint32_t>(collective.ranks)) {}

  Program take() { return std::move(program_); }
  void next_chunk() { program_.chains.emplace_back(); }

  void add(Kind kind, Algorithm algorithm, const Level& level, double bytes) {
    if (level.length == 1) return;
    ++visit_;
    switch (algorithm) {
      case Algorithm::double_binary_tree:
        // Up and down, in both trees at once: every edge carries half of the data each way.
        phase("all-reduce", level, Pattern::tree, 0, bytes / 2, 1, 2 * depth_of(level.length));
        break;
      case Algorithm::halving_doubling:
        if (kind != Kind::all_gather) halve(level, bytes);
        if (kind != Kind::reduce_scatter) double_up(level, bytes);
        break;
      case Algorithm::pat:
        aggregate_trees(kind, level, bytes);
        break;
      case Algorithm::pairwise:
        for (std::uint32_t k = 1; k < level.length; ++k) {
          phase("all-to-all " + std::to_string(k), level, Pattern::distance, k, bytes / level.length, 1, 1);
        }
        break;
      case Algorithm::direct:
        if (kind != Kind::all_gather && kind != Kind::all_to_all) all(level, "reduce-scatter", bytes);
        if (kind == Kind::all_to_all) all(level, "all-to-all", bytes);
        if (kind == Kind::all_gather || kind == Kind::all_reduce) all(level, "all-gather", bytes);
        break;
      case Algorithm::nvls:
        phase(name_of(kind), level, Pattern::domain_switch, static_cast<std::uint32_t>(kind), bytes, 1, 1);
        break;
      case Algorithm::collnet:
        phase("all-reduce", level, Pattern::network_tree, 0, bytes, 1, 1);
        break;
      default:
        ring(kind, level, bytes);
    }
  }

  /// Inside the domains and between them at once, as one pipeline: each has a chain of its own.
  void add_spanning(Algorithm algorithm, const Level& inside, const Level& between, double bytes) {
    next_chunk();
    if (algorithm == Algorithm::nvls_tree) {
      add(Kind::all_reduce, Algorithm::nvls, inside, bytes);
    } else if (inside.length > 1) {
      // All members scatter what they reduce and gather what has been reduced.
      phase("exchange", inside, Pattern::all, 0, 2 * bytes / inside.length, 1, 2);
    }
    next_chunk();
    const Algorithm across = algorithm == Algorithm::nvls_tree ? Algorithm::double_binary_tree : algorithm;
    add(Kind::all_reduce, across, between, bytes / inside.length);
  }

 private:
  static const char* name_of(Kind kind) {
    return kind == Kind::all_reduce ? "all-reduce" : kind == Kind::reduce_scatter ? "reduce-scatter" : "all-gather";
  }

  void ring(Kind kind, const Level& level, double bytes) {
    const double steps = level.length - 1;
    if (kind == Kind::broadcast || kind == Kind::reduce) {
      phase(kind == Kind::reduce ? "reduce" : "broadcast", level, Pattern::chain, kind == Kind::reduce ? 1 : 0, bytes,
            1, steps);
      return;
    }
    const bool both = collective_.bidirectional && level.length > 2;
    const double each = bytes / level.length / (both ? 2 : 1);
    const double rounds = kind == Kind::all_reduce ? 2 * steps : steps;
    phase(name_of(kind), level, both ? Pattern::both_rings : Pattern::ring, 1, each, rounds, rounds);
    if (kind != Kind::all_gather) wait_for_reductions((steps - 1) * bytes / level.length);
  }

  /// Near partners first, with the largest messages.
  void halve(const Level& level, double bytes) {
    for (std::uint32_t distance = 1; distance < level.length; distance *= 2) {
      const double each = bytes / 2 / distance;
      phase("reduce-scatter " + std::to_string(distance), level, Pattern::exchange, distance, each, 1, 1);
      if (distance > 1) wait_for_reductions(each);
    }
  }
  void double_up(const Level& level, double bytes) {
    for (std::uint32_t distance = level.length / 2; distance > 0; distance /= 2) {
      phase("all-gather " + std::to_string(distance), level, Pattern::exchange, distance, bytes / 2 / distance, 1, 1);
    }
  }

  /// Every rank is the root of a binomial tree; in the round of one distance those of its nodes that have the data
  /// send, all trees in one message. Gathering starts far away, where messages are small; scattering is the same
  /// backwards.
  void aggregate_trees(Kind kind, const Level& level, double bytes) {
    std::vector<std::uint32_t> distances;
    for (std::uint32_t distance = 1; distance < level.length; distance *= 2) distances.push_back(distance);
    const auto parts = [&](std::uint32_t distance) {
      return (level.length - distance + 2 * distance - 1) / (2 * distance);
    };
    if (kind != Kind::all_gather) {
      for (const std::uint32_t distance : distances) {
        const double each = bytes / level.length * parts(distance);
        phase("reduce-scatter " + std::to_string(distance), level, Pattern::distance, distance, each, 1, 1);
        if (distance > 1) wait_for_reductions(each);
      }
    }
    if (kind == Kind::reduce_scatter) return;
    std::reverse(distances.begin(), distances.end());
    for (const std::uint32_t distance : distances) {
      phase("all-gather " + std::to_string(distance), level, Pattern::distance, distance,
            bytes / level.length * parts(distance), 1, 1);
    }
  }

  void all(const Level& level, const char* name, double bytes) {
    phase(name, level, Pattern::all, 0, bytes / level.length, 1, 1);
  }

  void phase(std::string name, const Level& level, Pattern pattern, std::uint32_t argument, double bytes, double rounds,
             double latencies) {
    if (level.length < ranks_) name = "level " + std::to_string(level.index) + ' ' + name;
    if (collective_.chunks > 1) name = "chunk " + std::to_string(program_.chains.size() - 1) + ' ' + name;
    const std::uint32_t flows = flows_of(level, pattern, argument);
    if (program_.flows[flows].count() == 0) return;  // nothing to send in a round of unequal parts
    program_.chains.back().push_back({std::move(name), flows, rounds * bytes, latencies - 1,
                                      latencies * collective_.step_latency_s, level.index, visit_});
  }
  /// What is reduced must be in memory before it is sent on; the reduction after the last step overlaps with the next
  /// phase, which begins with what has been reduced.
  void wait_for_reductions(double bytes) {
    if (collective_.reduce_bytes_per_s > 0) {
      program_.chains.back().back().wait_s += passes_per_reduction * bytes / collective_.reduce_bytes_per_s;
    }
  }

  std::uint32_t flows_of(const Level& level, Pattern pattern, std::uint32_t argument) {
    const auto key = std::tuple(level.index, pattern, argument);
    const auto known = known_.find(key);
    if (known != known_.end()) return known->second;
    StepFlows flows;
    const std::size_t sends = pattern == Pattern::tree         ? 4
                              : pattern == Pattern::both_rings ? 2
                              : pattern == Pattern::all        ? level.length - 1
                                                               : 1;
    if (pattern == Pattern::domain_switch || pattern == Pattern::network_tree) {
      add_trees(flows, level, pattern, static_cast<Kind>(argument));
    } else {
      flows.source.reserve(sends * ranks_);
      flows.destination.reserve(sends * ranks_);
      for (std::uint32_t rank = 0; rank < ranks_; ++rank) add_flows(flows, level, pattern, argument, rank);
    }
    program_.flows.push_back(std::move(flows));
    const auto index = static_cast<std::uint32_t>(program_.flows.size() - 1);
    known_.emplace(key, index);
    return index;
  }

  /// One tree, or in a domain the way up and the way down, for ranks that differ in the digit of the level.
  void add_trees(StepFlows& flows, const Level& level, Pattern pattern, Kind kind) const {
    for (std::uint32_t first = 0; first < ranks_; ++first) {
      if (first / level.stride % level.length != 0) continue;
      std::vector<std::uint32_t> members(level.length);
      for (std::uint32_t i = 0; i < level.length; ++i) members[i] = first + i * level.stride;
      if (pattern == Pattern::network_tree) {
        flows.trees.push_back({SwitchTree::Links::network, std::move(members)});
        continue;
      }
      // What is scattered comes back as one part of n; what is gathered goes up as one.
      const double part = 1.0 / level.length;
      flows.trees.push_back({SwitchTree::Links::domain_up, members});
      flows.trees.push_back({SwitchTree::Links::domain_down, std::move(members)});
      flows.share.push_back(kind == Kind::all_gather ? part : kind == Kind::reduce_scatter ? 1 : 1 + part);
      flows.share.push_back(kind == Kind::all_gather ? 1 : kind == Kind::reduce_scatter ? part : 1 + part);
    }
  }

  void add_flows(StepFlows& flows, const Level& level, Pattern pattern, std::uint32_t argument,
                 std::uint32_t rank) const {
    const std::uint32_t digit = rank / level.stride % level.length;
    const auto send = [&](std::uint32_t from, std::uint32_t to) {
      const std::uint32_t source = rank - digit * level.stride + from * level.stride;
      const std::uint32_t destination = rank - digit * level.stride + to * level.stride;
      if (!collective_.matrix.empty()) {
        const double bytes = collective_.matrix[static_cast<std::size_t>(source) * ranks_ + destination];
        if (bytes == 0) return;
        flows.share.push_back(bytes);
      }
      flows.source.push_back(source);
      flows.destination.push_back(destination);
    };
    const std::uint32_t last = level.length - 1;
    switch (pattern) {
      case Pattern::both_rings:
        send(digit, digit == 0 ? last : digit - 1);
        [[fallthrough]];
      case Pattern::ring:
      case Pattern::distance:
        send(digit, (digit + argument) % level.length);
        break;
      case Pattern::exchange:
        send(digit, digit ^ argument);
        break;
      case Pattern::chain:
        if (digit < last) argument == 0 ? send(digit, digit + 1) : send(digit + 1, digit);
        break;
      case Pattern::all:
        for (std::uint32_t k = 1; k < level.length; ++k) send(digit, (digit + k) % level.length);
        break;
      case Pattern::tree:
        if (digit == 0) break;
        // The second tree is the first one mirrored (even counts) or shifted (odd), so that its leaves are not leaves.
        for (const bool second : {false, true}) {
          const auto place = [&](std::uint32_t node) {
            return !second ? node : level.length % 2 == 0 ? last - node : (node + 1) % level.length;
          };
          const std::uint32_t child = place(digit);
          const std::uint32_t parent = place(parent_of(digit, level.length));
          send(child, parent);
          send(parent, child);
        }
        break;
      default:  // trees of switches
        break;
    }
  }

  const Collective& collective_;
  std::uint32_t ranks_;
  std::uint32_t visit_ = 0;
  Program program_;
  std::map<std::tuple<std::uint32_t, Pattern, std::uint32_t>, std::uint32_t> known_;
};

}  // namespace

CollectiveAlgorithm algorithm_on(const Collective& collective, std::size_t level) {
  if (collective.algorithm != Algorithm::hierarchical) return collective.algorithm;
  const std::vector<Algorithm>& given = collective.level_algorithms;
  if (given.empty()) return collective.kind == Kind::all_to_all ? Algorithm::direct : Algorithm::ring;
  return given.size() == 1 ? given[0] : given[level];
}

Program program_of(const Collective& collective, const std::vector<std::int64_t>& lengths) {
  std::vector<Level> levels;
  std::uint32_t stride = 1;
  for (const std::int64_t length : lengths) {
    levels.push_back({static_cast<std::uint32_t>(levels.size()), static_cast<std::uint32_t>(length), stride});
    stride *= static_cast<std::uint32_t>(length);
  }
  Planner planner(collective);
  if (spans_domains(collective.algorithm)) {
    planner.add_spanning(collective.algorithm, levels[0], levels[1], collective.bytes);
    return planner.take();
  }
  for (std::int64_t chunk = 0; chunk < collective.chunks; ++chunk) {
    planner.next_chunk();
    std::vector<Level> order = levels;
    if (collective.rotate) {
      std::rotate(order.begin(), order.begin() + chunk % static_cast<std::int64_t>(order.size()), order.end());
    }
    const auto on = [&](Kind kind, const Level& level, double bytes) {
      planner.add(kind, algorithm_on(collective, level.index), level, bytes);
    };
    double bytes = collective.bytes / static_cast<double>(collective.chunks);
    if (!collective.matrix.empty())
      bytes = static_cast<double>(collective.ranks);  // one for each part: see their shares
    if (collective.kind == Kind::all_to_all) {
      for (const Level& level : order) on(Kind::all_to_all, level, bytes);
      continue;
    }
    // Down to the pieces of the last level, and back.
    const bool scatters = collective.kind != Kind::all_gather;
    for (std::size_t i = 0; i < order.size(); ++i) {
      const bool top = i + 1 == order.size();
      if (top && collective.kind != Kind::all_gather) {
        on(collective.kind, order[i], bytes);
      } else if (scatters) {
        on(Kind::reduce_scatter, order[i], bytes);
      }
      if (!top) bytes /= order[i].length;
    }
    if (collective.kind == Kind::all_gather) on(Kind::all_gather, order.back(), bytes);
    for (std::size_t i = order.size() - 1; i-- > 0;) {
      bytes *= order[i].length;
      if (collective.kind != Kind::reduce_scatter) on(Kind::all_gather, order[i], bytes);
    }
  }
  return planner.take();
}

std::string unable(CollectiveKind kind, CollectiveAlgorithm algorithm, std::int64_t ranks) {
  const bool sums_or_gathers = kind == Kind::all_reduce || kind == Kind::reduce_scatter || kind == Kind::all_gather;
  switch (algorithm) {
    case Algorithm::ring:
      return kind == Kind::all_to_all ? "cannot do all_to_all" : "";
    case Algorithm::double_binary_tree:
      return kind == Kind::all_reduce ? "" : "can do all_reduce only";
    case Algorithm::halving_doubling:
      if (!sums_or_gathers) return "can do all_reduce, reduce_scatter and all_gather";
      return std::has_single_bit(static_cast<std::uint64_t>(ranks)) ? "" : "needs a power of two of ranks";
    case Algorithm::pat:
      return sums_or_gathers ? "" : "can do all_reduce, reduce_scatter and all_gather";
    case Algorithm::pairwise:
      return kind == Kind::all_to_all ? "" : "can do all_to_all only";
    case Algorithm::direct:
      return sums_or_gathers || kind == Kind::all_to_all ? "" : "cannot do broadcast or reduce";
    case Algorithm::hierarchical:
      return sums_or_gathers || kind == Kind::all_to_all ? "" : "cannot do broadcast or reduce";
    case Algorithm::nvls:
      return sums_or_gathers ? "" : "can do all_reduce, reduce_scatter and all_gather";
    case Algorithm::nvls_tree:
    case Algorithm::collnet:
      return kind == Kind::all_reduce ? "" : "can do all_reduce only";
  }
  return "";
}

}  // namespace ampacity::network
