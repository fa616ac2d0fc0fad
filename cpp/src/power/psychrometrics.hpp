// Moist air.
#pragma once

namespace ampacity::power {

/// Pressure of the standard atmosphere at that height. Pascal.
[[nodiscard]] double pressure_pa(double elevation_m);

/// Saturation pressure of water vapour over water. Pascal.
[[nodiscard]] double saturation_pa(double temperature_c);

/// Dew point of air with that vapour pressure: the inverse of `saturation_pa`.
[[nodiscard]] double dew_point_c(double vapour_pa);

/// Thermodynamic wet-bulb temperature of air with that dew point, at most the dry bulb.
[[nodiscard]] double wet_bulb_of_dew_c(double dry_bulb_c, double dew_c, double air_pa);

/// Water per kilogram of dry air at that dew point, or at that dry and wet bulb.
[[nodiscard]] double ratio_of_dew_point(double dew_c, double air_pa);
[[nodiscard]] double ratio_of_wet_bulb(double dry_bulb_c, double wet_bulb_c, double air_pa);

}  // namespace ampacity::power
