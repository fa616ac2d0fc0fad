// Fine-tuning beside frozen weights: FLOPs and parameters against closed forms, memory by hand, limits.
#include <doctest/doctest.h>

#include "ampacity/estimate.hpp"
#include "scenario.hpp"
#include "workload/adapters.hpp"
#include "workload/memory.hpp"
#include "workload/parameters.hpp"

using namespace ampacity;
using doctest::Approx;

namespace {

Training adapted(const std::string& model, std::int64_t rank, const LoraTargets& targets = {}) {
  Training job = testing::job_of(model, 32);
  job.lora_rank = rank;
  job.lora_targets = targets;
  return job;
}

LoraTargets only(LoraTarget target) {
  LoraTargets targets;
  targets.insert(target);
  return targets;
}

/// FLOPs of all products of a layer that a device runs, both passes.
double flops_of(const Training& job, const workload::LayerWork& work) {
  double flops = 0;
  for (std::size_t i = 0; i < work.linear_count; ++i) {
    const workload::Linear& l = work.linears[i];
    flops += (job.is_frozen() ? 4 : 6) * l.batch * l.tokens * l.in * l.out;
    if (l.rank == 0) continue;
    for (const workload::Linear& half : {workload::adapter_down(l), workload::adapter_up(l)}) {
      flops += 6 * half.batch * half.tokens * half.in * half.out;
    }
  }
  return flops;
}

}  // namespace

TEST_CASE("adapters have r (in + out) parameters beside each product") {
  // Llama 3.1 70B: h 8192, queries 8192, keys and values 2 x 1024, block 28672 with a gate. A layer:
  // r (h + 10240 + 8192 + h + h + 2 x 28672 + 28672 + h).
  const Model m = Catalogue::builtin().get<Model>("llama-3.1-70b");
  const double h = 8192;
  const double layer = 16 * (h + 10240 + 8192 + h + h + 2 * 28672.0 + 28672 + h);
  for (const std::int64_t tp : {1, 2, 8}) {
    Layout layout;
    layout.tp = tp;
    const double here = workload::adapter_parameters(adapted("llama-3.1-70b", 16), layout, {1, 0}).all();
    CHECK(here == Approx(layer / static_cast<double>(tp)).epsilon(1e-12));
  }
  const Training queries = adapted("llama-3.1-70b", 16, only(LoraTarget::linear_qkv));
  CHECK(workload::adapter_parameters(queries, {}, {1, 0}).all() == 16 * (h + 10240));
  CHECK(workload::adapter_parameters(testing::job_of("llama-3.1-70b", 32), {}, {1, 0}).all() == 0);
}

TEST_CASE("adapters of experts are those of each expert, spread like these") {
  // Mixtral 8x7B: block 14336 of 8 experts; attention 4096 wide with 2 x 1024 for keys and values.
  const double h = 4096;
  const double expert = 8 * (h + 2 * 14336.0 + 14336 + h);
  Layout layout;
  layout.ep = 4;
  layout.dp = 4;
  const workload::StageParameters one = workload::adapter_parameters(adapted("mixtral-8x7b", 8), layout, {0, 1});
  CHECK(one.experts == Approx(2 * expert).epsilon(1e-12));
  CHECK(one.shared == Approx(8 * (h + 6144 + h + h)).epsilon(1e-12));
}

TEST_CASE("FLOPs of adapters equal the closed form 4 W + 3 A + 6 P a token") {
  // Frozen weights are multiplied forward and for the gradient of their input; attention three times as forward; each
  // parameter of an adapter is used as in training.
  for (const char* name : {"llama-3.1-8b", "mixtral-8x7b"}) {
    const Training whole = testing::job_of(name, 32);
    Training job = adapted(name, 32);
    const Model& m = job.model;
    const auto s = static_cast<double>(job.seq_len);
    const workload::ParameterCount count = workload::count_parameters(m);
    const auto met = static_cast<double>(m.is_moe() ? m.experts_per_token : 1);
    const double h = static_cast<double>(m.hidden);
    const double key_value = static_cast<double>(2 * m.kv_heads * m.head_dim);
    const double inner = static_cast<double>(m.is_moe() ? m.expert_ffn : m.ffn);
    const double adapters =
        32 * static_cast<double>(m.layers) * (h + h + key_value + h + h + met * (h + 2 * inner + inner + h));
    const double weights = static_cast<double>(m.layers) * (count.attention + met * inner * 3 * h) +
                           static_cast<double>(m.vocab) * h + count.moe_layer_count * count.router;
    const double attention = workload::forward_flops_per_sequence(m, s) - 2 * weights * s;
    CHECK(attention > 0);
    CHECK(workload::training_flops_per_sequence(job) ==
          Approx((4 * weights + 6 * adapters) * s + 3 * attention).epsilon(1e-9));
    CHECK(workload::training_flops_per_sequence(whole) == Approx(6 * weights * s + 3 * attention).epsilon(1e-9));
    // Without adapters: forward and the gradients of inputs.
    job.lora_rank = 0;
    job.frozen_weights = true;
    CHECK(workload::training_flops_per_sequence(job) == Approx(4 * weights * s + 3 * attention).epsilon(1e-9));
  }
}

