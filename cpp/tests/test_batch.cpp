// A batch gives what single estimates give, bit for bit, and names what keeps a row from running.
#include <doctest/doctest.h>

#include <bit>
#include <cstdint>
#include <random>
#include <vector>

#include "scenario.hpp"

using namespace ampacity;

namespace {

/// Layouts of which some cannot run, some do not fit, and many share parts.
std::vector<Layout> some_layouts(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  const auto pick = [&](std::initializer_list<std::int64_t> values) {
    return *(values.begin() + static_cast<std::ptrdiff_t>(random() % values.size()));
  };
  std::vector<Layout> layouts(count);
  for (Layout& layout : layouts) {
    layout.tp = pick({1, 2, 4, 8, 8, 3});
    layout.pp = pick({1, 1, 2, 4, 8, 16});
    layout.vp = pick({1, 1, 2, 4});
    layout.cp = pick({1, 1, 1, 2, 4});
    layout.ep = pick({1, 1, 1, 2, 8});
    layout.dp = pick({1, 2, 8, 16, 64, 0});
    layout.micro_batch = pick({1, 2, 4});
    layout.zero_stage = pick({0, 1, 2, 3});
    layout.shard_group = pick({0, 0, 0, 2, 8});
    layout.schedule = static_cast<Schedule>(pick({0, 0, 0, 1}));
    layout.recompute = static_cast<Recompute>(pick({0, 1, 2, 3}));
    layout.sequence_parallel = pick({0, 1, 1}) != 0;
  }
  return layouts;
}

LayoutColumns columns_of(const std::vector<Layout>& layouts) {
  LayoutColumns columns;
  columns.visit([&](const auto& field, auto& column) {
    std::vector<typename std::remove_cvref_t<decltype(column)>::Stored> values;
    for (const Layout& layout : layouts) {
      values.push_back(static_cast<typename std::remove_cvref_t<decltype(column)>::Stored>(layout.*field.member));
    }
    column = std::remove_cvref_t<decltype(column)>(std::move(values));
  });
  return columns;
}

bool same_bits(double a, double b) {
  return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
}

/// Checks every row against `estimate`; returns how many run.
std::size_t check_rows(const EstimateColumns& found) {
  std::size_t runs = 0;
  const std::vector<std::string> reasons = EstimateColumns::reason_names();
  for (std::size_t row = 0; row < found.rows(); ++row) {
    CAPTURE(row);
    try {
      const Estimate one = found.estimate(row);
      ++runs;
      REQUIRE(reasons[found.reasons()[row]] == (one.memory.fits() ? "" : "memory"));
      REQUIRE(found.reason(row).empty() == one.memory.fits());
      REQUIRE(same_bits(found.column("step_time_s")[row], one.step_time_s));
      REQUIRE(same_bits(found.column("tp_comm_s")[row], one.breakdown.tp_comm_s));
      REQUIRE(same_bits(found.column("dp_comm_s")[row], one.breakdown.dp_comm_s));
      REQUIRE(same_bits(found.column("memory_bytes")[row], one.memory.total_bytes()));
      REQUIRE(same_bits(found.column("gpu_mean_w")[row], one.power.gpu_mean_w));
      REQUIRE(same_bits(found.column("energy_j")[row], one.run.energy_j));
      std::uint32_t bits = 0;
      for (const Warning& warning : one.warnings) bits |= 1U << static_cast<unsigned>(warning.caveat);
      REQUIRE(found.caveats()[row] == bits);
    } catch (const InvalidSpec& error) {
      REQUIRE(found.reasons()[row] > 1);
      REQUIRE(found.reason(row) == error.what());
      REQUIRE(found.column("step_time_s")[row] != found.column("step_time_s")[row]);  // NaN
    }
  }
  return runs;
}

}  // namespace

