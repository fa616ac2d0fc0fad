// Memory-bound operators, and the device's watts while it computes nothing.
#include <algorithm>

#include "compute/device.hpp"
#include "compute/kernels.hpp"

namespace ampacity::compute {

KernelCost streaming(const Accelerator& device, double bytes, double kernels) {
  const Architecture& family = device.architecture;
  const double seconds = bytes / memory_rate(device) + kernels * family.kernel_launch_s;
  const double joules = watts_at(device, family.active_fraction) * seconds + bytes * family.memory_j_per_byte;
  return {seconds, std::min(joules, device.tdp_w * seconds)};
}

double communicating_w(const Accelerator& device) {
  return watts_at(device, device.architecture.communicating_fraction);
}

double stalled_w(const Accelerator& device) {
  return watts_at(device, device.architecture.stalled_fraction);
}

double busiest_w(const Accelerator& device) {
  constexpr double deep = 16384;  // large enough that nothing but arithmetic matters
  const KernelCost cost = gemm(device, Precision::bf16, {deep, deep, deep, 1, 0});
  return cost.joules / cost.seconds;
}

}  // namespace ampacity::compute
