// What a software release does differently, against closed forms.
#include <doctest/doctest.h>

#include "scenario.hpp"

using namespace ampacity;
using doctest::Approx;

namespace {

constexpr double batch = 8;

/// The step of a 7B model on one device and micro-batch, with something changed in its software.
template <class Change>
Breakdown step_with(const Change& change, Recompute recompute = Recompute::none) {
  Training job = testing::job_of("llama-2-7b", static_cast<std::int64_t>(batch));
  change(job.software);
  Layout layout;
  layout.recompute = recompute;
  return estimate(job, testing::cluster_of("dgx-a100-x1"), layout).breakdown;
}

double layers_of_product(double share) {
  // Seconds of the 32 down projections, forward, of one micro-batch at the mean rate of the step's products: a share of
  // the multiply-adds.
  return share * step_with([](Software&) {}).gemm_s;
}

}  // namespace

TEST_CASE("a checkpoint that stops early spares the last product of a layer") {
  const double whole = step_with([](Software&) {}, Recompute::full).recompute_s;
  const double early = step_with([](Software& s) { s.checkpoint_stops_early = true; }, Recompute::full).recompute_s;
  // Multiply-adds of a token: 4 x 4096^2 + 3 x 4096 x 11008 in a layer, 32,000 x 4096 in the head; three passes.
  const double layer = 4.0 * 4096 * 4096 + 3.0 * 4096 * 11008;
  const double down = 4096.0 * 11008;
  const double share = 32 * down / (3 * (32 * layer + 32000.0 * 4096));
  CHECK(whole - early == Approx(layers_of_product(share)).epsilon(0.05));  // products differ in efficiency
}

TEST_CASE("gradients that a kernel of its own adds cost their bytes") {
  const double fused = step_with([](Software&) {}).memory_bound_s;
  const double apart = step_with([](Software& s) { s.accumulation_bytes = 6; }).memory_bound_s;
  const Accelerator device = Catalogue::builtin().get<Accelerator>("a100-sxm-80");
  const double rate = device.memory_bytes_per_s * device.architecture.memory_efficiency_fraction *
                      device.architecture.sustained_fraction;
  const double weights = 32 * (4.0 * 4096 * 4096 + 3.0 * 4096 * 11008) + 32000.0 * 4096;
  CHECK(apart - fused == Approx(batch * 6 * weights / rate).epsilon(0.02));  // launches are on top
}

TEST_CASE("the loss moves its bytes per logit") {
  const double less = step_with([](Software& s) { s.loss_bytes_per_logit = 18; }).memory_bound_s;
  const double more = step_with([](Software& s) { s.loss_bytes_per_logit = 48; }).memory_bound_s;
  const Accelerator device = Catalogue::builtin().get<Accelerator>("a100-sxm-80");
  const double rate = device.memory_bytes_per_s * device.architecture.memory_efficiency_fraction *
                      device.architecture.sustained_fraction;
  CHECK(more - less == Approx(30 * batch * 4096 * 32000 / rate).epsilon(1e-6));
}

TEST_CASE("norms in 16 bits move less where kernels are not fused") {
  const auto eager = [](Software& s) { s.fused_kernels = false; };
  const auto low = [](Software& s) {
    s.fused_kernels = false;
    s.low_precision_norms = true;
  };
  const Breakdown fused = step_with([](Software&) {});
  CHECK(step_with(low).memory_bound_s < step_with(eager).memory_bound_s);
  CHECK(step_with(low).memory_bound_s > fused.memory_bound_s);
}

TEST_CASE("a host that waits for collectives shows its launches beside them") {
  Training job = testing::job_of("gpt-3-1.3b", 8);
  job.software.host_gap_s = 1e-4;  // slower than the device at this size
  Layout layout;
  layout.tp = 4;
  const Cluster cluster = testing::cluster_of("dgx-a100-x1");
  const Breakdown behind = estimate(job, cluster, layout).breakdown;
  job.software.launches_behind_collectives = false;
  const Breakdown beside = estimate(job, cluster, layout).breakdown;
  CHECK(beside.launch_s > behind.launch_s);
  CHECK(beside.launch_s - behind.launch_s <= Approx(behind.tp_comm_s));
}

