#include "ampacity/value.hpp"

#include "base/text.hpp"

namespace ampacity {

double Value::number() const {
  if (const auto* integer = get_if<std::int64_t>()) return static_cast<double>(*integer);
  return std::get<double>(data_);
}

const Value* Value::find(std::string_view key) const {
  if (const Table* table = get_if<Table>()) {
    for (const auto& [name, value] : *table) {
      if (name == key) return &value;
    }
  }
  return nullptr;
}

void Value::set(std::string_view key, Value value) {
  if (!is_table()) data_ = Table{};
  auto& table = std::get<Table>(data_);
  for (auto& [name, old] : table) {
    if (name == key) {
      old = std::move(value);
      return;
    }
  }
  table.emplace_back(std::string(key), std::move(value));
}

std::string Value::describe() const {
  if (is_null()) return "nothing";
  if (const bool* flag = get_if<bool>()) return *flag ? "true" : "false";
  if (const auto* integer = get_if<std::int64_t>()) return base::number_text(*integer);
  if (const double* real = get_if<double>()) return base::number_text(*real);
  if (const auto* text = get_if<std::string>()) {
    constexpr std::size_t longest = 60;
    return text->size() <= longest ? '"' + *text + '"' : '"' + text->substr(0, longest) + "...\"";
  }
  return is_list() ? "a list" : "a table";
}

}  // namespace ampacity
