// Which device holds up the step.
#pragma once

#include <cstddef>
#include <span>

#include "simulate/replicas.hpp"
#include "simulate/slowed.hpp"
#include "simulate/traffic.hpp"

namespace ampacity::simulation {

/// The critical device of a set that is solved (`solver`), and when the set's pipelines end without it.
struct Critical {
  std::size_t device = 0;
  std::int64_t rank = 0;
  double on_path_s = 0;
  double end_without_s = 0;
};
/// Follows the critical path of the set back from its last task. Leaves `speeds` as they were, and the solver with the
/// set as it were if the critical device ran at the mean speed of its rank.
[[nodiscard]] Critical critical_device(SetSolver& solver, const Plan& plan, const Places& places, std::size_t set,
                                       std::span<double> speeds, std::span<const double> mean_speeds);

/// What the network adds to the critical path of a set that is solved, by the link that limits it.
struct CriticalLink {
  std::uint32_t link = network::GroupPaces::no_link;
  double wait_s = 0;
};
[[nodiscard]] CriticalLink critical_link(const SetSolver& solver, const Plan& plan, const Slowed& slowed,
                                         const Traffic& traffic, std::size_t set);

}  // namespace ampacity::simulation
