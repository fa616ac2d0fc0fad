// What stands between the grid and the racks: converters, cooling and its weather, breakers, generators.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "ampacity/field.hpp"

namespace ampacity {

/// Efficiency of a converter at one load.
struct LoadPoint {
  double load_fraction = 0;
  double efficiency_fraction = 1;

  static constexpr std::string_view kind = "load_point";
  template <class S = LoadPoint>
  static constexpr auto fields() {
    return std::tuple{
        required("load_fraction", &S::load_fraction, Range{0.01, 1.5}, "output over rated output"),
        required("efficiency_fraction", &S::efficiency_fraction, Range{0.3, 1}, "output over input at that load")};
  }
  friend bool operator==(const LoadPoint&, const LoadPoint&) = default;
};

/// A class of power supplies: how their efficiency follows their load.
struct Supply {
  std::string name;
  std::string title;
  std::vector<LoadPoint> points;

  static constexpr std::string_view kind = "supply";
  template <class S = Supply>
  static constexpr auto fields() {
    return std::tuple{required("name", &S::name, "catalogue name"), optional("title", &S::title, "full name"),
                      required("points", &S::points, "efficiencies by rising load")};
  }
  friend bool operator==(const Supply&, const Supply&) = default;
};

/// Weather of one month, means over many years.
struct ClimateMonth {
  double dry_bulb_c = 15;
  double diurnal_range_c = 10;
  double dew_point_c = 8;
  double deviation_c = 3;

  static constexpr std::string_view kind = "climate_month";
  template <class S = ClimateMonth>
  static constexpr auto fields() {
    return std::tuple{
        required("dry_bulb_c", &S::dry_bulb_c, Range{-60, 50}, "mean temperature of the air"),
        required("diurnal_range_c", &S::diurnal_range_c, Range{0, 40}, "mean daily maximum less mean daily minimum"),
        required("dew_point_c", &S::dew_point_c, Range{-70, 35}, "mean dew point"),
        optional("deviation_c", &S::deviation_c, Range{0, 15}, "standard deviation of a day's mean within the month")};
  }
  friend bool operator==(const ClimateMonth&, const ClimateMonth&) = default;
};

/// Climate of a place: twelve months, from which `weather_year` makes the hours.
struct Climate {
  std::string name;
  std::string title;
  double latitude_deg = 40;
  double elevation_m = 0;
  double clearness_fraction = 0.65;
  std::vector<ClimateMonth> months;

  static constexpr std::string_view kind = "climate";
  template <class S = Climate>
  static constexpr auto fields() {
    return std::tuple{
        required("name", &S::name, "catalogue name"),
        optional("title", &S::title, "place and station"),
        required("latitude_deg", &S::latitude_deg, Range{-90, 90}, "latitude, north positive"),
        optional("elevation_m", &S::elevation_m, Range{-430, 5500}, "height above the sea"),
        optional("clearness_fraction", &S::clearness_fraction, Range{0.1, 1}, "yearly sun over that of clear skies"),
        required("months", &S::months, "twelve months, January first")};
  }
  friend bool operator==(const Climate&, const Climate&) = default;
};

/// Where a cooling loop leaves its heat: dry coolers, coolers or air handlers whose air is wetted when it is too warm,
/// or evaporative towers.
enum class HeatRejection { dry, adiabatic, tower };
template <>
struct EnumNames<HeatRejection> {
  static constexpr std::array<std::string_view, 3> names{"dry", "adiabatic", "tower"};
};

/// One cooling loop: from the racks by air or liquid to the weather. Powers are shares of the heat that the loop is
/// built for.
struct CoolingLoop {
  HeatRejection rejection = HeatRejection::dry;
  double supply_c = 27;
  double rise_c = 12;
  double approach_c = 6;
  double spray_effectiveness_fraction = 0.85;
  double least_dew_point_c = -90;
  double terminal_fan_fraction = 0;
  double rejection_fan_fraction = 0.015;
  double fan_floor_fraction = 0.3;
  double pump_fraction = 0.012;
  double pump_floor_fraction = 0.3;
  bool economiser = true;
  double chiller_fraction = 0;
  double chiller_carnot_fraction = 0.5;
  double chiller_lift_c = 15;
  double chiller_cop_max = 12;

