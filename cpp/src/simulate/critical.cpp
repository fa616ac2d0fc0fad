#include "simulate/critical.hpp"

#include <algorithm>
#include <map>
#include <vector>

namespace ampacity::simulation {
namespace {

constexpr std::size_t no_message = 2;

/// Visits the slots of the critical path, last first: each started when the one before it was done, or when that one of
/// its messages arrived.
template <class Visit>
void follow(const SetSolver& solver, const Plan& plan, const Visit& visit) {
  const std::span<const double> ends = solver.ends_s();
  auto at = static_cast<std::size_t>(std::max_element(ends.begin(), ends.end()) - ends.begin());
  while (at != 0) {
    const Slot& slot = plan.slots[at];
    std::size_t before = slot.first_of_rank ? 0 : at - 1;
    double ready_s = ends[before];
    std::size_t message = no_message;
    for (std::size_t i = 0; i < slot.needs.size(); ++i) {
      const auto sender = static_cast<std::size_t>(slot.needs[i]);
      const double arrival_s = ends[sender] + slot.delay_s[i] + solver.network_delay_s()[at][i];
      if (arrival_s <= ready_s) continue;
      ready_s = arrival_s;
      before = sender;
      message = i;
    }
    visit(at, message);
    at = before;
  }
}

std::vector<bool> critical_path(const SetSolver& solver, const Plan& plan) {
  std::vector<bool> on_path(plan.slots.size(), false);
  follow(solver, plan, [&](std::size_t at, std::size_t) { on_path[at] = true; });
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
                         std::span<double> speeds, std::span<const double> mean_speeds) {
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
  speeds[found.device] = mean_speeds[static_cast<std::size_t>(found.rank)];
  solver.solve_rank(set, found.rank, speeds);
  solver.solve_pipeline();
  found.end_without_s = solver.end_s();
  speeds[found.device] = speed;
  return found;
}

CriticalLink critical_link(const SetSolver& solver, const Plan& plan, const Slowed& slowed, const Traffic& traffic,
                           std::size_t set) {
  std::map<std::uint32_t, double> waits_s;
  follow(solver, plan, [&](std::size_t at, std::size_t message) {
    if (solver.network_s()[at] > 0) waits_s[slowed.link_of(set, at)] += solver.network_s()[at];
    if (message == no_message || solver.network_delay_s()[at][message] <= 0) return;
    waits_s[slowed.link_of_message(set, at, message)] += solver.network_delay_s()[at][message];
  });
  if (slowed.longest_end_s() > 0) waits_s[traffic.ends.link[slowed.last_device()]] += slowed.longest_end_s();
  CriticalLink found;
  for (const auto& [link, wait_s] : waits_s) {
    if (link != network::GroupPaces::no_link && wait_s > found.wait_s) found = {link, wait_s};
  }
  return found;
}

}  // namespace ampacity::simulation
