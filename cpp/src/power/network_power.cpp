#include "power/network_power.hpp"

#include <algorithm>

namespace ampacity::power {

// A switch draws nearly the same whether it forwards or not (about 85 % of it does not depend on load), so one typical
// figure serves the mean and the peak. A full three-tier tree of 64-port 400G switches has 5/64 switches and 6 optical
// ends per accelerator: 0.0781 x 747 W + 6 x 8.5 W = 109 W (docs.nvidia.com transceiver pages; QM9700 manual).
double network_w(const Fabric& fabric) {
  return fabric.switches_per_accelerator * fabric.network_switch.typical_w +
         fabric.optic_ends_per_accelerator * fabric.optic.typical_w;
}

double network_nameplate_w(const Fabric& fabric) {
  // A switch's maximum already includes the optics in its own cages; the ends in the network cards come on top. Those
  // carry the accelerator's line rate once.
  const double card_ends =
      fabric.optic.bytes_per_s > 0
          ? std::min(fabric.optic_ends_per_accelerator, fabric.bytes_per_s_per_accelerator / fabric.optic.bytes_per_s)
          : 0.0;
  const double rated_w = fabric.switches_per_accelerator * fabric.network_switch.max_w + card_ends * fabric.optic.max_w;
  // Ratings given without optics (chassis cards, blades) must not fall below the power under load.
  return std::max(rated_w, network_w(fabric));
}

double network_price_usd(const Fabric& fabric) {
  if (fabric.price_usd_per_accelerator > 0) return fabric.price_usd_per_accelerator;
  return fabric.switches_per_accelerator * fabric.network_switch.price_usd +
         fabric.optic_ends_per_accelerator * fabric.optic.price_usd;
}

}  // namespace ampacity::power
