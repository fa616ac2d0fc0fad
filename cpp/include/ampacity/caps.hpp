// Power caps of devices: what they cost and bring, and which one fits most work into a site.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "ampacity/cluster.hpp"
#include "ampacity/layout.hpp"
#include "ampacity/training.hpp"

namespace ampacity {

/// What the best cap has most of.
enum class CapObjective {
  tokens_per_s,   ///< of all accelerators that the site's power carries
  tokens_per_j,   ///< at the meter
  tokens_per_usd  ///< servers, network, plant and energy
};
template <>
struct EnumNames<CapObjective> {
  static constexpr std::array<std::string_view, 3> names{"tokens_per_s", "tokens_per_j", "tokens_per_usd"};
};

/// Which power of a device's share a site is filled up with.
enum class Provision {
  peak,  ///< every device at its cap on the hottest day: never exceeded
  mean   ///< what the meter counts on average: exceeded now and then
};
template <>
struct EnumNames<Provision> {
  static constexpr std::array<std::string_view, 2> names{"peak", "mean"};
};

/// A site that is to be filled.
struct CapQuestion {
  double site_w = 0;  ///< at the meter; 0: as many accelerators as the layout has
  Provision provision = Provision::peak;
  CapObjective objective = CapObjective::tokens_per_s;
};

/// A job under one cap. A job on more accelerators than its layout has is taken to do the same on each of them (more
/// replicas, a larger batch).
struct CapPoint {
  double cap_w = 0;
  Layout layout;
  double step_time_s = 0;          ///< of the layout
  double device_mean_w = 0;        ///< one accelerator over a step
  double provisioned_w = 0;        ///< site power that one accelerator is given
  double metered_w = 0;            ///< site power of one accelerator, mean
  std::int64_t accelerators = 0;   ///< that the site's power carries
  double tokens_per_s = 0;         ///< of all of them
  double tokens_per_j = 0;         ///< at the meter
  double tokens_per_usd = 0;       ///< over the life of servers and plant
  double throughput_fraction = 0;  ///< of one accelerator, over that without a cap
  double energy_fraction = 0;      ///< of the accelerators for the same work, over that without a cap
};

/// The cluster with a cap (0 = none) and a locked clock (0 = none) on all its accelerators; a cap above a device's own
/// limit is none.
/// \throws InvalidSpec for a cap that leaves nothing for work, or a clock outside the device's.
[[nodiscard]] Cluster with_limits(const Cluster& cluster, double cap_w, double locked_clock_hz = 0);

/// The job under each of these caps.
/// \throws InvalidSpec as `estimate` and `with_limits`.
[[nodiscard]] std::vector<CapPoint> cap_sweep(const Training& job, const Cluster& cluster, const Layout& layout,
                                              std::span<const double> caps_w, const CapQuestion& question = {});

/// The best of all caps, in steps of 1 % of the device's limit, and of these layouts.
/// \throws InvalidSpec where no layout runs, or the site's power does not carry one replica under any cap.
[[nodiscard]] CapPoint best_cap(const Training& job, const Cluster& cluster, std::span<const Layout> layouts,
                                const CapQuestion& question);

}  // namespace ampacity
