// Parameters, FLOPs and memory against published counts and closed forms.
#include <doctest/doctest.h>

#include <vector>

#include "scenario.hpp"
#include "workload/layer.hpp"
#include "workload/layer_memory.hpp"
#include "workload/memory.hpp"
#include "workload/parameters.hpp"
#include "workload/stages.hpp"

using namespace ampacity;
using doctest::Approx;

TEST_CASE("parameter counts equal the published ones") {
  const auto total = [](const char* name) {
    return workload::count_parameters(Catalogue::builtin().get<Model>(name)).total;
  };
  // Model cards; within 1 % because they round.
  CHECK(total("llama-3.1-8b") == Approx(8.03e9).epsilon(0.005));
  CHECK(total("llama-3.1-70b") == Approx(70.6e9).epsilon(0.005));
  CHECK(total("llama-3.1-405b") == Approx(405.9e9).epsilon(0.005));
  CHECK(total("gpt-3-175b") == Approx(175e9).epsilon(0.01));
  CHECK(total("deepseek-v3") == Approx(671e9).epsilon(0.01));
  CHECK(total("mixtral-8x7b") == Approx(46.7e9).epsilon(0.01));
  CHECK(total("grok-1") == Approx(314e9).epsilon(0.02));
  CHECK(total("megatron-1008b") == Approx(1008e9).epsilon(0.01));
}

TEST_CASE("active parameters of mixtures of experts") {
  const auto active = [](const char* name) {
    return workload::count_parameters(Catalogue::builtin().get<Model>(name)).active;
  };
  CHECK(active("deepseek-v3") == Approx(37e9).epsilon(0.03));
  CHECK(active("mixtral-8x7b") == Approx(12.9e9).epsilon(0.01));
  CHECK(active("llama-4-maverick") == Approx(17e9).epsilon(0.03));
}

TEST_CASE("training FLOPs equal the closed form of Narayanan et al. 2021") {
  // F = 72 B s L h^2 (1 + s / (6 h) + V / (12 L h)) without recompute (theirs has 96 and V / 16 with it), full
  // attention; ours counts the causal half of the scores: s / (12 h).
  const Model m = Catalogue::builtin().get<Model>("gpt-3-175b");
  const double s = 2048;
  const auto h = static_cast<double>(m.hidden);
  const auto layers = static_cast<double>(m.layers);
  const double closed = 72 * s * layers * h * h * (1 + s / (12 * h) + static_cast<double>(m.vocab) / (12 * layers * h));
  CHECK(3 * workload::forward_flops_per_sequence(m, s) == Approx(closed).epsilon(0.001));  // biases
}

TEST_CASE("activation bytes equal Korthikanti et al. 2022, Table 2") {
  // s b h (10 + 24 / t + 5 a s / (h t)) with tensor parallelism, s b h / t (34 + 5 a s / h) with sequence parallelism.
  Training job = testing::job_of("megatron-175b", 64, "megatron-2022");
  Layout layout;
  layout.tp = 8;
  const double sbh = static_cast<double>(job.seq_len * job.model.hidden);
  const double scores =
      5.0 * static_cast<double>(job.model.heads * job.seq_len) / static_cast<double>(job.model.hidden);
  const auto kept = [&](Recompute recompute, bool sequence_parallel) {
    layout.recompute = recompute;
    layout.sequence_parallel = sequence_parallel;
    return workload::kept_activations(job, layout, workload::dense_activations(job, layout));
  };
  CHECK(kept(Recompute::none, false) == Approx(sbh * (10 + 24.0 / 8 + scores / 8)).epsilon(1e-9));
  CHECK(kept(Recompute::none, true) == Approx(sbh / 8 * (34 + scores)).epsilon(1e-9));
  CHECK(kept(Recompute::selective, true) == Approx(sbh / 8 * 34).epsilon(1e-9));
  CHECK(kept(Recompute::full, true) == Approx(sbh / 8 * 2).epsilon(1e-9));
}

