// What one accelerator draws, by what it does, and what a machine of them draws in HPL.
#pragma once

#include <cstdint>

#include "ampacity/cluster.hpp"
#include "ampacity/estimate.hpp"

namespace ampacity {

/// Watts of one accelerator by what it does. `limit_w` holds for longer than its controller needs to act.
struct DeviceStates {
  double idle_w = 0;           ///< at rest
  double stalled_w = 0;        ///< waits, context and clocks up
  double communicating_w = 0;  ///< inside a collective
  double busy_w = 0;           ///< large matrix products under the limit
  double limit_w = 0;          ///< its own limit, or the operator's below it
  double excursion_w = 0;      ///< highest power, before the controller acts on a burst of matrix products
};
[[nodiscard]] DeviceStates device_states(const Accelerator& device);

/// Highest mean power over a window of that length: all stalls before, matrix products at the highest clock from one
/// moment on, and a controller that brings the excess over the limit down exponentially, to 5 % of it after
/// `cap_response_s`. Peak reports (ms), breakers and fuses (ms to s) ask with their own windows.
/// \throws InvalidSpec for a window that is not positive.
[[nodiscard]] double peak_over_window_w(const Accelerator& device, double window_s);

/// Power of one node whose accelerators draw `device_w` each: behind its power supplies, fans apart, and at its inlet.
struct NodePower {
  double dc_w = 0;
  double ac_w = 0;
};
[[nodiscard]] NodePower node_power(const Node& node, double device_w);

/// Power of accelerators of a cluster that are all at their limit, with their share of hosts, network and plant.
[[nodiscard]] Power machine_power(const Cluster& cluster, std::int64_t accelerators);

/// A machine in the High-Performance Linpack benchmark, measured as the Top500 does: IT power of the whole run.
struct HplPower {
  double device_flops_per_s = 0;  ///< FP64, mean over the run
  double device_w = 0;            ///< one accelerator, mean over the run
  double machine_w = 0;           ///< nodes and network
  double nameplate_rule_w = 0;    ///< accelerators x TDP, what is often used instead
};

/// `flops_per_s` is the machine's Rmax; 0: what machines of that family reach (`fp64_sustained_flops_fraction`).
/// \throws InvalidSpec for a device without FP64, or a rate that is none.
[[nodiscard]] HplPower hpl_power(const Cluster& cluster, std::int64_t accelerators, double flops_per_s = 0);

}  // namespace ampacity
