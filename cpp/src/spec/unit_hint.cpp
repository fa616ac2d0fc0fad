#include "spec/unit_hint.hpp"

#include <array>

namespace ampacity::spec {
namespace {

struct Unit {
  std::string_view part;  ///< of the key
  std::string_view hint;
};

// Longer units first: bytes per second before bytes and seconds.
constexpr std::array<Unit, 9> units{{{"_bytes_per_s", "in bytes per second: 400 Gb/s are 5e+10"},
                                     {"_flops_per_s", "in FLOP/s: 1 PFLOP/s is 1e+15"},
                                     {"_bytes", "in bytes: 80 GB are 8e+10"},
                                     {"_fraction", "a fraction of 1: 90 % are 0.9"},
                                     {"_usd", "in US dollars"},
                                     {"_hz", "in hertz: 1.8 GHz are 1.8e+09"},
                                     {"_w", "in watts: 0.7 kW are 700"},
                                     {"_j", "in joules"},
                                     {"_s", "in seconds: 14 us are 1.4e-05"}}};

/// Whether the part ends at the end of the key, or at the next underscore.
bool names(std::string_view key, std::string_view part) {
  const std::size_t at = key.find(part);
  if (at == std::string_view::npos) return false;
  const std::size_t end = at + part.size();
  return end == key.size() || key[end] == '_';
}

}  // namespace

std::string unit_hint(std::string_view key) {
  // A key that is a unit and nothing else (bytes_per_s) counts too.
  std::string whole(1, '_');
  whole += key.substr(key.find_last_of('.') + 1);
  for (const Unit& unit : units) {
    if (names(whole, unit.part)) return std::string(unit.hint);
  }
  return {};
}

}  // namespace ampacity::spec
