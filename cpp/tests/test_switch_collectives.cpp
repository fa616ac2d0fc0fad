// Collectives as flows against their closed forms, on a network without contention and without latencies.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

#include "ampacity/communication.hpp"
#include "network/collectives.hpp"
#include "network/formulas.hpp"
#include "network/shape.hpp"

namespace ampacity::network {
namespace {

constexpr double card = 50e9;
constexpr double inside = 450e9;
constexpr double bytes = 1e12;  // what filling a pipeline costs is nothing beside it
constexpr std::int64_t members = 8;

Links line_rate() {
  Links links;
  links.scaleup_bytes_per_s = inside;
  // Of n parts a rank sends n and one that is reduced.
  links.scaleup_multicast_bytes_per_s = inside * members / (members + 1);
  links.scaleout_bytes_per_s = card;
  links.scaleup_domain = members;
  return links;
}

double flows_s(CollectiveAlgorithm algorithm, std::int64_t nodes, Routing routing) {
  NetworkOptions options;
  options.hop_latency_s = 0;
  options.domain = members;
  options.domain_bytes_per_s = inside;
  options.domain_latency_s = 0;
  const Network network = Network::fat_tree({{8, 8, nodes / 8}, {1, 8, 8}, {card}}, options);
  std::vector<std::int64_t> endpoints(static_cast<std::size_t>(members * nodes));
  std::iota(endpoints.begin(), endpoints.end(), 0);
  Collective wanted;
  wanted.algorithm = algorithm;
  wanted.endpoints = endpoints;
  wanted.ranks = members * nodes;
  wanted.bytes = bytes;
  FlowRules rules;
  rules.routing = routing;
  return communicate(network, {&wanted, 1}, rules).end_s;
}

}  // namespace

TEST_CASE("flows of collectives in switches take as long as the closed form says at line rate") {
  for (const std::int64_t nodes : {16, 64}) {
    const Shape shape = shape_of(line_rate(), {members * nodes, 1});
    CAPTURE(nodes);
    // The constants that measured efficiencies are, taken out.
    const Cost trees = multicast(line_rate(), shape, bytes);
    const double nvls_tree_s = std::max(trees.scaleup_s, trees.scaleout_s);
    CHECK(flows_s(CollectiveAlgorithm::nvls_tree, nodes, Routing::spray) == doctest::Approx(nvls_tree_s).epsilon(1e-4));
    const Cost sharp =
        in_network({.scaleup_bytes_per_s = inside, .scaleout_bytes_per_s = card, .scaleup_domain = 8}, shape, bytes);
    const double collnet_s = std::max(sharp.scaleup_s, sharp.scaleout_s) * kInNetworkEfficiency;
    CHECK(flows_s(CollectiveAlgorithm::collnet, nodes, Routing::spray) == doctest::Approx(collnet_s).epsilon(1e-9));
    CHECK(flows_s(CollectiveAlgorithm::collnet, nodes, Routing::d_mod_k) == doctest::Approx(collnet_s).epsilon(1e-9));
  }
}

}  // namespace ampacity::network
