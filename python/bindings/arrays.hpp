// Columns between numpy and the core, and names of enumerations.
#pragma once

#include <pybind11/numpy.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "pybind.hpp"

namespace ampacity::python {

using Doubles = py::array_t<double, py::array::c_style>;
using Integers = py::array_t<std::int64_t, py::array::c_style>;
// What is not of that type is converted.
using ForcedDoubles = py::array_t<double, py::array::c_style | py::array::forcecast>;
using ForcedIntegers = py::array_t<std::int64_t, py::array::c_style | py::array::forcecast>;

template <class T>
std::span<const T> values_of(const py::array_t<T, py::array::c_style>& array) {
  return {array.data(), static_cast<std::size_t>(array.size())};
}

template <class T>
std::vector<T> vector_of(const py::array_t<T, py::array::c_style>& array) {
  const std::span<const T> values = values_of(array);
  return {values.begin(), values.end()};
}

/// Hands a column to numpy, which may read it only.
template <class T>
py::array_t<T> read_only(std::vector<T>&& values) {
  auto owned = std::make_unique<std::vector<T>>(std::move(values));
  const std::vector<T>& column = *owned;
  const py::capsule owner(owned.release(), [](void* memory) { delete static_cast<std::vector<T>*>(memory); });
  py::array_t<T> array(static_cast<py::ssize_t>(column.size()), column.data(), owner);
  array.attr("setflags")(py::arg("write") = false);
  return array;
}

/// A read-only array that looks at memory of `owner` and keeps it alive; one value for all rows repeats itself.
template <class T>
py::array_t<T> view(std::span<const T> values, std::size_t rows, py::handle owner) {
  const py::ssize_t stride = values.size() == rows ? static_cast<py::ssize_t>(sizeof(T)) : 0;
  py::array_t<T> array({static_cast<py::ssize_t>(rows)}, {stride}, values.data(), owner);
  array.attr("setflags")(py::arg("write") = false);
  return array;
}

using Names = py::typing::Tuple<py::str, py::ellipsis>;

template <class Strings>
Names names_of(const Strings& strings) {
  py::list list;
  for (const auto& text : strings) list.append(py::str(std::string(text)));
  return Names(py::tuple(list));
}

/// The names of columns, or what they hold.
template <class Infos>
Names infos(const Infos& columns, std::string_view ColumnInfo::* member) {
  std::vector<std::string_view> texts;
  for (const ColumnInfo& info : columns) texts.push_back(info.*member);
  return names_of(texts);
}
/// \throws InvalidSpec naming all that are known, and the nearest.
template <class Enum>
Enum enum_named(const std::string& path, const std::string& name) {
  std::vector<std::string> known;
  std::string rule = "must be one of";
  for (std::size_t i = 0; i < EnumNames<Enum>::names.size(); ++i) {
    known.emplace_back(EnumNames<Enum>::names[i]);
    if (name == known.back()) return static_cast<Enum>(i);
    rule += (i == 0 ? " " : ", ") + known.back();
  }
  const std::vector<std::string> near = nearest_names(name, known);
  throw InvalidSpec({{path, '"' + name + '"', rule, near.empty() ? "" : "did you mean " + near[0] + "?"}});
}

}  // namespace ampacity::python
