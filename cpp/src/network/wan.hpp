// What joins sites, counted: every two of them with their share of a site's WAN rate, over a line of their own.
#pragma once

#include <cstdint>

#include "ampacity/fabric.hpp"

namespace ampacity::network {

struct WanParts {
  std::int64_t modules = 0;    ///< coherent, each in a port; regenerators have two back to back
  std::int64_t terminals = 0;  ///< ends of fibre pairs, those at regenerators included
  std::int64_t amplifiers = 0;
  std::int64_t huts = 0;            ///< for amplifiers and regenerators
  std::int64_t fibre_pair_kms = 0;  ///< begun ones
};
/// None where there is one site.
[[nodiscard]] WanParts wan_parts(const Fabric& fabric);

/// All of them together; prices of the parts whose price is known.
struct WanCost {
  double typical_w = 0;
  double max_w = 0;
  double price_usd = 0;
};
[[nodiscard]] WanCost wan_cost(const Fabric& fabric);

}  // namespace ampacity::network
