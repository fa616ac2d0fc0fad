// Hours of weather from monthly means.
#pragma once

#include <array>
#include <cstddef>

#include "ampacity/plant.hpp"

namespace ampacity::power {

inline constexpr std::size_t kHoursPerYear = 8760;

/// State of the outside air.
struct Air {
  double dry_bulb_c = 15;
  double wet_bulb_c = 10;
};

/// Makes any hour of a climate's year; the same every time.
class ClimateHours {
 public:
  explicit ClimateHours(const Climate& climate);

  [[nodiscard]] Air hour(std::size_t hour) const;
  /// As warm and as humid as any hour can be: afternoon of the hottest month on its hottest day.
  [[nodiscard]] Air hottest() const;

 private:
  [[nodiscard]] Air air(double dry_c, double dew_c) const;
  const Climate& climate_;
  double pressure_pa_;
};

/// Sun on level ground in that hour (its middle), with the climate's clouds. Watts per square metre.
[[nodiscard]] double sun_w_per_m2(const Climate& climate, std::size_t hour);

}  // namespace ampacity::power
