#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "ampacity/decode.hpp"

namespace ampacity {
namespace base {
namespace {

char folded(char c) {
  if (c >= 'A' && c <= 'Z') return static_cast<char>(c - 'A' + 'a');
  if (c == '_' || c == '.' || c == ' ') return '-';
  return c;
}

}  // namespace

std::string number_text(double number) {
  // std::to_chars(double) needs a recent system library on macOS; the shortest of increasing precisions is the same.
  std::array<char, 32> buffer{};
  for (int digits = 1; digits <= 17; ++digits) {
    std::snprintf(buffer.data(), buffer.size(), "%.*g", digits, number);
    if (std::strtod(buffer.data(), nullptr) == number) break;
  }
  // 700 and 3350 are easier to read than 7e+02 and 3.35e+03.
  if (std::fabs(number) < 1e6 && number == std::trunc(number)) {
    std::snprintf(buffer.data(), buffer.size(), "%.0f", number);
  }
  return buffer.data();
}

std::string number_text(std::int64_t number) {
  return std::to_string(number);
}

std::string digits_text(double number) {
  std::array<char, 32> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%.16g", number);
  return buffer.data();
}

std::size_t spelling_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before_last(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const bool same = folded(a[i - 1]) == folded(b[j - 1]);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (same ? 0U : 1U)});
      const bool swapped =
          i > 1 && j > 1 && folded(a[i - 1]) == folded(b[j - 2]) && folded(a[i - 2]) == folded(b[j - 1]);
      if (swapped) row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
    before_last.swap(last);
    last.swap(row);
  }
  return last[b.size()];
}

std::string either(const std::vector<std::string>& words) {
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) text += i + 1 == words.size() ? " or " : ", ";
    text += words[i];
  }
  return text;
}

}  // namespace base

std::vector<std::string> nearest_names(std::string_view name, const std::vector<std::string>& known) {
  // A user who types a prefix ("llama-3.1") or a part ("405b") means a name that contains it; otherwise a third of the
  // letters may differ.
  std::vector<std::pair<std::size_t, std::string>> ranked;
  for (const std::string& candidate : known) {
    std::size_t distance = base::spelling_distance(name, candidate);
    const bool part = name.size() >= 3 && candidate.find(name) != std::string::npos;
    const std::size_t allowed = std::max<std::size_t>(2, std::max(name.size(), candidate.size()) / 3);
    if (part) distance = std::min<std::size_t>(distance, 1);
    if (distance <= allowed) ranked.emplace_back(distance, candidate);
  }
  std::sort(ranked.begin(), ranked.end());
  std::vector<std::string> names;
  for (std::size_t i = 0; i < ranked.size() && i < 3; ++i) names.push_back(ranked[i].second);
  return names;
}

std::string did_you_mean(std::string_view name, const std::vector<std::string>& known) {
  const std::vector<std::string> near = nearest_names(name, known);
  return near.empty() ? std::string{} : "did you mean " + base::either(near) + "?";
}

}  // namespace ampacity
