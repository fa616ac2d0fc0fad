// Where it stands and what it adds up to: grids, sites, reliability, clusters.
#include "bind_spec.hpp"

namespace ampacity::python {

void bind_cluster(py::module_& module, CatalogueClass& catalogue) {
  bind_named<Grid>(module, catalogue, "Grid", "A power grid region.");
  bind_spec<ClimateMonth>(module, "ClimateMonth", "Weather of one month, means over many years.");
  bind_named<Climate>(module, catalogue, "Climate", "Climate of a place.");
  bind_spec<CoolingLoop>(module, "CoolingLoop", "One cooling loop: from the racks to the weather.");
  bind_named<Plant>(module, catalogue, "Plant", "Conversion, cooling and breakers of a site.");
  bind_spec<Generation>(module, "Generation", "Generators, solar fields and batteries of a site.");
  bind_named<Site>(module, catalogue, "Site", "A data-centre site.");
  bind_named<Reliability>(module, catalogue, "Reliability",
                          "How often a large job is interrupted and what an interruption costs.");
  bind_spec<Partition>(module, "Partition", "Equal nodes within a cluster.");
  bind_named<Cluster>(module, catalogue, "Cluster", "A cluster: what a job runs on.")
      .def_property_readonly("accelerators", &Cluster::accelerators, "Accelerators of all partitions.");
}

}  // namespace ampacity::python
