// Reads specifications from documents by their field tables, collecting every problem on the way.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <vector>

#include "ampacity/catalogue.hpp"
#include "ampacity/decode.hpp"
#include "ampacity/error.hpp"
#include "ampacity/field.hpp"
#include "ampacity/value.hpp"
#include "spec/ranges.hpp"
#include "spec/rules.hpp"

namespace ampacity::spec {

/// What is wrong with a document that should describe a `Spec`; `path` stands before the field names.
/// Instantiated with `decode`.
template <class Spec>
[[nodiscard]] std::vector<Problem> problems_of(const Value& document, const std::string& path,
                                               const Catalogue& catalogue);

/// All of the reading that does not depend on the specification, so that it is compiled once.
class Reader {
 public:
  explicit Reader(const Catalogue& catalogue) : catalogue_(catalogue) {}

  [[nodiscard]] std::vector<Problem>& problems() { return problems_; }

 protected:
  void note(std::string path, std::string value, std::string rule, std::string hint = {});
  void refuse_unknown_keys(const Value& document, const std::string& path, std::vector<std::string_view> known);

  /// The value of a field, out of its table of `value`, `source` and `confidence` where it stands in one; null where it
  /// is not given.
  const Value* entry_of(const Value& document, const std::string& field_path, std::string_view key, Presence presence,
                        std::string_view doc);

  void read(const Value& value, const std::string& path, Range, bool& out);
  void read(const Value& value, const std::string& path, Range, std::string& out);
  void read(const Value& value, const std::string& path, Range range, double& out);
  void read(const Value& value, const std::string& path, Range range, std::int64_t& out);

  /// Position of a text among the names; their number where it is none of them.
  std::size_t read_name(const Value& value, const std::string& path, std::span<const std::string_view> names);
  /// Bits of the positions of a list's texts among the names.
  std::uint32_t read_names(const Value& value, const std::string& path, std::span<const std::string_view> names);
  /// The items of a list that is not empty; null where it is no such list.
  const Value::List* read_items(const Value& value, const std::string& path);
  /// The document itself, or that of the catalogue which it names; null where the catalogue has none.
  const Value* resolved(const Value& value, const std::string& path, std::string_view kind);

  const Catalogue& catalogue_;  // NOLINT(*-non-private-member-variables-in-classes)
  std::vector<Problem> problems_;
};

template <class T>
struct is_vector : std::false_type {};
template <class T>
struct is_vector<std::vector<T>> : std::true_type {};

class Decoder : public Reader {
 public:
  using Reader::Reader;

  /// Fills `spec` from a table; whatever is wrong is noted and the field keeps its default.
  template <class Spec>
  void read_table(const Value& document, const std::string& path, Spec& spec) {
    if (!document.is_table()) {
      note(path, document.describe(), "must be a table of fields");
      return;
    }
    std::apply([&](const auto&... field) { refuse_unknown_keys(document, path, {field.key...}); }, Spec::fields());
    const std::size_t before = problems_.size();
    std::apply([&](const auto&... field) { (read_field(document, path, field, spec), ...); }, Spec::fields());
    // Rules between fields make sense only where each field by itself is right.
    if (problems_.size() == before) complete(spec, path, catalogue_, problems_);
  }

 private:
  using Reader::read;

  template <class Spec, class T>
  void read_field(const Value& document, const std::string& path, const Field<Spec, T>& field, Spec& spec) {
    const std::string field_path = path_to(path, field.key);
    const Value* entry = entry_of(document, field_path, field.key, field.presence, field.doc);
    if (entry != nullptr) read(*entry, field_path, field.range, spec.*field.member);
  }

  template <class E>
    requires std::is_enum_v<E>
  void read(const Value& value, const std::string& path, Range, E& out) {
    const std::size_t position = read_name(value, path, EnumNames<E>::names);
    if (position < EnumNames<E>::names.size()) out = static_cast<E>(position);
  }

  template <class E>
  void read(const Value& value, const std::string& path, Range, EnumSet<E>& out) {
    out.bits = read_names(value, path, EnumNames<E>::names);
  }

  template <class Spec>
    requires requires { Spec::kind; }
  void read(const Value& value, const std::string& path, Range, Spec& out) {
    const Value* document = resolved(value, path, Spec::kind);
    if (document != nullptr) read_table(*document, path, out);
  }

  template <class List>
    requires is_vector<List>::value
  void read(const Value& value, const std::string& path, Range, List& out) {
    const Value::List* items = read_items(value, path);
    for (std::size_t i = 0; items != nullptr && i < items->size(); ++i) {
      read_table((*items)[i], item_path(path, i), out.emplace_back());
    }
  }
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
/// Adds an entry, but for an empty text: one that was never given has no spelling that `decode` accepts.
void add_entry(Value::Table& table, std::string_view key, Value&& value);
template <class Spec>
  requires requires { Spec::kind; }
Value encoded(const Spec& spec) {
  Value::Table table;
  const auto add = [&](const auto& field) {
    if (!absent(field, spec.*field.member)) add_entry(table, field.key, encoded(spec.*field.member));
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
