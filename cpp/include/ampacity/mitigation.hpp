// What evens out a load that swings: floors and ramps in the devices, filler work, storage, curtailment.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <variant>

#include "ampacity/field.hpp"

namespace ampacity {

/// A device that never draws less than a share of its limit while a job holds it, and changes what it draws no faster
/// than it is told (minimum power floor of GB200: 20 to 90 % of TDP, with ramp rates).
struct PowerFloor {
  double floor_fraction = 0;
  double ramp_up_w_per_s = 0;
  double ramp_down_w_per_s = 0;

  static constexpr std::string_view kind = "power_floor";
  template <class S = PowerFloor>
  static constexpr auto fields() {
    constexpr Range ramp{0, 1e6};
    return std::tuple{
        required("floor_fraction", &S::floor_fraction, Range{0, 0.9},
                 "least power of an accelerator over its limit (GB200: 0.2 to 0.9); 0 = none, ramps only"),
        optional("ramp_up_w_per_s", &S::ramp_up_w_per_s, ramp, "fastest rise of one accelerator; 0 = any"),
        optional("ramp_down_w_per_s", &S::ramp_down_w_per_s, ramp, "fastest fall of one accelerator; 0 = any")};
  }
  friend bool operator==(const PowerFloor&, const PowerFloor&) = default;
};

/// A second workload that runs where the first leaves a device idle (Firefly: at most 5 % of the first one's speed).
struct Filler {
  double level_fraction = 0;
  double overhead_fraction = 0.05;

  static constexpr std::string_view kind = "filler";
  template <class S = Filler>
  static constexpr auto fields() {
    return std::tuple{required("level_fraction", &S::level_fraction, Range{0.01, 1},
                               "power that it lifts waiting accelerators to, over their limit"),
                      optional("overhead_fraction", &S::overhead_fraction, Range{0, 0.5},
                               "speed that it costs the job (default: 0.05, the most that Firefly reports)")};
  }
  friend bool operator==(const Filler&, const Filler&) = default;
};

/// Where a storage stands; a load passes shelves first and the site's battery last.
enum class StorageLevel { shelf, rack, site };
template <>
struct EnumNames<StorageLevel> {
  static constexpr std::array<std::string_view, 3> names{"shelf", "rack", "site"};
};

/// Capacitors of a power shelf, a battery or supercapacitor of a rack, a site's battery. It follows the load with a
/// time constant and a ramp, gives and takes the difference, and goes slowly back to its resting charge.
struct Storage {
  StorageLevel level = StorageLevel::site;
  std::string name;
  double energy_j = 0;
  double energy_j_per_accelerator = 0;
  double power_w = 0;
  double power_w_per_accelerator = 0;
  double efficiency_fraction = 0.9;
  double smoothing_s = 0;
  double response_s = 0;
  double ramp_w_per_s = 0;
  double rest_fraction = 0.5;
  double price_usd_per_kwh = 0;

  static constexpr std::string_view kind = "storage";
  template <class S = Storage>
  static constexpr auto fields() {
    return std::tuple{
        required("level", &S::level, "where it stands"),
        optional("name", &S::name, "what it is"),
        optional("energy_j", &S::energy_j, Range{1, 1e15},
                 "usable energy, all of the site (or per accelerator, below)"),
        optional("energy_j_per_accelerator", &S::energy_j_per_accelerator, Range{1e-3, 1e9},
                 "usable energy for each accelerator (GB300 power shelf: about 65)"),
        optional("power_w", &S::power_w, Range{1, 1e12}, "most that it gives or takes, all of the site"),
        optional("power_w_per_accelerator", &S::power_w_per_accelerator, Range{1e-3, 1e6},
                 "most that it gives or takes for each accelerator"),
        optional("efficiency_fraction", &S::efficiency_fraction, Range{0.1, 1}, "energy out over energy in"),
        optional("smoothing_s", &S::smoothing_s, Range{1e-3, 1e6},
                 "time constant with which the grid follows the load (default: energy over power, the longest that it "
                 "can hold)"),
        optional("response_s", &S::response_s, Range{0, 60},
                 "time constant of its converter: what is faster it cannot follow (default: 0)"),
        optional("ramp_w_per_s", &S::ramp_w_per_s, Range{1e-3, 1e12},
                 "fastest change that it leaves to the grid (default: any)"),
        optional("rest_fraction", &S::rest_fraction, Range{0.01, 0.99}, "charge that it goes back to"),
        optional("price_usd_per_kwh", &S::price_usd_per_kwh, Range{0, 1e7}, "price of its usable energy; 0 = unknown")};
  }
  friend bool operator==(const Storage&, const Storage&) = default;
};

/// Hours in which accelerators run at a lower power limit, once or again and again.
struct Curtailment {
  double start_s = 0;
  double duration_s = 0;
  double period_s = 0;
  double cap_w = 0;

  static constexpr std::string_view kind = "curtailment";
  template <class S = Curtailment>
  static constexpr auto fields() {
    return std::tuple{
        required("start_s", &S::start_s, Range{0, 1e9}, "first start, from the start of the load"),
        required("duration_s", &S::duration_s, Range{1, 1e9}, "how long it lasts"),
        optional("period_s", &S::period_s, Range{1, 1e9}, "from one start to the next (a day: 86400; default: once)"),
        required("cap_w", &S::cap_w, Range{1, 1e5}, "power limit of each accelerator meanwhile")};
  }
  friend bool operator==(const Curtailment&, const Curtailment&) = default;
};

using Mitigation = std::variant<PowerFloor, Filler, Storage, Curtailment>;

}  // namespace ampacity
