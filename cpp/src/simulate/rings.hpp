// Rings over scale-up domains of different sizes.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace ampacity::simulation {

/// Members of a ring, one behind the other, on devices of one kind.
struct RingRun {
  std::int64_t first = 0;    ///< place in the ring
  std::int64_t length = 0;   ///< members
  std::int64_t members = 1;  ///< in one domain
  double bytes = 0;          ///< that each sends
};

/// One stream of such a ring. Domains all send at one pace, over every card of their members.
struct RingStream {
  std::int64_t from = 0;  ///< places in the ring
  std::int64_t to = 0;
  double share = 0;  ///< of what a domain sends in a second
  double bytes = 0;
};

/// From every domain to the next: in a run from each member to its peer there, between runs over as many streams as
/// share the members of both evenly. Runs are not empty.
[[nodiscard]] std::vector<RingStream> ring_streams(std::span<const RingRun> runs);

}  // namespace ampacity::simulation
