#include "compute/device.hpp"

#include <array>
#include <cmath>
#include <cstddef>

namespace ampacity::compute {

namespace {

// A device at its limit draws 97-99 % of it: H200 691 of 700 W, B200 982 of 1,000, GB200 1,165 of 1,200
// (aiconfigurator database, Apache-2.0).
constexpr double cap_fraction = 0.98;
// FP32 on a device that states no FP32 peak runs as six BF16 products (Google TPU documentation: "highest" precision).
constexpr double bf16_passes_for_fp32 = 6;
// Energy follows the width of the multiplier: TF32 twice BF16. FP32 vector units: an A100 at 19.5 TFLOP/s draws about
// 250 W above idle, an H100 at 67 TFLOP/s about 540 W, both close to 8 times the BF16 energy of their family.
constexpr double tf32_energy = 2;
constexpr double fp32_energy = 8;

// Bytes per operand element: fp32, tf32, fp16, bf16, fp8, fp8-block (128 wide), mxfp8 (32), nvfp4 (16).
constexpr std::array<double, 8> operand_bytes{4, 4, 2, 2, 1, 1 + 4.0 / 128, 1 + 1.0 / 32, 0.5 + 1.0 / 16};

/// What a kernel draws on a device, by what it goes with.
struct Draw {
  double fixed_w;      // idle, leakage
  double clock_w;      // clock tree, at the reference clock: goes with clock and voltage squared
  double switching_j;  // arithmetic and on-chip data, at the reference voltage: goes with the voltage squared
  double off_chip_j;   // memory itself
};

/// Voltage over that of the reference clock: base + slope * clock, down to the floor. Clocks are relative to the
/// reference clock.
struct VoltageCurve {
  double base;
  double slope;
  double floor_clock;