TEST_CASE("weights, gradients and optimizer take 18 bytes a parameter without sharding") {
  // Korthikanti et al. 2022, Figure 1: 22B on 8 GPUs holds 45.56 GiB of parameters and optimizer state.
  Training job = testing::job_of("megatron-22b", 4, "megatron-2022");
  Layout layout;
  layout.tp = 8;
  layout.micro_batch = 4;
  layout.zero_stage = 0;
  const Memory memory =
      workload::memory_of(job, layout, testing::cluster_of("selene-3072").partitions.front().node.accelerator);
  const double gib = (memory.weights_bytes + memory.gradients_bytes + memory.optimizer_bytes) / 1073741824.0;
  CHECK(gib == Approx(45.56).epsilon(0.03));
}

TEST_CASE("sharding divides what it shards") {
  Training job = testing::job_of("llama-3.1-8b", 64);
  const Accelerator device = testing::cluster_of("eos-10752").partitions.front().node.accelerator;
  Layout layout;
  layout.dp = 8;
  layout.zero_stage = 0;
  const Memory whole = workload::memory_of(job, layout, device);
  layout.zero_stage = 1;
  const Memory sharded = workload::memory_of(job, layout, device);
  CHECK(sharded.optimizer_bytes == Approx(whole.optimizer_bytes / 8).epsilon(1e-12));
  CHECK(sharded.weights_bytes == whole.weights_bytes);
  layout.zero_stage = 2;
  CHECK(workload::memory_of(job, layout, device).gradients_bytes == Approx(whole.gradients_bytes / 8).epsilon(1e-12));
}

TEST_CASE("embedding and head may stand for a layer each") {
  const Model m = Catalogue::builtin().get<Model>("llama-3.1-405b");
  Layout layout;
  layout.pp = 16;
  const workload::StageLayers stages = workload::stage_layers(m, layout);
  CHECK(stages.possible);
  REQUIRE(stages.count == 3);
  CHECK(stages.runs[0].layers.dense == 7);  // arXiv:2407.21783, section 3.3.2
  CHECK(stages.runs[1].layers.dense == 8);
  CHECK(stages.runs[1].ranks == 14);
  CHECK(stages.runs[2].layers.dense == 7);
  layout.pp = 5;
  CHECK_FALSE(workload::stage_layers(m, layout).possible);
}

namespace {

/// Layers of each rank.
std::vector<double> layers_by_rank(const Model& m, const Layout& layout) {
  std::vector<double> layers;
  for (const workload::StageRun& run : workload::stage_layers(m, layout)) {
    CHECK(run.first_rank == static_cast<std::int64_t>(layers.size()));
    layers.insert(layers.end(), static_cast<std::size_t>(run.ranks), run.layers.all());
  }
  return layers;
}

}  // namespace

TEST_CASE("first and last stage may have a number of layers of their own") {
  const Model m = Catalogue::builtin().get<Model>("llama-3.1-8b");  // 32 layers
  Layout layout;
  layout.pp = 4;
  layout.first_stage_layers = 7;
  layout.last_stage_layers = 5;
  CHECK(layers_by_rank(m, layout) == std::vector<double>{7, 10, 10, 5});
  layout.vp = 2;
  CHECK_FALSE(workload::stages_possible(m, layout));  // 7 and 5 do not split into two chunks
  layout.first_stage_layers = 6;
  layout.last_stage_layers = 2;
  CHECK(layers_by_rank(m, layout) == std::vector<double>{6, 12, 12, 2});
  layout.vp = 1;
  layout.first_stage_layers = 5;
  layout.last_stage_layers = 0;
  CHECK(layers_by_rank(m, layout) == std::vector<double>{5, 9, 9, 9});
}

