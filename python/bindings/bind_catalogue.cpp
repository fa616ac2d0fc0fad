// The catalogue. bind_spec.hpp adds one look-up method for every kind of specification.
#include "conversion.hpp"

namespace ampacity::python {
namespace {

Catalogue with_documents(const Catalogue& self, const py::typing::List<py::object>& documents) {
  std::vector<Problem> problems;
  std::vector<Value> values;
  for (const py::handle document : documents) {
    const std::string path = "document[" + std::to_string(values.size()) + "]";
    values.push_back(to_value(document, path, problems));
  }
  if (!problems.empty()) throw InvalidSpec(std::move(problems));
  return self.with(values);
}

}  // namespace

CatalogueClass bind_catalogue(py::module_& module) {
  CatalogueClass catalogue(module, "Catalogue",
                           R"(Every product, fabric, site, cluster, model and software known by name.

Immutable and safe to share between threads.

Examples
--------
>>> import ampacity
>>> catalogue = ampacity.Catalogue.builtin()
>>> "h100-sxm" in catalogue.names("accelerator")
True
>>> catalogue.accelerator("h100-sxm").tdp_w
700.0
)");
  catalogue.def_static(
               "builtin", [] { return Catalogue::builtin(); }, "The catalogue that comes with the library.")
      .def("kinds", &Catalogue::kinds, "Kinds of documents, sorted.")
      .def("names", &Catalogue::names, py::arg("kind"), "Names of one kind, sorted.")
      .def("contains", &Catalogue::contains, py::arg("kind"), py::arg("name"), "Whether there is such a document.")
      .def(
          "document",
          [](const Catalogue& self, std::string_view kind, std::string_view name) {
            return py::typing::Dict<py::str, py::object>(to_python(self.document(kind, name)));
          },
          py::arg("kind"), py::arg("name"),
          "The document as written: values may be tables of ``value``, ``source`` and ``confidence``.")
      .def(
          "with_documents", &with_documents, py::arg("documents"),
          "A catalogue that also has these documents (mappings with ``kind`` and ``name``), which replace those of the "
          "same kind and name.");
  return catalogue;
}

}  // namespace ampacity::python
