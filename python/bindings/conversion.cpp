#include "conversion.hpp"

#include <cmath>
#include <optional>

namespace ampacity::python {
namespace {

/// Deeper input is a mistake, most likely a container that holds itself.
constexpr int deepest = 32;

class Converter {
 public:
  explicit Converter(std::vector<Problem>& problems) : problems_(problems) {}

  Value convert(py::handle object, const std::string& path, int depth) {
    if (depth <= 1) field_path_ = path;
    if (object.is_none()) return {};
    if (PyBool_Check(object.ptr()) != 0) return object.ptr() == Py_True;
    if (PyLong_Check(object.ptr()) != 0) return integer(object);
    if (PyFloat_Check(object.ptr()) != 0) return PyFloat_AS_DOUBLE(object.ptr());
    if (PyUnicode_Check(object.ptr()) != 0) return text(object, path);
    if (std::optional<Value> spec = specification(object)) return *std::move(spec);
    if (depth >= deepest)
      return refuse(object, field_path_, "must not be nested this deeply (does it contain itself?)");
    if (PyDict_Check(object.ptr()) != 0 || is_abstract(object, "Mapping")) return table(object, path, depth);
    if (PyList_Check(object.ptr()) != 0 || PyTuple_Check(object.ptr()) != 0) return list(object, path, depth);
    return number_like(object, path);
  }

 private:
  Value refuse(py::handle object, const std::string& path, std::string rule) {
    problems_.push_back({path, py::str(py::type::handle_of(object).attr("__name__")), std::move(rule), {}});
    return {};
  }

  static Value integer(py::handle object) {
    int overflow = 0;
    const long long number = PyLong_AsLongLongAndOverflow(object.ptr(), &overflow);
    if (overflow == 0) {
      if (number == -1 && PyErr_Occurred() != nullptr) throw py::error_already_set();
      return static_cast<std::int64_t>(number);
    }
    // Too large for an integer field, yet perhaps not for a real one; beyond the reals it is infinite.
    const double real = PyLong_AsDouble(object.ptr());
    if (real == -1.0 && PyErr_Occurred() != nullptr) {
      PyErr_Clear();
      return overflow > 0 ? HUGE_VAL : -HUGE_VAL;
    }
    return real;
  }

  Value text(py::handle object, const std::string& path) {
    Py_ssize_t size = 0;
    const char* data = PyUnicode_AsUTF8AndSize(object.ptr(), &size);
    if (data == nullptr) {
      PyErr_Clear();
      return refuse(object, path, "must be a text that UTF-8 can spell");
    }
    return std::string(data, static_cast<std::size_t>(size));
  }

  template <class... Specs>
  static std::optional<Value> encoded(py::handle object) {
    std::optional<Value> value;
    ((py::isinstance<Specs>(object) && (value = encode(object.cast<const Specs&>()), true)) || ...);
    return value;
  }

  static std::optional<Value> specification(py::handle object) {
    return encoded<Architecture, Accelerator, Nic, LoadPoint, Supply, Node, Switch, Optic, LineSystem, Fabric, Grid,
                   ClimateMonth, Climate, CoolingLoop, Plant, Generation, Site, Reliability, Partition, Cluster, Model,
                   Software, Training, Layout, MaskPoint>(object);
  }

  static bool is_abstract(py::handle object, const char* name) {
    return py::isinstance(object, py::module_::import("collections.abc").attr(name));
  }

  Value list(py::handle object, const std::string& path, int depth) {
    Value::List items;
    for (const py::handle item : object) {
      items.push_back(convert(item, path + "[" + std::to_string(items.size()) + "]", depth + 1));
    }
    return items;
  }

 public:
  Value table(py::handle mapping, const std::string& path, int depth) {
    Value::Table entries;
    for (const py::handle item : mapping.attr("items")()) {
      const auto pair = py::reinterpret_borrow<py::tuple>(item);
      const Value key = convert(pair[0], path, deepest);
      const auto* name = key.get_if<std::string>();
      if (name == nullptr) {
        refuse(pair[0], path, "keys must be texts");
        continue;
      }
      entries.emplace_back(*name, convert(pair[1], path + "." + *name, depth + 1));
    }
    return entries;
  }

 private:
  /// numpy scalars and arrays without dimensions, and whatever else says that it is a number.
  Value number_like(py::handle object, const std::string& path) {
    if (py::hasattr(object, "dtype") && py::hasattr(object, "item")) {
      if (py::getattr(object, "ndim", py::int_(0)).equal(py::int_(0))) {
        const py::object plain = object.attr("item")();
        if (!py::hasattr(plain, "dtype")) return convert(plain, path, deepest);
      }
      return refuse(object, path, "must be a single value, not an array");
    }
    if (PyIndex_Check(object.ptr()) != 0) {
      const auto index = py::reinterpret_steal<py::object>(PyNumber_Index(object.ptr()));
      if (index) return integer(index);
      PyErr_Clear();
    } else if (py::hasattr(object, "__float__")) {
      const double real = PyFloat_AsDouble(object.ptr());
      if (PyErr_Occurred() == nullptr) return real;
      PyErr_Clear();
    }
    return refuse(object, path, "has a type that no field takes");
  }

  std::vector<Problem>& problems_;
  std::string field_path_;  // the field that is being read, without what is nested in it
};

}  // namespace

Value to_value(py::handle object, const std::string& path, std::vector<Problem>& problems) {
  return Converter(problems).convert(object, path, 0);
}

void add_entries(Value& table, py::handle mapping, const std::string& path, std::vector<Problem>& problems) {
  const Value entries = Converter(problems).table(mapping, path, 0);
  for (const auto& [key, value] : *entries.get_if<Value::Table>()) table.set(key, value);
}

py::object to_python(const Value& value) {
  if (const bool* flag = value.get_if<bool>()) return py::bool_(*flag);
  if (const auto* integer = value.get_if<std::int64_t>()) return py::int_(*integer);
  if (const double* real = value.get_if<double>()) return py::float_(*real);
  if (const auto* text = value.get_if<std::string>()) return py::str(*text);
  if (const auto* items = value.get_if<Value::List>()) {
    py::list list;
    for (const Value& item : *items) list.append(to_python(item));
    return list;
  }
  if (const auto* entries = value.get_if<Value::Table>()) {
    py::dict table;
    for (const auto& [key, entry] : *entries) table[py::str(key)] = to_python(entry);
    return table;
  }
  return py::none();
}

}  // namespace ampacity::python
