#include "power/network_power.hpp"

#include <algorithm>

#include "network/cluster_tree.hpp"
#include "network/wan.hpp"

namespace ampacity::power {
namespace {

double share(double whole, std::int64_t accelerators) {
  return whole / static_cast<double>(std::max<std::int64_t>(1, accelerators));
}

}  // namespace

// A switch draws nearly the same whether it forwards or not (about 85 % of it does not depend on load), so one typical
// figure serves the mean and the peak. A full three-tier tree of 64-port 400G switches has 5/64 switches and 6 optical
// ends per accelerator: 0.0781 x 747 W + 6 x 8.5 W = 109 W (docs.nvidia.com transceiver pages; QM9700 manual).
NetworkPower network_power(const Fabric& fabric, std::int64_t accelerators, std::int64_t node_accelerators) {
  const network::PartsEach parts = network::parts_each(fabric, accelerators, node_accelerators);
  NetworkPower power;
  power.typical_w = parts.switches * fabric.network_switch.typical_w +
                    parts.leaf_switches * fabric.leaf_switch.typical_w + parts.optic_ends * fabric.optic.typical_w +
                    parts.copper_ends * network::kCopperEndW;
  // A switch's maximum already includes the optics in its own cages; the ends in the network cards come on top. Those
  // carry the accelerator's line rate once. Ratings given without optics (chassis cards, blades) must not fall below
  // the power under load.
  const double rated_w = parts.switches * fabric.network_switch.max_w + parts.leaf_switches * fabric.leaf_switch.max_w +
                         parts.card_ends * fabric.optic.max_w + parts.copper_ends * network::kCopperEndMaxW;
  power.nameplate_w = std::max(rated_w, power.typical_w);
  const network::WanCost wan = network::wan_cost(fabric);
  power.typical_w += share(wan.typical_w, accelerators);
  power.nameplate_w += share(wan.max_w, accelerators);
  return power;
}

double network_price_usd(const Fabric& fabric, std::int64_t accelerators, std::int64_t node_accelerators) {
  const double wan_usd = share(network::wan_cost(fabric).price_usd, accelerators);
  if (fabric.price_usd_per_accelerator > 0) return fabric.price_usd_per_accelerator + wan_usd;
  const network::PartsEach parts = network::parts_each(fabric, accelerators, node_accelerators);
  return parts.switches * fabric.network_switch.price_usd + parts.leaf_switches * fabric.leaf_switch.price_usd +
         parts.optic_ends * fabric.optic.price_usd + wan_usd;
}

}  // namespace ampacity::power
