#include <algorithm>
#include <array>
#include <charconv>

#include "ampacity/load.hpp"

namespace ampacity {

std::string csv_rows(std::span<const std::span<const double>> columns) {
  std::size_t rows = columns.empty() ? 0 : columns.front().size();
  for (const std::span<const double> column : columns) rows = std::min(rows, column.size());
  std::string text;
  text.reserve(rows * columns.size() * 11);
  std::array<char, 32> digits{};
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t column = 0; column < columns.size(); ++column) {
      const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), columns[column][row],
                                     std::chars_format::general, 9);
      text.append(digits.data(), end.ptr);
      text.push_back(column + 1 < columns.size() ? ',' : '\n');
    }
  }
  return text;
}

}  // namespace ampacity