TEST_CASE("what devices are priced for adds up to those FLOPs, however the layer is split") {
  const Training job = adapted("llama-3.1-70b", 16);
  const double whole = flops_of(job, workload::dense_layer(job, {}));
  const double layer_weights =
      (workload::count_parameters(job.model).dense_layer() - 2 * 8192) * static_cast<double>(job.seq_len);
  const double adapters = workload::adapter_parameters(job, {}, {1, 0}).all() * static_cast<double>(job.seq_len);
  CHECK(whole == Approx(4 * layer_weights + 6 * adapters).epsilon(1e-12));
  for (const std::int64_t tp : {2, 8}) {
    Layout layout;
    layout.tp = tp;
    CHECK(static_cast<double>(tp) * flops_of(job, workload::dense_layer(job, layout)) == Approx(whole).epsilon(1e-12));
  }
  const Training latent = adapted("deepseek-v3", 16);
  Layout split;
  split.tp = 4;
  const double one = flops_of(latent, workload::moe_layer(latent, {}));
  CHECK(4 * flops_of(latent, workload::moe_layer(latent, split)) == Approx(one).epsilon(1e-12));
}

TEST_CASE("memory of adapters, by hand") {
  // Llama 3.1 70B in bf16 on one stage of 20 layers, tensor-parallel 2, one micro-batch of 4,096 tokens in flight;
  // adapters of rank 16 beside queries, keys and values. Per device:
  // weights 2 bytes x 20 x 855,654,400 / 2 (norms whole: 16,384 of them), adapters 20 x 16 x (8192 + 10240) / 2 with
  // 2 + 4 + 12 bytes a parameter.
  Training job = adapted("llama-3.1-70b", 16, only(LoraTarget::linear_qkv));
  job.seq_len = 4096;
  job.software.weight_bytes = 2;
  job.software.gradient_bytes = 4;
  job.software.optimizer_bytes = 12;
  Layout layout;
  layout.tp = 2;
  layout.pp = 4;
  const Accelerator device = testing::cluster_of("dgx-h100-x1").partitions.front().node.accelerator;
  const StageKinds kinds = workload::stage_kinds(job, layout, device);
  const Memory middle = kinds.of(1).fixed;
  const double weights = 20 * (855638016.0 / 2 + 16384);
  const double adapters = 20 * 16 * (8192 + 10240) / 2.0;
  CHECK(middle.weights_bytes == Approx(2 * weights + 2 * adapters).epsilon(1e-12));
  CHECK(middle.gradients_bytes == Approx(4 * adapters).epsilon(1e-12));
  CHECK(middle.optimizer_bytes == Approx(12 * adapters).epsilon(1e-12));
  // A token of a layer keeps, in bytes over both devices: inputs of both norms 2 x 2 h (split), the gathered norm
  // before queries 2 h on each, queries, keys, values 2 x 10240, attention output 2 x 8192, log-sum-exp 4 x 64, gate
  // and first product of the block 2 x 2 x 28672, and the rank 2 x 16 on each. What only gradients of frozen weights
  // want is gone.
  const double token = (2 * 2 * 8192 + 2 * 10240 + 2 * 8192 + 4 * 64 + 2 * 2 * 28672) / 2.0 + 2 * 8192 + 2 * 16;
  CHECK(kinds.of(1).activations_per_micro_batch_bytes == Approx(20 * 4096 * token).epsilon(1e-12));
  // QLoRA: layers in 0.52 bytes a weight.
  job.frozen_weight_bytes = 0.52;
  CHECK(workload::stage_kinds(job, layout, device).of(1).fixed.weights_bytes ==
        Approx(0.52 * weights + 2 * adapters).epsilon(1e-12));
}

TEST_CASE("products in 8 bits beside frozen weights keep the copies that they multiply") {
  Training job = adapted("llama-3.1-8b", 16);
  job.precision = Precision::mxfp8;
  const Accelerator device = testing::cluster_of("dgx-h100-x1").partitions.front().node.accelerator;
  const auto weights = [&] { return workload::memory_of(job, {}, device).weights_bytes; };
  const double sixteen = weights();
  job.frozen_weight_bytes = 1;  // stored as one of the two copies
  const double eight = weights();
  const double layers = 32 * workload::count_parameters(job.model).dense_layer();
  CHECK(sixteen - eight == Approx(2 * layers).epsilon(1e-9));
  job.frozen_weight_bytes = 0.52;  // copies made for each pass
  CHECK(eight - weights() == Approx((2 - 0.52) * layers).epsilon(1e-9));
}

TEST_CASE("FP8 with a scale per tensor has one copy of the weights where products take any order") {
  Training job = testing::job_of("llama-3.1-8b", 32);
  const double layers = 32 * workload::count_parameters(job.model).dense_layer();
  const auto copies = [&](const char* cluster, Precision precision) {
    const Accelerator device = testing::cluster_of(cluster).partitions.front().node.accelerator;
    const auto weights = [&](Precision format) {
      job.precision = format;
      return workload::memory_of(job, {}, device).weights_bytes;
    };
    return (weights(precision) - weights(Precision::bf16)) / layers;
  };
  CHECK(copies("dgx-h100-x1", Precision::fp8) == Approx(2).epsilon(1e-9));
  CHECK(copies("dgx-b200-x1", Precision::fp8) == Approx(1).epsilon(1e-9));
  CHECK(copies("dgx-b200-x1", Precision::mxfp8) == Approx(2).epsilon(1e-9));
}
