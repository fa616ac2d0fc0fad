// Power and price of the scale-out network, per accelerator, from the fabric's bill of materials: as published, or
// counted from the topology of that many accelerators in nodes of so many.
#pragma once

#include <cstdint>

#include "ampacity/fabric.hpp"

namespace ampacity::power {

/// Watts per accelerator, those of lines between sites included (huts on the way are counted at the sites' meters).
/// Network cards belong to the node.
struct NetworkPower {
  double typical_w = 0;    ///< switches and optics under load
  double nameplate_w = 0;  ///< their rated maximum
};
[[nodiscard]] NetworkPower network_power(const Fabric& fabric, std::int64_t accelerators,
                                         std::int64_t node_accelerators);

/// Switches, optics and cables, per accelerator: the fabric's own figure, or the sum of the parts with a known price;
/// beside either, what joins sites.
[[nodiscard]] double network_price_usd(const Fabric& fabric, std::int64_t accelerators, std::int64_t node_accelerators);

}  // namespace ampacity::power
