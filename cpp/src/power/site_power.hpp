// From the watts of one accelerator to those of node, network and facility.
#pragma once

#include <cstddef>
#include <span>

#include <cstdint>

#include "ampacity/cluster.hpp"
#include "ampacity/estimate.hpp"

namespace ampacity::power {

/// Watts of one accelerator during a job. An accelerator never draws more than its power limit for longer than
/// milliseconds, so larger values count as the limit.
struct DeviceWatts {
  double mean_w = 0;
  double peak_w = 0;
  double stalled_w = 0;
};

/// Power of `accelerators` accelerators of a cluster that run one job, each with its share of host, network, storage
/// and plant. With several partitions the job fills them in order; each of their accelerators draws `device`.
///
/// Three numbers stay apart: nameplate (sum of ratings: what is provisioned and bought), peak (every accelerator at its
/// power limit: what breakers and batteries must survive) and mean (what the meter counts).
[[nodiscard]] Power cluster_power(const Cluster& cluster, std::int64_t accelerators, const DeviceWatts& device);

/// Accelerators of one partition and what each of them draws.
struct KindWatts {
  std::size_t partition = 0;
  double accelerators = 0;
  DeviceWatts device;
};

/// The same where the kinds draw different watts.
[[nodiscard]] Power cluster_power(const Cluster& cluster, std::span<const KindWatts> kinds);

}  // namespace ampacity::power
