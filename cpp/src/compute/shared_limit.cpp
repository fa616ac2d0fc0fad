// Kernels of one layer under one power limit. The controller averages over tens of milliseconds, a layer takes
// fractions of one: its mean is held at the limit, and products run above it by what memory-bound kernels between them
// leave.
#include "compute/device.hpp"
#include "compute/kernels.hpp"

namespace ampacity::compute {

Accelerator under_limit(const Accelerator& device, double limit_w) {
  Accelerator other = device;
  other.power_cap_w = 0;
  other.set_tdp_w(limit_w);
  other.peak_excursion_ratio *= device.tdp_w / limit_w;
  return other;
}

KernelCost gemm_beside(const Accelerator& device, Precision precision, const GemmShape& shape,
                       const KernelCost& others) {
  const double held = held_w(device);
  const auto within = [&](const KernelCost& cost) { return cost.joules <= held * cost.seconds; };
  KernelCost found = gemm(device, precision, shape) + others;
  if (found.held_back_j <= 0 || !within(found)) return found;
  // Supply and package are made for `peak_excursion_ratio` times the limit.
  const double own_w = device.limit_w();
  double low_w = own_w;
  double high_w = device.peak_excursion_ratio * device.tdp_w;
  constexpr int halvings = 12;
  for (int i = 0; i < halvings; ++i) {
    const double limit_w = i == 0 ? high_w : 0.5 * (low_w + high_w);
    const KernelCost cost = gemm(under_limit(device, limit_w), precision, shape) + others;
    if (!within(cost)) {
      high_w = limit_w;
      continue;
    }
    found = cost;
    low_w = limit_w;
    if (i == 0) break;
  }
  return found;
}

}  // namespace ampacity::compute
