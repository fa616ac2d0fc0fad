// Reads specifications from documents by their field tables, collecting every problem on the way.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "ampacity/catalogue.hpp"
#include "ampacity/decode.hpp"
#include "ampacity/error.hpp"
#include "ampacity/field.hpp"
#include "ampacity/value.hpp"
#include "base/text.hpp"
#include "spec/ranges.hpp"
#include "spec/rules.hpp"
#include "spec/unit_hint.hpp"

namespace ampacity::spec {

/// Keys that any document may have beside its fields.
inline constexpr std::string_view common_keys[] = {"kind", "source", "confidence", "notes"};

/// The value inside a table of `value`, `source` and `confidence`; any other value is returned as it is.
[[nodiscard]] inline const Value& unwrapped(const Value& value) {
  const Value* inner = value.find("value");
  return inner != nullptr ? *inner : value;
}

template <class T>
struct is_vector : std::false_type {};
template <class T>
struct is_vector<std::vector<T>> : std::true_type {};

class Decoder {
 public:
  explicit Decoder(const Catalogue& catalogue) : catalogue_(catalogue) {}

  [[nodiscard]] std::vector<Problem>& problems() { return problems_; }

  /// Fills `spec` from a table; whatever is wrong is noted and the field keeps its default.
  template <class Spec>
  void read_table(const Value& document, const std::string& path, Spec& spec) {
    if (!document.is_table()) {
      note(path, document.describe(), "must be a table of fields");
      return;
    }
    refuse_unknown_keys<Spec>(document, path);
    const std::size_t before = problems_.size();
    std::apply([&](const auto&... field) { (read_field(document, path, field, spec), ...); }, Spec::fields());
    // Rules between fields make sense only where each field by itself is right.
    if (problems_.size() == before) complete(spec, path, catalogue_, problems_);
  }

 private:
  void note(std::string path, std::string value, std::string rule, std::string hint = {}) {
    problems_.push_back({std::move(path), std::move(value), std::move(rule), std::move(hint)});
  }

  template <class Spec>
  void refuse_unknown_keys(const Value& document, const std::string& path) {
    std::vector<std::string> known(std::begin(common_keys), std::end(common_keys));
    std::apply([&](const auto&... field) { (known.emplace_back(field.key), ...); }, Spec::fields());
    for (const auto& [key, value] : *document.get_if<Value::Table>()) {
      bool found = false;
      for (const std::string& name : known) found = found || name == key;
      if (!found) note(path + "." + key, value.describe(), "is not a field of " + path, did_you_mean(key, known));
    }
  }

  template <class Spec, class T>
  void read_field(const Value& document, const std::string& path, const Field<Spec, T>& field, Spec& spec) {
    const std::string field_path = path + "." + std::string(field.key);
    const Value* entry = document.find(field.key);
    if (entry == nullptr) {
      if (field.presence == Presence::required) note(field_path, "", "is missing", std::string(field.doc));
      return;
    }
    read(unwrapped(*entry), field_path, field.range, spec.*field.member);
  }

  void read(const Value& value, const std::string& path, Range, bool& out) {
    if (const bool* flag = value.get_if<bool>()) {
      out = *flag;
    } else {
      note(path, value.describe(), "must be true or false");
    }
  }

  void read(const Value& value, const std::string& path, Range, std::string& out) {
    const auto* text = value.get_if<std::string>();
    if (text == nullptr || text->empty()) {
      note(path, value.describe(), "must be a text that is not empty");
    } else {
      out = *text;
    }
  }

