// The whole step: conservation, invariances, monotony, published systems.
#include <doctest/doctest.h>

#include <cmath>
#include <functional>

#include "scenario.hpp"
#include "step/step_time.hpp"

using namespace ampacity;
using doctest::Approx;

namespace {

Estimate llama() {
  return estimate(testing::job_of("llama-3.1-405b"), testing::cluster_of("meta-llama3-16k"), testing::llama_layout());
}

std::string conflict_text(const Training& job, const Cluster& cluster, const Layout& layout) {
  try {
    (void)estimate(job, cluster, layout);
  } catch (const InvalidSpec& error) {
    return error.what();
  }
  return {};
}

}  // namespace

TEST_CASE("the breakdown sums to the step time, and memory to its parts") {
  const Estimate e = llama();
  CHECK(e.breakdown.total_s() == Approx(e.step_time_s).epsilon(1e-12));
  CHECK(e.memory.fits());
  CHECK(e.tokens_per_s == Approx(2048.0 * 8192 / e.step_time_s).epsilon(1e-12));
  CHECK(e.flops_per_s_per_accelerator * 16384 * e.step_time_s == Approx(e.model_flops_per_step).epsilon(1e-12));
}

TEST_CASE("Llama 3.1 405B takes the published GPU-hours within 20 %") {
  // Model card: 30.84 M H100-hours for 15.6 T tokens, interruptions included.
  const Estimate e = llama();
  const double hours = e.run.duration_s / 3600 * 16384;
  CHECK(hours == Approx(30.84e6).epsilon(0.20));
}

TEST_CASE("equal scenarios give equal bits") {
  const Estimate a = llama();
  const Estimate b = llama();
  CHECK(a.step_time_s == b.step_time_s);
  CHECK(a.run.energy_j == b.run.energy_j);
}

TEST_CASE("a better device or network never makes a step slower") {
  const Training job = testing::job_of("llama-3.1-405b");
  const Cluster base = testing::cluster_of("meta-llama3-16k");
  const Layout layout = testing::llama_layout();
  const double before = estimate(job, base, layout).step_time_s;
  const auto after = [&](const std::function<void(Cluster&)>& change) {
    Cluster better = base;
    change(better);
    return estimate(job, better, layout).step_time_s;
  };
  const auto device = [](Cluster& c) -> Accelerator& { return c.partitions.front().node.accelerator; };
  CHECK(after([&](Cluster& c) { device(c).memory_bytes_per_s *= 1.3; }) <= before);
  CHECK(after([&](Cluster& c) { device(c).bf16_flops_per_s *= 1.3; }) <= before);
  CHECK(after([&](Cluster& c) { device(c).scaleup_bytes_per_s *= 1.3; }) <= before);
  CHECK(after([&](Cluster& c) { device(c).tdp_w *= 1.3; }) <= before);
  CHECK(after([&](Cluster& c) { c.fabric.bytes_per_s_per_accelerator *= 1.3; }) <= before);
  CHECK(after([&](Cluster& c) { c.fabric.message_latency_s *= 0.5; }) <= before);
}

TEST_CASE("without anything to communicate nothing is communicated") {
  Training job = testing::job_of("llama-3.1-8b", 8);
  Layout layout;
  layout.recompute = Recompute::full;
  const Breakdown b = estimate(job, testing::cluster_of("eos-10752"), layout).breakdown;
  CHECK(b.tp_comm_s + b.cp_comm_s + b.ep_comm_s + b.pp_comm_s + b.dp_comm_s == 0);
  CHECK(b.bubble_s == 0);
  CHECK(b.straggler_s == 0);
}

TEST_CASE("every conflict of a layout is named at once") {
  Training job = testing::job_of("llama-3.1-405b", 100);
  Layout layout;
  layout.tp = 7;
  layout.pp = 5;
  layout.ep = 4;
  layout.dp = 3000;
  const std::string text = conflict_text(job, testing::cluster_of("meta-llama3-16k"), layout);
  for (const char* part :
       {"model.heads (128)", "model.layers (126)", "no experts", "must not exceed", "multiple of layout.dp"}) {
    CHECK_MESSAGE(text.find(part) != std::string::npos, text);
  }
}

TEST_CASE("specifications filled by hand are checked too") {
  const Cluster cluster = testing::cluster_of("eos-10752");
  Training job = testing::job_of("llama-3.1-8b", 8);
  job.tokens = std::nan("");
  CHECK(conflict_text(job, cluster, Layout{}).find("training.tokens = nan") != std::string::npos);
  Layout layout;
  layout.tp = -1;
  CHECK(conflict_text(testing::job_of("llama-3.1-8b", 8), cluster, layout).find("layout.tp = -1") != std::string::npos);
  Cluster broken = cluster;
  broken.partitions.front().node.accelerator.memory_bytes_per_s = 0;
  CHECK(conflict_text(testing::job_of("llama-3.1-8b", 8), broken, Layout{}).find("memory_bytes_per_s") !=
        std::string::npos);
}

TEST_CASE("a model that does not fit is said to, by how much") {
  Layout layout;
  const Estimate e = estimate(testing::job_of("llama-3.1-70b", 8), testing::cluster_of("eos-10752"), layout);
  CHECK_FALSE(e.memory.fits());
  REQUIRE_FALSE(e.warnings.empty());
  CHECK(e.warnings.front().text().find("does not fit: needs") == 0);
}

TEST_CASE("16,384 H100 cannot swing by more than 17 MW") {
  // 16,384 x 1.06 kW is all that they can draw (BNL node maximum, arXiv:2412.08602).
  const Estimate e = llama();
  CHECK(e.power.swing_w < 17e6);
  CHECK(e.power.swing_w > 5e6);
}

TEST_CASE("the expected maximum of normal draws follows the tables") {
  // Harter 1961, expected values of normal order statistics: 0.564, 1.424, 2.508, 3.241 for 2, 8, 100, 1000 draws.
  CHECK(step::expected_maximum(1) == 0);
  CHECK(step::expected_maximum(2) == Approx(0.5642).epsilon(0.01));
  CHECK(step::expected_maximum(8) == Approx(1.4236).epsilon(0.01));
  CHECK(step::expected_maximum(100) == Approx(2.5076).epsilon(0.01));
  CHECK(step::expected_maximum(1000) == Approx(3.2414).epsilon(0.01));
}
