#include "spec/decoder.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/text.hpp"
#include "spec/unit_hint.hpp"

namespace ampacity::spec {
namespace {

/// Keys that any document may have beside its fields.
constexpr std::string_view common_keys[] = {"kind", "source", "confidence", "notes"};

std::string interval(Range range) {
  const std::string least = base::number_text(range.minimum);
  if (range.maximum >= std::numeric_limits<double>::max()) return " of " + least + " or more";
  return " between " + least + " and " + base::number_text(range.maximum);
}

std::string article(std::string_view kind) {
  const bool vowel = std::string_view("aeiou").find(kind.front()) != std::string_view::npos;
  return (vowel ? "an " : "a ") + std::string(kind) + " in the catalogue";
}

}  // namespace

void Reader::note(std::string path, std::string value, std::string rule, std::string hint) {
  problems_.push_back({std::move(path), std::move(value), std::move(rule), std::move(hint)});
}

void Reader::refuse_unknown_keys(const Value& document, const std::string& path, std::vector<std::string_view> known) {
  known.insert(known.begin(), std::begin(common_keys), std::end(common_keys));
  for (const auto& [key, value] : *document.get_if<Value::Table>()) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    note(path_to(path, key), value.describe(), "is not a field of " + path,
         did_you_mean(key, std::vector<std::string>(known.begin(), known.end())));
  }
}

const Value* Reader::entry_of(const Value& document, const std::string& field_path, std::string_view key,
                              Presence presence, std::string_view doc) {
  const Value* entry = document.find(key);
  if (entry == nullptr) {
    if (presence == Presence::required) note(field_path, "", "is missing", std::string(doc));
    return nullptr;
  }
  const Value* inner = entry->find("value");
  return inner != nullptr ? inner : entry;
}

void Reader::read(const Value& value, const std::string& path, Range, bool& out) {
  if (const bool* flag = value.get_if<bool>()) {
    out = *flag;
  } else {
    note(path, value.describe(), "must be true or false");
  }
}

void Reader::read(const Value& value, const std::string& path, Range, std::string& out) {
  const auto* text = value.get_if<std::string>();
  if (text == nullptr || text->empty()) {
    note(path, value.describe(), "must be a text that is not empty");
  } else {
    out = *text;
  }
}

void Reader::read(const Value& value, const std::string& path, Range range, double& out) {
  if (!value.is_number()) {
    note(path, value.describe(), "must be a number" + interval(range), unit_hint(path));
  } else if (const double number = value.number(); !std::isfinite(number)) {
    note(path, value.describe(), "must be a finite number" + interval(range), unit_hint(path));
  } else if (number < range.minimum || number > range.maximum) {
    note(path, value.describe(), "must be" + interval(range), unit_hint(path));
  } else {
    out = number;
  }
}

void Reader::read(const Value& value, const std::string& path, Range range, std::int64_t& out) {
  constexpr double exact = 9007199254740992.0;  // 2^53: above it a real number no longer tells integers apart
  const double number = value.is_number() ? value.number() : std::numeric_limits<double>::quiet_NaN();
  if (!std::isfinite(number) || std::floor(number) != number || std::fabs(number) > exact) {
    note(path, value.describe(), "must be a whole number" + interval(range));
  } else if (number < range.minimum || number > range.maximum) {
    note(path, value.describe(), "must be" + interval(range));
  } else {
    out = static_cast<std::int64_t>(number);
  }
}

std::size_t Reader::read_name(const Value& value, const std::string& path, std::span<const std::string_view> names) {
  const auto* text = value.get_if<std::string>();
  if (text != nullptr) {
    const auto at = std::find(names.begin(), names.end(), *text);
    if (at != names.end()) return static_cast<std::size_t>(at - names.begin());
  }
  const std::vector<std::string> known(names.begin(), names.end());
  note(path, value.describe(), "must be one of " + base::either(known),
       text != nullptr ? did_you_mean(*text, known) : std::string{});
  return names.size();
}

std::uint32_t Reader::read_names(const Value& value, const std::string& path, std::span<const std::string_view> names) {
  const auto* items = value.get_if<Value::List>();
  if (items == nullptr) {
    note(path, value.describe(), "must be a list of names");
    return 0;
  }
  std::uint32_t bits = 0;
  for (std::size_t i = 0; i < items->size(); ++i) {
    const std::size_t position = read_name((*items)[i], item_path(path, i), names);
    if (position < names.size()) bits |= std::uint32_t{1} << position;
  }
  return bits;
}

const Value::List* Reader::read_items(const Value& value, const std::string& path) {
  const auto* items = value.get_if<Value::List>();
  if (items != nullptr && !items->empty()) return items;
  note(path, value.describe(), "must be a list that is not empty");
  return nullptr;
}

const Value* Reader::resolved(const Value& value, const std::string& path, std::string_view kind) {
  const auto* name = value.get_if<std::string>();
  if (name == nullptr) return &value;
  if (catalogue_.contains(kind, *name)) return &catalogue_.document(kind, *name);
  const std::vector<std::string> kinds = catalogue_.kinds();
  const bool has_kind = std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
  note(path, value.describe(), "is not the name of " + article(kind),
       did_you_mean(*name, has_kind ? catalogue_.names(kind) : std::vector<std::string>{}));
  return nullptr;
}

void add_entry(Value::Table& table, std::string_view key, Value&& value) {
  const auto* text = value.get_if<std::string>();
  if (text == nullptr || !text->empty()) table.emplace_back(std::string(key), std::move(value));
}

}  // namespace ampacity::spec
