// The step of single devices, slice by slice.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ampacity/simulation_views.hpp"
#include "simulate/run.hpp"

namespace ampacity::simulation {

/// Devices of one set follow one another at no further cost.
[[nodiscard]] std::vector<DeviceSlices> slices_of(const Run& run, std::span<const std::int64_t> devices);

}  // namespace ampacity::simulation
