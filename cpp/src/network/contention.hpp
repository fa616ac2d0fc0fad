// How much longer messages take on a fabric than on a network cable of their own: tapered tiers and hash collisions.
#pragma once

#include "ampacity/cluster.hpp"

namespace ampacity::network {

struct Group;

/// Where traffic squeezes through: what lies below one switch (or one block of switches), and its cables upwards.
struct Boundary {
  double accelerators = 0;  ///< below; 0 = there is no such boundary
  double uplinks = 0;       ///< of an accelerator's rate
  double rails = 1;         ///< of that many accelerators that are neighbours in rank one lies below
};

/// The boundaries of a fabric, and how traffic spreads over the cables there.
struct Paths {
  Boundary leaf;
  Boundary pod;
  Boundary site;
  double wan_s = 0;         ///< of light between two sites
  double hashed_parts = 0;  ///< of the traffic between two accelerators; 0 = even over all cables
};
[[nodiscard]] Paths paths_of(const Cluster& cluster, const Node& node);

/// Factor on the time of messages from every member of a group to a neighbour in it (rings; trees are taken as rings),
/// all groups of that kind at once: the load of the fullest cable, of those that a group of that extent meets.
/// A ring in rank order leaves a switch once, with one stream of each of the `stride` interleaved groups; groups with
/// several members per scale-up domain (of that many accelerators) send with all cards of the last domain.
[[nodiscard]] double neighbours_slowdown(const Paths& paths, const Group& group, double domain);

/// The same for messages from every member of a group to every other member.
[[nodiscard]] double exchange_slowdown(const Paths& paths, const Group& group, double domain);

/// Sites that a group spans, 1 where it stays in one.
[[nodiscard]] double sites_of(const Paths& paths, const Group& group);

}  // namespace ampacity::network
