// Mixtures of experts and latent attention: work, memory and exchange against closed forms.
#include <doctest/doctest.h>

#include "scenario.hpp"
#include "workload/layer.hpp"
#include "workload/memory.hpp"
#include "workload/parameters.hpp"
#include "workload/stage_parameters.hpp"

using namespace ampacity;
using doctest::Approx;

namespace {

double multiply_adds(const workload::LayerWork& work) {
  double sum = 0;
  for (std::size_t i = 0; i < work.linear_count; ++i) {
    const workload::Linear& linear = work.linears[i];
    sum += linear.batch * linear.tokens * linear.in * linear.out;
  }
  return sum;
}

Layout spread(std::int64_t dp, std::int64_t ep) {
  Layout layout;
  layout.dp = dp;
  layout.ep = ep;
  return layout;
}

}  // namespace

TEST_CASE("a layer multiplies each token by the parameters that it meets") {
  for (const char* name : {"mixtral-8x7b", "deepseek-v3", "qwen3-235b-a22b"}) {
    const Training job = testing::job_of(name, 64);
    const Model& m = job.model;
    const workload::ParameterCount count = workload::count_parameters(m);
    const auto met = static_cast<double>(m.experts_per_token + m.shared_experts);
    const double expected =
        static_cast<double>(job.seq_len) * (count.attention + count.router + met * count.expert_ffn);
    CHECK_MESSAGE(multiply_adds(workload::moe_layer(job, spread(8, 1))) == Approx(expected).epsilon(1e-9), name);
  }
}

TEST_CASE("expert parallelism moves tokens, not work") {
  const Training job = testing::job_of("mixtral-8x7b", 64);
  const double alone = multiply_adds(workload::moe_layer(job, spread(8, 1)));
  for (const std::int64_t ep : {2, 4, 8}) {
    const workload::LayerWork work = workload::moe_layer(job, spread(8, ep));
    CHECK(multiply_adds(work) == Approx(alone).epsilon(1e-12));
    // 16-bit activations of every token once per expert that it visits.
    const auto tokens = static_cast<double>(job.seq_len * job.model.experts_per_token);
    CHECK(work.exchange_bytes == 2 * tokens * static_cast<double>(job.model.hidden));
  }
}

TEST_CASE("a device holds its share of the experts and all of the rest") {
  const Training job = testing::job_of("mixtral-8x7b", 64);
  const workload::LayerMix layers{0, 32};
  const workload::StageParameters whole = workload::layer_parameters(job.model, spread(8, 1), layers);
  const workload::StageParameters split = workload::layer_parameters(job.model, spread(8, 4), layers);
  CHECK(split.experts == Approx(whole.experts / 4).epsilon(1e-12));
  CHECK(split.shared == whole.shared);
  CHECK(whole.all() == Approx(workload::count_parameters(job.model).total).epsilon(0.01));  // less embedding and head
}

TEST_CASE("optimizer state of experts is sharded over their own replicas") {
  const Training job = testing::job_of("mixtral-8x7b", 64);
  const Accelerator device = testing::cluster_of("eos-10752").partitions.front().node.accelerator;
  const auto optimizer = [&](std::int64_t ep) {
    return workload::memory_of(job, spread(8, ep), device).optimizer_bytes;
  };
  CHECK(optimizer(1) ==
        Approx(optimizer(8)).epsilon(1e-12));  // 8 copies of 8 experts, or one copy each: 1 / 8 either way
  const auto weights = [&](std::int64_t ep) { return workload::memory_of(job, spread(8, ep), device).weights_bytes; };
  CHECK(weights(8) < 0.2 * weights(1));
}

TEST_CASE("the step shows the exchange, and hides what the software overlaps") {
  Training job = testing::job_of("mixtral-8x7b", 64);
  const Cluster cluster = testing::cluster_of("eos-10752");
  const Estimate alone = estimate(job, cluster, spread(8, 1));
  CHECK(alone.breakdown.ep_comm_s == 0);
  const Estimate inside = estimate(job, cluster, spread(8, 8));
  CHECK(inside.breakdown.ep_comm_s > 0);
  CHECK(inside.breakdown.total_s() == Approx(inside.step_time_s).epsilon(1e-12));
  job.software.ep_overlap_fraction = 0.75;
  CHECK(estimate(job, cluster, spread(8, 8)).breakdown.ep_comm_s ==
        Approx(inside.breakdown.ep_comm_s / 4).epsilon(1e-9));
}

TEST_CASE("layers that predict further tokens cost a layer and a loss each") {
  Training job = testing::job_of("deepseek-v3", 512);
  const Cluster cluster = testing::cluster_of("eos-10752");
  Layout layout = spread(64, 64);
  layout.pp = 16;
  job.model.mtp_layers = 1;  // 61 + 1 layers, embedding and head as one each: 64
  const Estimate with = estimate(job, cluster, layout);
  CHECK(with.accelerators == 1024);
  job.model.mtp_layers = 3;
  CHECK(estimate(job, cluster, layout).step_time_s > with.step_time_s);
}

TEST_CASE("latent attention keeps less than plain attention of the same width") {
  Training job = testing::job_of("deepseek-v3", 64);
  const double latent = workload::count_parameters(job.model).attention;
  job.model.kv_lora_rank = 0;
  CHECK(latent < workload::count_parameters(job.model).attention);
}
