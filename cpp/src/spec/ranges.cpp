#include "spec/ranges.hpp"

#include "base/text.hpp"
#include "spec/unit_hint.hpp"

namespace ampacity::spec {

std::string path_to(const std::string& path, std::string_view key) {
  return path + "." + std::string(key);
}

std::string item_path(const std::string& path, std::size_t position) {
  return path + "[" + std::to_string(position) + "]";
}

namespace detail {

void describe(double value, Range range, const std::string& path, std::vector<Problem>& problems) {
  problems.push_back(
      {path, base::number_text(value),
       "must be between " + base::number_text(range.minimum) + " and " + base::number_text(range.maximum),
       unit_hint(path)});
}

}  // namespace detail
}  // namespace ampacity::spec
