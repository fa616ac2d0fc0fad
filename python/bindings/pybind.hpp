// The first include of every binding file, so that all of them see the same type casters.
#pragma once

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <pybind11/typing.h>

#include "ampacity/ampacity.hpp"

namespace py = pybind11;

namespace ampacity::python {

/// What `pickle` keeps of an object.
using State = py::typing::Tuple<py::object, py::ellipsis>;

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
void bind_collective(py::module_& module);
void bind_kernels(py::module_& module);
void bind_network(py::module_& module);
void bind_communication(py::module_& module);
void bind_pipeline(py::module_& module);
void bind_simulate(py::module_& module);

}  // namespace ampacity::python
