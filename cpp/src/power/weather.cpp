#include "power/weather.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

#include "ampacity/error.hpp"
#include "ampacity/site_power.hpp"
#include "base/text.hpp"
#include "power/psychrometrics.hpp"

namespace ampacity::power {
namespace {

constexpr double kTwoPi = 2 * std::numbers::pi;
// Fronts pass every three to nine days. Three sines of incommensurate periods stand for them; each with 2/3 of the
// variance of a day's mean, so that their sum has that variance, and at most sqrt(6) deviations.
constexpr std::array<double, 3> kFrontDays{3.1, 5.3, 8.9};
constexpr std::array<double, 3> kFrontPhase{0.0, 2.1, 4.2};
constexpr double kHighestFront = 2.449489742783178;
// Warm days are moist days where fronts bring both: share of a day's departure that its dew point follows. An estimate.
constexpr double kDewFollows = 0.7;
constexpr double kWarmestHour = 15;
constexpr double kDaysPerMonth = 365.0 / 12;

double front(double day) {
  double sum = 0;
  for (std::size_t i = 0; i < kFrontDays.size(); ++i) sum += std::sin(kTwoPi * day / kFrontDays[i] + kFrontPhase[i]);
  return std::sqrt(2.0 / 3.0) * sum;
}

constexpr double kCoolestC = -90;
constexpr double kHottestC = 60;

void note_weather(std::vector<Problem>& problems, const char* column, std::size_t hour, double value,
                  std::string rule) {
  problems.push_back({"weather." + std::string(column) + "[" + std::to_string(hour) + "]", base::number_text(value),
                      std::move(rule),
                      "hour " + std::to_string(hour % 24) + " of day " + std::to_string(hour / 24 + 1)});
}

bool check_length(std::size_t dry, std::size_t other, std::vector<Problem>& problems) {
  if (dry != other) {
    problems.push_back({"weather",
                        std::to_string(dry) + " and " + std::to_string(other) + " hours",
                        "must have as many hours in each column",
                        {}});
  } else if (dry != kHoursPerYear && dry != kHoursPerYear + 24) {
    problems.push_back({"weather", std::to_string(dry) + " hours", "must be a year of 8760 or 8784 hours", {}});
  }
  return problems.empty();
}

void check_column(const char* name, const std::vector<double>& values, double low, double high,
                  std::vector<Problem>& problems) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] >= low && values[i] <= high) continue;
    note_weather(problems, name, i, values[i],
                 std::isnan(values[i])
                     ? "is missing"
                     : "must be between " + base::number_text(low) + " and " + base::number_text(high));
    return;  // the first is enough: a column in the wrong unit has thousands
  }
}

}  // namespace

ClimateHours::ClimateHours(const Climate& climate)
    : climate_(climate), pressure_pa_(power::pressure_pa(climate.elevation_m)) {}

Air ClimateHours::air(double dry_c, double dew_c) const {
  return {dry_c, wet_bulb_of_dew_c(dry_c, std::min(dew_c, dry_c), pressure_pa_)};
}

Air ClimateHours::hour(std::size_t hour) const {
  const double day = static_cast<double>(hour) / 24;
  // Months have their mean in their middle; between, straight lines.
  const double position = day / kDaysPerMonth - 0.5 + 12;
  const auto before = static_cast<std::size_t>(position);
  const double share = position - std::floor(position);
  const ClimateMonth& a = climate_.months[before % 12];
  const ClimateMonth& b = climate_.months[(before + 1) % 12];
  const auto between = [share](double left, double right) { return left + share * (right - left); };
  const double departure_c = between(a.deviation_c, b.deviation_c) * front(std::floor(day));
  const double daily = std::cos(kTwoPi * (static_cast<double>(hour % 24) - kWarmestHour) / 24);
  const double dry_c =
      between(a.dry_bulb_c, b.dry_bulb_c) + departure_c + 0.5 * between(a.diurnal_range_c, b.diurnal_range_c) * daily;
  return air(dry_c, between(a.dew_point_c, b.dew_point_c) + kDewFollows * departure_c);
}

Air ClimateHours::hottest() const {
  Air worst{-100, -100};
  for (const ClimateMonth& month : climate_.months) {
    const double departure_c = kHighestFront * month.deviation_c;
    const Air air = this->air(month.dry_bulb_c + departure_c + 0.5 * month.diurnal_range_c,
                              month.dew_point_c + kDewFollows * departure_c);
    worst.dry_bulb_c = std::max(worst.dry_bulb_c, air.dry_bulb_c);
    worst.wet_bulb_c = std::max(worst.wet_bulb_c, air.wet_bulb_c);
  }
  return worst;
}