  void read(const Value& value, const std::string& path, Range range, double& out) {
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

  void read(const Value& value, const std::string& path, Range range, std::int64_t& out) {
    constexpr double exact = 9007199254740992.0;  // 2^53: above it a real number no longer tells integers apart
    if (!value.is_number()) {
      note(path, value.describe(), "must be a whole number" + interval(range));
      return;
    }
    const double number = value.number();
    if (!std::isfinite(number) || std::floor(number) != number || std::fabs(number) > exact) {
      note(path, value.describe(), "must be a whole number" + interval(range));
    } else if (number < range.minimum || number > range.maximum) {
      note(path, value.describe(), "must be" + interval(range));
    } else {
      out = static_cast<std::int64_t>(number);
    }
  }

  template <class E>
    requires std::is_enum_v<E>
  void read(const Value& value, const std::string& path, Range, E& out) {
    const auto& names = EnumNames<E>::names;
    const std::vector<std::string> known(names.begin(), names.end());
    const auto* text = value.get_if<std::string>();
    for (std::size_t i = 0; text != nullptr && i < known.size(); ++i) {
      if (known[i] == *text) {
        out = static_cast<E>(i);
        return;
      }
    }
    note(path, value.describe(), "must be one of " + base::either(known),
         text != nullptr ? did_you_mean(*text, known) : std::string{});
  }

  template <class E>
  void read(const Value& value, const std::string& path, Range range, EnumSet<E>& out) {
    const auto* items = value.get_if<Value::List>();
    if (items == nullptr) {
      note(path, value.describe(), "must be a list of names");
      return;
    }
    out = {};
    for (std::size_t i = 0; i < items->size(); ++i) {
      E item{};
      const std::size_t before = problems_.size();
      read((*items)[i], path + "[" + std::to_string(i) + "]", range, item);
      if (problems_.size() == before) out.insert(item);
    }
  }

  template <class Spec>
    requires requires { Spec::kind; }
  void read(const Value& value, const std::string& path, Range, Spec& out) {
    const auto* name = value.get_if<std::string>();
    if (name == nullptr) {
      read_table(value, path, out);
      return;
    }
    if (!catalogue_.contains(Spec::kind, *name)) {
      note(path, value.describe(), "is not the name of " + article(Spec::kind),
           did_you_mean(*name, known_names(Spec::kind)));
      return;
    }
    read_table(catalogue_.document(Spec::kind, *name), path, out);
  }

  template <class List>
    requires is_vector<List>::value
  void read(const Value& value, const std::string& path, Range, List& out) {
    const auto* items = value.get_if<Value::List>();
    if (items == nullptr || items->empty()) {
      note(path, value.describe(), "must be a list that is not empty");
      return;
    }
    for (std::size_t i = 0; i < items->size(); ++i) {
      read_table((*items)[i], path + "[" + std::to_string(i) + "]", out.emplace_back());
    }
  }

  [[nodiscard]] std::vector<std::string> known_names(std::string_view kind) const {
    for (const std::string& known : catalogue_.kinds()) {
      if (known == kind) return catalogue_.names(kind);
    }
    return {};
  }

  static std::string interval(Range range) {
    const bool open = range.maximum >= std::numeric_limits<double>::max();
    std::string text = " of " + base::number_text(range.minimum);
    return open ? text + " or more"
                : " between " + base::number_text(range.minimum) + " and " + base::number_text(range.maximum);
  }

  static std::string article(std::string_view kind) {
    const bool vowel = std::string_view("aeiou").find(kind.front()) != std::string_view::npos;
    return (vowel ? "an " : "a ") + std::string(kind) + " in the catalogue";
  }

  const Catalogue& catalogue_;
  std::vector<Problem> problems_;
};

inline Value encoded(bool value) {
  return value;
}
inline Value encoded(double value) {
  return value;
}
inline Value encoded(std::int64_t value) {
  return value;
}
inline Value encoded(const std::string& value) {
  return value;
}
template <class E>
  requires std::is_enum_v<E>
Value encoded(E value) {
  return name_of(value);
}
template <class E>
Value encoded(const EnumSet<E>& set) {
  Value::List list;
  for (std::size_t i = 0; i < EnumNames<E>::names.size(); ++i) {
    if (set.contains(static_cast<E>(i))) list.push_back(EnumNames<E>::names[i]);
  }
  return list;
}
template <class T>
Value encoded(const std::vector<T>& items);
template <class Spec>
  requires requires { Spec::kind; }
Value encoded(const Spec& spec) {
  Value::Table table;
  const auto add = [&](const auto& field) {
    if (absent(field, spec.*field.member)) return;
    Value value = encoded(spec.*field.member);
    const auto* text = value.template get_if<std::string>();
    // An optional text that was never given has no spelling that `decode` accepts.
    if (text == nullptr || !text->empty()) table.emplace_back(std::string(field.key), std::move(value));
  };
  std::apply([&](const auto&... field) { (add(field), ...); }, Spec::fields());
  return table;
}
template <class T>
Value encoded(const std::vector<T>& items) {
  Value::List list;
  for (const T& item : items) list.push_back(encoded(item));
  return list;
}

}  // namespace ampacity::spec
