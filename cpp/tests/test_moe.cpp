// Mixtures of experts and latent attention: work, memory and exchange against closed forms.
#include <doctest/doctest.h>

#include <cmath>

#include "network/collectives.hpp"
#include "scenario.hpp"
#include "workload/expert_load.hpp"
#include "workload/layer.hpp"
#include "workload/memory.hpp"
#include "workload/parameters.hpp"
#include "workload/stage_parameters.hpp"
#include "workload/stages.hpp"

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
        Approx(inside.breakdown.ep_comm_s * (0.25 + 0.75 * job.software.comm_sm_fraction)).epsilon(1e-9));
}

TEST_CASE("a hidden exchange costs the multiprocessors that its kernels keep") {
  Training job = testing::job_of("mixtral-8x7b", 64);
  const Cluster cluster = testing::cluster_of("eos-10752");  // 132 multiprocessors a device
  const double shown_s = estimate(job, cluster, spread(8, 8)).breakdown.ep_comm_s;
  job.software.ep_overlap_fraction = 1;
  job.software.ep_sms = 33;
  CHECK(estimate(job, cluster, spread(8, 8)).breakdown.ep_comm_s == Approx(shown_s / 4).epsilon(1e-9));
}

TEST_CASE("with a fixed capacity the host need not wait to learn how many tokens an expert got") {
  Training job = testing::job_of("qwen3-30b-a3b", 64);
  const Cluster cluster = testing::cluster_of("eos-10752");
  job.software.host_gap_s = 4e-5;  // launching 2 x 16 experts takes 1.3 ms, all kernels of a layer less than they run
  const double dropless_s = estimate(job, cluster, spread(8, 8)).breakdown.launch_s;
  job.capacity_factor = 1;
  CHECK(estimate(job, cluster, spread(8, 8)).breakdown.launch_s < dropless_s);
}

TEST_CASE("a slower host takes as much longer over its launches") {
  Training job = testing::job_of("qwen3-30b-a3b", 64);
  Cluster cluster = testing::cluster_of("eos-10752");
  job.software.host_gap_s = 2e-4;  // the host sets the pace
  const double slow_s = estimate(job, cluster, spread(8, 8)).breakdown.launch_s;
  job.software.host_gap_s = 1e-4;
  CHECK(estimate(job, cluster, spread(8, 8)).breakdown.launch_s < 0.5 * slow_s);
  cluster.partitions.front().node.host_relative_speed = 0.5;
  CHECK(estimate(job, cluster, spread(8, 8)).breakdown.launch_s == Approx(slow_s).epsilon(1e-12));
}

TEST_CASE("the host launches what no graph captures") {
  Training job = testing::job_of("qwen3-30b-a3b", 64);
  job.precision = Precision::mxfp8;
  const workload::LayerWork eager = workload::moe_layer(job, spread(8, 8));
  job.software.captures_router = true;
  const workload::LayerWork routed = workload::moe_layer(job, spread(8, 8));
  CHECK(eager.forward_kernels() - routed.forward_kernels() == 6 + 1);  // scores, and their product
  CHECK(eager.backward_kernels() - routed.backward_kernels() == 6 + 2);
  job.software.captures_attention = true;
  const workload::LayerWork both = workload::moe_layer(job, spread(8, 8));
  // Rotary embedding, norms, the core, and two products with three casts forward and five backward.
  CHECK(routed.forward_kernels() - both.forward_kernels() == 2 + 4 + 1 + 2 * (1 + 3));
  CHECK(routed.backward_kernels() - both.backward_kernels() == 2 + 6 + 2 + 2 * (2 + 5));
  CHECK(both.stream.forward_bytes == eager.stream.forward_bytes);
}

TEST_CASE("operands with a scale per tensor cost the host one by one") {
  Training job = testing::job_of("qwen3-30b-a3b", 64);
  const Cluster cluster = testing::cluster_of("eos-10752");
  job.software.host_gap_s = 2e-4;  // the host sets the pace
  const auto longer_s = [&](Precision precision, bool grouped) {
    job.precision = precision;
    job.software.groups_experts = grouped;
    job.software.tensor_cast_host_s = 0;
    const double without_s = estimate(job, cluster, spread(8, 8)).breakdown.launch_s;
    job.software.tensor_cast_host_s = 1e-3;
    return estimate(job, cluster, spread(8, 8)).breakdown.launch_s - without_s;
  };
  // 48 layers, 8 micro-batches of a sequence, two passes; two products of attention, and two of each of 16 experts.
  CHECK(longer_s(Precision::fp8, false) == Approx(48 * 8 * 2 * (2 + 2 * 16) * 1e-3).epsilon(1e-9));
  CHECK(longer_s(Precision::fp8, true) == Approx(48 * 8 * 2 * (2 + 2) * 1e-3).epsilon(1e-9));
  CHECK(longer_s(Precision::mxfp8, false) == 0);
}

