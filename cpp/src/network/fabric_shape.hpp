// What a fabric's description implies of its switches.
#pragma once

#include <cstdint>

#include "ampacity/fabric.hpp"

namespace ampacity::network {

/// Ports of a switch at the rate of an accelerator's card (a faster port is broken out into several).
[[nodiscard]] std::int64_t radix(const Fabric& fabric);

/// Children of a switch below the top: a part of what is left that needs no more than half of its ports.
[[nodiscard]] std::int64_t even_part(std::int64_t left, std::int64_t half);

/// Accelerators below a switch of the first of several tiers, and its cables to the second.
struct Leaf {
  std::int64_t accelerators = 1;
  std::int64_t uplinks = 1;
};
[[nodiscard]] Leaf leaf_of(const Fabric& fabric, std::int64_t endpoints);

}  // namespace ampacity::network
