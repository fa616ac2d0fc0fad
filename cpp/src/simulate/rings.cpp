#include "simulate/rings.hpp"

#include <algorithm>
#include <cstddef>
#include <numeric>

namespace ampacity::simulation {

std::vector<RingStream> ring_streams(std::span<const RingRun> runs) {
  std::vector<RingStream> streams;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const RingRun& run = runs[i];
    const RingRun& next = runs[(i + 1) % runs.size()];
    for (std::int64_t at = 0; at + run.members < run.length; ++at) {
      streams.push_back(
          {run.first + at, run.first + at + run.members, 1.0 / static_cast<double>(run.members), run.bytes});
    }
    const std::int64_t leaving = std::min(run.members, run.length);
    const std::int64_t entering = std::min(next.members, next.length);
    const std::int64_t count = std::lcm(leaving, entering);
    const double part = 1.0 / static_cast<double>(count);
    for (std::int64_t k = 0; k < count; ++k) {
      const std::int64_t from = run.first + run.length - leaving + k % leaving;
      streams.push_back({from, next.first + k % entering, part, part * run.bytes * static_cast<double>(leaving)});
    }
  }
  return streams;
}

}  // namespace ampacity::simulation
