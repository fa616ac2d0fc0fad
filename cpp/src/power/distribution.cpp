#include "power/distribution.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace ampacity::power {
namespace {

// Ratings and sums of many watts: a load that equals its rating is not beyond it.
constexpr double kTolerance = 1 + 1e-9;

/// Adds equal breakers: `full` of them carry `children` each, and one carries `rest`.
void add_breakers(StaticBreakerLoad& level, std::int64_t full, double children, double rest, const RackGroup& child) {
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

std::array<Board, 4> boards(const Plant& plant, double rack_nameplate_w) {
  std::array<Board, 4> levels{{{"rack", plant.rack_breaker_w, 1},
                               {"row panel", plant.row_breaker_w, 1},
                               {"switch board", plant.switchboard_w, 1},
                               {"main board", plant.main_board_w, 1}}};
  constexpr double most = 1e9;
  for (std::size_t i = 1; i < levels.size(); ++i) {
    const auto below = static_cast<double>(levels[i - 1].racks);
    const double child_w = rack_nameplate_w * plant.provision_fraction * below;
    const double fit = child_w > 0 ? std::floor(levels[i].rating_w / child_w * kTolerance) : most;
    levels[i].racks = static_cast<std::int64_t>(std::min(below * std::clamp(fit, 1.0, most), most));
  }
  return levels;
}

std::vector<StaticBreakerLoad> static_breaker_loads(const Plant& plant, const std::vector<RackGroup>& groups) {
  std::vector<StaticBreakerLoad> levels;
  for (const Board& board : boards(plant, 0)) levels.push_back({.level = board.name, .rating_w = board.rating_w});
  for (const RackGroup& group : groups) {
    const auto racks = static_cast<std::int64_t>(std::ceil(group.racks - 1e-9));
    if (racks <= 0) continue;
    // Without a rating of their own racks have breakers for their nameplate.
    if (plant.rack_breaker_w <= 0) levels[0].rating_w = group.nameplate_w;
    const auto filled = boards(plant, group.nameplate_w);
    for (std::size_t i = 0; i < levels.size(); ++i) {
      const std::int64_t each = std::min(filled[i].racks, racks);
      add_breakers(levels[i], racks / each, static_cast<double>(each), static_cast<double>(racks % each), group);
    }
  }
  if (plant.rack_breaker_w <= 0) levels[0].rating_w = levels[0].nameplate_w;
  return levels;
}

}  // namespace ampacity::power
