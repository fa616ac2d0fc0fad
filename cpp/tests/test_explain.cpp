// What a step's time is made of, and what would help.
#include <doctest/doctest.h>

#include <cmath>

#include "scenario.hpp"
#include "step/pace.hpp"

using namespace ampacity;
using namespace ampacity::testing;

namespace {

struct Scenario {
  Training job;
  Cluster cluster;
  Layout layout;
};

Layout layout_of(std::int64_t tp, std::int64_t pp, std::int64_t ep, std::int64_t dp,
                 Recompute recompute = Recompute::none, std::int64_t zero = 1) {
  Layout layout;
  layout.tp = tp;
  layout.pp = pp;
  layout.ep = ep;
  layout.dp = dp;
  layout.recompute = recompute;
  layout.zero_stage = zero;
  return layout;
}

std::vector<Scenario> scenarios() {
  Layout long_context = layout_of(8, 16, 1, 8);
  long_context.cp = 16;
  return {
      {job_of("llama-3.1-405b", 2048), cluster_of("meta-llama3-16k"), llama_layout()},
      {job_of("llama-3.1-405b", 16), cluster_of("meta-llama3-16k"), long_context},
      {job_of("llama-3.1-8b", 128, "torchtitan"), cluster_of("dgx-h100-x1"),
       layout_of(1, 1, 1, 8, Recompute::selective_op, 3)},
      {job_of("gpt-3-175b", 1536, "megatron-2021"), cluster_of("selene-3072"), layout_of(8, 8, 1, 48, Recompute::full)},
      {job_of("gpt-3-175b", 1536, "megatron-2022"), cluster_of("selene-3072"),
       layout_of(8, 8, 1, 48, Recompute::selective)},
      {job_of("deepseek-v3", 4096), cluster_of("deepseek-h800-2k"), layout_of(1, 16, 64, 128, Recompute::full)},
      {job_of("mixtral-8x7b", 256), cluster_of("dgx-h100-x1"), layout_of(2, 1, 4, 4)},
  };
}

double leaves(const Term& term, double Term::* value) {
  if (term.parts.empty()) return term.*value;
  double sum = 0;
  for (const Term& part : term.parts) sum += leaves(part, value);
  return sum;
}

const Term* find(const Term& term, const std::string& name) {
  for (const Term& part : term.parts) {
    if (part.name == name) return &part;
    if (const Term* found = find(part, name)) return found;
  }
  return nullptr;
}

double direction(const Term& compute, const std::string& name) {
  double sum = 0;
  for (const Term& kind : compute.parts) {
    if (const Term* part = find(kind, name)) sum += part->seconds;
  }
  return sum;
}

}  // namespace

// The tree is taken down while the same functions price the step, so only rounding may part them.
TEST_CASE("The leaves of the tree sum to the step time and to the terms of the breakdown") {
  for (const Scenario& s : scenarios()) {
    CAPTURE(s.job.model.name);
    const Estimate est = estimate(s.job, s.cluster, s.layout);
    const Explanation why = explain(s.job, s.cluster, s.layout);
    const Breakdown& b = est.breakdown;
    CHECK(leaves(why.time, &Term::seconds) == doctest::Approx(est.step_time_s).epsilon(1e-9));
    CHECK(why.time.seconds == doctest::Approx(est.step_time_s).epsilon(1e-9));
    const Term& compute = *find(why.time, "compute");
    CHECK(compute.seconds ==
          doctest::Approx(b.gemm_s + b.attention_s + b.memory_bound_s + b.recompute_s).epsilon(1e-9));
    CHECK(direction(compute, "recompute") == doctest::Approx(b.recompute_s).epsilon(1e-9));
    if (s.layout.recompute != Recompute::full && s.layout.cp == 1) {
      const Term& core = *find(compute, "attention-core");
      CHECK(find(core, "forward")->seconds + find(core, "backward")->seconds ==
            doctest::Approx(b.attention_s).epsilon(1e-9));
    }
  }
}

TEST_CASE("What hides behind compute stands beside what shows, and its energy is counted once") {
  for (const Scenario& s : scenarios()) {
    CAPTURE(s.job.model.name);
    const step::Pace pace = step::pace_of(s.job, s.cluster, s.layout);
    const Explanation why = explain(s.job, s.cluster, s.layout);
    const Term* communication = find(why.time, "communication");
    REQUIRE(communication != nullptr);
    for (const Term& kind : communication->parts) CHECK(kind.hidden_s >= 0);
    CHECK(communication->hidden_s == doctest::Approx(leaves(*communication, &Term::hidden_s)).epsilon(1e-9));
    CHECK(find(why.time, "data-parallel")->hidden_s >= pace.step.hidden_dp_s);
  }
}

