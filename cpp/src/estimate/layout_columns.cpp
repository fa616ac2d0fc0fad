#include <string>

#include "ampacity/batch.hpp"
#include "ampacity/error.hpp"
#include "base/text.hpp"

namespace ampacity {

LayoutColumns::LayoutColumns(const Layout& all) : columns_(all_rows(all, std::make_index_sequence<fields>{})) {}

std::size_t LayoutColumns::rows() const {
  std::size_t rows = 1;
  bool all_scalar = true;
  std::vector<Problem> problems;
  const auto look = [&](std::string path, const auto& column) {
    if (column.is_scalar()) return;
    const std::size_t length = column.values().size();
    if (all_scalar) rows = length;
    all_scalar = false;
    if (length == rows) return;
    problems.push_back({std::move(path),
                        base::number_text(static_cast<std::int64_t>(length)) + " rows",
                        "must have as many rows as the columns before it (" +
                            base::number_text(static_cast<std::int64_t>(rows)) + "), or be a single value",
                        {}});
  };
  look("training.global_batch", global_batch_);
  look("training.seq_len", seq_len_);
  visit([&](const auto& field, const auto& column) { look("layout." + std::string(field.key), column); });
  if (!problems.empty()) throw InvalidSpec(std::move(problems));
  return rows;
}

Layout LayoutColumns::layout(std::size_t row) const {
  Layout layout;
  visit([&](const auto& field, const auto& column) { layout.*field.member = column[row]; });
  return layout;
}

void LayoutColumns::apply(std::size_t row, Training& job) const {
  const bool batch_given = !global_batch_.is_scalar() || global_batch_[0] != 0;
  if (batch_given) job.global_batch = global_batch_[row];
  const bool length_given = !seq_len_.is_scalar() || seq_len_[0] != 0;
  if (length_given) job.seq_len = seq_len_[row];
}

}  // namespace ampacity
