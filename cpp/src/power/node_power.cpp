#include "power/node_power.hpp"

#include <algorithm>
#include <cmath>

namespace ampacity::power {
namespace {

// Fan power falls with the cube of the air flow (fan affinity law: flow ~ speed, pressure ~ speed^2), and the flow
// follows the heat; below this share of full power fans do not go, because memory and cards need some air anyway.
constexpr double kFanFloorFraction = 0.15;

// Rating over the sum of component ratings: DGX A100 1.22, DGX H100 1.16, DGX B200 1.21, GB200 NVL72 1.10 (their
// data sheets against their parts). Only for nodes whose rating is unknown.
constexpr double kNameplateMargin = 1.17;

double devices_w(const Node& node, double device_w) {
  return static_cast<double>(node.accelerators) * device_w;
}

}  // namespace

double host_dc_w(const Node& node) {
  return static_cast<double>(node.cpus) * node.cpu_w * node.cpu_load_fraction + node.dram_w + node.scaleup_switch_w +
         static_cast<double>(node.nics) * node.nic.typical_w + node.misc_w;
}

double fans_w(const Node& node, double device_w) {
  // Liquid and immersion take the accelerators' heat away; what fans are left cool the host, whose heat hardly changes.
  if (node.cooling != Cooling::air) return node.fan_w;
  const double host_w = host_dc_w(node);
  const double full_w = devices_w(node, node.accelerator.tdp_w) + host_w;
  if (full_w <= 0) return node.fan_w;
  const double heat_fraction = (devices_w(node, device_w) + host_w) / full_w;
  return node.fan_w * std::clamp(heat_fraction * heat_fraction * heat_fraction, kFanFloorFraction, 1.0);
}

double node_w(const Node& node, double device_w) {
  return (devices_w(node, device_w) + host_dc_w(node)) / node.psu_efficiency_fraction + fans_w(node, device_w);
}

double node_nameplate_w(const Node& node) {
  if (node.nameplate_w > 0) return node.nameplate_w;
  const double dc_w = devices_w(node, node.accelerator.tdp_w) + static_cast<double>(node.cpus) * node.cpu_w +
                      node.dram_w + node.scaleup_switch_w + static_cast<double>(node.nics) * node.nic.max_w +
                      node.misc_w;
  return kNameplateMargin * (dc_w / node.psu_efficiency_fraction + node.fan_w);
}

std::int64_t rack_accelerators(const Node& node) {
  return std::max<std::int64_t>(1, std::llround(static_cast<double>(node.accelerators) * node.nodes_per_rack));
}

}  // namespace ampacity::power
