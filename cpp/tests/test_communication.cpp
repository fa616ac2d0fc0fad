// Collectives and placements from C++, and the parts of the engine that Python does not see.
#include <doctest/doctest.h>

#include <cstdint>
#include <numeric>
#include <vector>

#include "ampacity/ampacity.hpp"
#include "network/max_min.hpp"
#include "network/symmetry.hpp"

using ampacity::Collective;
using ampacity::CollectiveAlgorithm;
using ampacity::CollectiveKind;
using ampacity::Network;
using ampacity::network::Colours;
using ampacity::network::MaxMin;
using ampacity::network::Paths;

namespace {

Paths paths_of(const std::vector<std::vector<std::uint32_t>>& flows) {
  Paths paths;
  for (const std::vector<std::uint32_t>& links : flows) {
    paths.links.insert(paths.links.end(), links.begin(), links.end());
    paths.offset.push_back(static_cast<std::uint32_t>(paths.links.size()));
  }
  return paths;
}

}  // namespace

TEST_CASE("a ring takes its bytes over the rate and a latency for every step") {
  const Network network = Network::fat_tree({{8, 8, 16}, {1, 8, 8}, {50e9}});
  std::vector<std::int64_t> endpoints(8);
  std::iota(endpoints.begin(), endpoints.end(), 0);
  Collective ring;
  ring.endpoints = endpoints;
  ring.ranks = 8;
  ring.bytes = 8e8;
  const auto found = ampacity::communicate(network, {&ring, 1});
  CHECK(found.end_s == doctest::Approx(14 * (1e8 / 50e9 + 2e-6)).epsilon(1e-12));
  CHECK(found.flows == 8);
  CHECK(found.collectives[0].rank_end_s == std::vector<double>(8, found.end_s));
}

TEST_CASE("what is alike is one class") {
  // Two disjoint pairs of flows, each pair on one link; a fifth flow alone on a link of another colour.
  const Paths paths = paths_of({{0}, {0}, {1}, {1}, {2}});
  const std::vector<std::uint32_t> groups{0, 0, 1, 1, 2};
  const auto classes = ampacity::network::classes_of(paths, groups, Colours{{7, 7, 7, 7, 7}, {5, 5, 6}, {0, 0, 0}});
  CHECK(classes.flows == 2);
  CHECK(classes.links == 2);
  CHECK(classes.groups == 2);
  CHECK(classes.flow == std::vector<std::uint32_t>{0, 0, 0, 0, 1});
  const auto quotient = ampacity::network::quotient_of(paths, classes);
  CHECK(quotient.paths.times == std::vector<double>{2, 1});
}

TEST_CASE("a flow that stands for several loads its links for all of them") {
  Paths paths = paths_of({{0, 1}, {1}});
  paths.times = {2, 1, 3};
  MaxMin shares(paths, {10, 12}, {1, 1});
  shares.start(0);
  shares.start(1);
  static_cast<void>(shares.solve());
  // Four rates on link 1 (one of the first class, three of the second): 3 each; link 0 would give the first 5.
  CHECK(shares.rate(0) == doctest::Approx(3));
  CHECK(shares.rate(1) == doctest::Approx(3));
  shares.stop(1);
  static_cast<void>(shares.solve());
  CHECK(shares.rate(0) == doctest::Approx(5));
}

TEST_CASE("what makes no collective is named") {
  const Network network = Network::fat_tree({{8}, {1}, {50e9}});
  const std::vector<std::int64_t> endpoints{0, 1, 2};
  Collective wrong;
  wrong.algorithm = CollectiveAlgorithm::halving_doubling;
  wrong.endpoints = endpoints;
  wrong.ranks = 3;
  CHECK_THROWS_WITH_AS(static_cast<void>(ampacity::communicate(network, {&wrong, 1})),
                       doctest::Contains("needs a power of two"), ampacity::InvalidSpec);
  CHECK_THROWS_AS(ampacity::check_placement(network, std::vector<std::int64_t>{1, 1}), ampacity::InvalidSpec);
}