TEST_CASE("Operators of a dense layer stand in the proportion of their FLOPs") {
  const Scenario s = scenarios().front();
  const Explanation why = explain(s.job, s.cluster, s.layout);
  const Model& m = s.job.model;
  const double ffn = 3.0 * static_cast<double>(m.hidden * m.ffn);
  const double projections =
      2.0 * static_cast<double>(m.hidden * m.hidden) + 2.0 * static_cast<double>(m.hidden * m.kv_heads * m.head_dim);
  // Narrow products are less efficient than wide ones: within 15 %.
  CHECK(find(why.time, "feed-forward")->seconds / find(why.time, "attention-projections")->seconds ==
        doctest::Approx(ffn / projections).epsilon(0.15));
  CHECK(find(why.time, "experts") == nullptr);
  CHECK(find(why.time, "router") == nullptr);
  // A backward pass has two products for one: 1.9 to 2.2 with accumulation in 32 bits.
  const Term& ffn_term = *find(why.time, "feed-forward");
  const double ratio = find(ffn_term, "backward")->seconds / find(ffn_term, "forward")->seconds;
  CHECK(ratio > 1.9);
  CHECK(ratio < 2.2);
}

TEST_CASE("Experts, router and permutation have lines of their own") {
  const Explanation why = explain(job_of("mixtral-8x7b", 256), cluster_of("dgx-h100-x1"), layout_of(2, 1, 4, 4));
  const double experts = find(why.time, "experts")->seconds;
  CHECK(experts > 0.3 * why.time.seconds);
  CHECK(find(why.time, "router")->seconds < 0.05 * experts);
  CHECK(find(why.time, "permutation")->seconds > 0);
  CHECK(find(why.time, "feed-forward") == nullptr);
  CHECK(find(why.time, "expert-parallel")->seconds > 0);
}

TEST_CASE("No lever hurts, and the levers together make up the step") {
  for (const Scenario& s : scenarios()) {
    CAPTURE(s.job.model.name);
    const Explanation why = explain(s.job, s.cluster, s.layout);
    REQUIRE(why.sensitivities.size() == EnumNames<Lever>::names.size());
    double sum = 0;
    for (std::size_t i = 0; i < why.sensitivities.size(); ++i) {
      const Sensitivity& one = why.sensitivities[i];
      CAPTURE(name_of(one.lever));
      CHECK(one.faster_fraction >= -1e-12);
      if (i > 0) CHECK(one.faster_fraction <= why.sensitivities[i - 1].faster_fraction);
      CHECK((one.change_fraction > 0 ? -one.elasticity : one.elasticity) >= -1e-9);
      // Spread multiplies compute, which the rates have counted already.
      if (one.lever != Lever::device_spread && one.lever != Lever::expert_imbalance) sum += std::fabs(one.elasticity);
    }
    // Time is homogeneous in rates, limits and times (Euler), so the elasticities sum to one, less clocks that tiles
    // and softmax take whatever the peak (a quarter where experts are small), plus what idle and standing watts leave
    // of a higher limit (a twentieth).
    CHECK(sum > 0.7);
    CHECK(sum < 1.08);
  }
}

TEST_CASE("A lever's elasticity is the derivative of estimate itself") {
  const Scenario s = scenarios().front();
  const Explanation why = explain(s.job, s.cluster, s.layout);
  Cluster faster = s.cluster;
  faster.fabric.bytes_per_s_per_accelerator *= 1.1;
  for (Partition& partition : faster.partitions) partition.node.nic.bytes_per_s *= 1.1;
  const double gain =
      estimate(s.job, s.cluster, s.layout).step_time_s / estimate(s.job, faster, s.layout).step_time_s - 1;
  for (const Sensitivity& one : why.sensitivities) {
    if (one.lever == Lever::scaleout_bandwidth) CHECK(one.faster_fraction == doctest::Approx(gain).epsilon(1e-9));
  }
}

