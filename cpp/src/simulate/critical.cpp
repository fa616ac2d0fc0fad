#include "simulate/critical.hpp"

#include <algorithm>
#include <vector>

namespace ampacity::simulation {
namespace {

/// Slots of the critical path: each started when the one before it was done or its message arrived.
std::vector<bool> critical_path(const SetSolver& solver, const Plan& plan) {
  const std::span<const double> ends = solver.ends_s();
  std::vector<bool> on_path(plan.slots.size(), false);
  auto at = static_cast<std::size_t>(std::max_element(ends.begin(), ends.end()) - ends.begin());
  while (at != 0) {
    on_path[at] = true;
    const Slot& slot = plan.slots[at];
    std::size_t before = slot.first_of_rank ? 0 : at - 1;
    double ready_s = ends[before];
    for (std::size_t i = 0; i < slot.needs.size(); ++i) {
      const auto sender = static_cast<std::size_t>(slot.needs[i]);
      if (ends[sender] + slot.delay_s[i] <= ready_s) continue;
      ready_s = ends[sender] + slot.delay_s[i];
      before = sender;
    }
    at = before;
  }
  return on_path;
}

/// By how much a device is behind a device of mean speed in the tasks of the path in which it is the slowest.
struct Lead {
  double behind_s = 0;
  double on_path_s = 0;
};
Lead lead_of(const SetSolver& solver, const Plan& plan, const std::vector<bool>& on_path, std::int64_t rank,
             const std::vector<double>& own_s) {
  const auto begin = static_cast<std::size_t>(plan.begin[static_cast<std::size_t>(rank)]);
  Lead lead;
  for (std::size_t task = 0; task < own_s.size(); ++task) {
    if (!on_path[begin + task] || own_s[task] < solver.compute_s()[begin + task]) continue;
    lead.on_path_s += own_s[task];
    lead.behind_s += own_s[task] - plan.slots[begin + task].compute_s;
  }
  return lead;
}

}  // namespace

Critical critical_device(SetSolver& solver, const Plan& plan, const Places& places, std::size_t set,
                         std::span<double> speeds) {
  const std::vector<bool> on_path = critical_path(solver, plan);
  Critical found;
  double most_behind_s = -1;
  for (std::int64_t rank = 0; rank < places.stages; ++rank) {
    const std::size_t first = places.first_device(set, rank);
    for (std::size_t d = first; d < first + places.group(); ++d) {
      const Lead lead = lead_of(solver, plan, on_path, rank, solver.device_compute_s(d, rank, speeds[d]));
      if (lead.behind_s <= most_behind_s) continue;
      most_behind_s = lead.behind_s;
      found = {d, rank, lead.on_path_s, 0};
    }
  }
  const double speed = speeds[found.device];
  speeds[found.device] = 1;
  solver.solve_rank(set, found.rank, speeds);
  solver.solve_pipeline();
  found.end_without_s = solver.end_s();
  speeds[found.device] = speed;
  return found;
}

}  // namespace ampacity::simulation
