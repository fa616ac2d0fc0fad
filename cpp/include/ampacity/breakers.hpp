// Breakers between racks and the site, and the controllers that keep a job below their ratings.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "ampacity/field.hpp"
#include "ampacity/simulate.hpp"

namespace ampacity {

/// Equal breakers of one level of the distribution; each feeds some racks.
struct BreakerLevel {
  std::string name;
  double rating_w = 0;
  std::int64_t racks = 0;
  double thermal_s = 250;
  double trip_heat = 1.206;

  static constexpr std::string_view kind = "breaker";
  template <class S = BreakerLevel>
  static constexpr auto fields() {
    return std::tuple{
        required("name", &S::name, "level of the distribution"),
        optional("rating_w", &S::rating_w, Range{1, 1e10},
                 "power that it carries for ever (default: the rating of the racks it feeds)"),
        optional("racks", &S::racks, Range{1, 1e6},
                 "racks that one breaker feeds (default: as many as their ratings allow)"),
        optional("thermal_s", &S::thermal_s, Range{1e-2, 1e5}, "time constant of its heating (default: 250)"),
        optional("trip_heat", &S::trip_heat, Range{1, 100},
                 "heat at which it trips, over that at its rating (default: 1.206; with the time constant a load 10 % "
                 "above the rating trips after 17 minutes and 40 % after one)")};
  }
  friend bool operator==(const BreakerLevel&, const BreakerLevel&) = default;
};

/// Controllers as in Dynamo (Wu et al., ISCA 2016): every few seconds the mean power of each breaker is read; above the
/// first share of its rating the accelerators behind it are capped to the second, below the third they are let go.
struct BreakerControl {
  bool on = true;
  double period_s = 3;
  double cap_above = 0.99;
  double cap_to = 0.95;
  double release_below = 0.90;
};

/// What the breakers of one level that feed one pipeline stage see from second to second. Steady loads of a whole site
/// against the same ratings: `StaticBreakerLoad`.
struct DynamicBreakerLoad {
  std::string level;
  std::int64_t stage = 0;
  std::int64_t breakers = 0;  ///< as many see the same
  std::int64_t racks = 0;     ///< behind each
  double rating_w = 0;
  double mean_w = 0;
  double highest_w = 0;  ///< mean of a second, without controllers
  double highest_at_s = 0;
  double over_fraction = 0;  ///< share of the time above the rating, without controllers
  double trips_at_s = -1;    ///< when it would trip without controllers; negative: never
  double controlled_w = 0;   ///< highest with controllers
  double controlled_trips_at_s = -1;
  double slowed_fraction = 0;  ///< power above waiting that controllers up to this level take: what they cost in speed

  [[nodiscard]] bool overloaded() const { return highest_w > rating_w; }
};
using BreakerLoad = DynamicBreakerLoad;  ///< earlier name

/// The levels of the cluster's plant (`Plant::row_breaker_w` and so on), rack first, filled with racks of its first
/// kind of node as `site_power` fills them; `oversubscription_fraction` puts so many more behind each.
/// \throws InvalidSpec for a fraction below 0
[[nodiscard]] std::vector<BreakerLevel> breaker_levels(const Cluster& cluster, double oversubscription_fraction = 0);

/// Repeats a simulated step for `duration_s`; levels from the rack upwards. Ranks stand in order, so that a breaker's
/// racks do the same; hosts' share is in the racks, switches have their own.
/// \throws InvalidSpec for levels that cannot be: no racks fit, ratings out of range
[[nodiscard]] std::vector<DynamicBreakerLoad> breaker_loads(const Simulation& simulation,
                                                            std::span<const BreakerLevel> levels,
                                                            const BreakerControl& control, double duration_s);

}  // namespace ampacity
