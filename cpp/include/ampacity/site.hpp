// Sites: where a cluster stands, what its power costs and emits; and how often its parts fail.
#pragma once

#include <cstdint>
#include <string>
#include <tuple>

#include "ampacity/field.hpp"
#include "ampacity/plant.hpp"

namespace ampacity {

/// A power grid region.
struct Grid {
  std::string name;
  std::string title;
  double carbon_kg_per_mwh = 0;

  static constexpr std::string_view kind = "grid";
  template <class S = Grid>
  static constexpr auto fields() {
    return std::tuple{
        required("name", &S::name, "catalogue name"), optional("title", &S::title, "what it covers"),
        required("carbon_kg_per_mwh", &S::carbon_kg_per_mwh, Range{0, 3000}, "kg CO2e per MWh delivered")};
  }
  friend bool operator==(const Grid&, const Grid&) = default;
};

/// A data-centre site. Where its PUE is not published, `plant` and `climate` say it.
struct Site {
  std::string name;
  std::string title;
  std::string operator_name;
  std::string location;
  Grid grid;
  double pue_mean = 0;
  double pue_peak = 0;
  bool pue_from_plant = false;
  double water_l_per_kwh = 0;
  double electricity_usd_per_kwh = 0.078;
  double facility_usd_per_w = 11.7;
  double storage_w_per_accelerator = 30;
  double power_limit_w = 0;
  double hall_power_w = 0;
  Climate climate;
  Plant plant;
  Generation generation;
  double supply_air_c = 0;
  double supply_liquid_c = 0;
  double air_spread_c = 2;
  double liquid_spread_c = 0.5;

  /// ASHRAE TC 9.9: recommended up to 27 degrees for air; liquid of class W32.
  static constexpr double design_air_c = 27;
  static constexpr double design_liquid_c = 32;

  /// IT nameplate of one hall: what was given, or what a main switch board carries.
  [[nodiscard]] double hall_w() const { return hall_power_w > 0 ? hall_power_w : plant.main_board_w; }
  /// What enters the nodes: what was given, or what the plant supplies. Where that is colder than nodes are made for,
  /// they hold their design: fans run slower, mixing valves of the liquid loop close.
  [[nodiscard]] double air_inlet_c() const { return inlet_c(supply_air_c, plant.air, design_air_c); }
  [[nodiscard]] double liquid_inlet_c() const { return inlet_c(supply_liquid_c, plant.liquid, design_liquid_c); }

  static constexpr std::string_view kind = "site";
  template <class S = Site>
  static constexpr auto fields() {
    return std::tuple{
        required("name", &S::name, "catalogue name"),
        optional("title", &S::title, "full name"),
        optional("operator_name", &S::operator_name, "who runs it"),
        optional("location", &S::location, "where it stands"),
        required("grid", &S::grid, "the grid that feeds it"),
        optional("pue_mean", &S::pue_mean, Range{1, 3},
                 "published facility power over IT power, yearly mean; without it plant and climate say it"),
        optional("pue_peak", &S::pue_peak, Range{1, 3}, "the same on the hottest day"),
        optional("pue_from_plant", &S::pue_from_plant,
                 "whether PUE and water come from plant and climate although they are published"),
        optional("water_l_per_kwh", &S::water_l_per_kwh, Range{0, 50}, "litres of water per kWh of IT energy"),
        optional("electricity_usd_per_kwh", &S::electricity_usd_per_kwh, Range{0, 10}, "price of energy"),
        optional("facility_usd_per_w", &S::facility_usd_per_w, Range{0, 1e3},
                 "shell and plant per watt of IT nameplate"),
        optional("storage_w_per_accelerator", &S::storage_w_per_accelerator, Range{0, 1e4},
                 "storage and management power"),
        optional("power_limit_w", &S::power_limit_w, Range{0, 1e12}, "power that the grid grants; 0 = unknown"),
        optional("hall_power_w", &S::hall_power_w, Range{1e3, 1e12},
                 "IT nameplate of one hall (default: what a main switch board of the plant carries)"),
        optional("climate", &S::climate, "the weather there"),
        optional("plant", &S::plant, "conversion, cooling and breakers"),
        optional("generation", &S::generation, "generators and batteries of the site"),
        optional(
            "supply_air_c", &S::supply_air_c, Range{-20, 60},
            "temperature (degrees Celsius) of the air that enters air-cooled nodes, mean of the hall; 0 = what the "
            "plant supplies, 27 or more"),
        optional(
            "supply_liquid_c", &S::supply_liquid_c, Range{-20, 80},
            "temperature (degrees Celsius) of the liquid that enters liquid-cooled nodes, mean of the hall; 0 = what "
            "the plant supplies, 32 or more"),
        optional("air_spread_c", &S::air_spread_c, Range{0, 30},
                 "standard deviation of that of air between racks (degrees Celsius)"),
        optional("liquid_spread_c", &S::liquid_spread_c, Range{0, 30},
                 "standard deviation of that of liquid between racks (degrees Celsius)")};
  }
  friend bool operator==(const Site&, const Site&) = default;

 private:
  [[nodiscard]] double inlet_c(double given_c, const CoolingLoop& loop, double design_c) const {
    if (given_c != 0) return given_c;
    return plant.name.empty() || loop.supply_c < design_c ? design_c : loop.supply_c;
  }
};

/// How often a large job is interrupted and what an interruption costs.
struct Reliability {
  std::string name;
  std::string title;
  double failures_per_accelerator_hour = 0;
  double detection_s = 0;
  double restart_s = 0;
  double restart_s_per_accelerator = 0;
  double checkpoint_blocking_s = 0;
  double scale_exponent = 0;
  std::int64_t scale_reference_accelerators = 32768;

  static constexpr std::string_view kind = "reliability";
  template <class S = Reliability>
  static constexpr auto fields() {
    return std::tuple{
        required("name", &S::name, "catalogue name"),
        optional("title", &S::title, "full name"),
        required("failures_per_accelerator_hour", &S::failures_per_accelerator_hour, Range{0, 1},
                 "unplanned interruptions of the job per accelerator and hour"),
        required("detection_s", &S::detection_s, Range{0, 1e5}, "from failure to the decision to restart"),
        required("restart_s", &S::restart_s, Range{0, 1e6}, "restart of a small job, checkpoint load included"),
        optional("restart_s_per_accelerator", &S::restart_s_per_accelerator, Range{0, 1e3},
                 "growth of the restart with the size of the job"),
        required("checkpoint_blocking_s", &S::checkpoint_blocking_s, Range{0, 1e5},
                 "time that training stands still for one checkpoint"),
        optional("scale_exponent", &S::scale_exponent, Range{0, 4},
                 "above the reference size the failure rate of one accelerator grows with this power of the job's "
                 "size; 0 = failures are independent"),
        optional("scale_reference_accelerators", &S::scale_reference_accelerators, Range{1, 1e8},
                 "largest job whose failures were found to be independent")};
  }
  friend bool operator==(const Reliability&, const Reliability&) = default;
};

}  // namespace ampacity
