// Windows, chunks and kinds of context parallelism against counting and closed forms.
#include <doctest/doctest.h>

#include <algorithm>

#include "network/collectives.hpp"
#include "scenario.hpp"
#include "step/attention_time.hpp"
#include "step/context_parallel.hpp"
#include "step/layer_comm.hpp"
#include "workload/attention_mask.hpp"
#include "workload/memory.hpp"
#include "workload/parameters.hpp"

using namespace ampacity;
using doctest::Approx;

namespace {

/// Keys that an average query sees, counted.
double counted_keys(std::int64_t window, bool chunked, std::int64_t sequence) {
  double seen = 0;
  for (std::int64_t query = 0; query < sequence; ++query) {
    const std::int64_t first = chunked ? query / window * window : std::max<std::int64_t>(0, query - window + 1);
    seen += static_cast<double>(query - first + 1);
  }
  return seen / static_cast<double>(sequence);
}

/// One layer of a model under context parallelism.
struct Scene {
  Training job;
  Layout layout;
  Cluster cluster = testing::cluster_of("eos-10752");
  network::Links links = network::links_of(cluster, cluster.partitions.front());

  Scene(const char* model, std::int64_t sequence, std::int64_t cp, ContextParallel kind)
      : job(testing::job_of(model, 64)) {
    job.seq_len = sequence;
    layout.cp = cp;
    layout.cp_kind = kind;
  }
  [[nodiscard]] step::Context context() const {
    return {job, layout, cluster.partitions.front().node.accelerator, links, nullptr};
  }
  [[nodiscard]] step::AttentionCost attention(bool backward = false) const {
    return step::attention(context(), workload::dense_layer(job, layout), backward);
  }
  [[nodiscard]] step::PassTime exchange(bool backward = false) const {
    step::PassTime pass;
    step::add_ring_merges(context(), workload::dense_layer(job, layout), backward, pass);
    step::add_context_comm(context(), workload::dense_layer(job, layout), backward, pass);
    return pass;
  }
};

}  // namespace

TEST_CASE("keys of a local layer are those that a count finds") {
  Model m;
  for (const bool chunked : {false, true}) {
    m.chunked_attention = chunked;
    for (const std::int64_t window : {64, 100, 512, 4096}) {
      m.attention_window = window;
      for (const std::int64_t sequence : {512, 1000, 4096}) {
        // The closed form leaves out the half key that a query has in itself.
        const double counted = counted_keys(std::min(window, sequence), chunked, sequence) - 0.5;
        CHECK(workload::local_keys(m, static_cast<double>(sequence)) == Approx(counted).epsilon(0.01));
      }
    }
  }
}

TEST_CASE("model FLOPs count what the mask keeps") {
  const Model gemma = Catalogue::builtin().get<Model>("gemma-3-27b");
  Model global = gemma;
  global.attention_window = 0;
  global.global_attention_interval = 0;
  const double s = 32768;
  CHECK(workload::global_layers(gemma) == 10);  // 62 layers: ten groups of five local and one global, two local
  // 52 of 62 layers see 1,024 - 16 keys instead of 16,384: 4 FLOP per key, head and head dimension.
  const double saved = 52 * 4 * 32.0 * 128 * (16384 - (1024 - 16)) * s;
  CHECK(workload::forward_flops_per_sequence(global, s) - workload::forward_flops_per_sequence(gemma, s) ==
        Approx(saved).epsilon(1e-9));
  // A window longer than the sequence changes nothing.
  CHECK(workload::forward_flops_per_sequence(gemma, 1024) == workload::forward_flops_per_sequence(global, 1024));
}

TEST_CASE("attention of local layers costs about the share of scores that it keeps") {
  Scene scene("gemma-3-27b", 32768, 1, ContextParallel::software);
  const double mixed = scene.attention().busy.seconds;
  scene.job.model.attention_window = 0;
  const double global = scene.attention().busy.seconds;
  const double kept = (10 + 52 * 1008.0 / 16384) / 62;
  CHECK(mixed / global > kept);  // tiles on the edges are computed whole, short rows have more overhead
  CHECK(mixed / global < 1.35 * kept);
  scene.job.model.attention_window = 1 << 20;
  CHECK(scene.attention().busy.seconds == Approx(global).epsilon(1e-12));
}

