#include "network/wan.hpp"

#include <algorithm>
#include <cmath>

namespace ampacity::network {
namespace {

std::int64_t parts(double whole, double each) {
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(std::ceil(whole / each - 1e-9)));
}

}  // namespace

WanParts wan_parts(const Fabric& fabric) {
  const LineSystem& line = fabric.wan;
  if (fabric.sites <= 1 || line.wavelength_bytes_per_s <= 0) return {};
  const std::int64_t routes = fabric.sites * (fabric.sites - 1) / 2;
  const double rate = fabric.wan_bytes_per_s / static_cast<double>(fabric.sites - 1);
  const std::int64_t wavelengths = parts(rate, line.wavelength_bytes_per_s);
  const std::int64_t pairs =
      parts(static_cast<double>(wavelengths), static_cast<double>(line.wavelengths_per_fibre_pair));
  const std::int64_t sections = parts(fabric.wan_m, line.reach_m);  // between regenerators
  const std::int64_t spans = std::max(sections, parts(fabric.wan_m, line.span_m));
  WanParts found;
  found.modules = routes * 2 * sections * wavelengths;
  found.terminals = routes * 2 * sections * pairs;
  found.amplifiers = routes * (spans - sections) * pairs;
  found.huts = routes * (spans - 1);
  found.fibre_pair_kms = routes * pairs * static_cast<std::int64_t>(std::ceil(fabric.wan_m / 1e3 - 1e-9));
  return found;
}

WanCost wan_cost(const Fabric& fabric) {
  const WanParts found = wan_parts(fabric);
  const LineSystem& line = fabric.wan;
  const auto modules = static_cast<double>(found.modules);
  const auto terminals = static_cast<double>(found.terminals);
  const auto amplifiers = static_cast<double>(found.amplifiers);
  const auto huts = static_cast<double>(found.huts);
  WanCost cost;
  cost.typical_w = modules * (line.module_typical_w + line.port_typical_w) + terminals * line.terminal_typical_w +
                   amplifiers * line.amplifier_typical_w + huts * line.hut_w;
  cost.max_w = modules * (line.module_max_w + line.port_max_w) + terminals * line.terminal_max_w +
               amplifiers * line.amplifier_max_w + huts * line.hut_w;
  cost.price_usd = modules * (line.module_price_usd + line.port_price_usd) + terminals * line.terminal_price_usd +
                   amplifiers * line.amplifier_price_usd + huts * line.hut_price_usd +
                   static_cast<double>(found.fibre_pair_kms) * 1e3 * line.fibre_pair_usd_per_m;
  return cost;
}

}  // namespace ampacity::network
