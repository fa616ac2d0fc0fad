// Adaptive routing at its best among nodes that are all joined: what goes direct, and what over another node.
#pragma once

#include <cstddef>
#include <vector>

namespace ampacity::network {

/// Demands and capacities are row by row, from each of `nodes` to each; those of a node to itself are not looked at.
struct JoinedNodes {
  std::size_t nodes = 0;
  std::vector<double> demand;
  std::vector<double> capacity;  ///< 0 where nothing is left of a link
  std::vector<double> beside;    ///< what links carry in any case
};

struct Detours {
  std::vector<double> direct;  ///< share of each demand that takes the direct link
  std::vector<double> use;     ///< of the capacity of each link; infinite where there is none for what must cross it
};

/// Direct as far as links carry it; the rest over third nodes, where it takes two links (Valiant 1982; UGAL: Singh,
/// 2005), spread over them by capacity. If that is too much, the least common use of all links at which it fits.
[[nodiscard]] Detours detours_of(const JoinedNodes& net);

}  // namespace ampacity::network
