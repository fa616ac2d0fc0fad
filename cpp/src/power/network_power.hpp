// Power and price of the scale-out network, per accelerator, from the fabric's bill of materials.
#pragma once

#include "ampacity/fabric.hpp"

namespace ampacity::power {

/// Switches and optics under load, per accelerator. Network cards belong to the node. Watts.
[[nodiscard]] double network_w(const Fabric& fabric);

/// Rated maximum of switches and optics, per accelerator. Watts.
[[nodiscard]] double network_nameplate_w(const Fabric& fabric);

/// Switches, optics and cables, per accelerator: the fabric's own figure, or the sum of the parts with a known price.
[[nodiscard]] double network_price_usd(const Fabric& fabric);

}  // namespace ampacity::power
