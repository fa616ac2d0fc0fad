#include "power/distribution.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace ampacity::power {
namespace {

// Ratings and sums of many watts: a load that equals its rating is not beyond it.
constexpr double kTolerance = 1 + 1e-9;

/// Adds equal breakers: `full` of them carry `children` each, and one carries `rest`.
void add_breakers(BreakerLoading& level, std::int64_t full, double children, double rest, const RackGroup& child) {
  const auto note = [&](double child_w, double& fullest_w, std::int64_t& overloaded) {
    const double limit_w = level.rating_w * kTolerance;
    fullest_w = std::max(fullest_w, (full > 0 ? children : rest) * child_w);
    if (children * child_w > limit_w) overloaded += full;
    if (rest * child_w > limit_w) overloaded += 1;
  };
  note(child.mean_w, level.mean_w, level.overloaded_mean);
  note(child.peak_w, level.peak_w, level.overloaded_peak);
  note(child.nameplate_w, level.nameplate_w, level.overloaded_nameplate);
  level.count += full + (rest > 0 ? 1 : 0);
}

}  // namespace

std::vector<BreakerLoading> breaker_levels(const Plant& plant, const std::vector<RackGroup>& groups) {
  std::vector<BreakerLoading> levels(4);
  const char* names[] = {"rack", "row panel", "switch board", "main board"};
  const double ratings_w[] = {plant.rack_breaker_w, plant.row_breaker_w, plant.switchboard_w, plant.main_board_w};
  for (std::size_t i = 0; i < levels.size(); ++i) {
    levels[i].level = names[i];
    levels[i].rating_w = ratings_w[i];
  }
  for (const RackGroup& group : groups) {
    const auto racks = static_cast<std::int64_t>(std::ceil(group.racks - 1e-9));
    if (racks <= 0) continue;
    // Without a rating of their own racks have breakers for their nameplate.
    if (plant.rack_breaker_w <= 0) levels[0].rating_w = group.nameplate_w;
    add_breakers(levels[0], racks, 1, 0, group);
    std::int64_t per_child = 1;
    for (std::size_t i = 1; i < levels.size(); ++i) {
      const double provisioned_w = group.nameplate_w * plant.provision_fraction * static_cast<double>(per_child);
      const double fit = provisioned_w > 0 ? std::floor(ratings_w[i] / provisioned_w * kTolerance) : 1e9;
      per_child *= std::max<std::int64_t>(static_cast<std::int64_t>(std::min(fit, 1e9)), 1);
      per_child = std::min(per_child, racks);
      add_breakers(levels[i], racks / per_child, static_cast<double>(per_child), static_cast<double>(racks % per_child),
                   group);
    }
  }
  if (plant.rack_breaker_w <= 0) levels[0].rating_w = levels[0].nameplate_w;
  return levels;
}

}  // namespace ampacity::power
