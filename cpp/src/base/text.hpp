// Numbers and names as text for messages.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ampacity::base {

/// Shortest text that reads back to the same number: `8`, `0.85`, `1e+30`, `nan`.
[[nodiscard]] std::string number_text(double number);
[[nodiscard]] std::string number_text(std::int64_t number);

/// Up to 16 digits, so that counts held as doubles stay whole (16777216, not 1.67772e+07).
[[nodiscard]] std::string digits_text(double number);

/// Number of insertions, deletions, replacements and swaps of neighbours between two words (restricted
/// Damerau-Levenshtein distance), case and `-`/`_`/`.`/blank folded.
[[nodiscard]] std::size_t spelling_distance(std::string_view a, std::string_view b);

/// `a, b or c`.
[[nodiscard]] std::string either(const std::vector<std::string>& words);

}  // namespace ampacity::base