  static constexpr std::string_view kind = "cooling_loop";
  template <class S = CoolingLoop>
  static constexpr auto fields() {
    constexpr Range share{0, 1};
    return std::tuple{
        optional("rejection", &S::rejection, "where the heat goes: dry, adiabatic or tower"),
        required("supply_c", &S::supply_c, Range{5, 70}, "temperature at which air or liquid comes to the racks"),
        optional("rise_c", &S::rise_c, Range{2, 40}, "by how much the racks heat it at the heat that it is built for"),
        optional("approach_c", &S::approach_c, Range{0, 25}, "how near to the weather the supply comes with full fans"),
        optional("spray_effectiveness_fraction", &S::spray_effectiveness_fraction, share,
                 "adiabatic: how far wetting brings air from dry bulb to wet bulb"),
        optional("least_dew_point_c", &S::least_dew_point_c, Range{-90, 20},
                 "outside air is humidified up to this dew point; -90 = not at all"),
        optional("terminal_fan_fraction", &S::terminal_fan_fraction, share, "fans of the halls' air handlers"),
        optional("rejection_fan_fraction", &S::rejection_fan_fraction, share, "fans of coolers or towers"),
        optional("fan_floor_fraction", &S::fan_floor_fraction, share, "slowest speed of fans"),
        optional("pump_fraction", &S::pump_fraction, share, "pumps of all circuits"),
        optional("pump_floor_fraction", &S::pump_floor_fraction, share, "slowest speed of pumps"),
        optional("economiser", &S::economiser, "whether the weather cools before chillers do"),
        optional("chiller_fraction", &S::chiller_fraction, share, "share of the heat that chillers can take; 0 = none"),
        optional("chiller_carnot_fraction", &S::chiller_carnot_fraction, Range{0.05, 0.9},
                 "coefficient of performance over that of a reversed Carnot cycle"),
        optional("chiller_lift_c", &S::chiller_lift_c, Range{0, 40}, "condensing temperature above the weather's"),
        optional("chiller_cop_max", &S::chiller_cop_max, Range{1, 50}, "best coefficient of performance")};
  }
  friend bool operator==(const CoolingLoop&, const CoolingLoop&) = default;
};

/// Conversion, cooling and breakers of a site, rated for its IT nameplate.
struct Plant {
  std::string name;
  std::string title;
  std::vector<LoadPoint> ups;
  double ups_share_fraction = 1;
  double installed_ratio = 1.33;
  double busway_loss_fraction = 0.005;
  double transformer_no_load_fraction = 0.0012;
  double transformer_load_fraction = 0.0047;
  double substation_no_load_fraction = 0.0005;
  double substation_load_fraction = 0.0035;
  CoolingLoop air;
  CoolingLoop liquid;
  double liquid_capture_fraction = 0.85;
  double immersion_capture_fraction = 0.97;
  double concentration_cycles = 5;
  double other_fraction = 0.005;
  double provision_fraction = 1;
  double rack_breaker_w = 0;
  double row_breaker_w = 190e3;
  double switchboard_w = 1.25e6;
  double main_board_w = 2.5e6;
  double building_w = 30e6;
  double auxiliary_rack_w = 15e3;

