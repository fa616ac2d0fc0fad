// Joules of a step from the accelerators to the meter.
#pragma once

#include "ampacity/simulation_views.hpp"
#include "simulate/run.hpp"

namespace ampacity::simulation {

[[nodiscard]] StepEnergy energy_of(const Run& run);

}  // namespace ampacity::simulation
