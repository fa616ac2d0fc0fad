#include "power/psychrometrics.hpp"

#include <algorithm>
#include <cmath>

namespace ampacity::power {
namespace {

// Magnus form with the coefficients of Alduchov and Eskridge (1996), "Improved Magnus form approximation of saturation
// vapor pressure": within 0.4 % from -40 to 50 C.
constexpr double kMagnusPa = 610.94;
constexpr double kMagnusSlope = 17.625;
constexpr double kMagnusC = 243.04;
constexpr double kWaterOverAir = 0.621945;  // molar masses (ASHRAE Handbook Fundamentals 2017, chapter 1)

double humidity_ratio(double vapour_pa, double air_pa) {
  return kWaterOverAir * vapour_pa / (air_pa - vapour_pa);
}

/// Humidity ratio of air at `dry_c` whose wet bulb is `wet_c`: energy balance of adiabatic saturation (ASHRAE Handbook
/// Fundamentals 2017, chapter 1, equation 33). Water is taken as liquid below 0 C too, as in a spray.
double ratio_at_wet_bulb(double dry_c, double wet_c, double air_pa) {
  const double saturated = humidity_ratio(saturation_pa(wet_c), air_pa);
  return ((2501 - 2.326 * wet_c) * saturated - 1.006 * (dry_c - wet_c)) / (2501 + 1.86 * dry_c - 4.186 * wet_c);
}

}  // namespace

double pressure_pa(double elevation_m) {
  return 101325 * std::pow(1 - 2.25577e-5 * elevation_m, 5.2559);  // US Standard Atmosphere 1976
}

double saturation_pa(double temperature_c) {
  return kMagnusPa * std::exp(kMagnusSlope * temperature_c / (kMagnusC + temperature_c));
}

double dew_point_c(double vapour_pa) {
  const double power = std::log(vapour_pa / kMagnusPa);
  return kMagnusC * power / (kMagnusSlope - power);
}

double ratio_of_dew_point(double dew_c, double air_pa) {
  return humidity_ratio(saturation_pa(dew_c), air_pa);
}

double ratio_of_wet_bulb(double dry_bulb_c, double wet_bulb_c, double air_pa) {
  return std::max(ratio_at_wet_bulb(dry_bulb_c, wet_bulb_c, air_pa), 0.0);
}

double wet_bulb_of_dew_c(double dry_bulb_c, double dew_c, double air_pa) {
  double low = std::min(dew_c, dry_bulb_c);
  double high = dry_bulb_c;
  if (high - low < 1e-9) return dry_bulb_c;
  const double ratio = humidity_ratio(saturation_pa(low), air_pa);
  // False position with halving of the value that stays (Illinois): the ratio rises with the wet bulb.
  double at_low = ratio_at_wet_bulb(dry_bulb_c, low, air_pa) - ratio;
  double at_high = ratio_at_wet_bulb(dry_bulb_c, high, air_pa) - ratio;
  int side = 0;
  for (int i = 0; i < 60 && high - low > 1e-9; ++i) {
    const double middle = (low * at_high - high * at_low) / (at_high - at_low);
    const double value = ratio_at_wet_bulb(dry_bulb_c, middle, air_pa) - ratio;
    if (std::fabs(value) < 1e-12) return middle;
    if (value > 0) {
      high = middle;
      at_high = value;
      if (side > 0) at_low /= 2;
      side = 1;
    } else {
      low = middle;
      at_low = value;
      if (side < 0) at_high /= 2;
      side = -1;
    }
  }
  return (low + high) / 2;
}

}  // namespace ampacity::power