TEST_CASE("a batch equals single estimates bit for bit") {
  struct Scenario {
    const char* model;
    const char* cluster;
    const char* software;
  };
  // Dense, mixture of experts, latent attention; software that reduces every micro-batch; two kinds of device.
  for (const Scenario& s : {Scenario{"llama-3.1-8b", "meta-llama3-16k", "megatron-core"},
                            Scenario{"mixtral-8x7b", "selene-3072", "megatron-core"},
                            Scenario{"deepseek-v3", "meta-llama3-16k", "megatron-core"},
                            Scenario{"gpt-3-175b", "colossus-200k", "megatron-2021"},
                            Scenario{"llama-3.1-8b", "selene-3072", "torchtitan"}}) {
    CAPTURE(s.model);
    const auto found = estimate_layouts(testing::job_of(s.model, 512, s.software), testing::cluster_of(s.cluster),
                                        columns_of(some_layouts(1500, 7)));
    CHECK(check_rows(found) > 20);
  }
}

TEST_CASE("a batch may vary batch and sequence length") {
  LayoutColumns columns;
  columns.set(&Layout::zero_stage, Column<std::int64_t>(3)).set(&Layout::dp, Column<std::int64_t>({8, 8, 8, 8, 8, 8}));
  columns.set_global_batch(Column<std::int64_t>({8, 16, 8, 16, 0, 12}));
  columns.set_seq_len(Column<std::int64_t>({2048, 2048, 4096, 4096, 2048, 2048}));
  const auto found =
      estimate_layouts(testing::job_of("llama-3.1-8b", 64), testing::cluster_of("meta-llama3-16k"), columns);
  CHECK(check_rows(found) == 4);
  CHECK(found.column("tokens_per_s")[0] < found.column("tokens_per_s")[3]);
  CHECK(EstimateColumns::reason_names()[found.reasons()[4]] == "training.global_batch");
}

TEST_CASE("any number of threads gives the same columns") {
  const auto run = [](std::size_t threads) {
    BatchOptions options;
    options.threads = threads;
    return estimate_layouts(testing::job_of("mixtral-8x7b", 512), testing::cluster_of("selene-3072"),
                            columns_of(some_layouts(3000, 11)), options);
  };
  const auto one = run(1);
  for (const std::size_t threads : {2, 3, 8, 0}) {
    const auto many = run(threads);
    bool same = true;
    for (std::size_t i = 0; i < EstimateColumns::info().size(); ++i) {
      for (std::size_t row = 0; row < one.rows(); ++row)
        same = same && same_bits(one.column(i)[row], many.column(i)[row]);
    }
    CHECK(same);
    CHECK(std::equal(one.reasons().begin(), one.reasons().end(), many.reasons().begin()));
    CHECK(one.best() == many.best());
  }
}

TEST_CASE("a batch can be stopped, and names columns of different length") {
  BatchOptions options;
  options.proceed = [] { return false; };
  options.threads = 2;
  CHECK_THROWS_AS(
      static_cast<void>(estimate_layouts(testing::job_of("llama-3.1-8b", 64), testing::cluster_of("selene-3072"),
                                         columns_of(some_layouts(20000, 1)), options)),
      Cancelled);
  LayoutColumns columns;
  columns.set(&Layout::tp, Column<std::int64_t>({1, 2})).set(&Layout::pp, Column<std::int64_t>({1, 2, 4}));
  CHECK_THROWS_WITH_AS(static_cast<void>(columns.rows()), doctest::Contains("layout.pp = 3 rows"), InvalidSpec);
  CHECK_THROWS_AS(static_cast<void>(estimate_layouts(testing::job_of("llama-3.1-8b", 64),
                                                     testing::cluster_of("selene-3072"), LayoutColumns{})
                                        .column("step_times")),
                  UnknownName);
}

TEST_CASE("degrees of zero in a structure filled by hand are an error") {
  Layout layout;
  layout.dp = 0;
  CHECK_THROWS_WITH_AS(
      static_cast<void>(estimate(testing::job_of("llama-3.1-8b", 64), testing::cluster_of("selene-3072"), layout)),
      doctest::Contains("layout.dp = 0"), InvalidSpec);
  Training job = testing::job_of("llama-3.1-8b", 64);
  job.seq_len = 0;
  CHECK_THROWS_WITH_AS(static_cast<void>(estimate(job, testing::cluster_of("selene-3072"), Layout{})),
                       doctest::Contains("training.seq_len = 0"), InvalidSpec);
}
