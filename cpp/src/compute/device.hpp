// What every kernel model needs of a device: its formats, its power budget, and the clock that the budget allows.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "ampacity/accelerator.hpp"
#include "ampacity/precision.hpp"
#include "compute/kernels.hpp"

namespace ampacity::compute {

/// Smallest whole number >= x, for the non-negative sizes here. (std::ceil is a library call on baseline x86-64.)
inline double round_up(double x) {
  const double below = static_cast<double>(static_cast<std::int64_t>(x));
  return below + static_cast<double>(below < x);
}

/// How a format runs on a device.
struct Format {
  double flops_per_s;      ///< peak of the data sheet
  double efficiency;       ///< share of it that the widest tile reaches at a given clock
  double joules_per_flop;  ///< at the family's reference clock
  double operand_bytes;    ///< per element, scales included
};
[[nodiscard]] Format format_of(const Accelerator& device, Precision precision);

/// Memory bandwidth that kernels reach.
inline double memory_rate(const Accelerator& device) {
  return device.memory_bytes_per_s * device.architecture.memory_efficiency_fraction;
}

/// Watts above idle are a share of what lies between idle and the power limit (of the silicon's lowest product), so
/// that they scale to any device.
inline double watts_at(const Accelerator& device, double fraction) {
  return device.idle_w + fraction * std::max(device.base_w() - device.idle_w, 0.0);
}

/// What a device draws while kernels run, before arithmetic and data.
struct ActivePower {
  double fixed_w;  ///< idle, leakage
  double clock_w;  ///< clock tree at the family's reference clock: goes with the clock and the square of the voltage
};
inline ActivePower active_power(const Accelerator& device) {
  const Architecture& family = device.architecture;
  const double above_idle_w = family.active_fraction * std::max(device.base_w() - device.idle_w, 0.0);
  const double clock_w = family.clock_power_fraction * above_idle_w;
  return {device.idle_w + above_idle_w - clock_w, clock_w};
}

/// Demand of one kernel: seconds of arithmetic at the clock of the data sheet, seconds of memory traffic, joules of
/// arithmetic at the family's reference clock, joules of memory traffic.
struct Demand {
  double math_s;
  double memory_s;
  double math_j;
  double memory_j;
};
/// The cost as measurements of like shapes correct it, at the same watts.
[[nodiscard]] KernelCost corrected(const Accelerator& device, MeasuredKernel kernel, Precision precision,
                                   const std::array<double, 3>& extents, const KernelCost& cost);

/// Time and energy of that kernel, with `launch_s` before its work, at the highest clock that the power limit allows.
[[nodiscard]] KernelCost run_under_power_limit(const Accelerator& device, const Demand& demand, double launch_s);
[[nodiscard]] inline KernelCost run_under_power_limit(const Accelerator& device, const Demand& demand) {
  return run_under_power_limit(device, demand, device.architecture.kernel_launch_s);
}

}  // namespace ampacity::compute
