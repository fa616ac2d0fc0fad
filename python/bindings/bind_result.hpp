// One template binds every result struct from its list of items.
#pragma once

#include <string>
#include <type_traits>
#include <vector>

#include "bind_spec.hpp"
#include "described.hpp"
#include "question.hpp"

namespace ampacity::python {

template <class T>
inline constexpr bool is_result = requires { Described<T>::items(); };

template <class T>
bool same(const T& a, const T& b) {
  if constexpr (is_result<T>) {
    return std::apply([&](const auto&... item) { return (same(a.*item.member, b.*item.member) && ...); },
                      Described<T>::items());
  } else if constexpr (is_list<T>) {
    bool equal = a.size() == b.size();
    for (std::size_t i = 0; equal && i < a.size(); ++i) equal = same(a[i], b[i]);
    return equal;
  } else {
    return a == b;
  }
}

template <class T>
std::size_t result_hash(const T& value) {
  if constexpr (is_result<T>) {
    std::size_t seed = 0;
    const auto mix = [&seed](std::size_t hash) { seed = seed * 31U + hash; };
    std::apply([&](const auto&... item) { (mix(result_hash(value.*item.member)), ...); }, Described<T>::items());
    return seed;
  } else if constexpr (is_list<T>) {
    std::size_t seed = value.size();
    for (const auto& item : value) seed = seed * 31U + result_hash(item);
    return seed;
  } else {
    return hash_of(value);
  }
}

/// What pickle keeps of a field.
template <class T>
py::object state_of(const T& value) {
  if constexpr (std::is_enum_v<T>) {
    return py::int_(static_cast<int>(value));
  } else if constexpr (std::is_same_v<T, Breakdown>) {
    return py::cast(ToldBreakdown{value, {}});
  } else {
    return py::cast(value);
  }
}

template <class T>
T from_state(const py::handle state) {
  if constexpr (std::is_enum_v<T>) {
    return static_cast<T>(state.cast<int>());
  } else if constexpr (std::is_same_v<T, Breakdown>) {
    return state.cast<ToldBreakdown>();
  } else {
    return state.cast<T>();
  }
}

template <class Result>
State pickled(const Result& result) {
  return std::apply([&](const auto&... item) { return State(py::make_tuple(state_of(result.*item.member)...)); },
                    Described<Result>::items());
}

template <class Result>
Result unpickled(const State& state) {
  constexpr auto items = Described<Result>::items();
  if (state.size() != std::tuple_size_v<decltype(items)>) {
    throw Error("this result was pickled by another version of Ampacity");
  }
  Result result;
  std::size_t index = 0;
  const auto set = [&]<class T>(const Item<Result, T>& item) { result.*item.member = from_state<T>(state[index++]); };
  std::apply([&](const auto&... item) { (set(item), ...); }, items);
  return result;
}

template <class Class, class Result, class T>
void bind_item(py::class_<Class>& type, const Item<Result, T>& item) {
  const auto member = item.member;
  if constexpr (std::is_enum_v<T>) {
    type.def_property_readonly(
        item.key, [member](const Class& self) { return std::string(name_of(self.*member)); }, item.doc);
  } else if constexpr (is_list<T>) {
    using Items = py::typing::Tuple<typename T::value_type, py::ellipsis>;
    type.def_property_readonly(
        item.key, [member](const Class& self) { return Items(py::tuple(py::cast(self.*member))); }, item.doc);
  } else if constexpr (std::is_same_v<T, Breakdown>) {
    type.def_property_readonly(
        item.key, [member](const Class& self) { return ToldBreakdown{self.*member, self.question}; }, item.doc);
  } else {
    type.def_readonly(item.key, member, item.doc);
  }
}

/// Properties, comparison and hash of `Class`, which is `Result` or holds more than it.
template <class Result, class Class>
void bind_items(py::class_<Class>& type) {
  std::apply([&](const auto&... item) { (bind_item(type, item), ...); }, Described<Result>::items());
  type.def(
      "__eq__",
      [](const Class& self, const py::object& other) {
        return py::isinstance<Class>(other) && same<Result>(self, other.cast<const Class&>());
      },
      py::arg("other"));
  type.def("__hash__", [](const Class& self) { return static_cast<py::ssize_t>(result_hash<Result>(self) >> 1U); });
}

/// Binds `Result` as a frozen class; only the library makes such objects.
template <class Result>
py::class_<Result> bind_result(py::module_& module, const char* name, const char* doc) {
  py::class_<Result> type(module, name, doc);
  bind_items<Result>(type);
  type.def(py::pickle(&pickled<Result>, &unpickled<Result>));
  return type;
}

}  // namespace ampacity::python
