// Exceptions: every C++ error has a Python class, and InvalidSpec carries its problems.
#include "pybind.hpp"

namespace ampacity::python {
namespace {

struct ErrorClasses {
  py::object error;
  py::object invalid_spec;
  py::object unknown_name;
  py::object infeasible;
};

PYBIND11_CONSTINIT py::gil_safe_call_once_and_store<ErrorClasses> classes;

const ErrorClasses& error_classes() {
  return classes.get_stored();
}

py::object make_class(py::module_& module, const char* name, const char* doc, const py::tuple& bases) {
  const std::string full_name = "ampacity._core." + std::string(name);
  const auto made =
      py::reinterpret_steal<py::object>(PyErr_NewExceptionWithDoc(full_name.c_str(), doc, bases.ptr(), nullptr));
  if (!made) throw py::error_already_set();
  module.attr(name) = made;
  return made;
}

std::vector<Problem> problems_of(const py::object& error) {
  const py::tuple args = error.attr("args");
  return args.empty() ? std::vector<Problem>{} : args[0].cast<std::vector<Problem>>();
}

/// As `InvalidSpec::what`, which would end at a zero byte of the user's.
std::string text_of(const std::vector<Problem>& problems) {
  if (problems.size() == 1) return problems.front().text();
  std::string text = std::to_string(problems.size()) + " problems:";
  for (const Problem& problem : problems) text += "\n  - " + problem.text();
  return text;
}

void add_problems(const py::object& invalid_spec) {
  const char* doc = "Everything that is wrong, in the order of the input.";
  const py::cpp_function getter([](const py::object& self) { return problems_of(self); }, py::name("problems"),
                                py::arg("self"), doc);
  const py::object property = py::module_::import("builtins").attr("property");
  invalid_spec.attr("problems") = property(getter, py::none(), py::none(), doc);
  invalid_spec.attr("__str__") = py::cpp_function([](const py::object& self) { return text_of(problems_of(self)); },
                                                  py::name("__str__"), py::is_method(invalid_spec));
}

void translate(std::exception_ptr error) {  // NOLINT(performance-unnecessary-value-param): pybind11's signature
  try {
    if (error) std::rethrow_exception(error);
  } catch (const InvalidSpec& invalid) {
    const py::tuple args = py::make_tuple(py::cast(invalid.problems()));
    PyErr_SetObject(error_classes().invalid_spec.ptr(), args.ptr());
  } catch (const UnknownName& unknown) {
    py::set_error(error_classes().unknown_name, unknown.what());
  } catch (const Infeasible& infeasible) {
    py::set_error(error_classes().infeasible, infeasible.what());
  } catch (const Error& other) {
    py::set_error(error_classes().error, other.what());
  }
}

std::string quoted(const std::string& text) {
  return py::repr(py::str(text));
}

void bind_problem(py::module_& module) {
  py::class_<Problem>(module, "Problem", "One thing that is wrong with what the user said.")
      .def(py::init([](std::string path, std::string value, std::string rule, std::string hint) {
             return Problem{std::move(path), std::move(value), std::move(rule), std::move(hint)};
           }),
           py::kw_only(), py::arg("path"), py::arg("value") = "", py::arg("rule"), py::arg("hint") = "")
      .def_readonly("path", &Problem::path, "Where: ``layout.tp``, ``model.heads``.")
      .def_readonly("value", &Problem::value, "What was given.")
      .def_readonly("rule", &Problem::rule, "What is allowed.")
      .def_readonly("hint", &Problem::hint, "What would be right, or the nearest valid name; may be empty.")
      .def("__str__", &Problem::text)
      .def("__repr__",
           [](const Problem& self) {
             return "ampacity.Problem(path=" + quoted(self.path) + ", value=" + quoted(self.value) +
                    ", rule=" + quoted(self.rule) + ", hint=" + quoted(self.hint) + ")";
           })
      .def(
          "__eq__",
          [](const Problem& self, const py::object& other) {
            return py::isinstance<Problem>(other) && self == other.cast<const Problem&>();
          },
          py::arg("other"))
      .def("__hash__", [](const Problem& self) { return py::hash(py::str(self.text())); })
      .def(py::pickle(
          [](const Problem& self) { return State(py::make_tuple(self.path, self.value, self.rule, self.hint)); },
          [](const State& state) {
            return Problem{state[0].cast<std::string>(), state[1].cast<std::string>(), state[2].cast<std::string>(),
                           state[3].cast<std::string>()};
          }));
}

}  // namespace

void bind_errors(py::module_& module) {
  bind_problem(module);
  classes.call_once_and_store_result([&module] {
    const auto builtin = [](PyObject* type) { return py::reinterpret_borrow<py::object>(type); };
    ErrorClasses made;
    made.error = make_class(module, "Error", "Base of every error that Ampacity raises.",
                            py::make_tuple(builtin(PyExc_Exception)));
    made.invalid_spec = make_class(module, "InvalidSpec",
                                   "The scenario cannot be used; ``problems`` names everything that is wrong with it.",
                                   py::make_tuple(made.error, builtin(PyExc_ValueError)));
    add_problems(made.invalid_spec);
    made.unknown_name =
        make_class(module, "UnknownName", "The catalogue has no such entry; the message names the nearest.",
                   py::make_tuple(made.error, builtin(PyExc_LookupError)));
    made.infeasible =
        make_class(module, "Infeasible", "Nothing that was searched fits the cluster.", py::make_tuple(made.error));
    return made;
  });
  py::register_local_exception_translator(translate);
}

}  // namespace ampacity::python
