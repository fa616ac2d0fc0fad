// What is bought: accelerators, nodes, network parts.
#include "bind_spec.hpp"

namespace ampacity::python {

void bind_hardware(py::module_& module, CatalogueClass& catalogue) {
  bind_named<Architecture>(module, catalogue, "Architecture",
                           "A device family: how close its kernels come to the data sheet, and where its watts go.");
  bind_named<Accelerator>(module, catalogue, "Accelerator",
                          "One accelerator (a GPU, TPU chip or APU package). Peaks are dense (no 2:4 sparsity).");
  bind_named<Nic>(module, catalogue, "Nic", "A network interface card.");
  bind_spec<LoadPoint>(module, "LoadPoint", "Efficiency of a converter at one load.");
  bind_named<Supply>(module, catalogue, "Supply", "A class of power supplies: efficiency by load.");
  bind_named<Node>(module, catalogue, "Node", "A server or an integrated rack. All counts and watts are per node.");
  bind_named<PowerProfile>(module, catalogue, "PowerProfile",
                           "Published settings of accelerators: a cap, a locked clock, or what may be lost.");
  bind_named<Switch>(module, catalogue, "Switch", "A network switch (a box, or a line card of a chassis).");
  bind_named<Optic>(module, catalogue, "Optic", "A pluggable transceiver or cable end.");
  bind_named<LineSystem>(module, catalogue, "LineSystem",
                         "What carries bits between sites: coherent modules and the line that amplifies them.");
  bind_named<Fabric>(module, catalogue, "Fabric", "A scale-out network that joins scale-up domains.");
}

}  // namespace ampacity::python
