// Range checks of specifications that were filled in C++ and not read from a document. No text is made where all is
// well.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <vector>

#include "ampacity/error.hpp"
#include "ampacity/field.hpp"

namespace ampacity::spec {

/// `path.key`
[[nodiscard]] std::string path_to(const std::string& path, std::string_view key);
/// `path[position]`
[[nodiscard]] std::string item_path(const std::string& path, std::size_t position);

template <class Spec>
[[nodiscard]] bool in_range(const Spec& spec);

/// Whether an optional number or part was not given.
template <class Spec, class T>
[[nodiscard]] bool absent(const Field<Spec, T>& field, const T& value) {
  if constexpr (std::is_arithmetic_v<T> && !std::is_same_v<T, bool>) {
    if (field.presence != Presence::optional || field.range.minimum <= 0 || value != T{}) return false;
    // Where the default is another number (degrees of a layout), 0 was given.
    if constexpr (std::is_trivially_copyable_v<Spec>) return Spec{}.*field.member == T{};
    return true;
  } else if constexpr (requires { T::kind; }) {
    return field.presence == Presence::optional && value == T{};
  } else if constexpr (requires { T::value_type::kind; }) {
    return field.presence == Presence::optional && value.empty();
  } else {
    return false;
  }
}

namespace detail {

inline bool value_in_range(double value, Range range) {
  return value >= range.minimum && value <= range.maximum;  // false for NaN
}
inline bool value_in_range(std::int64_t value, Range range) {
  return value_in_range(static_cast<double>(value), range);
}
inline bool value_in_range(bool, Range) {
  return true;
}
inline bool value_in_range(const std::string&, Range) {
  return true;
}
template <class E>
  requires std::is_enum_v<E>
bool value_in_range(E value, Range) {
  return static_cast<std::size_t>(value) < EnumNames<E>::names.size();
}
template <class E>
bool value_in_range(const EnumSet<E>& set, Range) {
  return (set.bits >> EnumNames<E>::names.size()) == 0;
}
template <class Spec>
  requires requires { Spec::kind; }
bool value_in_range(const Spec& spec, Range) {
  return in_range(spec);
}
template <class T>
bool value_in_range(const std::vector<T>& items, Range) {
  for (const T& item : items) {
    if (!in_range(item)) return false;
  }
  return !items.empty();
}

void describe(double value, Range range, const std::string& path, std::vector<Problem>& problems);
inline void describe(std::int64_t value, Range range, const std::string& path, std::vector<Problem>& problems) {
  describe(static_cast<double>(value), range, path, problems);
}
template <class Spec>
void describe_fields(const Spec& spec, const std::string& path, std::vector<Problem>& problems);
template <class Spec>
  requires requires { Spec::kind; }
void describe(const Spec& spec, Range, const std::string& path, std::vector<Problem>& problems) {
  describe_fields(spec, path, problems);
}
template <class T>
void describe(const std::vector<T>& items, Range, const std::string& path, std::vector<Problem>& problems) {
  if (items.empty()) problems.push_back({path, "", "must not be empty", {}});
  for (std::size_t i = 0; i < items.size(); ++i) describe_fields(items[i], item_path(path, i), problems);
}
template <class Other>
void describe(const Other&, Range, const std::string& path, std::vector<Problem>& problems) {
  problems.push_back({path, "", "is not a value that this field can have", {}});
}
template <class Spec>
void describe_fields(const Spec& spec, const std::string& path, std::vector<Problem>& problems) {
  const auto look = [&](const auto& field) {
    const auto& value = spec.*field.member;
    if (!value_in_range(value, field.range) && !absent(field, value))
      describe(value, field.range, path_to(path, field.key), problems);
  };
  std::apply([&](const auto&... field) { (look(field), ...); }, Spec::fields());
}

}  // namespace detail

/// Whether every number of the specification, nested ones included, lies in the range that its field allows.
template <class Spec>
bool in_range(const Spec& spec) {
  const auto good = [&](const auto& field) {
    return detail::value_in_range(spec.*field.member, field.range) || absent(field, spec.*field.member);
  };
  return std::apply([&](const auto&... field) { return (good(field) && ...); }, Spec::fields());
}

/// Adds a problem for each number out of range, with its path.
template <class Spec>
void check_ranges(const Spec& spec, std::vector<Problem>& problems) {
  if (!in_range(spec)) detail::describe_fields(spec, std::string(Spec::kind), problems);
}

}  // namespace ampacity::spec
