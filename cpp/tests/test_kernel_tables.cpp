#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "ampacity/catalogue.hpp"
#include "ampacity/error.hpp"
#include "ampacity/kernels.hpp"
#include "compute/kernels.hpp"

using namespace ampacity;

namespace {

const Accelerator& h100() {
  static const Accelerator device = Catalogue::builtin().get<Accelerator>("h100-sxm");
  return device;
}

}  // namespace

TEST_CASE("a table of products costs what its rows cost one by one") {
  const std::vector<double> m{1, 1000, 8192};
  const std::vector<double> n{4096, 3000, 8192};
  const std::vector<double> k{4096, 777, 8192};
  const std::vector<double> batch{1, 3, 1};
  const KernelCosts costs = gemm_costs(h100(), Precision::fp8, {m, n, k, batch, true});
  REQUIRE(costs.seconds.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    const compute::KernelCost one = compute::gemm(h100(), Precision::fp8, {m[i], n[i], k[i], batch[i], 4});
    CHECK(costs.seconds[i] == one.seconds);
    CHECK(costs.joules[i] == one.joules);
  }
}

TEST_CASE("a table of attention: backward is five products against two, so 2 to 5 times as long") {
  const std::vector<double> one{1, 1};
  const std::vector<double> length{4096, 16384};
  const std::vector<double> heads{32, 32};
  const std::vector<double> groups{8, 8};
  const std::vector<double> width{128, 128};
  const std::vector<double> seen{0.5, 0.5};
  const AttentionTable table{one, length, length, heads, groups, width, width, seen};
  const KernelCosts forward = attention_forward_costs(h100(), table);
  const KernelCosts backward = attention_backward_costs(h100(), table);
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK(backward.seconds[i] > 2 * forward.seconds[i]);
    CHECK(backward.seconds[i] < 5 * forward.seconds[i]);
  }
}

TEST_CASE("a shape out of range is named by column and row; all columns at once") {
  const std::vector<double> good{1, 2};
  const std::vector<double> zero{5, 0};
  const std::vector<double> nan{std::nan(""), 1};
  const std::vector<double> longer{1, 2, 3};
  try {
    static_cast<void>(gemm_costs(h100(), Precision::bf16, {good, zero, nan, longer, false}));
    FAIL("accepted");
  } catch (const InvalidSpec& error) {
    REQUIRE(error.problems().size() == 3);
    CHECK(error.problems()[0].path == "n[1]");
    CHECK(error.problems()[1].path == "k[0]");
    CHECK(error.problems()[2].path == "batch");
  }
  CHECK_THROWS_AS(static_cast<void>(streaming_costs(h100(), std::vector<double>{-1}, std::vector<double>{1})),
                  InvalidSpec);
}
