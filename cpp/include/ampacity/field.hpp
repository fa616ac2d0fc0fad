// The described table behind every specification: one list of fields per struct, read by the file reader,
// the validator, the Python bindings and the documentation alike, so that a rule is stated once. `fields()` is a
// template only so that its tuple is built where it is walked: elsewhere it would cost most of the compile time.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <string_view>
#include <type_traits>

namespace ampacity {

/// Allowed closed interval of a number, in the field's unit. An optional number whose interval leaves out 0 is 0 where
/// it was not given (and nothing else gave it).
struct Range {
  double minimum = 0.0;
  double maximum = std::numeric_limits<double>::max();
};

enum class Presence { required, optional };

/// One field of `Spec`. `key` ends in its SI unit (`_s`, `_w`, `_bytes`, `_bytes_per_s`, `_fraction`, ...).
template <class Spec, class T>
struct Field {
  std::string_view key;
  T Spec::* member;
  Presence presence;
  Range range;
  std::string_view doc;
};

template <class Spec, class T>
constexpr Field<Spec, T> required(std::string_view key, T Spec::* member, Range range, std::string_view doc) {
  return {key, member, Presence::required, range, doc};
}
template <class Spec, class T>
constexpr Field<Spec, T> required(std::string_view key, T Spec::* member, std::string_view doc) {
  return {key, member, Presence::required, {}, doc};
}
template <class Spec, class T>
constexpr Field<Spec, T> optional(std::string_view key, T Spec::* member, Range range, std::string_view doc) {
  return {key, member, Presence::optional, range, doc};
}
template <class Spec, class T>
constexpr Field<Spec, T> optional(std::string_view key, T Spec::* member, std::string_view doc) {
  return {key, member, Presence::optional, {}, doc};
}

/// A set of values of an enumeration, as cheap as a number. Documents spell it as a list of names.
template <class E>
struct EnumSet {
  std::uint32_t bits = 0;

  [[nodiscard]] static constexpr std::uint32_t bit(E value) { return std::uint32_t{1} << static_cast<unsigned>(value); }
  [[nodiscard]] constexpr bool contains(E value) const { return (bits & bit(value)) != 0; }
  [[nodiscard]] constexpr bool empty() const { return bits == 0; }
  constexpr void insert(E value) { bits |= bit(value); }
  friend constexpr bool operator==(const EnumSet&, const EnumSet&) = default;
};

/// Names of an enumeration, in the order of its values (which count from 0). Specialised beside each enumeration.
template <class E>
struct EnumNames;

template <class E>
  requires std::is_enum_v<E>
constexpr std::string_view name_of(E value) {
  return EnumNames<E>::names[static_cast<std::size_t>(value)];
}

}  // namespace ampacity