  static constexpr std::string_view kind = "plant";
  template <class S = Plant>
  static constexpr auto fields() {
    constexpr Range share{0, 1};
    constexpr Range watts{1e3, 1e10};
    return std::tuple{
        required("name", &S::name, "catalogue name"),
        optional("title", &S::title, "full name"),
        optional("ups", &S::ups, "efficiency of uninterruptible supplies by rising load; none = lossless"),
        optional("ups_share_fraction", &S::ups_share_fraction, share,
                 "share of the IT power that comes through them; the rest has batteries in its racks"),
        optional("installed_ratio", &S::installed_ratio, Range{1, 4},
                 "installed capacity of UPS and transformers over what is provisioned (redundancy)"),
        optional("busway_loss_fraction", &S::busway_loss_fraction, Range{0, 0.2},
                 "loss of busways and cables at the power that they are provisioned for"),
        optional("transformer_no_load_fraction", &S::transformer_no_load_fraction, Range{0, 0.05},
                 "loss of medium-voltage transformers without load, over their rating"),
        optional("transformer_load_fraction", &S::transformer_load_fraction, Range{0, 0.1},
                 "what full load adds to that loss"),
        optional("substation_no_load_fraction", &S::substation_no_load_fraction, Range{0, 0.05},
                 "the same of the substation's transformers"),
        optional("substation_load_fraction", &S::substation_load_fraction, Range{0, 0.1},
                 "the same of the substation's transformers"),
        required("air", &S::air, "the loop that takes the heat of air"),
        optional("liquid", &S::liquid, "the loop that takes the heat of liquid-cooled and immersed nodes"),
        optional("liquid_capture_fraction", &S::liquid_capture_fraction, share,
                 "share of the heat of liquid-cooled nodes that the liquid takes"),
        optional("immersion_capture_fraction", &S::immersion_capture_fraction, share,
                 "share of the heat of immersed nodes that the liquid takes"),
        optional("concentration_cycles", &S::concentration_cycles, Range{1.1, 100},
                 "cycles of concentration of evaporated water: 1 / (cycles - 1) of it is drained as well"),
        optional("other_fraction", &S::other_fraction, Range{0, 0.2},
                 "lights, offices, security, heaters, over the provisioned IT power"),
        optional("provision_fraction", &S::provision_fraction, Range{0.2, 1.5},
                 "power that is provisioned over the IT nameplate"),
        optional("rack_breaker_w", &S::rack_breaker_w, Range{0, 1e7}, "of one rack; 0 = its nameplate"),
        optional("row_breaker_w", &S::row_breaker_w, watts, "of a row's power panel"),
        optional("switchboard_w", &S::switchboard_w, watts, "of a switch board"),
        optional("main_board_w", &S::main_board_w, watts, "of a main switch board"),
        optional("building_w", &S::building_w, watts, "IT power of a building"),
        optional("auxiliary_rack_w", &S::auxiliary_rack_w, Range{1e3, 1e6},
                 "nameplate of a rack of switches or storage")};
  }
  friend bool operator==(const Plant&, const Plant&) = default;
};

/// Generators, solar fields and batteries of a site.
struct Generation {
  double gas_w = 0;
  double gas_carbon_kg_per_mwh = 370;
  bool gas_first = false;
  double diesel_w = 0;
  double diesel_carbon_kg_per_mwh = 700;
  double solar_w = 0;
  double solar_performance_fraction = 0.85;
  double battery_w = 0;
  double battery_j = 0;

  static constexpr std::string_view kind = "generation";
  template <class S = Generation>
  static constexpr auto fields() {
    constexpr Range watts{0, 1e11};
    return std::tuple{
        optional("gas_w", &S::gas_w, watts, "gas turbines and engines of the site"),
        optional("gas_carbon_kg_per_mwh", &S::gas_carbon_kg_per_mwh, Range{0, 3000}, "kg CO2e per MWh of theirs"),
        optional("gas_first", &S::gas_first, "whether they run before the grid is asked"),
        optional("diesel_w", &S::diesel_w, watts, "emergency generators"),
        optional("diesel_carbon_kg_per_mwh", &S::diesel_carbon_kg_per_mwh, Range{0, 3000}, "kg CO2e per MWh of theirs"),
        optional("solar_w", &S::solar_w, watts, "rated power of the solar field"),
        optional("solar_performance_fraction", &S::solar_performance_fraction, Range{0, 1.5},
                 "its power over its rated power at 1,000 W/m2 of sun on the ground"),
        optional("battery_w", &S::battery_w, watts, "power of the site's batteries"),
        optional("battery_j", &S::battery_j, Range{0, 1e15}, "energy that they hold")};
  }
  friend bool operator==(const Generation&, const Generation&) = default;
};

}  // namespace ampacity
