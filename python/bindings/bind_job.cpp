// What runs: models, software, training jobs, layouts.
#include "bind_spec.hpp"

namespace ampacity::python {

void bind_job(py::module_& module, CatalogueClass& catalogue) {
  bind_named<Model>(module, catalogue, "Model",
                    "Architecture of a decoder-only transformer, and the recipe that it was published with.");
  bind_named<Software>(module, catalogue, "Software",
                       "Parameters of a software release. Each holds for every model and cluster it runs on.");
  bind_spec<Training>(module, "Training", "A pre-training job.", 1);
  bind_spec<Layout>(module, "Layout", "A parallel layout. The job runs on tp * pp * cp * dp accelerators.")
      .def_property_readonly("accelerators", &Layout::accelerators, "tp * pp * cp * dp.");
}

}  // namespace ampacity::python