TEST_CASE("balanced kinds share the scores evenly; contiguous slices wait for the last device") {
  const double whole = Scene("llama-3.1-8b", 131072, 1, ContextParallel::software).attention().busy.seconds;
  for (const std::int64_t cp : {2, 4, 8}) {
    const auto ranks = static_cast<double>(cp);
    for (const ContextParallel kind : {ContextParallel::ring, ContextParallel::all_gather, ContextParallel::ulysses}) {
      const step::AttentionCost cost = Scene("llama-3.1-8b", 131072, cp, kind).attention();
      CHECK(cost.waiting_s == 0);
      // Blocks of 8,192 keys and more lose little to tails.
      CHECK(cost.busy.seconds == Approx(whole / ranks).epsilon(0.08));
    }
    const step::AttentionCost last = Scene("llama-3.1-8b", 131072, cp, ContextParallel::ring_unbalanced).attention();
    CHECK(last.busy.seconds == Approx(whole / ranks).epsilon(0.08));
    // The last device has cp - 1/2 blocks where the average has cp / 2: 2 - 1 / cp times as many.
    CHECK((last.busy.seconds + last.waiting_s) / last.busy.seconds == Approx(2 - 1 / ranks).epsilon(0.02));
  }
}

TEST_CASE("what each kind puts on the wire") {
  const std::int64_t cp = 4;
  const double tokens = 32768 / 4.0;
  const double kv = 2 * tokens * 8 * 256;        // keys and values of a slice, 8 heads of 128, 16 bits
  const double queries = 2 * tokens * 32 * 128;  // and as much for the result
  const network::Group group{cp, 1};
  const Scene gather("llama-3.1-8b", 32768, cp, ContextParallel::all_gather);
  CHECK(gather.exchange().cp_comm_s == Approx(network::all_gather_s(gather.links, group, 4 * kv)));
  CHECK(gather.exchange(true).cp_comm_s == Approx(network::all_gather_s(gather.links, group, 4 * kv) +
                                                  network::reduce_scatter_s(gather.links, group, 4 * kv)));
  const Scene ulysses("llama-3.1-8b", 32768, cp, ContextParallel::ulysses);
  CHECK(ulysses.exchange().cp_comm_s == Approx(network::all_to_all_s(ulysses.links, group, queries + kv) +
                                               network::all_to_all_s(ulysses.links, group, queries)));
  Scene ring("llama-3.1-8b", 32768, cp, ContextParallel::ring);  // with no attention to hide behind
  CHECK(ring.exchange().cp_comm_s == Approx(3 * network::send_s(ring.links, 1, kv)));
  CHECK(ring.exchange(true).cp_comm_s == Approx(3 * network::send_s(ring.links, 1, 2 * kv)));
  ring.job.software.cp_expands_kv = true;
  ring.job.software.cp_gradient_bytes = 4;
  CHECK(ring.exchange(true).cp_comm_s == Approx(3 * network::send_s(ring.links, 1, 4 * 3 * kv)));
  // Eager merging moves 3.3 times the bytes of a fused kernel.
  const double fused = ring.exchange().memory_bound_s;
  ring.job.software.cp_fused_merge = false;
  CHECK(ring.exchange().memory_bound_s == Approx(3.3 * fused).epsilon(0.05));
}

TEST_CASE("a ring over several nodes goes at the pace of the network") {
  const Scene inside("llama-3.1-8b", 131072, 8, ContextParallel::ring);
  const Scene across("llama-3.1-8b", 262144, 16, ContextParallel::ring);  // slices as long as those
  const double one = inside.exchange().cp_comm_s / 7;
  CHECK(across.exchange().cp_comm_s / 15 > 4 * one);  // NVLink has nine times the bandwidth of a NIC
}

