// Which replicas of a job lie on which kind of device, and how they share the micro-batches.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "ampacity/ampacity.hpp"
#include "step/crews.hpp"

using namespace ampacity;
using step::Crew;

namespace {

Cluster two_kinds(std::int64_t first, std::int64_t second) {
  Cluster cluster;
  cluster.partitions.resize(2);
  cluster.partitions[0].accelerators = first;
  cluster.partitions[1].accelerators = second;
  return cluster;
}

Layout replicas_of(std::int64_t tp, std::int64_t pp, std::int64_t dp) {
  Layout layout;
  layout.tp = tp;
  layout.pp = pp;
  layout.dp = dp;
  return layout;
}

std::int64_t all_micro_batches(const std::vector<Crew>& crews) {
  std::int64_t sum = 0;
  for (const Crew& crew : crews) sum += crew.replicas * crew.micro_batches;
  return sum;
}

}  // namespace

TEST_CASE("replicas fill the kinds in order, and one on both is as slow as the slower") {
  const Layout layout = replicas_of(8, 4, 10);  // of 32 devices
  const Cluster cluster = two_kinds(100, 300);
  CHECK(step::spans_kinds(cluster, layout));
  CHECK_FALSE(step::spans_kinds(two_kinds(320, 300), layout));
  const std::vector<double> front_slower{2, 1};
  std::vector<Crew> crews = step::crews_by_kind(cluster, layout, 16, front_slower);
  REQUIRE(crews.size() == 2);
  CHECK(crews[0].replicas == 4);
  CHECK(crews[1].replicas == 6);
  const std::vector<double> front_faster{1, 2};
  crews = step::crews_by_kind(cluster, layout, 16, front_faster);
  CHECK(crews[0].replicas == 3);
  CHECK(crews[1].replicas == 7);
  CHECK(step::stages_in_front(cluster, layout, true) == 2);  // stages of 80 devices
  CHECK(step::stages_in_front(cluster, layout, false) == 1);
}

TEST_CASE("micro-batches are shared so that kinds end together, none lost") {
  const std::vector<double> step_s{3, 1};
  const auto line = [&](std::size_t kind, std::int64_t m) { return step_s[kind] * (2 + static_cast<double>(m)); };
  for (const std::int64_t first : {1, 3, 8, 15}) {
    const Layout layout = replicas_of(8, 1, 16);
    const std::vector<Crew> equal = step::crews_by_kind(two_kinds(8 * first, 1000), layout, 24, step_s);
    const std::vector<Crew> crews = step::balanced(equal, layout, line);
    CHECK(all_micro_batches(crews) == 16 * 24);
    double latest = 0;
    for (const Crew& crew : crews) latest = std::max(latest, line(crew.kind, crew.micro_batches));
    // As if micro-batches could be cut: all end at once. A whole one more of the slower kind is the most it can be off.
    const double weight = static_cast<double>(first) / 3 + static_cast<double>(16 - first);
    CHECK(latest <= (16 * 24 + 16 * 2) / weight + 3);
    CHECK(latest >= (16 * 24 + 16 * 2) / weight - 1e-9);
  }
}

TEST_CASE("micro-batches stay what the schedule can run") {
  Layout layout = replicas_of(8, 4, 16);
  layout.vp = 2;
  const std::vector<double> step_s{2, 1};
  const auto line = [&](std::size_t kind, std::int64_t m) { return step_s[kind] * static_cast<double>(m); };
  const std::vector<Crew> equal = step::crews_by_kind(two_kinds(256, 256), layout, 16, step_s);
  const std::vector<Crew> crews = step::balanced(equal, layout, line);
  CHECK(all_micro_batches(crews) == 16 * 16);
  for (const Crew& crew : crews) CHECK(crew.micro_batches % 4 == 0);
  CHECK(crews.front().micro_batches < crews.back().micro_batches);
}
