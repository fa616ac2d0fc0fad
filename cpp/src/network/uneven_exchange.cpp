// An exchange of unequal parts, by the rank that has most to send or to receive.
#include <algorithm>
#include <cmath>
#include <vector>

#include "ampacity/collective.hpp"
#include "base/text.hpp"

namespace ampacity {

UnevenExchange uneven_exchange(std::span<const double> bytes, std::int64_t rows, std::int64_t columns) {
  constexpr auto path = "collective.matrix";
  const std::string shape = base::number_text(rows) + " x " + base::number_text(columns);
  if (rows != columns || rows < 2 || static_cast<std::int64_t>(bytes.size()) != rows * columns) {
    throw InvalidSpec({{path, shape, "must have as many columns as rows, and at least two", {}}});
  }
  const auto n = static_cast<std::size_t>(rows);
  std::vector<double> sent(n, 0.0);
  std::vector<double> received(n, 0.0);
  double all = 0;
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      const double part = bytes[i * n + j];
      if (!(part >= 0) || !std::isfinite(part)) {
        throw InvalidSpec({{std::string(path) + "[" + std::to_string(i) + "][" + std::to_string(j) + "]",
                            base::number_text(part),
                            "must be a size of 0 or more bytes",
                            {}}});
      }
      sent[i] += part;
      received[j] += part;
      all += part;
    }
  }
  if (all <= 0) throw InvalidSpec({{path, shape, "must have at least one byte", {}}});
  const double mean = all / static_cast<double>(n);
  const double busiest =
      std::max(*std::max_element(sent.begin(), sent.end()), *std::max_element(received.begin(), received.end()));
  return {rows, mean, busiest / mean};
}

}  // namespace ampacity
