// Estimates of layouts that are known to be possible.
#pragma once

#include "ampacity/estimate.hpp"

namespace ampacity::step {

/// What a search needs of a layout.
struct QuickEstimate {
  double step_time_s = 0;
  double memory_bytes = 0;
  double capacity_bytes = 0;

  [[nodiscard]] bool fits() const { return memory_bytes <= capacity_bytes; }
};

/// `estimate` without checks. The layout must be free of `conflicts`.
[[nodiscard]] Estimate checked_estimate(const Training& job, const Cluster& cluster, const Layout& layout);
[[nodiscard]] QuickEstimate quick_estimate(const Training& job, const Cluster& cluster, const Layout& layout);

}  // namespace ampacity::step