TEST_CASE("Exposed exchange between nodes follows the network") {
  const Training job = job_of("deepseek-v3", 4096);
  const Explanation why = explain(job, cluster_of("deepseek-h800-2k"), layout_of(1, 16, 64, 128));
  const double share = find(why.time, "expert-parallel")->seconds / why.time.seconds;
  for (const Sensitivity& one : why.sensitivities) {
    // All of the exchange is bytes on the network, but for what is hidden elsewhere behind the same wires.
    if (one.lever == Lever::scaleout_bandwidth) CHECK(-one.elasticity > 0.7 * share);
  }
}

TEST_CASE("Words for what bounds a step") {
  const Scenario dense = scenarios().front();
  const Explanation why = explain(dense.job, dense.cluster, dense.layout);
  CHECK(why.bounds.front().text.starts_with("matrix products"));
  double shares = 0;
  for (const Bound& bound : why.bounds) shares += bound.share_fraction;
  CHECK(shares > 0.95);
  CHECK(shares < 1 + 1e-9);

  // One micro-batch through 16 stages waits more than it works.
  const Training job = job_of("llama-3.1-405b", 16);
  const Layout one_batch = layout_of(8, 16, 1, 16, Recompute::full);
  CHECK(explain(job, cluster_of("meta-llama3-16k"), one_batch).bounds.front().text.starts_with("pipeline bubble"));
}

TEST_CASE("Large products run at the power limit, and not where the limit is high") {
  const Training job = job_of("llama-3.1-70b", 64);
  Cluster cluster = cluster_of("hgx-h200-x1");
  const Layout layout = layout_of(8, 1, 1, 1, Recompute::full);
  CHECK(explain(job, cluster, layout).bounds.front().text == "matrix products at the power limit");
  cluster.partitions[0].node.accelerator.tdp_w *= 3;
  CHECK(explain(job, cluster, layout).bounds.front().text == "matrix products at the arithmetic rate");
}

TEST_CASE("Provenance says what the catalogue says, and what it does not") {
  const Training job = job_of("llama-3.1-8b", 128);
  Cluster cluster = cluster_of("dgx-h100-x1");
  const auto of = [&](const Explanation& why, const std::string& end) {
    for (const Provenance& one : why.provenance) {
      if (one.parameter.ends_with(end)) return one;
    }
    return Provenance{};
  };
  const Layout layout = layout_of(1, 1, 1, 8);
  const Explanation why = explain(job, cluster, layout);
  CHECK(of(why, "h100-sxm: tdp_w").confidence == "vendor");
  CHECK(of(why, "hopper: tensor_efficiency_fraction").confidence == "measured");
  CHECK(of(why, "bf16_flops_per_s").value == doctest::Approx(989.4e12).epsilon(1e-3));
  CHECK_FALSE(of(why, "tdp_w").source.empty());
  CHECK(of(why, "speed_spread_fraction").confidence == "default");
  cluster.partitions[0].node.accelerator.tdp_w = 650;
  CHECK(of(explain(job, cluster, layout), "tdp_w").confidence == "given");
  CHECK(of(explain(job, cluster, layout, Catalogue{}), "bf16_flops_per_s").confidence == "given");
}

TEST_CASE("A family without measurements is named as such") {
  const auto says = [](const Explanation& why, const std::string& words) {
    for (const std::string& doubt : why.doubts) {
      if (doubt.find(words) != std::string::npos) return true;
    }
    return false;
  };
  const Explanation amd = explain(job_of("llama-3.1-8b", 128), cluster_of("mi300x-8-x1"), layout_of(1, 1, 1, 8));
  CHECK(says(amd, "no matrix product of AMD CDNA 3 has been measured"));
  CHECK(says(amd, "no whole training step"));
  const Explanation nvidia = explain(job_of("llama-3.1-8b", 128), cluster_of("dgx-h100-x1"), layout_of(1, 1, 1, 8));
  CHECK_FALSE(says(nvidia, "no matrix product"));
  CHECK_FALSE(says(nvidia, "extrapolated: the network"));
  const Scenario large = scenarios().front();
  CHECK(says(explain(large.job, large.cluster, large.layout), "collectives over 128 devices are extrapolated"));
}

TEST_CASE("What cannot run is refused as estimate refuses it") {
  CHECK_THROWS_AS(
      static_cast<void>(explain(job_of("llama-3.1-8b", 128), cluster_of("dgx-h100-x1"), layout_of(3, 1, 1, 8))),
      InvalidSpec);
}