TEST_CASE("a layer of multi-token prediction on the last stage stands for itself and its loss") {
  // Megatron-Bridge, set_deepseek_v3_pipeline_model_parallel_layout: 15 x 4 and, with prediction and losses, 1.
  Model m = Catalogue::builtin().get<Model>("deepseek-v3");
  REQUIRE(m.layers == 61);
  m.mtp_layers = 1;
  Layout layout;
  layout.pp = 16;
  std::vector<double> sixteen(16, 4);
  sixteen.back() = 1 + 1;
  CHECK(layers_by_rank(m, layout) == sixteen);
  layout.pp = 4;
  layout.vp = 4;
  CHECK(layers_by_rank(m, layout) == std::vector<double>{16, 16, 16, 13 + 1});
  m.mtp_layers = 0;  // the same without it (_get_kimi_k2_pipeline_layout)
  layout = {};
  layout.pp = 16;
  sixteen.back() = 1;
  CHECK(layers_by_rank(m, layout) == sixteen);
}

TEST_CASE("uneven stages take a layer more one by one, as torchtitan's") {
  // generate_llm_fqn_per_model_part: 32 layers, embedding and head as one each: 34 on 4 stages are 9, 9, 8, 8.
  const Model m = Catalogue::builtin().get<Model>("llama-3.1-8b");
  Layout layout;
  layout.pp = 4;
  layout.uneven_stages = true;
  CHECK(layers_by_rank(m, layout) == std::vector<double>{8, 9, 8, 7});
  layout.vp = 2;  // 34 on 8: 5, 5, then 4
  CHECK(layers_by_rank(m, layout) == std::vector<double>{8, 9, 8, 7});
  layout.schedule = Schedule::zb_v;  // first with last, second with second last
  CHECK(layers_by_rank(m, layout) == std::vector<double>{7, 9, 8, 8});
  layout.schedule = Schedule::dualpipe;
  layout.vp = 1;
  CHECK(layers_by_rank(m, layout) == std::vector<double>{15, 17, 17, 15});
}

TEST_CASE("the dense layers of a mixture of experts are in its first chunks") {
  const Model m = Catalogue::builtin().get<Model>("deepseek-v3");  // 61 layers of which 3 are dense, and one more
  for (const Schedule schedule : {Schedule::one_f_one_b, Schedule::zb_v, Schedule::dualpipe}) {
    for (const std::int64_t pp : {2, 4, 8, 16}) {
      for (const std::int64_t vp : {1, 2, 4}) {
        Layout layout;
        layout.pp = pp;
        layout.vp = vp;
        layout.schedule = schedule;
        layout.uneven_stages = true;
        if ((schedule == Schedule::zb_v) != (vp == 2) && schedule != Schedule::one_f_one_b) continue;
        if (schedule == Schedule::dualpipe && vp > 1) continue;
        if (!workload::stages_possible(m, layout)) continue;
        double dense = 0;
        double moe = 0;
        for (const workload::StageRun& run : workload::stage_layers(m, layout)) {
          dense += static_cast<double>(run.ranks) * run.layers.dense;
          moe += static_cast<double>(run.ranks) * run.layers.moe;
        }
        const double copies = schedule == Schedule::dualpipe ? 2 : 1;
        CAPTURE(pp);
        CAPTURE(vp);
        CHECK(dense == 3 * copies);
        CHECK(moe == 59 * copies);
      }
    }
  }
}

TEST_CASE("tensor parallelism splits the products of a layer") {
  const Training job = testing::job_of("llama-3.1-70b", 8);
  Layout layout;
  const auto flops = [&](std::int64_t tp) {
    layout.tp = tp;
    const workload::LayerWork work = workload::dense_layer(job, layout);
    double sum = 0;
    for (std::size_t i = 0; i < work.linear_count; ++i)
      sum += work.linears[i].tokens * work.linears[i].in * work.linears[i].out;
    return sum;
  };
  CHECK(flops(8) * 8 == Approx(flops(1)).epsilon(1e-12));
}
