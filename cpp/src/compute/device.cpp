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

// The clock, relative to the data sheet's, at which a busy kernel draws exactly its budget: the positive root of
// math_j * (ref * x)^2 + memory_j = budget_w * (math_s / x + launch_s), i.e. of a cubic that rises above the root.
// Two of Halley's steps from above come within 0.1 % of it wherever the voltage is above its floor.
double arithmetic_bound_clock(const Demand& demand, double launch_s, double budget_w, double ref, double floor,
                              double top) {
  const double cube = demand.math_j * ref * ref;
  const double linear = demand.memory_j - budget_w * launch_s;
  const double constant = budget_w * demand.math_s;
  double x = top;
  for (int step = 0; step < 2; ++step) {
    const double value = (cube * x * x + linear) * x - constant;
    const double slope = 3 * cube * x * x + linear;
    x -= value * slope / (slope * slope - value * 3 * cube * x);
  }
  if (ref * x >= floor) return x;
  return constant / (demand.math_j * floor * floor + linear);  // constant voltage below the floor
}

// Same for a kernel whose time is its memory traffic: only the voltage matters.
double memory_bound_clock(const Demand& demand, double launch_s, double budget_w, double ref) {
  const double left_j = budget_w * (demand.memory_s + launch_s) - demand.memory_j;
  if (left_j <= 0) return 0;
  return std::sqrt(left_j / demand.math_j) / ref;
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

// P = P_on + E_math (f / f_ref)^2 / t + E_memory / t, and t = max(math / f, memory) + launch. Dynamic power goes with
// V^2 f; above a floor V is proportional to f, so the energy of an operation goes with f^2 (first model in power_model,
// after the usual CMOS relation). If P exceeds the limit the clock falls until it does not; memory time stays.
KernelCost run_under_power_limit(const Accelerator& device, const Demand& demand) {
  const Architecture& family = device.architecture;
  const double launch_s = family.kernel_launch_s;
  const double on_w = watts_at(device, family.active_fraction);
  const double budget_w = std::max(cap_fraction * device.tdp_w - on_w, 0.0);
  const double ref = device.tensor_clock_hz / family.reference_clock_hz;
  const double floor = family.voltage_floor_fraction;
  const double top = std::max(device.boost_clock_hz / device.tensor_clock_hz, 1.0);

  const auto seconds_at = [&](double x) { return std::max(demand.math_s / x, demand.memory_s) + launch_s; };
  const auto joules_at = [&](double x) {
    const double voltage = std::max(ref * x, floor);
    return demand.math_j * voltage * voltage + demand.memory_j;
  };

  double x = top;
  double seconds = seconds_at(x);
  double joules = joules_at(x);
  if (joules > budget_w * seconds && demand.math_j > 0) {
    const bool memory_sets_time = demand.math_s < top * demand.memory_s;
    if (memory_sets_time) x = memory_bound_clock(demand, launch_s, budget_w, ref);
    // Too slow to keep up with memory, or below the voltage floor: arithmetic sets the time.
    if (!memory_sets_time || x * demand.memory_s < demand.math_s || ref * x < floor) {
      x = arithmetic_bound_clock(demand, launch_s, budget_w, ref, floor, top);
    }
    seconds = seconds_at(x);
    joules = joules_at(x);
  }
  return {seconds, std::min(joules + on_w * seconds, device.tdp_w * seconds)};
}

}  // namespace ampacity::compute
