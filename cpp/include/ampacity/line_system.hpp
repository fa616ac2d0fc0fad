// What carries bits between sites: coherent modules and the line that amplifies them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>

#include "ampacity/field.hpp"

namespace ampacity {

/// Wavelengths of coherent modules, many to a pair of fibres (one for each direction), an amplifier at the end of each
/// span. Watts and prices are those of one part.
struct LineSystem {
  std::string name;
  std::string title;
  double wavelength_bytes_per_s = 0;
  std::int64_t wavelengths_per_fibre_pair = 0;
  double reach_m = 0;
  double span_m = 0;
  double module_typical_w = 0;
  double module_max_w = 0;
  double module_price_usd = 0;
  double port_typical_w = 0;
  double port_max_w = 0;
  double port_price_usd = 0;
  double terminal_typical_w = 0;
  double terminal_max_w = 0;
  double terminal_price_usd = 0;
  double amplifier_typical_w = 0;
  double amplifier_max_w = 0;
  double amplifier_price_usd = 0;
  double hut_w = 0;
  double hut_price_usd = 0;
  double fibre_pair_usd_per_m = 0;

  static constexpr std::string_view kind = "line_system";
  template <class S = LineSystem>
  static constexpr auto fields() {
    constexpr Range watts{0, 1e6};
    constexpr Range dollars{0, 1e8};
    return std::tuple{
        required("name", &S::name, "catalogue name"),
        optional("title", &S::title, "full name"),
        required("wavelength_bytes_per_s", &S::wavelength_bytes_per_s, Range{1e8, 1e13},
                 "rate of one module, per direction"),
        required("wavelengths_per_fibre_pair", &S::wavelengths_per_fibre_pair, Range{1, 1e4},
                 "modules at each end of a pair of fibres"),
        required("reach_m", &S::reach_m, Range{1e3, 2e7}, "length of amplified line after which bits are regenerated"),
        required("span_m", &S::span_m, Range{1e3, 1e6}, "length of fibre between two amplifiers"),
        required("module_typical_w", &S::module_typical_w, watts, "typical power of a coherent module"),
        required("module_max_w", &S::module_max_w, watts, "maximum power of a coherent module"),
        optional("module_price_usd", &S::module_price_usd, dollars, "its price; 0 = unknown"),
        required("port_typical_w", &S::port_typical_w, watts,
                 "typical power of its port: a line card's and chassis' share, without the module"),
        required("port_max_w", &S::port_max_w, watts, "maximum power of its port"),
        optional("port_price_usd", &S::port_price_usd, dollars, "price of its port; 0 = unknown"),
        required("terminal_typical_w", &S::terminal_typical_w, watts,
                 "typical power at one end of a fibre pair: multiplexer, booster, preamplifier"),
        required("terminal_max_w", &S::terminal_max_w, watts, "maximum power at one end of a fibre pair"),
        optional("terminal_price_usd", &S::terminal_price_usd, dollars, "price of one end; 0 = unknown"),
        required("amplifier_typical_w", &S::amplifier_typical_w, watts,
                 "typical power of an amplifier on the way, both directions of a fibre pair"),
        required("amplifier_max_w", &S::amplifier_max_w, watts, "maximum power of an amplifier on the way"),
        optional("amplifier_price_usd", &S::amplifier_price_usd, dollars, "its price; 0 = unknown"),
        required("hut_w", &S::hut_w, watts, "of a hut for amplifiers, beside them: cooling, rectifiers"),
        optional("hut_price_usd", &S::hut_price_usd, dollars, "price of a hut; 0 = unknown"),
        optional("fibre_pair_usd_per_m", &S::fibre_pair_usd_per_m, Range{0, 1e4},
                 "a pair of fibres, bought or its right of use for the life of the cluster; 0 = unknown")};
  }
  friend bool operator==(const LineSystem&, const LineSystem&) = default;
};

}  // namespace ampacity