TEST_CASE("sorting tokens by expert is slower than streaming them, changing chunks between devices is not") {
  Training job = testing::job_of("mixtral-8x7b", 64);
  const Layout layout = spread(8, 8);
  const auto moved = [&](ExpertExchange exchange, double speed) {
    job.software.ep_exchange = exchange;
    job.software.permutation_relative_speed = speed;
    return workload::moe_layer(job, layout).streams[static_cast<std::size_t>(Operator::permutation)].forward_bytes;
  };
  const double once = moved(ExpertExchange::deduplicated, 1);
  CHECK(moved(ExpertExchange::deduplicated, 0.5) == Approx(2 * once));
  CHECK(moved(ExpertExchange::all_to_all, 1) == Approx(2 * once));
  CHECK(moved(ExpertExchange::all_to_all, 0.5) == Approx(3 * once));
}

TEST_CASE("a fused block of experts moves what its middle need not: the activation's inputs and result") {
  Training job = testing::job_of("mixtral-8x7b", 64);
  job.precision = Precision::mxfp8;
  const Layout layout = spread(8, 8);
  const workload::LayerWork apart = workload::moe_layer(job, layout);
  job.software.fuses_expert_mlp = true;
  const workload::LayerWork fused = workload::moe_layer(job, layout);
  // One expert a device, 4,096 tokens x 2 experts per token, 14,336 wide; gate and value besides. 16 bits.
  const double element = 2.0 * 2 * static_cast<double>(job.seq_len) * 14336;
  // Forward: two read and one written by the activation, one read by the cast of its result.
  CHECK(apart.stream.forward_bytes - fused.stream.forward_bytes == Approx((3 + 1) * element).epsilon(1e-12));
  // Backward: two inputs read as before; gradient read, two written, two read by the cast are spared.
  CHECK(apart.stream.backward_bytes - fused.stream.backward_bytes == Approx((1 + 2 + 2) * element).epsilon(1e-12));
  CHECK(multiply_adds(apart) == multiply_adds(fused));
}

