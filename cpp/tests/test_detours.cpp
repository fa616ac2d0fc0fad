// Adaptive routing on dragonflies: direct ways and detours, and what limits streams then.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

#include "network/detours.hpp"
#include "network/streams.hpp"
#include "simulate/rings.hpp"

using namespace ampacity;
using namespace ampacity::network;
using doctest::Approx;

namespace {

JoinedNodes all_joined(std::size_t n, double capacity) {
  JoinedNodes net{n, std::vector<double>(n * n, 0), std::vector<double>(n * n, capacity),
                  std::vector<double>(n * n, 0)};
  return net;
}

/// What links carry, counted stream by stream over single third nodes.
std::vector<double> carried(const JoinedNodes& net, const Detours& found) {
  const std::size_t n = net.nodes;
  std::vector<double> load = net.beside;
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      const std::size_t at = i * n + j;
      if (i == j || net.demand[at] <= 0) continue;
      load[at] += net.demand[at] * found.direct[at];
      const double rest = net.demand[at] * (1 - found.direct[at]);
      double first = 0;
      double second = 0;
      for (std::size_t k = 0; k < n; ++k) {
        if (k == i || k == j) continue;
        first += net.capacity[i * n + k];
        second += net.capacity[k * n + j];
      }
      for (std::size_t k = 0; k < n && rest > 0; ++k) {
        if (k == i || k == j) continue;
        load[i * n + k] += rest * net.capacity[i * n + k] / first;
        load[k * n + j] += rest * net.capacity[k * n + j] / second;
      }
    }
  }
  return load;
}

double fullest(const Detours& found) {
  return *std::max_element(found.use.begin(), found.use.end());
}

}  // namespace

TEST_CASE("what links carry goes direct") {
  JoinedNodes net = all_joined(16, 1);
  std::fill(net.demand.begin(), net.demand.end(), 0.9);
  const Detours found = detours_of(net);
  for (const double share : found.direct) CHECK(share == 1);
  CHECK(fullest(found) == Approx(0.9));
  // So does what nobody could carry any other way.
  std::fill(net.demand.begin(), net.demand.end(), 3.0);
  CHECK(fullest(detours_of(net)) == Approx(3).epsilon(0.01));
}

TEST_CASE("a demand between neighbours spreads over all others") {
  // Each node to the next: what does not go direct takes two links, so 2 S - u on (n - 1) u; least u = 2 S / n.
  for (const std::size_t n : {4U, 8U, 21U, 87U}) {
    for (const double demand : {1.5, 20.0, 170.0}) {
      JoinedNodes net = all_joined(n, 1);
      for (std::size_t i = 0; i < n; ++i) net.demand[i * n + (i + 1) % n] = demand;
      const Detours found = detours_of(net);
      const double least = std::max(1.0, 2 * demand / static_cast<double>(n));
      CHECK(fullest(found) >= 0.999 * std::min(least, demand));
      CHECK(fullest(found) <= 1.03 * least);
    }
  }
}

TEST_CASE("use of links is what direct shares and detours make it") {
  JoinedNodes net = all_joined(12, 4);
  for (std::size_t at = 0; at < net.demand.size(); ++at) {
    net.demand[at] = static_cast<double>(at * 7919 % 13);
    net.beside[at] = static_cast<double>(at * 104729 % 3);
    if (at % 17 == 5) net.capacity[at] = 2;
  }
  net.capacity[1] = 0;  // nothing is left from the first to the second
  const Detours found = detours_of(net);
  const std::vector<double> load = carried(net, found);
  for (std::size_t at = 0; at < load.size(); ++at) {
    if (at / 12 == at % 12 || at == 1) continue;
    CHECK(load[at] / net.capacity[at] == Approx(found.use[at]).epsilon(1e-9));
  }
  CHECK(found.direct[1] == 0);
  CHECK(std::isfinite(fullest(found)) == (net.beside[1] == 0));
}

TEST_CASE("two nodes have no detour") {
  JoinedNodes net = all_joined(2, 2);
  net.demand[1] = 5;
  CHECK(fullest(detours_of(net)) == Approx(2.5));
  net.capacity[1] = 0;
  CHECK(std::isinf(fullest(detours_of(net))));
}

TEST_CASE("streams of a dragonfly are as fast as its detours let them, and lose nothing") {
  Dragonfly shape;
  shape.groups = 9;
  shape.switches_per_group = 8;
  shape.endpoints_per_switch = 4;
  shape.global_links = 2;
  shape.endpoint_bytes_per_s = shape.local_bytes_per_s = shape.global_bytes_per_s = 25e9;
  const Network network = Network::dragonfly(shape, {});
  const Network::Plan& plan = network.plan();
  constexpr std::uint32_t group = 32;
  // Every group sends to the next with all its cards: 32 streams, 2 cables direct, 16 out of the group.
  std::vector<base::Large<double>> bytes;
  std::vector<base::Large<float>> slowdowns;
  for (const std::size_t threads : {1U, 3U}) {
    StreamMemory memory(plan, threads);
    Streams streams(plan, {Routing::spray, 1, 1, 25e9, threads, {}}, 9, memory);
    streams.add(std::size_t{9} * group, [&] {
      return [&](std::size_t i, auto& add) {
        const auto from = static_cast<std::int64_t>(i);
        add(from, (from + group) % (std::int64_t{9} * group), i / group, 1.0, 1e9, false);
      };
    });
    const GroupPaces paces = streams.solve();
    for (const float slowdown : paces.slowdown) CHECK(slowdown == Approx(2 * 32.0 / (9 * 2)).epsilon(0.03));
    for (const std::uint32_t link : paces.link) CHECK(plan.tier(link) == 2);
    bytes.push_back(memory.link_bytes);
    slowdowns.push_back(paces.slowdown);
    std::vector<double> in(plan.endpoints() + network.switches(), 0);
    std::vector<double> out(in);
    for (std::uint32_t link = 0; link < plan.visible_links(); ++link) {
      const LinkEnds ends = plan.ends(link);
      out[ends.from] += memory.link_bytes[link];
      in[ends.to] += memory.link_bytes[link];
    }
    for (std::size_t node = 0; node < in.size(); ++node) CHECK(in[node] == Approx(out[node]).epsilon(1e-9));
  }
  CHECK(bytes[0] == bytes[1]);
  CHECK(slowdowns[0] == slowdowns[1]);
}

TEST_CASE("rings over domains of different sizes pass all on") {
  using simulation::RingRun;
  const std::vector<RingRun> runs{{0, 6, 1, 9.0}, {6, 18, 9, 1.0}, {24, 4, 4, 2.25}};
  std::vector<double> sent(28, 0);
  std::vector<double> received(28, 0);
  std::vector<double> pace(28, 0);
  for (const simulation::RingStream& one : simulation::ring_streams(runs)) {
    sent[static_cast<std::size_t>(one.from)] += one.bytes;
    received[static_cast<std::size_t>(one.to)] += one.bytes;
    pace[static_cast<std::size_t>(one.from)] += one.share;
  }
  for (std::size_t i = 0; i < 28; ++i) {
    const double each = i < 6 ? 9 : i < 24 ? 1 : 2.25;
    CHECK(sent[i] == Approx(each));
    CHECK(received[i] == Approx(each));
    CHECK(pace[i] == Approx(each / 9));
  }
}
