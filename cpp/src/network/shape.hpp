// What the closed forms of collectives need to know of a group: how many ranks share a scale-up domain, and how fast
// they reach each other.
#pragma once

#include <array>
#include <cstdint>

#include "network/collectives.hpp"

namespace ampacity::network {

struct Shape {
  double ranks = 1;
  double members = 1;  ///< in one scale-up domain
  double domains = 1;
  double tree_depth = 0;           ///< over the domains
  double inside_hops = 0;          ///< of a ring through the members of one domain
  double own_s_per_byte = 0;       ///< inside one device
  double scaleup_s_per_byte = 0;   ///< of one device's links to the other members
  double exchange_factor = 1;      ///< how much slower than that the links of a torus are when all send to all
  double scaleout_s_per_byte = 0;  ///< of the NICs of all members in one domain together; 0 within one domain
  double sites = 1;                ///< that the group spans
  double wan_s = 0;                ///< of light between two of them; 0 in one site
  double uplink_slowdown = 1;      ///< of these NICs by uplinks that are fewer, or hashed; contained in it
};

/// Members of a group that lie in one scale-up domain of that size. Groups lie aligned: their members fill a domain, or
/// each sits in a domain of its own.
[[nodiscard]] std::int64_t members_in_domain(const Group& group, std::int64_t domain);

[[nodiscard]] Shape shape_of(const Links& links, const Group& group);
/// Of two members of a group that follow each other, as far apart as any such.
[[nodiscard]] Shape pair_of(const Links& links, const Group& group);

/// Sides of a compact block of at least n devices in a torus, shortest first; 1 where there is no such dimension. Exact
/// where n has divisors near its root (8,960 = 16 x 20 x 28, 4,096 = 16 x 16 x 16). Whole cubes of 4 x 4 x 4 where they
/// make n, of which slices are made (arXiv:2304.01433): 9,216 = 16 x 24 x 24.
[[nodiscard]] std::array<std::int64_t, 3> torus_sides(std::int64_t n, std::int64_t dimensions);

/// Depth of a binary tree over n.
[[nodiscard]] double log2_ceil(std::int64_t n);

}  // namespace ampacity::network