TEST_CASE("layers that predict further tokens cost a layer and a loss each") {
  Training job = testing::job_of("deepseek-v3", 512);
  const Cluster cluster = testing::cluster_of("eos-10752");
  Layout layout = spread(64, 64);
  layout.pp = 16;
  job.model.mtp_layers = 1;  // 61 layers, prediction and its two losses as one each: 64
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

TEST_CASE("experts split over devices: same work, a share of the parameters, one more exchange") {
  const Training job = testing::job_of("mixtral-8x7b", 64);
  Layout layout = spread(16, 4);
  const workload::LayerWork whole = workload::moe_layer(job, layout);
  layout.etp = 4;
  const workload::LayerWork split = workload::moe_layer(job, layout);
  CHECK(multiply_adds(split) == Approx(multiply_adds(whole)).epsilon(1e-12));
  CHECK(split.exchange_bytes == whole.exchange_bytes);
  const workload::LayerMix layers{0, 32};
  CHECK(workload::layer_parameters(job.model, layout, layers).experts ==
        Approx(workload::layer_parameters(job.model, spread(16, 4), layers).experts / 4).epsilon(1e-12));
  CHECK(workload::expert_replicas(layout) == 1);
  const Cluster cluster = testing::cluster_of("eos-10752");
  CHECK(estimate(job, cluster, layout).breakdown.ep_comm_s > estimate(job, cluster, spread(16, 4)).breakdown.ep_comm_s);
}

TEST_CASE("a capacity factor fills every expert to the same brim") {
  Training job = testing::job_of("mixtral-8x7b", 64);
  const double plain = multiply_adds(workload::moe_layer(job, spread(8, 8)));
  const double experts =
      static_cast<double>(job.seq_len * job.model.experts_per_token) * workload::count_parameters(job.model).expert_ffn;
  CHECK(workload::busiest_load(job, spread(8, 8)) > 1.3);  // eight devices, one expert each, deviation 0.3
  for (const double factor : {1.0, 1.25, 2.0}) {
    job.capacity_factor = factor;
    CHECK(multiply_adds(workload::moe_layer(job, spread(8, 8))) ==
          Approx(plain + (factor - 1) * experts).epsilon(1e-9));
    CHECK(workload::busiest_load(job, spread(8, 8)) == 1);
    CHECK(estimate(job, testing::cluster_of("eos-10752"), spread(8, 8)).breakdown.imbalance_s == 0);
  }
  // A narrow brim spills: at a deviation d, half of the mean absolute deviation d sqrt(2 / pi) is over the mean.
  job.capacity_factor = 1;
  CHECK(workload::dropped_fraction(job, spread(8, 8)) == Approx(0.3 / std::sqrt(2 * 3.14159265)).epsilon(0.03));
  job.capacity_factor = 3;
  CHECK(workload::dropped_fraction(job, spread(8, 8)) < 1e-4);
}

TEST_CASE("the step waits for the busiest device") {
  Training job = testing::job_of("mixtral-8x7b", 64);
  const Cluster cluster = testing::cluster_of("eos-10752");
  job.expert_imbalance = 0;
  const Estimate balanced = estimate(job, cluster, spread(8, 8));
  const double drawn = workload::busiest_load(job, spread(8, 8));
  CHECK(drawn > 1);  // 65,536 tokens drawn at random over 8 experts still differ by 1 / sqrt(8,192 x 8) each
  CHECK(drawn < 1.01);
  double before = balanced.step_time_s;
  for (const double deviation : {0.1, 0.3, 0.6}) {
    job.expert_imbalance = deviation;
    const Estimate uneven = estimate(job, cluster, spread(8, 8));
    CHECK(uneven.step_time_s > before);
    CHECK(uneven.breakdown.gemm_s == balanced.breakdown.gemm_s);  // of the average device
    before = uneven.step_time_s;
  }
  // All experts on one device: nobody to wait for.
  CHECK(workload::busiest_load(job, spread(8, 1)) == 1);
  // However uneven, a device of two cannot get more than all tokens.
  job.expert_imbalance = 10;
  CHECK(workload::busiest_load(job, spread(2, 2)) <= 2);
}

TEST_CASE("tokens sent once per device and domain") {
  Model m = Catalogue::builtin().get<Model>("deepseek-v3");
  // 8 of 256 experts on 64 devices of 4: 64 (1 - C(252, 8) / C(256, 8)).
  double missed = 1;
  for (int i = 0; i < 8; ++i) missed *= (252.0 - i) / (256 - i);
  CHECK(workload::distinct_devices(m, 64) == Approx(64 * (1 - missed)).epsilon(1e-12));
  CHECK(workload::distinct_devices(m, 1) == 1);
  CHECK(workload::distinct_devices(m, 256) == Approx(8).epsilon(1e-12));
  CHECK(workload::reachable_domains(m, 8) == 4);  // at most four nodes of eight
  // Four nodes hold two groups each; a node is left out if all four chosen groups are among the other six.
  CHECK(workload::reachable_domains(m, 4) == Approx(4 * (1 - 15.0 / 70)).epsilon(1e-12));
  CHECK(workload::reachable_domains(m, 1) == 1);
  m.expert_groups = 0;
  CHECK(workload::reachable_domains(m, 8) == 8);
}

TEST_CASE("forwarding kernels reach what DeepEP prints") {
  // README of deepseek-ai/DeepEP, February 2025: 4,096 tokens of 7,168 elements, 8 of 256 experts, 4 of 8 groups, H800,
  // 400 Gb/s a device. Received (inside) or sent (between nodes) bytes a second, own tokens included.
  const Cluster cluster = testing::cluster_of("deepseek-h800-2k");
  const network::Links links = network::links_of(cluster, cluster.partitions.front());
  const Model m = Catalogue::builtin().get<Model>("deepseek-v3");
  const double bytes = 4096.0 * 7168;
  const auto seconds = [&](std::int64_t ranks, network::Multicast& tokens) {
    const network::Group group{ranks, 1};
    const double domains = network::domains_of(links, group);
    const double reachable = workload::reachable_domains(m, domains);
    tokens = {bytes, workload::distinct_devices(m, static_cast<double>(ranks) * reachable / domains),
              workload::distinct_devices(m, reachable)};
    return network::multicast_exchange_s(links, group, tokens);
  };
  network::Multicast tokens;
  double time = seconds(8, tokens);
  CHECK(bytes * tokens.devices / time / 1e9 == Approx(153).epsilon(0.15));
  time = seconds(16, tokens);
  CHECK(bytes * tokens.domains / time / 1e9 == Approx(43).epsilon(0.15));
  time = seconds(32, tokens);
  CHECK(bytes * tokens.domains / time / 1e9 == Approx(45.5).epsilon(0.25));
  time = seconds(64, tokens);
  CHECK(bytes * tokens.domains / time / 1e9 == Approx(45.5).epsilon(0.25));
  // NCCL sends a copy to each of the eight experts: four nodes take several times longer.
  CHECK(network::all_to_all_s(links, {64, 1}, 8 * bytes) > 1.7 * time);
}
