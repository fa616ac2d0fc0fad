// The step of a job that spans kinds of devices.
#pragma once

#include <cstddef>
#include <functional>

#include "step/pace.hpp"

namespace ampacity::step {

/// Times of the parts of that job on a kind of device.
using PartsOn = std::function<PartTimes(std::size_t kind, const Training& job)>;

/// As `Layout::balance` says. `parts_on` is asked for the layout's parts.
[[nodiscard]] Pace mixed_pace(const Training& job, const Cluster& cluster, const Layout& layout,
                              const PartsOn& parts_on);

}  // namespace ampacity::step
