#include "network/fabric_shape.hpp"

#include <algorithm>
#include <cmath>

namespace ampacity::network {

std::int64_t radix(const Fabric& fabric) {
  const double breakout = std::max(1.0, fabric.network_switch.port_bytes_per_s / fabric.bytes_per_s_per_accelerator);
  return std::max<std::int64_t>(4, std::llround(static_cast<double>(fabric.network_switch.ports) * breakout));
}

std::int64_t even_part(std::int64_t left, std::int64_t half) {
  for (std::int64_t part = std::min(left, half); part > half / 2; --part) {
    if (left % part == 0) return part;
  }
  return std::min(left, half);
}

Leaf leaf_of(const Fabric& fabric, std::int64_t endpoints) {
  const bool pods = fabric.pod_accelerators > 0 && fabric.pod_accelerators < endpoints;
  Leaf leaf;
  leaf.accelerators = fabric.leaf_accelerators > 0
                          ? fabric.leaf_accelerators
                          : even_part(pods ? fabric.pod_accelerators : endpoints, radix(fabric) / 2);
  leaf.uplinks = fabric.leaf_uplinks > 0 ? fabric.leaf_uplinks : leaf.accelerators;
  return leaf;
}

}  // namespace ampacity::network
