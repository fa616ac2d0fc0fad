// Power of one node: accelerators, hosts, conversion, fans.
#pragma once

#include <cstdint>

#include "ampacity/node.hpp"

namespace ampacity::power {

/// Direct-current power of everything in a node but its accelerators, under load. Watts.
[[nodiscard]] double host_dc_w(const Node& node);

/// Power of a node's fans when its accelerators dissipate `device_w` each. Watts.
[[nodiscard]] double fans_w(const Node& node, double device_w);

/// Power at the inlet of a node whose accelerators draw `device_w` each: (accelerators + host) / conversion + fans.
[[nodiscard]] double node_w(const Node& node, double device_w);

/// Rated maximum of a node: its name plate, or the sum of its parts' ratings with the usual margin. Watts.
[[nodiscard]] double node_nameplate_w(const Node& node);

/// Accelerators of a rack of such nodes, at least one.
[[nodiscard]] std::int64_t rack_accelerators(const Node& node);

}  // namespace ampacity::power