  explicit VoltageCurve(const Architecture& family)
      : base(1 - family.voltage_slope), slope(family.voltage_slope), floor_clock(family.voltage_floor_fraction) {}
  [[nodiscard]] double at(double clock) const { return base + slope * std::max(clock, floor_clock); }
};

// The clock x, relative to the data sheet's, at which a busy kernel draws exactly its budget: with t = math_s / x +
// launch_s, y = ref * x and v = base + slope * y the positive root of
//   switching_j v^2 + off_chip_j + clock_w v^2 y t = budget_w * t,
// a polynomial of x that rises above the root. Two of Halley's steps from above come within 0.2 % of it wherever the
// voltage is above its floor.
double arithmetic_bound_clock(const Demand& demand, const Draw& draw, double launch_s, double budget_w, double ref,
                              const VoltageCurve& voltage, double top) {
  const double busy_j = draw.switching_j + draw.clock_w * ref * demand.math_s;
  const double launch_j = draw.clock_w * ref * launch_s;
  const double left_j = draw.off_chip_j - budget_w * launch_s;
  const double constant = budget_w * demand.math_s;
  const double flat = voltage.base * voltage.base;
  const double mixed = 2 * voltage.base * voltage.slope * ref;
  const double steep = voltage.slope * voltage.slope * ref * ref;
  const double c4 = launch_j * steep;
  const double c3 = busy_j * steep + launch_j * mixed;
  const double c2 = busy_j * mixed + launch_j * flat;
  const double c1 = busy_j * flat + left_j;
  double x = top;
  for (int step = 0; step < 2; ++step) {
    const double value = (((c4 * x + c3) * x + c2) * x + c1) * x - constant;
    const double slope = ((4 * c4 * x + 3 * c3) * x + 2 * c2) * x + c1;
    const double half_bend = (6 * c4 * x + 3 * c3) * x + c2;
    x -= value * slope / (slope * slope - value * half_bend);
  }
  if (ref * x >= voltage.floor_clock) return x;
  // Constant voltage below the floor: quadratic.
  const double lowest = voltage.at(0);
  const double square = launch_j * lowest * lowest;
  const double half = 0.5 * (busy_j * lowest * lowest + left_j);
  return constant / (half + std::sqrt(half * half + square * constant));
}

// Same for a kernel whose time t is its memory traffic: the root of v^2 (switching_j + clock_w t y) = left_j, by
// Newton's steps from above.
double memory_bound_clock(const Demand& demand, const Draw& draw, double launch_s, double budget_w, double ref,
                          const VoltageCurve& voltage, double top) {
  const double seconds = demand.memory_s + launch_s;
  const double left_j = budget_w * seconds - draw.off_chip_j;
  if (left_j <= 0) return 0;
  const double tree_j = draw.clock_w * seconds;
  double y = ref * top;
  for (int step = 0; step < 3; ++step) {
    const double v = voltage.base + voltage.slope * y;
    const double switched_j = draw.switching_j + tree_j * y;
    y -= (v * v * switched_j - left_j) / (2 * voltage.slope * v * switched_j + v * v * tree_j);
  }
  if (y < voltage.floor_clock) {  // constant voltage: linear
    const double lowest = voltage.at(0);
    y = std::max((left_j / (lowest * lowest) - draw.switching_j) / std::max(tree_j, 1e-30), 0.0);
  }
  return y / ref;
}

}  // namespace

bool supports(const Accelerator& device, Precision precision) {
  switch (precision) {
    case Precision::fp32:
      return device.fp32_flops_per_s > 0;
    case Precision::tf32:
      return device.tf32_flops_per_s > 0;
    case Precision::fp16:
    case Precision::bf16:
      return true;
    case Precision::fp8:
    case Precision::fp8_block:
      return device.fp8_flops_per_s > 0;
    case Precision::mxfp8:  // scales applied by the tensor core arrived together with FP4
    case Precision::nvfp4:
      return device.fp4_flops_per_s > 0;
  }
  return false;
}

Precision format_on(const Accelerator& device, Precision precision) {
  if (supports(device, precision)) return precision;
  switch (precision) {
    case Precision::nvfp4:
      return format_on(device, Precision::fp8);
    case Precision::mxfp8:
      return format_on(device, Precision::fp8_block);
    case Precision::fp8:
    case Precision::fp8_block:
      return Precision::bf16;
    default:
      return Precision::fp32;
  }
}

double peak_flops_per_s(const Accelerator& device, Precision precision) {
  return format_of(device, precision).flops_per_s;
}

Format format_of(const Accelerator& device, Precision precision) {
  const Architecture& family = device.architecture;
  const Precision format = format_on(device, precision);
  const double bytes = operand_bytes[static_cast<std::size_t>(format)];
  const double share = family.tensor_efficiency_fraction;
  const double energy = family.energy_j_per_flop;
  switch (format) {
    case Precision::fp32: {
      const double stated = device.fp32_flops_per_s;
      const double peak = stated > 0 ? stated : device.bf16_flops_per_s / bf16_passes_for_fp32;
      return {peak, share, fp32_energy * energy, bytes};
    }
    case Precision::tf32:
      return {device.tf32_flops_per_s, share, tf32_energy * energy, bytes};
    case Precision::fp8:
      return {device.fp8_flops_per_s, share, family.fp8_energy_fraction * energy, bytes};
    case Precision::fp8_block:
    case Precision::mxfp8:
      return {device.fp8_flops_per_s, share * family.block_scale_efficiency_fraction,
              family.block_scale_energy_fraction * energy, bytes};
    case Precision::nvfp4:
      return {device.fp4_flops_per_s, share * family.fp4_efficiency_fraction, family.fp4_energy_fraction * energy,
              bytes};
    default:
      return {device.bf16_flops_per_s, share, energy, bytes};
  }
}

double held_w(const Accelerator& device) {
  return cap_fraction * device.limit_w();
}

// P = P_fixed + P_clock V^2 f + (E_switching V^2 + E_memory) / t, and t = max(math / f, memory) + launch, all relative
// to the reference clock. Dynamic power goes with V^2 f; above a floor V is proportional to f, so the energy of an
// operation goes with f^2 (first model in power_model, after the usual CMOS relation). If P exceeds the limit the clock
// falls until it does not; memory time stays, unless the memory alone draws more than what is left.
KernelCost run_under_power_limit(const Accelerator& device, const Demand& demand, double launch_s) {
  const Architecture& family = device.architecture;
  const double on_chip_j = family.on_chip_memory_energy_fraction * demand.memory_j;
  const ActivePower active = active_power(device);
  const Draw draw{active.fixed_w, active.clock_w, demand.math_j + on_chip_j, demand.memory_j - on_chip_j};
  const double budget_w = std::max(cap_fraction * device.limit_w() - draw.fixed_w, 0.0);
  const double ref = device.tensor_clock_hz / family.reference_clock_hz;
  const VoltageCurve voltage(family);
  const double top = device.top_clock_hz() / device.tensor_clock_hz;

  const auto seconds_at = [&](double x) { return std::max(demand.math_s / x, demand.memory_s) + launch_s; };
  const auto joules_at = [&](double x, double seconds) {
    const double v = voltage.at(ref * x);
    return (draw.switching_j + draw.clock_w * ref * x * seconds) * v * v + draw.off_chip_j;
  };

  double x = top;
  double seconds = seconds_at(x);
  double joules = joules_at(x, seconds);
  double wanted_w = 0;
  if (joules > budget_w * seconds) {
    wanted_w = joules / seconds + draw.fixed_w;
    const bool memory_sets_time = demand.math_s < top * demand.memory_s;
    if (memory_sets_time) x = memory_bound_clock(demand, draw, launch_s, budget_w, ref, voltage, top);
    // Too slow to keep up with memory: arithmetic sets the time.
    if (demand.math_j > 0 && (!memory_sets_time || x * demand.memory_s < demand.math_s)) {
      x = arithmetic_bound_clock(demand, draw, launch_s, budget_w, ref, voltage, top);
    }
    x = std::max(x, Accelerator::lowest_clock_fraction * top);
    seconds = seconds_at(x);
    joules = joules_at(x, seconds);
    if (joules > budget_w * seconds) seconds = joules / std::max(budget_w, 1e-3 * device.limit_w());
  }
  const double spent_j = std::min(joules + draw.fixed_w * seconds, device.limit_w() * seconds);
  wanted_w = std::min(wanted_w, device.peak_excursion_ratio * device.tdp_w);
  return {seconds, spent_j, std::max(wanted_w * seconds - spent_j, 0.0)};
}

}  // namespace ampacity::compute
