// Streams of groups that go at one pace: hashed routes, loads of links, who limits whom.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

#include "network/streams.hpp"

using namespace ampacity;
using namespace ampacity::network;
using doctest::Approx;

namespace {

/// 1,024 endpoints below leaves of 16 with `uplinks` cables each.
Network tree(std::int64_t uplinks, double oversubscribed = 1) {
  FatTree shape;
  shape.down = {16, 8, 8};
  shape.up = {1, uplinks, static_cast<std::int64_t>(8 / oversubscribed)};
  shape.link_bytes_per_s = {50e9};
  return Network::fat_tree(shape);
}

struct Sent {
  std::uint32_t from, to, group;
  double bytes = 1;
  bool back = false;
};

void send(Streams& streams, const std::vector<Sent>& all) {
  streams.add(all.size(), [&] {
    return [&](std::size_t i, auto& add) { add(all[i].from, all[i].to, all[i].group, 1, all[i].bytes, all[i].back); };
  });
}

GroupPaces ring_of_neighbours(const Network& network, const StreamRules& rules, std::vector<double>& bytes,
                              std::uint32_t stride) {
  StreamMemory memory(network.plan(), rules.threads);
  const auto endpoints = static_cast<std::uint32_t>(network.endpoints());
  Streams streams(network.plan(), rules, stride, memory);
  std::vector<Sent> sent;
  sent.reserve(endpoints);
  for (std::uint32_t from = 0; from < endpoints; ++from) {
    sent.push_back({from, (from + stride) % endpoints, from % stride, 1e9});
  }
  send(streams, sent);
  GroupPaces paces = streams.solve();
  bytes = spread_over_cables(network.plan(), memory.link_bytes);
  return paces;
}

}  // namespace

TEST_CASE("hashed routes of all parts are those of each part") {
  const Network network = tree(16);
  const Network::Plan& plan = network.plan();
  for (std::uint32_t i = 0; i < 2000; ++i) {
    const std::uint32_t source = i * 7919 % 1024;
    const std::uint32_t destination = (i * 104729 + 1) % 1024;
    if (source == destination) continue;
    std::vector<std::uint64_t> hashes(5);
    std::iota(hashes.begin(), hashes.end(), std::uint64_t{i} << 20U);
    std::vector<std::uint32_t> together;
    REQUIRE(plan.wiring->route_hashed(source, destination, hashes, together));
    std::vector<std::uint32_t> apart;
    double latency_s = 0;
    for (std::size_t part = 0; part < hashes.size(); ++part) {
      std::vector<std::uint32_t> one;
      REQUIRE(plan.route(source, destination, {Routing::ecmp, hashes[part], 0, nullptr}, one, latency_s));
      apart.insert(apart.end(), one.begin() + (part == 0 ? 0 : 2), one.end());
    }
    CHECK(together == apart);
  }
}

TEST_CASE("a group goes at the pace of its most crowded link") {
  // All 16 cards below a leaf send to the next leaf over 4 sprayed uplinks.
  std::vector<double> bytes;
  const GroupPaces paces = ring_of_neighbours(tree(4), {Routing::spray, 0, 1, 50e9, 1, {}}, bytes, 16);
  CHECK(paces.exact);
  for (const float slowdown : paces.slowdown) CHECK(slowdown == Approx(4));
  // 1,024 streams of 1 GB over four cables each: endpoints, leaves up and down; every eighth leaf over one more tier.
  CHECK(std::accumulate(bytes.begin(), bytes.end(), 0.0) == Approx(1024 * 1e9 * (4 + 2.0 / 8)).epsilon(1e-12));
}

TEST_CASE("only groups on crowded links are slowed down, and what they leave goes to others") {
  const Network network = tree(4);
  StreamMemory memory(network.plan(), 1);
  Streams streams(network.plan(), {Routing::spray, 0, 1, 50e9, 1, {}}, 3, memory);
  // Group 0: 6 streams out of leaf 0; group 1: 2 streams out of leaf 0, and 6 of its 8 into leaf 2 cross none of that;
  // group 2 stays in leaf 3.
  std::vector<Sent> sent;
  sent.reserve(12);
  for (std::uint32_t i = 0; i < 6; ++i) sent.push_back({i, 16 + i, 0});
  for (std::uint32_t i = 0; i < 2; ++i) sent.push_back({8 + i, 32 + i, 1});
  for (std::uint32_t i = 0; i < 4; ++i) sent.push_back({48 + i, 49 + i, 2});
  send(streams, sent);
  const GroupPaces paces = streams.solve();
  // Eight streams at one pace on four cables.
  CHECK(paces.slowdown[0] == Approx(2));
  CHECK(paces.slowdown[1] == Approx(2));
  CHECK(paces.slowdown[2] == 1);
  CHECK(paces.link[0] == paces.link[1]);
  CHECK(paces.link[2] == GroupPaces::no_link);
}

TEST_CASE("paces and bytes do not depend on the number of threads") {
  const Network network = tree(16);
  std::vector<double> bytes;
  std::vector<double> same;
  const GroupPaces one = ring_of_neighbours(network, {Routing::ecmp, 5, 6, 50e9, 1, {}}, bytes, 16);
  const GroupPaces four = ring_of_neighbours(network, {Routing::ecmp, 5, 6, 50e9, 4, {}}, same, 16);
  CHECK(one.slowdown == four.slowdown);
  CHECK(one.link == four.link);
  CHECK(bytes == same);
  CHECK(*std::max_element(one.slowdown.begin(), one.slowdown.end()) > 1.2F);
}

TEST_CASE("a card at half rate halves the pace of its group, and the way back uses the same cables") {
  const Network whole = tree(16);
  const std::vector<std::int64_t> card{5};
  const Network half = whole.with_links_at(card, 0.5);
  for (const bool back : {false, true}) {
    StreamMemory memory(half.plan(), 1);
    Streams streams(half.plan(), {Routing::ecmp, 0, 4, 50e9, 1, {}}, 2, memory);
    send(streams, {{back ? 20U : 5U, back ? 5U : 20U, 0, 1, back}, {6, 21, 1, 1, back}});
    const GroupPaces paces = streams.solve();
    // Link 5 is the cable up from endpoint 5: the way back does not use it.
    CHECK(paces.slowdown[0] == Approx(back ? 1 : 2));
    CHECK(paces.slowdown[1] == 1);
  }
}

TEST_CASE("both directions of a cable carry what either did, on any number of threads") {
  const Network network = tree(8);
  const Network::Plan& plan = network.plan();
  std::vector<base::Large<double>> found;
  const base::Large<double> before(plan.all_links(), 3);
  for (const std::size_t threads : {1U, 4U}) {
    StreamMemory memory(plan, threads);
    Streams streams(plan, {Routing::ecmp, 1, 4, 50e9, threads, {}}, 64, memory);
    std::vector<Sent> sent;
    sent.reserve(1024);
    for (std::uint32_t from = 0; from < 1024; ++from) sent.push_back({from, (from + 64) % 1024, from % 64, 1e9 + from});
    send(streams, sent);
    static_cast<void>(streams.solve());
    const base::Large<double> there = memory.link_bytes;
    add_way_back(plan, before, threads, memory.link_bytes);
    for (std::uint32_t link = 0; link < plan.all_links(); ++link) {
      CHECK(memory.link_bytes[link] == Approx(3 + there[link] + there[back_of(plan, link)]).epsilon(1e-15));
    }
    found.push_back(memory.link_bytes);
  }
  CHECK(found[0] == found[1]);
}