TEST_CASE("attention and the output embedding in 8 bits save arithmetic, and cost casts") {
  const auto step = [](bool attention, bool head) {
    Training job = testing::job_of("llama-3.1-8b", 8);
    job.precision = Precision::fp8;
    job.software.attention_in_8_bits = attention;
    job.software.head_in_8_bits = head;
    return estimate(job, testing::cluster_of("dgx-h100-x1"), Layout{}).breakdown;
  };
  const Breakdown wide = step(false, false);
  const Breakdown attention = step(true, false);
  // Products are a part of the core and twice as fast; softmax is as before.
  CHECK(attention.attention_s < 0.9 * wide.attention_s);
  CHECK(attention.attention_s > 0.5 * wide.attention_s);
  CHECK(attention.memory_bound_s > wide.memory_bound_s);
  const Breakdown head = step(false, true);
  CHECK(head.gemm_s < wide.gemm_s);
  CHECK(head.memory_bound_s > wide.memory_bound_s);
  // Nothing of it without a format of 8 bits.
  Training job = testing::job_of("llama-3.1-8b", 8);
  const double plain_s = estimate(job, testing::cluster_of("dgx-h100-x1"), Layout{}).step_time_s;
  job.software.attention_in_8_bits = true;
  job.software.head_in_8_bits = true;
  CHECK(estimate(job, testing::cluster_of("dgx-h100-x1"), Layout{}).step_time_s == plain_s);
}

TEST_CASE("Megatron-FSDP keeps layers in 8 bits, and lends two buffers for whole gradients") {
  const auto memory = [](auto change) {
    Training job = testing::job_of("llama-3.1-8b", 8);
    job.precision = Precision::fp8;
    change(job.software);
    Layout layout;
    layout.dp = 8;
    layout.zero_stage = 3;
    return estimate(job, testing::cluster_of("dgx-h100-x1"), layout).memory;
  };
  const Memory wide = memory([](Software&) {});
  const double layer = 2.5 * 4096 * 4096 + 3.0 * 4096 * 14336 + 2 * 4096;  // parameters
  const Memory narrow = memory([](Software& s) { s.weights_in_8_bits = true; });
  // A shard of all layers, and two layers whole.
  CHECK(wide.weights_bytes - narrow.weights_bytes == Approx((32.0 / 8 + 2) * layer).epsilon(1e-6));
  const Memory pools = memory([](Software& s) {
    s.shard_pools = true;
    s.logit_bytes = 1;  // so that the backward pass of a layer is not behind the loss
    s.gradient_reduce_bytes = 2;
  });
  CHECK(pools.communication_bytes == Approx(2 * 2 * layer).epsilon(1e-6));
}

TEST_CASE("what comes back from the host is not there yet when the loss is") {
  Training job = testing::job_of("llama-3.1-8b", 8);
  Layout layout;
  layout.dp = 8;
  const Cluster cluster = testing::cluster_of("dgx-h100-x1");
  const Memory here = estimate(job, cluster, layout).memory;
  layout.offload_activations_fraction = 1;
  const Memory away = estimate(job, cluster, layout).memory;
  CHECK(here.workspace_bytes == away.workspace_bytes);  // of the loss: 128,256 logits a token
  CHECK(here.communication_bytes == away.communication_bytes);
}

TEST_CASE("a loss that its instructions hold up takes as long as they say, whatever the memory") {
  const auto memory_bound_s = [](double rate) {
    Training job = testing::job_of("llama-3.1-8b", 8);
    job.software.loss_logits_per_sm_clock = rate;
    return estimate(job, testing::cluster_of("dgx-h100-x1"), Layout{}).breakdown.memory_bound_s;
  };
  CHECK(memory_bound_s(1e3) == memory_bound_s(0));  // memory holds it up
  const double slow_s = memory_bound_s(0.05) - memory_bound_s(0.1);
  CHECK(slow_s > 0);
  CHECK(memory_bound_s(0.025) - memory_bound_s(0.05) == Approx(2 * slow_s));
}
