// Silicon, heat and power limits of single devices.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "ampacity/kernels.hpp"
#include "base/statistics.hpp"
#include "compute/kernels.hpp"
#include "scenario.hpp"
#include "simulate/devices.hpp"
#include "simulate/draws.hpp"

using namespace ampacity;
using namespace ampacity::testing;
using doctest::Approx;

namespace {

simulation::Room h100_room() {
  return simulation::room_of(cluster_of("meta-llama3-16k").partitions.front().node);
}

}  // namespace

TEST_CASE("silicon: moments, and the hungriest of n devices") {
  for (const std::size_t devices : {64U, 1024U}) {
    double sum = 0;
    constexpr int seeds = 4000;
    for (int seed = 0; seed < seeds; ++seed) {
      double most = 0;
      for (std::size_t d = 0; d < devices; ++d) {
        most = std::max(most, simulation::drawn_power_fraction(static_cast<std::uint64_t>(seed), 0.02, d));
      }
      sum += (most - 1) / 0.02;
    }
    // The mean of 4,000 maxima has a standard error of 0.3 % (64 draws) and 0.2 % (1,024).
    CHECK(sum / seeds == Approx(base::expected_maximum(static_cast<double>(devices))).epsilon(0.01));
  }
  CHECK(simulation::drawn_power_fraction(1, 0, 5) == 1);
}

TEST_CASE("inlets spread by row, along rows and by rack, and within nodes by the stream") {
  const simulation::Room room = h100_room();
  CHECK(room.per_host == 8);
  constexpr std::size_t racks = 20000;
  double sum = 0;
  double squares = 0;
  double neighbours = 0;
  double before = 0;
  for (std::size_t rack = 0; rack < racks; ++rack) {
    const std::uint64_t device = rack * static_cast<std::uint64_t>(room.per_rack);
    const double offset_c = simulation::drawn_inlet_offset_c(3, room, 2, 0, device);
    sum += offset_c;
    squares += offset_c * offset_c;
    if (rack % simulation::Room::racks_per_row != 0) neighbours += offset_c * before;
    before = offset_c;
  }
  // 1,250 rows: the standard error of the spread is about 2 %.
  CHECK(sum / racks == Approx(0).scale(1).epsilon(0.15));
  CHECK(std::sqrt(squares / racks) == Approx(2).epsilon(0.06));
  CHECK(neighbours > 0.4 * squares);  // racks of a row are alike: two thirds of the variance, nearly
  CHECK(simulation::drawn_inlet_offset_c(3, room, 0, 7, 4) - simulation::drawn_inlet_offset_c(3, room, 0, 7, 3) ==
        Approx(7));
}

TEST_CASE("a device's resistance, and how air and liquid differ") {
  const Cluster cluster = cluster_of("meta-llama3-16k");
  Node node = cluster.partitions.front().node;
  const power::Cooler air = power::cooler_of(node, cluster.site);
  node.cooling = Cooling::liquid;
  const power::Cooler liquid = power::cooler_of(node, cluster.site);
  CHECK(air.resistance_c_per_w * node.accelerator.tdp_w == Approx(39));
  CHECK(liquid.resistance_c_per_w < 0.5 * air.resistance_c_per_w);
  CHECK(liquid.time_constant_s < air.time_constant_s);
  CHECK(liquid.supply_c == Site::design_liquid_c);
  Site site = cluster.site;
  site.plant.liquid.supply_c = 45;  // warm water comes through
  CHECK(power::cooler_of(node, site).supply_c == 45);
  site.plant.liquid.supply_c = 20;  // cold water does not: mixing valves
  CHECK(power::cooler_of(node, site).supply_c == Site::design_liquid_c);
  site.supply_liquid_c = 25;
  CHECK(power::cooler_of(node, site).supply_c == 25);
  node.thermal_resistance_c_per_w = 0.1;
  node.thermal_time_constant_s = 20;
  CHECK(power::cooler_of(node, cluster.site).resistance_c_per_w == 0.1);
  CHECK(power::cooler_of(node, cluster.site).time_constant_s == 20);
}

TEST_CASE("the same silicon under another limit draws the same before it computes") {
  const Accelerator device = cluster_of("meta-llama3-16k").partitions.front().node.accelerator;
  const Accelerator lower = compute::under_limit(device, 400);
  CHECK(lower.tdp_w == 400);
  CHECK(active_w(lower) == Approx(active_w(device)));
  CHECK(simulation::least_limit_w(device) > active_w(device));
}