double sun_w_per_m2(const Climate& climate, std::size_t hour) {
  // Declination after Cooper (1969); global sun of clear skies after Haurwitz (1945): 1098 cos(z) exp(-0.059 / cos(z)).
  const double day = std::floor(static_cast<double>(hour) / 24) + 1;
  const double declination = 23.45 * std::numbers::pi / 180 * std::sin(kTwoPi * (284 + day) / 365);
  const double latitude = climate.latitude_deg * std::numbers::pi / 180;
  const double angle = kTwoPi * (static_cast<double>(hour % 24) + 0.5 - 12) / 24;
  const double height =
      std::sin(latitude) * std::sin(declination) + std::cos(latitude) * std::cos(declination) * std::cos(angle);
  return height > 0 ? climate.clearness_fraction * 1098 * height * std::exp(-0.059 / height) : 0;
}

}  // namespace ampacity::power

namespace ampacity {

using power::kHoursPerYear;

Weather weather_year(const Climate& climate) {
  if (climate.months.size() != 12) {
    throw InvalidSpec(
        {{"climate.months", std::to_string(climate.months.size()), "must be twelve months, January first", {}}});
  }
  const power::ClimateHours hours(climate);
  Weather weather;
  weather.dry_bulb_c.reserve(kHoursPerYear);
  weather.wet_bulb_c.reserve(kHoursPerYear);
  for (std::size_t hour = 0; hour < kHoursPerYear; ++hour) {
    const power::Air air = hours.hour(hour);
    weather.dry_bulb_c.push_back(air.dry_bulb_c);
    weather.wet_bulb_c.push_back(air.wet_bulb_c);
  }
  return weather;
}

Weather weather_of(std::vector<double> dry_bulb_c, std::vector<double> wet_bulb_c) {
  std::vector<Problem> problems;
  if (power::check_length(dry_bulb_c.size(), wet_bulb_c.size(), problems)) {
    power::check_column("dry_bulb_c", dry_bulb_c, power::kCoolestC, power::kHottestC, problems);
    power::check_column("wet_bulb_c", wet_bulb_c, power::kCoolestC, power::kHottestC, problems);
    for (std::size_t i = 0; problems.empty() && i < dry_bulb_c.size(); ++i) {
      // Half a degree is what two thermometers may differ by.
      if (wet_bulb_c[i] > dry_bulb_c[i] + 0.5) {
        power::note_weather(problems, "wet_bulb_c", i, wet_bulb_c[i],
                            "must not be above dry_bulb_c (" + base::number_text(dry_bulb_c[i]) + ")");
      }
      wet_bulb_c[i] = std::min(wet_bulb_c[i], dry_bulb_c[i]);
    }
  }
  if (!problems.empty()) throw InvalidSpec(std::move(problems));
  return {std::move(dry_bulb_c), std::move(wet_bulb_c)};
}

Weather weather_of_humidity(std::vector<double> dry_bulb_c, const std::vector<double>& relative_humidity_fraction,
                            double elevation_m) {
  std::vector<Problem> problems;
  if (power::check_length(dry_bulb_c.size(), relative_humidity_fraction.size(), problems)) {
    power::check_column("dry_bulb_c", dry_bulb_c, power::kCoolestC, power::kHottestC, problems);
    power::check_column("relative_humidity", relative_humidity_fraction, 0, 1, problems);
  }
  if (!problems.empty()) throw InvalidSpec(std::move(problems));
  std::vector<double> wet(dry_bulb_c.size());
  for (std::size_t i = 0; i < wet.size(); ++i) {
    wet[i] = wet_bulb_c(dry_bulb_c[i], relative_humidity_fraction[i], elevation_m);
  }
  return {std::move(dry_bulb_c), std::move(wet)};
}

double wet_bulb_c(double dry_bulb_c, double relative_humidity_fraction, double elevation_m) {
  const double vapour_pa = std::max(relative_humidity_fraction, 1e-4) * power::saturation_pa(dry_bulb_c);
  return power::wet_bulb_of_dew_c(dry_bulb_c, power::dew_point_c(vapour_pa), power::pressure_pa(elevation_m));
}

}  // namespace ampacity
