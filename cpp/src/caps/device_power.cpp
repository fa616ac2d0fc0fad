#include "ampacity/device_power.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "ampacity/error.hpp"
#include "base/text.hpp"
#include "compute/device.hpp"
#include "compute/kernels.hpp"
#include "power/network_power.hpp"
#include "power/node_power.hpp"
#include "power/partitions.hpp"
#include "power/site_power.hpp"

namespace ampacity {
namespace {

using base::number_text;

// What a first-order controller leaves of an excess at its response time: the usual 5 % of settling times.
constexpr double response_time_constants = 3;

/// A burst of matrix products before any controller acts: at the highest clock, up to what power supply and package are
/// designed for (EDPp of NVIDIA and OCP: about 1.5 times the TDP for milliseconds).
double excursion_w(const Accelerator& device) {
  const Accelerator unlimited = compute::under_limit(device, device.peak_excursion_ratio * device.tdp_w);
  return std::max(compute::busiest_w(unlimited), compute::busiest_w(device));
}

/// FP64 products: energy per operation is what whole machines show, at the clock that their limit leaves them.
double hpl_device_w(const Accelerator& device, double flops_per_s) {
  const double on_w = compute::watts_at(device, device.architecture.active_fraction);
  return std::min(on_w + device.architecture.fp64_energy_j_per_flop * flops_per_s, device.limit_w());
}

[[noreturn]] void refuse(const char* path, const std::string& value, const char* rule, const char* hint) {
  throw InvalidSpec({{path, value, rule, hint}});
}

}  // namespace

DeviceStates device_states(const Accelerator& device) {
  return {device.idle_w,    compute::stalled_w(device), compute::communicating_w(device), compute::busiest_w(device),
          device.limit_w(), excursion_w(device)};
}

double peak_over_window_w(const Accelerator& device, double window_s) {
  if (!(window_s > 0)) refuse("window_s", number_text(window_s), "must be above 0", "");
  const double busy_w = compute::busiest_w(device);
  const double excess_w = std::max(excursion_w(device) - busy_w, 0.0);
  const double constant_s = device.cap_response_s / response_time_constants;
  if (constant_s == 0) return busy_w;
  // Mean of excess * exp(-t / constant) over the window.
  return busy_w + excess_w * constant_s / window_s * -std::expm1(-window_s / constant_s);
}

NodePower node_power(const Node& node, double device_w) {
  return {static_cast<double>(node.accelerators) * device_w + power::host_dc_w(node), power::node_w(node, device_w)};
}

Power machine_power(const Cluster& cluster, std::int64_t accelerators) {
  if (accelerators < 1) refuse("accelerators", number_text(accelerators), "must be at least 1", "");
  const Accelerator& device = cluster.partitions.front().node.accelerator;
  const double limit_w = device.limit_w();
  return power::cluster_power(cluster, accelerators, {limit_w, limit_w, compute::stalled_w(device)});
}

HplPower hpl_power(const Cluster& cluster, std::int64_t accelerators, double flops_per_s) {
  if (accelerators < 1) refuse("accelerators", number_text(accelerators), "must be at least 1", "");
  if (!(flops_per_s >= 0 && std::isfinite(flops_per_s))) {
    refuse("flops_per_s", number_text(flops_per_s), "must be 0 or a positive number", "");
  }
  const power::NetworkPower network =
      power::network_power(cluster.fabric, cluster.accelerators(), cluster.partitions.front().node.accelerators);
  HplPower result;
  power::for_each_used_partition(cluster, accelerators, [&](const Node& node, double count) {
    const Accelerator& device = node.accelerator;
    if (device.fp64_flops_per_s <= 0) {
      refuse("accelerator.fp64_flops_per_s", "0", "must be positive for HPL", "the device has no FP64 units");
    }
    const double usual = device.architecture.fp64_sustained_flops_fraction * device.fp64_flops_per_s;
    const double rate = flops_per_s > 0 ? flops_per_s / static_cast<double>(accelerators) : usual;
    const double device_w = hpl_device_w(device, rate);
    const double nodes = count / static_cast<double>(node.accelerators);
    result.device_flops_per_s += count * rate;
    result.device_w += count * device_w;
    result.machine_w += nodes * power::node_w(node, device_w) + count * network.typical_w;
    result.nameplate_rule_w += count * device.tdp_w;
  });
  result.device_flops_per_s /= static_cast<double>(accelerators);
  result.device_w /= static_cast<double>(accelerators);
  return result;
}

}  // namespace ampacity
