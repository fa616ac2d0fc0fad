// Message sizes as people write them.
#include <array>
#include <cctype>
#include <cmath>
#include <cstdlib>

#include "ampacity/collective.hpp"
#include "ampacity/decode.hpp"

namespace ampacity {
namespace {

struct Unit {
  std::string_view name;  ///< lower case
  double bytes;
};
constexpr std::array<Unit, 13> units{{{"", 1},
                                      {"b", 1},
                                      {"kb", 1e3},
                                      {"mb", 1e6},
                                      {"gb", 1e9},
                                      {"tb", 1e12},
                                      {"pb", 1e15},
                                      {"kib", 1024.0},
                                      {"mib", 1048576.0},
                                      {"gib", 1073741824.0},
                                      {"tib", 1099511627776.0},
                                      {"pib", 1125899906842624.0},
                                      {"bytes", 1}}};
constexpr auto rule = "must be a size: a number with B, kB, MB, GB, TB, KiB, MiB, GiB or TiB";

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())) != 0) text.remove_prefix(1);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) text.remove_suffix(1);
  return text;
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// Digits, point and exponent at the start; "1e6" has an exponent, "1 E" has a unit.
std::size_t number_length(std::string_view text) {
  std::size_t i = 0;
  const auto digits = [&] {
    bool any = false;
    for (; i < text.size() && (is_digit(text[i]) || text[i] == '.'); ++i) any = any || is_digit(text[i]);
    return any;
  };
  if (i < text.size() && (text[i] == '+' || text[i] == '-')) ++i;
  if (!digits()) return 0;
  const std::size_t mantissa = i;
  if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    ++i;
    if (i < text.size() && (text[i] == '+' || text[i] == '-')) ++i;
    if (!digits()) return mantissa;
  }
  return i;
}

}  // namespace

double parse_size(std::string_view text, const std::string& path, std::vector<Problem>& problems) {
  std::string quoted(1, '\'');
  quoted.append(text).push_back('\'');
  const std::string_view all = trimmed(text);
  const std::size_t length = number_length(all);
  if (length == 0) {
    problems.push_back({path, quoted, rule, "as in 1 GiB"});
    return 0;
  }
  const double number = std::strtod(std::string(all.substr(0, length)).c_str(), nullptr);
  std::string unit;
  for (const char c : trimmed(all.substr(length))) {
    unit.push_back(static_cast<char>(std::tolower(static_cast<unsigned char>(c))));
  }
  for (const Unit& known : units) {
    if (unit == known.name) return number * known.bytes;
  }
  problems.push_back(
      {path, quoted, rule, did_you_mean(unit, {"B", "kB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "TiB"})});
  return 0;
}

}  // namespace ampacity
