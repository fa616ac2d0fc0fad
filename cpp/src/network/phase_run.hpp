// Phases of flows from start to end: what starts when, on links that all share.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "network/max_min.hpp"

namespace ampacity::network {

/// Flows `first` to `first + count` start together, `delay_s` and their own latency after the phase; where they are cut
/// into batches, the first batch of each does, and the others follow it.
struct RunPhase {
  std::uint32_t first = 0;
  std::uint32_t count = 0;
  double delay_s = 0;
  std::uint32_t level = 0;   ///< one chain of a group at a time is on a level, first come, first served
  bool keeps_level = false;  ///< for the next phase
  // What became of it.
  double start_s = 0;
  double end_s = 0;
  std::uint32_t last = 0;              ///< the flow that ended last
  std::uint32_t bottleneck = no_link;  ///< the link that limited it

  static constexpr std::uint32_t no_link = std::numeric_limits<std::uint32_t>::max();
};

/// Phases that follow each other.
struct RunChain {
  std::uint32_t group = 0;
  double start_s = 0;
  std::vector<RunPhase> phases;
};

struct Run {
  std::vector<RunChain> chains;
  std::uint32_t groups = 0;
  std::uint32_t levels = 1;
  Paths paths;  ///< of every flow
  std::vector<double> bytes;
  std::uint32_t batches = 1;  ///< flows that follow each other: b, b + 1, ... of each run of that many
  std::vector<double> latency_s;
  std::vector<double> weight;
  std::vector<std::uint8_t> reachable;
  std::vector<double> capacity;  ///< of every link
  double batch_fraction = 0;
  // What became of it.
  std::vector<double> end_s;  ///< of every flow; infinite where it never ends
  std::int64_t events = 0;
};

/// Fills in what became of it.
void run_phases(Run& run);

}  // namespace ampacity::network
