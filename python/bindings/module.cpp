// The extension module ampacity._core: one bind_<subject>.cpp per subject, called in the order of their dependencies.
#include "ampacity/version.hpp"
#include "pybind.hpp"

PYBIND11_MODULE(_core, module, py::mod_gil_not_used()) {
  using namespace ampacity::python;
  module.doc() = "The compiled core of Ampacity. Use it through the package `ampacity`.";
  module.attr("__version__") = ampacity::version;

  bind_errors(module);
  CatalogueClass catalogue = bind_catalogue(module);
  bind_hardware(module, catalogue);
  bind_cluster(module, catalogue);
  bind_job(module, catalogue);
  bind_explain(module);
  bind_results(module);
  bind_functions(module);
  bind_batch(module);
  bind_caps(module);
  bind_kernels(module);
  bind_network(module);
  bind_communication(module);
  bind_collective(module);
  bind_pipeline(module);
  bind_simulate(module);
  bind_load(module);
  bind_tariff(module);
  bind_site_power(module);
}
