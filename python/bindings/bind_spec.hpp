// One template binds every specification from its field table: a frozen class with typed read-only properties.
#pragma once

#include <functional>
#include <optional>

#include "conversion.hpp"
#include "spec_text.hpp"

namespace ampacity::python {

/// Version of the pickled form: (version, table).
inline constexpr int pickle_version = 1;

template <class Spec>
Spec spec_from(const Value& base, py::handle changes, const Catalogue& catalogue = Catalogue::builtin()) {
  std::vector<Problem> problems;
  Value document = base.is_null() ? Value(Value::Table{}) : base;
  add_entries(document, changes, std::string(Spec::kind), problems);
  return decode_checked<Spec>(document, catalogue, std::move(problems));
}

/// The keyword arguments, with the leading positional ones added under their field's name.
py::dict named_arguments(const std::vector<std::string>& keys, const py::args& args, const py::dict& kwargs,
                         std::size_t positional);

[[nodiscard]] std::size_t mixed_hash(std::size_t seed, std::size_t hash);

template <class T>
std::size_t hash_of(const T& value) {
  if constexpr (is_specification<T>) {
    std::size_t seed = 0;
    const auto mix = [&](const auto& field) { seed = mixed_hash(seed, hash_of(value.*field.member)); };
    std::apply([&](const auto&... field) { (mix(field), ...); }, T::fields());
    return seed;
  } else if constexpr (is_list<T>) {
    std::size_t seed = value.size();
    for (const auto& item : value) seed = seed * 31U + hash_of(item);
    return seed;
  } else if constexpr (is_enum_set<T>) {
    return value.bits;
  } else {
    return std::hash<T>{}(value);
  }
}

template <class Spec, class T>
void bind_field(py::class_<Spec>& type, const Field<Spec, T>& field) {
  const std::string name(field.key);
  const std::string doc(field.doc);
  const auto member = field.member;
  if constexpr (std::is_enum_v<T>) {
    type.def_property_readonly(
        name.c_str(), [member](const Spec& self) { return std::string(name_of(self.*member)); }, doc.c_str());
  } else if constexpr (is_enum_set<T>) {
    using Names = py::typing::Tuple<py::str, py::ellipsis>;
    type.def_property_readonly(
        name.c_str(), [member](const Spec& self) { return Names(py::tuple(py::cast(names_in(self.*member)))); },
        doc.c_str());
  } else if constexpr (is_list<T>) {
    using Items = py::typing::Tuple<typename T::value_type, py::ellipsis>;
    type.def_property_readonly(
        name.c_str(), [member](const Spec& self) { return Items(py::tuple(py::cast(self.*member))); }, doc.c_str());
  } else {
    type.def_readonly(name.c_str(), member, doc.c_str());
  }
}

/// Constructor and `replace` take any keywords, so that one C++ rule book names every mistake; the signature that
/// editors and type checkers see is written from the same field table.
template <class Spec>
void bind_constructors(py::class_<Spec>& type, const char* name, std::size_t positional) {
  py::options options;
  options.disable_function_signatures();
  const std::string self = "self: ampacity._core." + std::string(name);
  const std::string init = "__init__(" + self + parameters<Spec>(positional, true) + ") -> None";
  const std::string replace = "replace(" + self + parameters<Spec>(0, false) + ") -> ampacity._core." + name +
                              "\n\nA copy with other values in these fields.";
  type.def(py::init([positional](const py::args& args, const py::KWArgs<py::object>& kwargs) {
             return spec_from<Spec>({}, named_arguments(field_keys<Spec>(), args, kwargs, positional));
           }),
           init.c_str());
  type.def(
      "replace",
      [](const Spec& self_, const py::KWArgs<py::object>& changes) { return spec_from<Spec>(encode(self_), changes); },
      replace.c_str());
}

template <class Spec>
void bind_documents(py::class_<Spec>& type) {
  type.def_static(
      "from_dict",
      [](const py::typing::Dict<py::str, py::object>& document, const std::optional<Catalogue>& catalogue) {
        return spec_from<Spec>({}, document, catalogue ? *catalogue : Catalogue::builtin());
      },
      py::arg("document"), py::kw_only(), py::arg("catalogue") = py::none(),
      "Reads what ``to_dict`` or a TOML file says; names are looked up in the catalogue (default: the built-in one).");
  type.def(
      "to_dict", [](const Spec& self) { return py::typing::Dict<py::str, py::object>(to_python(encode(self))); },
      "The fields as plain Python types.");
  type.def(py::pickle([](const Spec& self) { return State(py::make_tuple(pickle_version, to_python(encode(self)))); },
                      [](const State& state) {
                        if (state.size() != 2 || state[0].cast<int>() != pickle_version) {
                          throw Error("this " + std::string(Spec::kind) +
                                      " was pickled by another version of Ampacity");
                        }
                        return spec_from<Spec>({}, state[1]);
                      }));
}

/// Binds `Spec` as the frozen class `name`; the first `positional` fields may be given without their names.
template <class Spec>
py::class_<Spec> bind_spec(py::module_& module, const char* name, const char* summary, std::size_t positional = 0) {
  py::class_<Spec> type(module, name, class_doc<Spec>(name, summary).c_str());
  bind_constructors(type, name, positional);
  std::apply([&](const auto&... field) { (bind_field(type, field), ...); }, Spec::fields());
  bind_documents(type);
  const std::string class_name = name;
  type.def("__repr__", [class_name](const Spec& self) { return literal_of(self, class_name); });
  type.def(
      "__eq__",
      [](const Spec& self, const py::object& other) {
        return py::isinstance<Spec>(other) && self == other.cast<const Spec&>();
      },
      py::arg("other"));
  type.def("__hash__", [](const Spec& self) { return static_cast<py::ssize_t>(hash_of(self) >> 1U); });
  return type;
}

/// The same for a kind that the catalogue keeps: also adds `Catalogue.<kind>(name)`.
template <class Spec>
py::class_<Spec> bind_named(py::module_& module, CatalogueClass& catalogue, const char* name, const char* summary) {
  py::class_<Spec> type = bind_spec<Spec>(module, name, summary);
  const std::string doc = "The " + std::string(Spec::kind) + " of that name.";
  catalogue.def(
      std::string(Spec::kind).c_str(), [](const Catalogue& self, std::string_view key) { return self.get<Spec>(key); },
      py::arg("name"), doc.c_str());
  return type;
}

}  // namespace ampacity::python
