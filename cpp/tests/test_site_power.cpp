// Plant physics without Python: converters, loops, weather, breakers.
#include <doctest/doctest.h>

#include <cmath>

#include "power/conversion.hpp"
#include "power/cooling.hpp"
#include "power/distribution.hpp"
#include "power/psychrometrics.hpp"
#include "power/weather.hpp"
#include "scenario.hpp"

using namespace ampacity;
using namespace ampacity::power;
using doctest::Approx;

TEST_CASE("a converter meets the points of its curve and never loses less with more load") {
  const std::vector<LoadPoint> titanium{{0.1, 0.90}, {0.2, 0.94}, {0.5, 0.96}, {1.0, 0.91}};
  for (const LoadPoint& point : titanium) {
    CHECK(converter_efficiency(titanium, point.load_fraction) == Approx(point.efficiency_fraction).epsilon(1e-12));
  }
  double before = 0;
  for (int i = 0; i <= 120; ++i) {
    const double loss = converter_loss(titanium, i * 0.01);
    CHECK(loss >= before);
    before = loss;
  }
  CHECK(converter_loss(titanium, 0) > 0);
  CHECK(converter_loss({}, 0.7) == 0);
}

TEST_CASE("wet bulb: dry air cools, saturated air does not") {
  const double sea = pressure_pa(0);
  CHECK(sea == Approx(101325));
  CHECK(saturation_pa(100) == Approx(101325).epsilon(0.03));
  CHECK(saturation_pa(20) == Approx(2339).epsilon(0.004));  // ASHRAE Handbook: 2.3392 kPa; the fit is within 0.4 %
  CHECK(dew_point_c(saturation_pa(13)) == Approx(13));
  CHECK(wet_bulb_of_dew_c(20, 20, sea) == Approx(20));
  // ASHRAE Fundamentals, chapter 1, example: 40 C dry bulb and 20 C wet bulb have a dew point of 7.0 C.
  CHECK(wet_bulb_of_dew_c(40, 7.0, sea) == Approx(20).epsilon(0.01));
}

TEST_CASE("a cooling loop: free, then chilled, never cheaper in warmer air") {
  CoolingLoop loop;
  loop.supply_c = 32;
  loop.rise_c = 10;
  loop.approach_c = 6;
  loop.chiller_fraction = 1;
  const LoopPower cold = loop_power(loop, 1e6, 1e6, {10, 8}, 5);
  CHECK(cold.chillers_w == 0);
  CHECK(cold.excess_c == 0);
  // Full fans at the design: 26 C.
  CHECK(loop_power(loop, 1e6, 1e6, {26, 20}, 5).rejection_fans_w == Approx(0.015e6));
  CHECK(loop_power(loop, 1e6, 1e6, {26, 20}, 5).chillers_w == 0);
  // Half of the rise is left to the chillers at 31 C.
  const LoopPower warm = loop_power(loop, 1e6, 1e6, {31, 20}, 5);
  CHECK(warm.chillers_w == Approx(0.5e6 / (0.5 * (30 + 273.15) / (46 - 30))));
  loop.chiller_fraction = 0.2;
  CHECK(loop_power(loop, 1e6, 1e6, {31, 20}, 5).excess_c == Approx(3));
  double before = 0;
  for (int t = -20; t < 50; ++t) {
    const double watts = loop_power(loop, 0.6e6, 1e6, {t * 1.0, t - 5.0}, 5).total_w();
    CHECK(watts >= before);
    before = watts;
  }
}

TEST_CASE("no hour of a climate is hotter than its hottest") {
  const auto climate = Catalogue::builtin().get<Climate>("memphis");
  const ClimateHours hours(climate);
  const Air worst = hours.hottest();
  for (std::size_t hour = 0; hour < kHoursPerYear; ++hour) {
    const Air air = hours.hour(hour);
    REQUIRE(air.dry_bulb_c <= worst.dry_bulb_c);
    REQUIRE(air.wet_bulb_c <= worst.wet_bulb_c);
  }
  CHECK(sun_w_per_m2(climate, std::size_t{172} * 24 + 12) > 600);
  CHECK(sun_w_per_m2(climate, std::size_t{172} * 24) == 0);
}

TEST_CASE("boards are filled up to what is provisioned, and overloads are counted") {
  Plant plant;
  plant.rack_breaker_w = 45e3;
  const std::vector<RackGroup> racks{{10, 30e3, 38e3, 40e3}};
  const auto levels = static_breaker_loads(plant, racks);
  CHECK(levels[0].count == 10);
  CHECK(levels[0].overloaded_nameplate == 0);
  CHECK(levels[1].count == 3);  // 4, 4 and 2 racks on 190 kW
  CHECK(levels[1].peak_w == Approx(4 * 38e3));
  CHECK(levels[1].overloaded_nameplate == 0);
  plant.provision_fraction = 0.8;  // 5 racks to a row: 200 kW at nameplate, 190 at peak
  const auto tight = static_breaker_loads(plant, racks);
  CHECK(tight[1].count == 2);
  CHECK(tight[1].overloaded_peak == 0);
  CHECK(tight[1].overloaded_nameplate == 2);
}
