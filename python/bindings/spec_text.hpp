// What a specification looks like as Python source: its repr, the signature of its constructor, its documentation.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <vector>

#include "pybind.hpp"

namespace ampacity::python {

template <class T>
inline constexpr bool is_specification = requires { T::fields(); };
template <class T>
inline constexpr bool is_list = false;
template <class T>
inline constexpr bool is_list<std::vector<T>> = true;
template <class T>
inline constexpr bool is_enum_set = false;
template <class E>
inline constexpr bool is_enum_set<EnumSet<E>> = true;

template <class E>
constexpr const auto& names_of(const EnumSet<E>&) {
  return EnumNames<E>::names;
}

/// The names in a set, in the order of the enumeration.
template <class E>
std::vector<std::string> names_in(const EnumSet<E>& set) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < EnumNames<E>::names.size(); ++i) {
    if (set.contains(static_cast<E>(i))) names.emplace_back(EnumNames<E>::names[i]);
  }
  return names;
}

/// Name of the Python class that holds a specification.
template <class Spec>
std::string class_name_of() {
  return py::type::of<Spec>().attr("__name__").template cast<std::string>();
}

template <class Spec>
std::vector<std::string> field_keys() {
  std::vector<std::string> keys;
  std::apply([&](const auto&... field) { (keys.emplace_back(field.key), ...); }, Spec::fields());
  return keys;
}

template <class Spec>
std::string literal_of(const Spec& spec, const std::string& class_name);

// What the templates below do with the text of one field, whatever its type: compiled once.
void add_argument(std::string& text, std::string_view key, const std::string& literal);
void add_parameter(std::string& text, std::string_view key, const std::string& type, const std::string& default_text);
void add_documentation(std::string& text, std::string_view key, const std::string& type, Presence presence,
                       std::string_view doc, const std::string& allowed);
[[nodiscard]] std::string choices(const char* lead, std::span<const std::string_view> names);
[[nodiscard]] std::string interval_text(const Range& range);
[[nodiscard]] std::string class_text(const char* name, const char* summary, const std::string& fields);

/// A Python literal that evaluates to the value.
template <class T>
std::string literal(const T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    return value ? "True" : "False";
  } else if constexpr (std::is_enum_v<T>) {
    return "'" + std::string(name_of(value)) + "'";
  } else if constexpr (is_enum_set<T>) {
    return py::repr(py::tuple(py::cast(names_in(value))));
  } else if constexpr (is_list<T>) {
    std::string text = "[";
    for (const auto& item : value) text += (text.size() > 1 ? ", " : "") + literal(item);
    return text + "]";
  } else if constexpr (is_specification<T>) {
    if constexpr (requires { value.name; }) {
      // What the catalogue has under the same name is written as that name.
      const Catalogue& catalogue = Catalogue::builtin();
      if (catalogue.contains(T::kind, value.name) && catalogue.get<T>(value.name) == value) {
        return py::repr(py::str(value.name));
      }
    }
    return literal_of(value, class_name_of<T>());
  } else {
    return py::repr(py::cast(value));
  }
}

/// `ampacity.Layout(tp=8, pp=16)`: the fields that differ from their defaults.
template <class Spec>
std::string literal_of(const Spec& spec, const std::string& class_name) {
  const Spec defaults;
  std::string text;
  const auto add = [&](const auto& field) {
    const auto& value = spec.*field.member;
    if (field.presence == Presence::optional && value == defaults.*field.member) return;
    add_argument(text, field.key, literal(value));
  };
  std::apply([&](const auto&... field) { (add(field), ...); }, Spec::fields());
  return "ampacity." + class_name + "(" + text + ")";
}

/// Python type of an argument; a nested specification may also be a catalogue name or a table.
template <class T>
std::string argument_type() {
  if constexpr (std::is_same_v<T, bool>) {
    return "bool";
  } else if constexpr (std::is_same_v<T, std::int64_t>) {
    return "int";
  } else if constexpr (std::is_same_v<T, double>) {
    return "float";
  } else if constexpr (is_enum_set<T>) {
    return "collections.abc.Sequence[str]";
  } else if constexpr (is_list<T>) {
    return "collections.abc.Sequence[" + argument_type<typename T::value_type>() + "]";
  } else if constexpr (is_specification<T>) {
    const std::string name = requires(T value) { value.name; } ? " | str" : "";
    return "ampacity._core." + class_name_of<T>() + name + " | collections.abc.Mapping[str, object]";
  } else {
    return "str";
  }
}

template <class T>
std::string default_text(const T& value) {
  if constexpr (is_specification<T> || is_list<T>) {
    return "...";
  } else {
    return literal(value);
  }
}

/// `, *, tp: int = 1, ...`; the first `positional` fields come before the star. Without `defaults`, every field may be
/// left out.
template <class Spec>
std::string parameters(std::size_t positional, bool defaults) {
  const Spec unset;
  std::string text;
  std::size_t index = 0;
  const auto add = [&]<class T>(const Field<Spec, T>& field) {
    if (index++ == positional) text += ", *";
    const bool optional = field.presence == Presence::optional;
    const std::string otherwise = !defaults ? "..." : optional ? default_text(unset.*field.member) : "";
    add_parameter(text, field.key, argument_type<T>(), otherwise);
  };
  std::apply([&](const auto&... field) { (add(field), ...); }, Spec::fields());
  return text;
}

template <class T>
std::string allowed_values([[maybe_unused]] const Range& range) {
  if constexpr (std::is_enum_v<T>) {
    return choices(" One of ``", EnumNames<T>::names);
  } else if constexpr (is_enum_set<T>) {
    return choices(" Any of ``", names_of(T{}));
  } else if constexpr (std::is_same_v<T, double> || std::is_same_v<T, std::int64_t>) {
    return interval_text(range);
  } else {
    return {};
  }
}

template <class T>
std::string documented_type() {
  if constexpr (is_specification<T>) {
    return std::string(T::kind);
  } else if constexpr (is_list<T>) {
    return "sequence of " + std::string(T::value_type::kind);
  } else {
    return argument_type<T>();
  }
}

/// The class documentation in numpydoc style.
template <class Spec>
std::string class_doc(const char* name, const char* summary) {
  std::string text;
  const auto add = [&]<class T>(const Field<Spec, T>& field) {
    add_documentation(text, field.key, documented_type<T>(), field.presence, field.doc, allowed_values<T>(field.range));
  };
  std::apply([&](const auto&... field) { (add(field), ...); }, Spec::fields());
  return class_text(name, summary, text);
}

}  // namespace ampacity::python
