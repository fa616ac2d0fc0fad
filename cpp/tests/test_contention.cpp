// Tapered tiers and hash collisions in closed form, against sums and against flows on the links themselves.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "ampacity/network.hpp"
#include "base/statistics.hpp"
#include "network/collectives.hpp"

namespace ampacity::network {
namespace {

/// The sum over k of P(maximum > k).
double exact_binomial_maximum(double n, int trials, double probability) {
  double expected = 0;
  double below = 0;
  for (int k = 0; k < trials && below < 1; ++k) {
    below += std::exp(std::lgamma(trials + 1) - std::lgamma(k + 1) - std::lgamma(trials - k + 1) +
                      k * std::log(probability) + (trials - k) * std::log1p(-probability));
    expected += below < 1 ? -std::expm1(n * std::log(below)) : 0;
  }
  return expected;
}

/// Seconds of one message from every endpoint to the one `stride` further, in units of the time on free cables.
double measured_slowdown(const Network& network, std::int64_t stride, std::int64_t queue_pairs) {
  const std::int64_t n = network.endpoints();
  std::vector<std::int64_t> source;
  std::vector<std::int64_t> destination;
  // A ring in rank order leaves its node (eight endpoints) with one message of each card; wider strides with all.
  for (std::int64_t rank = 0; rank < n; ++rank) {
    source.push_back(rank);
    destination.push_back((rank + std::max<std::int64_t>(stride, 8)) % n);
  }
  const std::vector<double> bytes(source.size(), 1e12);
  const std::vector<double> start(source.size(), 0.0);
  double total = 0;
  constexpr int kSeeds = 8;
  for (int seed = 0; seed < kSeeds; ++seed) {
    FlowRules rules;
    rules.seed = static_cast<std::uint64_t>(seed);
    rules.queue_pairs = queue_pairs;
    total += network.transfer({source, destination, bytes, start}, rules).end_s;
  }
  return total / kSeeds / (1e12 / 50e9);
}

}  // namespace

TEST_CASE("expected maximum of binomial draws") {
  for (const double n : {32.0, 1000.0, 1e5, 1e6}) {
    for (const double bins : {8.0, 32.0, 512.0}) {
      for (const int balls : {8, 32, 128, 4096}) {
        const double exact = exact_binomial_maximum(n, balls, 1 / bins);
        const double expected = base::expected_binomial_maximum(n, balls, 1 / bins);
        CHECK(std::abs(expected - exact) < std::max(0.25, 0.04 * exact));
      }
    }
  }
  CHECK(base::expected_binomial_maximum(100, 1, 0.1) == 1);
  CHECK(base::expected_binomial_maximum(100, 7, 1) == 7);
}

TEST_CASE("hash collisions are as expensive as flows on the links say") {
  // 4,096 endpoints, 32 below a leaf with 32 cables up, 16 leaves to a pod.
  const Network network = Network::fat_tree({{32, 16, 8}, {1, 32, 16}, {50e9}});
  Paths paths;
  paths.leaf = {32, 32, 1};
  for (const std::int64_t stride : {8, 16, 32}) {
    for (const std::int64_t queue_pairs : {1, 4, 16}) {
      paths.hashed_parts = static_cast<double>(queue_pairs);
      const double expected = neighbours_slowdown(paths, {4096 / stride, stride}, 8);
      const double measured = measured_slowdown(network, stride, queue_pairs);
      MESSAGE("stride " << stride << ", queue pairs " << queue_pairs << ": " << expected << ", flows " << measured);
      CHECK(expected == doctest::Approx(measured).epsilon(0.12));
    }
  }
}

TEST_CASE("what spreads evenly, or stays below a leaf, meets nobody") {
  Paths paths;
  paths.leaf = {32, 32, 1};
  CHECK(neighbours_slowdown(paths, {512, 8}, 8) == 1);  // not hashed
  paths.hashed_parts = 1;
  CHECK(neighbours_slowdown(paths, {4, 8}, 8) == 1);
  CHECK(exchange_slowdown(paths, {32, 1}, 8) == 1);
  paths.leaf.rails = 8;  // 32 nodes below the leaves of the eight rails
  CHECK(neighbours_slowdown(paths, {32, 8}, 8) == 1);
  CHECK(neighbours_slowdown(paths, {33, 16}, 8) > 1);
  // Twice as many cables as accelerators are the cure that Meta chose for its racks.
  paths.leaf = {16, 32, 1};
  const double wide = neighbours_slowdown(paths, {512, 8}, 8);
  paths.leaf = {16, 16, 1};
  CHECK(wide < neighbours_slowdown(paths, {512, 8}, 8));
}

TEST_CASE("an exchange is hashed in many parts, and takes what the taper leaves") {
  Paths paths;
  paths.leaf = {32, 32, 1};
  paths.hashed_parts = 1;
  const double one = exchange_slowdown(paths, {4096, 1}, 8);
  CHECK(one > 1);
  CHECK(one < 1.2);  // 4,064 parts of each card: the mean of 4,064 a cable, and five deviations of 64
  paths.hashed_parts = 0;
  paths.pod = {512, 512.0 / 7, 1};
  CHECK(exchange_slowdown(paths, {1024, 1}, 8) == doctest::Approx(7.0 * 512 / 1016));
}

}  // namespace ampacity::network
