// What may be asked of a simulation, and what it says about its answer.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ampacity/error.hpp"
#include "ampacity/simulate.hpp"
#include "simulate/traffic.hpp"

namespace ampacity::simulation {

/// \throws InvalidSpec naming everything that is wrong with the options.
void check_options(const SimulateOptions& options, const Layout& layout);

/// Appends what is wrong with the power limit of a device.
void check_cap(const std::string& path, double cap_w, const Accelerator& device, std::vector<Problem>& problems);

/// The cluster with all accelerators under the common limit of `options.cap_w`, where it is one value.
/// \throws InvalidSpec where a device could not work under it
[[nodiscard]] Cluster limited(const Cluster& cluster, const SimulateOptions& options);

/// \throws InvalidSpec where an index is not in [0, count).
void check_index(const char* path, std::int64_t index, std::int64_t count);

/// \throws InvalidSpec where a trace of a step of that length would be too fine or make no sense.
void check_resolution(double resolution_s, double step_time_s);

/// What the simulation of this job leaves out or assumes, and the estimate's warnings. In words.
[[nodiscard]] std::vector<std::string> warnings_of(const Layout& layout, const SimulateOptions& options,
                                                   const Estimate& estimate, const Traffic& traffic);

}  // namespace ampacity::simulation
