// Which device holds up the step.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "simulate/replicas.hpp"

namespace ampacity::simulation {

/// The critical device of a set that is solved (`solver`), and when the set's pipelines end without it.
struct Critical {
  std::size_t device = 0;
  std::int64_t rank = 0;
  double on_path_s = 0;
  double end_without_s = 0;
};
/// Follows the critical path of the set back from its last task. Leaves the solver with the set as it was but for the
/// critical device, which then runs at the mean speed.
[[nodiscard]] Critical critical_device(SetSolver& solver, const Plan& plan, const Places& places, std::size_t set,
                                       std::vector<double>& speeds);

}  // namespace ampacity::simulation
