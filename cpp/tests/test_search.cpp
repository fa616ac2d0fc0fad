// Searches: the best of what is possible, and clear words where nothing is.
#include <doctest/doctest.h>

#include <set>
#include <tuple>

#include "scenario.hpp"

using namespace ampacity;

TEST_CASE("the best layout fits, uses the cluster and is the fastest of its list") {
  const SearchResult found = search(testing::job_of("llama-3.1-405b"), testing::cluster_of("meta-llama3-16k"));
  CHECK(found.best.accelerators() > 0.9 * 16384);
  REQUIRE(found.candidates.size() == 10);
  for (std::size_t i = 1; i < found.candidates.size(); ++i) {
    CHECK(found.candidates[i].tokens_per_s <= found.candidates[i - 1].tokens_per_s);
  }
  Training job = testing::job_of("llama-3.1-405b", found.global_batch);
  const Estimate e = estimate(job, testing::cluster_of("meta-llama3-16k"), found.best);
  CHECK(e.memory.fits());
  CHECK(e.step_time_s == found.candidates.front().step_time_s);
}

TEST_CASE("what the user fixed stays fixed") {
  LayoutChoice choice;
  choice.tp = 4;
  choice.accelerators = 1024;
  choice.global_batch = 512;
  choice.recompute = Recompute::full;
  const SearchResult found = search(testing::job_of("llama-3.1-70b"), testing::cluster_of("eos-10752"), choice);
  CHECK(found.best.tp == 4);
  CHECK(found.best.accelerators() == 1024);
  CHECK(found.best.recompute == Recompute::full);
  CHECK(found.global_batch == 512);
}

TEST_CASE("every field of a layout can be decided, each by a member of its own") {
  LayoutChoice choice;
  std::set<const void*> members;
  const auto look = [&](const auto& field) {
    const Layout other;
    choice.of(field.member) = other.*field.member;
    members.insert(&choice.of(field.member));
  };
  std::apply([&](const auto&... field) { (look(field), ...); }, Layout::fields());
  CHECK(members.size() == std::tuple_size_v<decltype(Layout::fields())>);
  CHECK(choice.sequence_parallel.has_value());
}

TEST_CASE("nothing fits: by how much, and what is largest") {
  try {
    (void)search(testing::job_of("llama-3.1-405b"), testing::cluster_of("dgx-h100-x1"));
    FAIL("no error");
  } catch (const Infeasible& error) {
    const std::string text = error.what();
    CHECK(text.find("too much") != std::string::npos);
    CHECK(text.find("optimizer state") != std::string::npos);
  }
}

TEST_CASE("contradictions are named") {
  LayoutChoice choice;
  choice.tp = 8;
  choice.pp = 16;
  choice.dp = 100;
  choice.accelerators = 16384;
  try {
    (void)search(testing::job_of("llama-3.1-405b"), testing::cluster_of("meta-llama3-16k"), choice);
    FAIL("no error");
  } catch (const InvalidSpec& error) {
    CHECK(std::string(error.what()).find("must equal gpus (16384)") != std::string::npos);
  }
  choice = {};
  choice.accelerators = 0;
  CHECK_THROWS_AS((void)search(testing::job_of("llama-3.1-405b"), testing::cluster_of("meta-llama3-16k"), choice),
                  InvalidSpec);
}

TEST_CASE("degrees that do not divide the accelerators asked for are refused") {
  LayoutChoice choice;
  choice.accelerators = 100;
  choice.dp = 7;
  try {
    (void)search(testing::job_of("llama-3.1-70b"), testing::cluster_of("eos-10752"), choice);
    FAIL("no error");
  } catch (const InvalidSpec& error) {
    CHECK(std::string(error.what()).find("gpus = 100: must be a multiple") != std::string::npos);
  }
}

TEST_CASE("a batch grows only where that gives accelerators work or much more throughput") {
  LayoutChoice choice;
  choice.dp = 7;
  const SearchResult found = search(testing::job_of("llama-3.1-70b"), testing::cluster_of("eos-10752"), choice);
  CHECK(found.global_batch < 1.1 * 2048);
}

TEST_CASE("where the batch grows, no smaller one that splits is faster") {
  // 9,216 chips: 2,304 replicas of four take 2,304 or 4,608 sequences, both an eighth above a doubled wish of 2,048.
  const Training job = testing::job_of("llama-3.1-8b");
  const Cluster cluster = testing::cluster_of("tpu-v7-pod");
  const SearchResult found = search(job, cluster);
  LayoutChoice fixed;
  for (const std::int64_t batch : {2048, 2304, 3072, 3456}) {
    fixed.global_batch = batch;
    const bool smaller = batch <= found.global_batch;
    const double tokens_per_s = search(job, cluster, fixed, 1).candidates.front().tokens_per_s;
    CHECK(tokens_per_s <= (smaller ? 1.0 : 1.25) * found.candidates.front().tokens_per_s * (1 + 1e-9));
  }
}

TEST_CASE("experts are spread too") {
  const SearchResult found = search(testing::job_of("mixtral-8x7b", 1024), testing::cluster_of("eos-10752"));
  CHECK(found.best.ep > 1);
}
