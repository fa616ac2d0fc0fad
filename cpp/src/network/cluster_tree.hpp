// The switch tree that a fabric's description implies for a number of accelerators, and what is bought for it.
// Nothing is allocated: power and cost of every estimate ask for it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "ampacity/fabric.hpp"
#include "ampacity/network.hpp"

namespace ampacity::network {

inline constexpr std::size_t most_tiers = 6;

/// A fat tree as `FatTree` describes it; `rails` and `planes` as there.
struct ClusterTree {
  std::size_t tiers = 0;
  std::array<std::int64_t, most_tiers> down{};
  std::array<std::int64_t, most_tiers> up{};
  std::int64_t rails = 1;
  bool rail_only = false;
  std::int64_t planes = 1;
};

/// The tree, of one site, for that many accelerators in nodes of `rails` (which matters to rail-optimised and rail-only
/// fabrics).
[[nodiscard]] ClusterTree cluster_tree(const Fabric& fabric, std::int64_t accelerators, std::int64_t rails);

/// Accelerators of one site.
[[nodiscard]] std::int64_t per_site(const Fabric& fabric, std::int64_t accelerators);

/// What is bought for one tier: switches, and the cables below them.
struct TierParts {
  std::int64_t switches = 0;
  std::int64_t cables = 0;
};

/// Parts of every tier, lowest first.
struct ClusterParts {
  std::size_t tiers = 0;
  std::array<TierParts, most_tiers> tier{};
};
[[nodiscard]] ClusterParts cluster_parts(const Fabric& fabric, std::int64_t accelerators, std::int64_t rails);

/// A quarter of a switch's ports to endpoints, half within the group, a quarter to other groups (Kim et al. 2008).
[[nodiscard]] Dragonfly dragonfly_for(const Fabric& fabric, std::int64_t endpoints);

/// Half of a leaf's ports to endpoints, half to spines; half of a spine's to leaves, half to other groups (Shpiner et
/// al., HiPINEB 2017).
[[nodiscard]] DragonflyPlus dragonfly_plus_for(const Fabric& fabric, std::int64_t endpoints);

/// What is bought per accelerator: as the fabric states it, or else counted.
struct PartsEach {
  double switches = 0;
  double leaf_switches = 0;  ///< where they are of another kind
  double optic_ends = 0;
  double copper_ends = 0;
  double card_ends = 0;  ///< of the optic ends those in network cards
};
[[nodiscard]] PartsEach parts_each(const Fabric& fabric, std::int64_t accelerators, std::int64_t rails);

/// One end of a passive copper cable (400/800 Gb/s, up to 3 m): 0.1 W, at most 0.2 W.
inline constexpr double kCopperEndW = 0.1;
inline constexpr double kCopperEndMaxW = 0.2;

/// Ports of a switch at the rate of one cable of the fabric (a faster port is broken out into several).
[[nodiscard]] std::int64_t radix(const Switch& box, const Fabric& fabric);
/// The box of a tier: leaves may be of another kind.
[[nodiscard]] const Switch& switch_of(const Fabric& fabric, std::size_t tier);

/// Modules per accelerator that carry `cables` cables with two ends each.
[[nodiscard]] double optic_ends(const Fabric& fabric, double cables);

}  // namespace ampacity::network
