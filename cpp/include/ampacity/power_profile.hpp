// Power profiles: settings of accelerators that makers and operators have published, by name.
#pragma once

#include <string>
#include <string_view>
#include <tuple>

#include "ampacity/field.hpp"

namespace ampacity {

/// A cap, a locked clock, or both; or what may be lost for a lower cap, which then depends on the work.
struct PowerProfile {
  std::string name;
  std::string title;
  std::string accelerator;
  double power_cap_w = 0;
  double locked_clock_hz = 0;
  double least_throughput_fraction = 0;

  static constexpr std::string_view kind = "power_profile";
  template <class S = PowerProfile>
  static constexpr auto fields() {
    return std::tuple{
        required("name", &S::name, "catalogue name"),
        optional("title", &S::title, "full name"),
        optional("accelerator", &S::accelerator, "catalogue name of the device that it is for; empty = any"),
        optional("power_cap_w", &S::power_cap_w, Range{1, 1e5}, "power limit of one accelerator"),
        optional("locked_clock_hz", &S::locked_clock_hz, Range{1e6, 1e10}, "highest clock of one accelerator"),
        optional("least_throughput_fraction", &S::least_throughput_fraction, Range{0.5, 1},
                 "the lowest cap that keeps this share of the job's speed")};
  }
  friend bool operator==(const PowerProfile&, const PowerProfile&) = default;
};

}  // namespace ampacity
