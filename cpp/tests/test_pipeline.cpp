// Pipeline schedules against their papers' formulas.
#include <doctest/doctest.h>

#include "schedule/pipeline.hpp"

using namespace ampacity;
using doctest::Approx;

namespace {

schedule::PipelineTime equal_stages(std::int64_t pp, std::int64_t vp, double micro_batches) {
  Layout layout;
  layout.pp = pp;
  layout.vp = vp;
  return schedule::pipeline_time(layout, micro_batches, {2, 2, 2});
}

}  // namespace

TEST_CASE("one stage has no bubble") {
  const schedule::PipelineTime time = equal_stages(1, 1, 7);
  CHECK(time.busy_s == 14);
  CHECK(time.bubble_s == 0);
}

TEST_CASE("bubble of 1F1B is (p - 1) / m, of the interleaved schedule (p - 1) / (v m)") {
  // Narayanan et al. 2021, section 2.2.
  CHECK(equal_stages(8, 1, 32).bubble_s / equal_stages(8, 1, 32).busy_s == Approx(7.0 / 32));
  CHECK(equal_stages(8, 4, 32).bubble_s / equal_stages(8, 4, 32).busy_s == Approx(7.0 / (4 * 32)));
}

TEST_CASE("the slowest stage sets the pace") {
  Layout layout;
  layout.pp = 4;
  const schedule::PipelineTime time = schedule::pipeline_time(layout, 10, {1, 1, 3});
  CHECK(time.busy_s == 30);
  CHECK(time.bubble_s == 3);
}
