// Ranks on endpoints, and collectives between them: numpy arrays in and out.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "arrays.hpp"

namespace ampacity::python {
namespace {

// What the package makes its results of: end of groups, names of phases, start, end and bottleneck of phases, end of
// ranks.
using TimesParts = py::typing::Tuple<py::array_t<double>, py::typing::List<py::str>, py::array_t<double>,
                                     py::array_t<double>, py::array_t<std::int64_t>, py::array_t<double>>;
// Times of every collective, bytes of links, end, flows, classes, events.
using CommunicationParts = py::typing::Tuple<py::typing::List<TimesParts>, py::array_t<double>, double, std::int64_t,
                                             std::int64_t, std::int64_t>;

/// A collective as Python gives it; keeps the array that the core reads.
struct Request {
  Integers endpoints;
  Doubles matrix;
  Collective collective;
};

Request request(const std::string& name, const std::string& kind, const std::string& algorithm,
                const Integers& endpoints, std::int64_t ranks, double bytes, double start_s,
                const std::vector<std::int64_t>& levels, const std::vector<std::string>& level_algorithms,
                std::int64_t chunks, bool rotate, bool bidirectional, double step_latency_s, double reduce_bytes_per_s,
                const std::optional<Doubles>& matrix) {
  Request made{endpoints, matrix.value_or(Doubles()), {}};
  made.collective.kind = enum_named<CollectiveKind>(name + ".kind", kind);
  made.collective.algorithm = enum_named<CollectiveAlgorithm>(name + ".algorithm", algorithm);
  made.collective.endpoints = values_of(made.endpoints);
  made.collective.ranks = ranks;
  made.collective.bytes = bytes;
  made.collective.start_s = start_s;
  made.collective.levels = levels;
  for (const std::string& one : level_algorithms) {
    made.collective.level_algorithms.push_back(enum_named<CollectiveAlgorithm>(name + ".level_algorithms", one));
  }
  made.collective.chunks = chunks;
  made.collective.rotate = rotate;
  made.collective.bidirectional = bidirectional;
  made.collective.step_latency_s = step_latency_s;
  made.collective.reduce_bytes_per_s = reduce_bytes_per_s;
  if (matrix) made.collective.matrix = values_of(made.matrix);
  return made;
}

CommunicationParts communicated(const Network& network, const std::vector<Request>& requests,
                                const std::string& routing, std::uint64_t seed, std::int64_t queue_pairs,
                                bool latency_weighted, double batch_fraction, bool aggregate, double flowlet_bytes) {
  FlowRules rules;
  rules.routing = enum_named<Routing>("routing", routing);
  rules.seed = seed;
  rules.queue_pairs = queue_pairs;
  rules.latency_weighted = latency_weighted;
  rules.batch_fraction = batch_fraction;
  rules.flowlet_bytes = flowlet_bytes;
  std::vector<Collective> collectives;
  for (const Request& one : requests) collectives.push_back(one.collective);
  Communication found;
  {
    const py::gil_scoped_release release;
    found = communicate(network, collectives, rules, aggregate);
  }
  py::typing::List<TimesParts> times;
  for (CollectiveTimes& one : found.collectives) {
    py::typing::List<py::str> names;
    for (const std::string& name : one.phases) names.append(py::str(name));
    times.append(py::make_tuple(read_only(std::move(one.end_s)), names, read_only(std::move(one.phase_start_s)),
                                read_only(std::move(one.phase_end_s)), read_only(std::move(one.phase_bottleneck_link)),
                                read_only(std::move(one.rank_end_s))));
  }
  return py::make_tuple(times, read_only(std::move(found.link_bytes)), found.end_s, found.flows, found.classes,
                        found.events);
}

}  // namespace

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
  py::class_<Request>(module, "CollectiveRequest", "The compiled part of ``ampacity.Collective``.")
      .def(py::init(&request), py::arg("name"), py::arg("kind"), py::arg("algorithm"), py::arg("endpoints"),
           py::arg("ranks"), py::arg("bytes"), py::arg("start_s"), py::arg("levels"), py::arg("level_algorithms"),
           py::arg("chunks"), py::arg("rotate"), py::arg("bidirectional"), py::arg("step_latency_s"),
           py::arg("reduce_bytes_per_s"), py::arg("matrix") = py::none());
  module.def("communicate", &communicated, py::arg("network"), py::arg("collectives"), py::arg("routing"),
             py::arg("seed"), py::arg("queue_pairs"), py::arg("latency_weighted"), py::arg("batch_fraction"),
             py::arg("aggregate"), py::arg("flowlet_bytes") = FlowRules{}.flowlet_bytes,
             "Times of every collective, bytes per link, end, flows, classes, events.");
}

}  // namespace ampacity::python