TEST_CASE("weights that stay between the passes travel once and take their room") {
  const Training job = testing::job_of("llama-3.1-8b", 64, "torchtitan");
  const Cluster cluster = testing::cluster_of("eos-10752");
  const network::Links links = network::links_of(cluster, cluster.partitions.front());
  const Accelerator& device = cluster.partitions.front().node.accelerator;
  Layout layout;
  layout.dp = 64;
  layout.zero_stage = 3;
  const workload::StageParameters layer = workload::layer_parameters(job.model, layout, {1, 0});
  const step::Context dropped{job, layout, device, links, nullptr};
  const step::ShardingTimes twice = step::sharding_times(dropped, layer, layer);
  CHECK(twice.backward_gather_s == twice.forward_gather_s);
  CHECK(twice.forward_gather_s == network::all_gather_s(links, {64, 1}, 2 * layer.all()));
  const double before = workload::memory_of(job, layout, device).weights_bytes;
  layout.reshard_after_forward = false;
  const step::Context kept{job, layout, device, links, nullptr};
  CHECK(step::sharding_times(kept, layer, layer).backward_gather_s == 0);
  CHECK(step::sharding_times(kept, layer, layer).scatter_s == twice.scatter_s);
  // 32 layers in 16 bits instead of two.
  CHECK(workload::memory_of(job, layout, device).weights_bytes - before == Approx(30 * 2 * layer.all()));
}

TEST_CASE("sharded experts travel among the devices that hold copies of them") {
  const Training job = testing::job_of("mixtral-8x7b", 64);
  const Cluster cluster = testing::cluster_of("eos-10752");
  const network::Links links = network::links_of(cluster, cluster.partitions.front());
  Layout layout;
  layout.dp = 64;
  layout.zero_stage = 3;
  layout.ep = 8;
  const workload::StageParameters layer = workload::layer_parameters(job.model, layout, {0, 1});
  const step::Context c{job, layout, cluster.partitions.front().node.accelerator, links, nullptr};
  CHECK(step::sharding_times(c, layer, layer).forward_gather_s ==
        Approx(network::all_gather_s(links, {64, 1}, 2 * layer.shared) +
               network::all_gather_s(links, {8, 8}, 2 * layer.experts)));
}

TEST_CASE("hidden communication of every kind takes its part of the SMs") {
  Training job = testing::job_of("llama-3.1-70b", 64);
  job.software.tp_overlap_fraction = 0.5;
  job.software.pp_overlap_fraction = 1;
  const Cluster cluster = testing::cluster_of("eos-10752");
  Layout layout;
  layout.tp = 4;
  layout.pp = 4;
  layout.cp = 2;
  layout.dp = 2;
  job.software.comm_sm_fraction = 0;
  const Breakdown free = estimate(job, cluster, layout).breakdown;
  job.software.comm_sm_fraction = 0.1;
  const Breakdown paid = estimate(job, cluster, layout).breakdown;
  CHECK(paid.tp_comm_s > free.tp_comm_s);
  CHECK(paid.cp_comm_s > free.cp_comm_s);
  CHECK(paid.pp_comm_s > free.pp_comm_s);
  CHECK(paid.dp_comm_s > free.dp_comm_s);
  // Half of four collectives in each direction is hidden, and two further gatherings in the backward pass.
  const network::Links links = network::links_of(cluster, cluster.partitions.front());
  const step::Context c{job, layout, cluster.partitions.front().node.accelerator, links, nullptr};
  double hidden = 0;
  const double shown = step::tp_comm(c, true, hidden);
  const double gather = network::all_gather_s(links, {4, 1}, step::activation_bytes(c));
  CHECK(hidden == Approx(4 * gather));                           // a scatter takes as long as a gathering
  CHECK(shown == Approx(2 * gather + 0.1 * (hidden - gather)));  // chunks of gatherings go by copy engines
}
