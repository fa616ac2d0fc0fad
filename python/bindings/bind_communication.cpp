// Ranks on endpoints: numpy arrays in and out.
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "arrays.hpp"

namespace ampacity::python {

void bind_communication(py::module_& module) {
  module.def(
      "place_ranks",
      [](const Network& network, std::int64_t ranks, const std::string& placement, std::int64_t rails,
         std::uint64_t seed, const std::optional<Integers>& available) {
        PlacementOptions options{enum_named<Placement>("placement", placement), rails, seed, {}};
        if (available) options.available = values_of(*available);
        return read_only(place_ranks(network, ranks, options));
      },
      py::arg("network"), py::arg("ranks"), py::arg("placement"), py::arg("rails"), py::arg("seed"),
      py::arg("available"), "Endpoint of every rank.");
  module.def(
      "check_placement",
      [](const Network& network, const Integers& endpoints) { check_placement(network, values_of(endpoints)); },
      py::arg("network"), py::arg("endpoints"), "Refuses ranks on one endpoint or on none.");
}

}  // namespace ampacity::python
