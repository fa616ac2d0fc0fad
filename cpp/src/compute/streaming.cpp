// Memory-bound operators, and the device's watts while it computes nothing.
#include <algorithm>

#include "compute/device.hpp"
#include "compute/kernels.hpp"

namespace ampacity::compute {

KernelCost streaming(const Accelerator& device, double bytes, double kernels) {
  const Architecture& family = device.architecture;
  const Demand demand{0, bytes / memory_rate(device), 0, bytes * family.memory_j_per_byte};
  return run_under_power_limit(device, demand, kernels * family.kernel_launch_s);
}

double communicating_w(const Accelerator& device) {
  return std::min(watts_at(device, device.architecture.communicating_fraction), device.limit_w());
}

double stalled_w(const Accelerator& device) {
  return std::min(watts_at(device, device.architecture.stalled_fraction), device.limit_w());
}

double busiest_w(const Accelerator& device) {
  constexpr double deep = 16384;  // large enough that nothing but arithmetic matters
  const KernelCost cost = gemm(device, Precision::bf16, {deep, deep, deep, 1, 0});
  return cost.joules / cost.seconds;
}

}  // namespace ampacity::compute
