// Networks and flows from C++; the numbers are closed forms. Python's tests compare with a slow reference.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <numeric>
#include <vector>

#include "ampacity/ampacity.hpp"

using ampacity::Flows;
using ampacity::InvalidSpec;
using ampacity::Network;

namespace {

Network tree() {
  return Network::fat_tree({{8, 8, 16}, {1, 8, 8}, {50e9}});
}

}  // namespace

TEST_CASE("a ring step takes its bytes over the rate and six hops") {
  const Network network = tree();
  std::vector<std::int64_t> source(1024);
  std::iota(source.begin(), source.end(), 0);
  std::vector<std::int64_t> destination(source);
  for (std::int64_t& rank : destination) rank = (rank + 1) % 1024;
  const std::vector<double> bytes(1024, 16e6);
  const std::vector<double> start(1024, 0);
  const auto moved = network.transfer({source, destination, bytes, start});
  CHECK(moved.end_s == doctest::Approx(326e-6).epsilon(1e-12));
  CHECK(std::accumulate(moved.link_bytes.begin(), moved.link_bytes.end(), 0.0) ==
        doctest::Approx(16e6 * (2 * 896 + 4 * 112 + 6 * 16)));
}

TEST_CASE("flows into one endpoint share its link") {
  const std::vector<std::int64_t> source{1, 2, 3, 4};
  const std::vector<std::int64_t> destination(4, 0);
  for (const double rate : tree().rates({source, destination, {}, {}}).bytes_per_s) {
    CHECK(rate == doctest::Approx(12.5e9));
  }
}

TEST_CASE("a failed link is avoided, or cuts off") {
  const Network network = tree();
  const std::vector<std::int64_t> path = network.route(0, 1023);
  for (const std::int64_t link : path) {
    const bool only_way = network.link_name(link).find("tier 0") != std::string::npos;
    const Network hurt = network.with_links_at(std::vector{link}, 0);
    if (only_way) {
      CHECK_THROWS_AS(static_cast<void>(hurt.route(0, 1023)), ampacity::Infeasible);
    } else {
      for (const std::int64_t other : hurt.route(0, 1023)) CHECK(other != link);
    }
  }
}

TEST_CASE("what makes no network is named") {
  try {
    static_cast<void>(Network::fat_tree({{8, 0}, {1, -8}, {0}}));
    FAIL("no error");
  } catch (const InvalidSpec& error) {
    CHECK(error.problems().size() == 3);
  }
}

TEST_CASE("a bill of materials adds up, and counts what the network wires") {
  const ampacity::Cluster cluster = ampacity::Catalogue::builtin().get<ampacity::Cluster>("meta-24k-infiniband");
  const ampacity::BillOfMaterials bill = ampacity::bill_of_materials(cluster);
  std::int64_t cables = 0;
  double watts = 0;
  for (const ampacity::BillItem& item : bill.items) {
    if (item.part == "cable") cables += item.count;
    watts += static_cast<double>(item.count) * item.typical_w;
  }
  CHECK(cables == 3 * 24576);
  CHECK(bill.typical_w == doctest::Approx(watts));
  CHECK(bill.unpriced == std::vector<std::string>{"cable"});
}
