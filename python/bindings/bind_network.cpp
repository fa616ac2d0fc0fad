// Networks and flows on them: numpy arrays in and out.
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "arrays.hpp"

namespace ampacity::python {
namespace {

// What the package makes its results of.
using RatesParts = py::typing::Tuple<py::array_t<double>, py::array_t<std::int64_t>, py::array_t<double>>;
using TransferParts = py::typing::Tuple<py::array_t<double>, py::array_t<double>, double, std::int64_t,
                                        py::array_t<std::int64_t>, py::array_t<double>>;
using LinkArrays = py::typing::Tuple<py::array_t<double>, py::array_t<std::int64_t>>;
using AffectedParts =
    py::typing::Tuple<py::array_t<std::int64_t>, py::array_t<double>, py::array_t<double>, py::array_t<std::uint8_t>>;
using BillRow = py::typing::Tuple<py::str, py::str, py::str, std::int64_t, double, double, double>;
using BillParts = py::typing::Tuple<py::typing::List<BillRow>, double, double, double, py::typing::List<py::str>,
                                    double, double, double, double>;
using TierRow = py::typing::Tuple<py::str, std::int64_t, std::int64_t, double>;

FlowRules rules_of(const std::string& routing, std::uint64_t seed, std::int64_t queue_pairs, bool latency_weighted,
                   double batch_fraction, double flowlet_bytes = FlowRules{}.flowlet_bytes) {
  return {enum_named<Routing>("routing", routing), seed, queue_pairs, latency_weighted, batch_fraction, flowlet_bytes};
}

NetworkOptions options_of(double hop_latency_s, std::int64_t planes, std::int64_t domain, double domain_bytes_per_s,
                          double domain_latency_s) {
  return {hop_latency_s, planes, domain, domain_bytes_per_s, domain_latency_s};
}

RatesParts run_rates(const Network& network, const Integers& source, const Integers& destination,
                     const std::string& routing, std::uint64_t seed, std::int64_t queue_pairs, bool latency_weighted,
                     const Doubles& weight, const Doubles& max_bytes_per_s) {
  const FlowRules rules = rules_of(routing, seed, queue_pairs, latency_weighted, 0);
  FlowRates found;
  {
    const Flows flows{values_of(source), values_of(destination), {}, {}, values_of(weight), values_of(max_bytes_per_s)};
    const py::gil_scoped_release release;
    found = network.rates(flows, rules);
  }
  return py::make_tuple(read_only(std::move(found.bytes_per_s)), read_only(std::move(found.bottleneck_link)),
                        read_only(std::move(found.utilisation_fraction)));
}

TransferParts run_transfer(const Network& network, const Integers& source, const Integers& destination,
                           const Doubles& bytes, const Doubles& start_s, const std::string& routing, std::uint64_t seed,
                           std::int64_t queue_pairs, bool latency_weighted, double batch_fraction, double flowlet_bytes,
                           const Doubles& event_at_s, const Integers& event_part, const Integers& event_id,
                           const Doubles& event_fraction, const Doubles& weight, const Doubles& max_bytes_per_s) {
  const FlowRules rules = rules_of(routing, seed, queue_pairs, latency_weighted, batch_fraction, flowlet_bytes);
  std::vector<NetworkEvent> events;
  events.reserve(static_cast<std::size_t>(event_id.size()));
  for (py::ssize_t i = 0; i < event_id.size(); ++i) {
    events.push_back({event_at_s.data()[i], static_cast<NetworkEvent::Part>(event_part.data()[i]), event_id.data()[i],
                      event_fraction.data()[i]});
  }
  Transfer found;
  {
    const Flows flows{values_of(source),  values_of(destination), values_of(bytes),
                      values_of(start_s), values_of(weight),      values_of(max_bytes_per_s)};
    const py::gil_scoped_release release;
    found = network.transfer(flows, rules, events);
  }
  return py::make_tuple(read_only(std::move(found.completion_s)), read_only(std::move(found.link_bytes)), found.end_s,
                        found.events, read_only(std::move(found.reroutes)), read_only(std::move(found.stalled_s)));
}

AffectedParts run_affected(const Network& network, const Network& then, const Integers& source,
                           const Integers& destination, const std::string& routing, std::uint64_t seed,
                           std::int64_t queue_pairs, bool latency_weighted) {
  const FlowRules rules = rules_of(routing, seed, queue_pairs, latency_weighted, 0);
  AffectedFlows found;
  {
    const Flows flows{values_of(source), values_of(destination), {}, {}};
    const py::gil_scoped_release release;
    found = network.affected(then, flows, rules);
  }
  return py::make_tuple(read_only(std::move(found.flow)), read_only(std::move(found.before_bytes_per_s)),
                        read_only(std::move(found.after_bytes_per_s)), read_only(std::move(found.rerouted)));
}

py::typing::List<TierRow> tiers_of(const Network& network) {
  py::typing::List<TierRow> rows;
  for (const NetworkTier& tier : network.tiers()) {
    rows.append(py::make_tuple(tier.name, tier.switches, tier.cables, tier.bytes_per_s));
  }
  return rows;
}

BillParts bill_of(const Cluster& cluster) {
  const BillOfMaterials bill = bill_of_materials(cluster);
  py::typing::List<BillRow> rows;
  for (const BillItem& item : bill.items) {
    rows.append(
        py::make_tuple(item.tier, item.part, item.name, item.count, item.typical_w, item.max_w, item.price_usd));
  }
  py::typing::List<py::str> unpriced;
  for (const std::string& name : bill.unpriced) unpriced.append(py::str(name));
  return py::make_tuple(rows, bill.typical_w, bill.max_w, bill.price_usd, unpriced, bill.switches_per_accelerator,
                        bill.optic_ends_per_accelerator, bill.stated_switches_per_accelerator,
                        bill.stated_optic_ends_per_accelerator);
}

}  // namespace

void bind_network(py::module_& module) {
  py::class_<Network> type(module, "NetworkCore", "The compiled part of ``ampacity.Network``.");
  type.def_static(
      "fat_tree",
      [](const std::vector<std::int64_t>& down, const std::vector<std::int64_t>& up, const std::vector<double>& rates,
         std::int64_t rails, bool rail_only, double hop_latency_s, std::int64_t planes, std::int64_t domain,
         double domain_bytes_per_s, double domain_latency_s, const std::vector<double>& cable_m) {
        return Network::fat_tree({down, up, rates, rails, rail_only, cable_m},
                                 options_of(hop_latency_s, planes, domain, domain_bytes_per_s, domain_latency_s));
      },
      py::arg("down"), py::arg("up"), py::arg("link_bytes_per_s"), py::arg("rails"), py::arg("rail_only"),
      py::arg("hop_latency_s"), py::arg("planes"), py::arg("domain"), py::arg("domain_bytes_per_s"),
      py::arg("domain_latency_s"), py::arg("cable_m"), "See ``ampacity.Network.fat_tree``.");
  type.def_static(
      "dragonfly_plus",
      [](std::int64_t groups, std::int64_t leaves, std::int64_t spines, std::int64_t endpoints,
         std::int64_t global_links, double endpoint, double local, double global, double global_m,
         double hop_latency_s) {
        return Network::dragonfly_plus(
            {groups, leaves, spines, endpoints, global_links, endpoint, local, global, global_m},
            options_of(hop_latency_s, 1, 1, 0, 0));
      },
      py::arg("groups"), py::arg("leaves"), py::arg("spines"), py::arg("endpoints_per_leaf"), py::arg("global_links"),
      py::arg("endpoint_bytes_per_s"), py::arg("local_bytes_per_s"), py::arg("global_bytes_per_s"), py::arg("global_m"),
      py::arg("hop_latency_s"), "See ``ampacity.Network.dragonfly_plus``.");
  type.def_static(
      "torus",
      [](const std::vector<std::int64_t>& shape, double rate, double hop_latency_s) {
        return Network::torus({shape, rate}, options_of(hop_latency_s, 1, 1, 0, 0));
      },
      py::arg("shape"), py::arg("link_bytes_per_s"), py::arg("hop_latency_s"), "See ``ampacity.Network.torus``.");
  type.def_static(
      "dragonfly",
      [](std::int64_t groups, std::int64_t switches, std::int64_t endpoints, std::int64_t global_links, double endpoint,
         double local, double global, double hop_latency_s) {
        return Network::dragonfly({groups, switches, endpoints, global_links, endpoint, local, global},
                                  options_of(hop_latency_s, 1, 1, 0, 0));
      },
      py::arg("groups"), py::arg("switches_per_group"), py::arg("endpoints_per_switch"), py::arg("global_links"),
      py::arg("endpoint_bytes_per_s"), py::arg("local_bytes_per_s"), py::arg("global_bytes_per_s"),
      py::arg("hop_latency_s"), "See ``ampacity.Network.dragonfly``.");
  type.def_static(
      "dimensions",
      [](const std::vector<std::string>& kinds, const std::vector<std::int64_t>& endpoints,
         const std::vector<double>& rates, const std::vector<double>& latencies) {
        std::vector<Dimension> shape;
        for (std::size_t d = 0; d < kinds.size(); ++d) {
          const std::string path = "dimensions[" + std::to_string(d) + "].kind";
          shape.push_back({enum_named<Dimension::Kind>(path, kinds[d]), endpoints.at(d), rates.at(d), latencies.at(d)});
        }
        return Network::dimensions(shape);
      },
      py::arg("kinds"), py::arg("endpoints"), py::arg("link_bytes_per_s"), py::arg("hop_latency_s"),
      "See ``ampacity.Network.dimensions``.");
  type.def_static("of", &Network::of, py::arg("cluster"), "See ``ampacity.Network.of``.");
  type.def_static("slice_of", &Network::slice_of, py::arg("cluster"), py::arg("accelerators"),
                  "See ``ampacity.Network.slice_of``.");
  type.def_property_readonly("endpoints", &Network::endpoints, "Number of endpoints.")
      .def_property_readonly("links", &Network::links, "Number of directed links.")
      .def_property_readonly("bisection_bytes_per_s", &Network::bisection_bytes_per_s,
                             "Between two halves of the endpoints, one direction (bytes/s).")
      .def("tiers", &tiers_of, "Name, switches, cables and bytes/s of every tier.")
      .def("link_name", &Network::link_name, py::arg("link"), "Where a link runs.")
      .def("link_bytes_per_s", &Network::link_bytes_per_s, py::arg("link"), "Rate of a link, failures included.")
      .def(
          "route",
          [](const Network& network, std::int64_t source, std::int64_t destination, const std::string& routing,
             std::uint64_t seed) { return network.route(source, destination, rules_of(routing, seed, 1, false, 0)); },
          py::arg("source"), py::arg("destination"), py::arg("routing"), py::arg("seed"), "Links of a path.")
      .def(
          "with_links_at",
          [](const Network& network, const Integers& links, double fraction) {
            return network.with_links_at(values_of(links), fraction);
          },
          py::arg("links"), py::arg("fraction"), "The same network with some links at a share of their rate.")
      .def(
          "with_switches_at",
          [](const Network& network, const Integers& switches, double fraction) {
            return network.with_switches_at(values_of(switches), fraction);
          },
          py::arg("switches"), py::arg("fraction"), "The same network with some switches at a share of their rate.")
      .def_property_readonly("switches", &Network::switches, "Number of switches.")
      .def("switch_name", &Network::switch_name, py::arg("id"), "Which switch it is.")
      .def(
          "link_columns",
          [](const Network& network) {
            std::vector<double> rates(static_cast<std::size_t>(network.links()));
            std::vector<std::int64_t> tiers(rates.size());
            for (std::size_t i = 0; i < tiers.size(); ++i) {
              const auto link = static_cast<std::int64_t>(i);
              rates[i] = network.link_bytes_per_s(link);
              tiers[i] = network.tier_of_link(link);
            }
            return LinkArrays(py::make_tuple(read_only(std::move(rates)), read_only(std::move(tiers))));
          },
          "Rate and tier of every link.")
      .def("tier_of_link", &Network::tier_of_link, py::arg("link"), "Place in the list of tiers.")
      .def("reverse_link", &Network::reverse_link, py::arg("link"), "The other direction of its cable.")
      .def("random_cables", &Network::random_cables, py::arg("tier"), py::arg("fraction"), py::arg("seed"),
           "Both directions of a share of a tier's cables.")
      .def("cut_off", &Network::cut_off, "Endpoints that failures part from most others.")
      .def("rates", &run_rates, py::arg("source"), py::arg("destination"), py::arg("routing"), py::arg("seed"),
           py::arg("queue_pairs"), py::arg("latency_weighted"), py::arg("weight"), py::arg("max_bytes_per_s"),
           "Rates, bottleneck links, link utilisation.")
      .def("transfer", &run_transfer, py::arg("source"), py::arg("destination"), py::arg("bytes"), py::arg("start_s"),
           py::arg("routing"), py::arg("seed"), py::arg("queue_pairs"), py::arg("latency_weighted"),
           py::arg("batch_fraction"), py::arg("flowlet_bytes"), py::arg("event_at_s"), py::arg("event_part"),
           py::arg("event_id"), py::arg("event_fraction"), py::arg("weight"), py::arg("max_bytes_per_s"),
           "Completions, bytes per link, end, events, reroutes, stalls.")
      .def("affected", &run_affected, py::arg("then"), py::arg("source"), py::arg("destination"), py::arg("routing"),
           py::arg("seed"), py::arg("queue_pairs"), py::arg("latency_weighted"),
           "Flows, rates before and after, whether rerouted.");
  module.def("bill_of_materials", &bill_of, py::arg("cluster"), "What ``ampacity.bill_of_materials`` is made of.");
}

}  // namespace ampacity::python
