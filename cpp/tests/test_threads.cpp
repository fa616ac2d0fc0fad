// Estimates in several threads equal serial ones, bit for bit.
#include <doctest/doctest.h>

#include <thread>
#include <vector>

#include "scenario.hpp"

using namespace ampacity;

TEST_CASE("threads with different scenarios do not meet") {
  struct Scenario {
    Training job;
    Cluster cluster;
    Layout layout;
  };
  Layout small;
  small.tp = 2;
  small.dp = 8;
  const std::vector<Scenario> scenarios{
      {testing::job_of("llama-3.1-405b"), testing::cluster_of("meta-llama3-16k"), testing::llama_layout()},
      {testing::job_of("llama-3.1-8b", 64), testing::cluster_of("selene-3072"), small}};
  std::vector<double> serial;
  for (const Scenario& s : scenarios) serial.push_back(estimate(s.job, s.cluster, s.layout).run.energy_j);

  constexpr int rounds = 200;
  std::vector<int> equal(4, 0);
  std::vector<std::thread> threads;  // not std::jthread: Apple's standard library has none yet
  for (std::size_t t = 0; t < equal.size(); ++t) {
    threads.emplace_back([&, t] {
      const std::size_t which = t % scenarios.size();
      const Scenario& s = scenarios[which];
      // The catalogue is made on first use: let the threads race for that too.
      if (!Catalogue::builtin().contains("model", "llama-3.1-8b")) return;
      for (int i = 0; i < rounds; ++i)
        equal[t] += estimate(s.job, s.cluster, s.layout).run.energy_j == serial[which] ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const int count : equal) CHECK(count == rounds);
}
