// The first include of every binding file, so that all of them see the same type casters.
#pragma once

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <pybind11/typing.h>

#include <functional>

#include "ampacity/ampacity.hpp"

namespace py = pybind11;

namespace ampacity::python {

/// What `pickle` keeps of an object.
using State = py::typing::Tuple<py::object, py::ellipsis>;

/// Runs long work without the interpreter. It gets a function to ask now and then, which says false on Ctrl-C; the work
/// then throws `Cancelled`, and Python sees its KeyboardInterrupt.
template <class Work>
auto interruptible(const Work& work) {
  const std::function<bool()> proceed = [] {
    const py::gil_scoped_acquire gil;
    return PyErr_CheckSignals() == 0;
  };
  try {
    const py::gil_scoped_release release;
    return work(proceed);
  } catch (const Cancelled&) {
    throw py::error_already_set();
  }
}

/// The Python class of the catalogue; specifications add their look-up methods to it.
using CatalogueClass = py::class_<Catalogue>;

void bind_errors(py::module_& module);
CatalogueClass bind_catalogue(py::module_& module);
void bind_hardware(py::module_& module, CatalogueClass& catalogue);
void bind_cluster(py::module_& module, CatalogueClass& catalogue);
void bind_job(py::module_& module, CatalogueClass& catalogue);
void bind_explain(py::module_& module);
void bind_results(py::module_& module);
void bind_functions(py::module_& module);
void bind_batch(py::module_& module);
void bind_caps(py::module_& module);
void bind_collective(py::module_& module);
void bind_kernels(py::module_& module);
void bind_load(py::module_& module);
void bind_tariff(py::module_& module);
void bind_network(py::module_& module);
void bind_communication(py::module_& module);
void bind_pipeline(py::module_& module);
void bind_simulate(py::module_& module);
void bind_site_power(py::module_& module);

}  // namespace ampacity::python
