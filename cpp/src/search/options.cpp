#include "search/options.hpp"

#include <algorithm>

#include "workload/stages.hpp"

namespace ampacity::search_detail {
namespace {

std::vector<std::int64_t> powers_of_two(std::int64_t most) {
  std::vector<std::int64_t> values;
  for (std::int64_t value = 1; value <= most; value *= 2) values.push_back(value);
  return values;
}

}  // namespace

Options options_of(const Training& job, const Cluster& cluster, const LayoutChoice& choice, std::int64_t accelerators) {
  Options options;
  // Tensor parallelism stays on the scale-up network: across it, each layer would wait for the fabric four times.
  std::int64_t domain = cluster.partitions.front().node.scaleup_domain;
  for (const Partition& partition : cluster.partitions) domain = std::min(domain, partition.node.scaleup_domain);
  if (choice.tp) {
    options.tp = {*choice.tp};
  } else {
    for (const std::int64_t tp : powers_of_two(std::min<std::int64_t>({domain, accelerators, 64}))) {
      if (job.model.heads % tp == 0) options.tp.push_back(tp);
    }
  }
  if (choice.pp) {
    options.pp = {*choice.pp};
  } else {
    for (std::int64_t pp = 1; pp <= std::min(job.model.layers, accelerators); ++pp) {
      Layout layout;
      layout.pp = pp;
      if (workload::stage_layers(job.model, layout).possible) options.pp.push_back(pp);
    }
  }
  // Slices of a sequence under 4,096 tokens are too short to hide their exchange.
  constexpr std::int64_t shortest_slice = 4096;
  options.cp =
      choice.cp ? std::vector<std::int64_t>{*choice.cp}
                : powers_of_two(std::max<std::int64_t>(1, std::min(job.seq_len / (2 * shortest_slice), accelerators)));
  // Experts may spread over all devices that share a pipeline stage; powers of two that divide them.
  const std::int64_t most_ep = job.model.is_moe() ? std::min(job.model.experts, accelerators) : 1;
  options.ep = choice.ep ? std::vector<std::int64_t>{*choice.ep} : powers_of_two(most_ep);
  options.micro_batch = choice.micro_batch ? std::vector<std::int64_t>{*choice.micro_batch} : powers_of_two(16);
  if (choice.recompute) {
    options.recompute = {*choice.recompute};
  } else {
    options.recompute = {Recompute::none, Recompute::full};
    // Flash attention leaves nothing for selective recomputation to save.
    if (!job.software.flash_attention) options.recompute.insert(options.recompute.begin() + 1, Recompute::selective);
  }
  return options;
}

std::vector<std::int64_t> virtual_stages(const Model& model, const LayoutChoice& choice, std::int64_t pp) {
  if (choice.vp) return {*choice.vp};
  std::vector<std::int64_t> values;
  const bool interleaves = pp > 1 && choice.schedule.value_or(Schedule::one_f_one_b) == Schedule::one_f_one_b;
  const std::int64_t most = interleaves ? (model.layers + 2) / pp : 1;
  for (std::int64_t vp = 1; vp <= most; ++vp) {
    Layout layout;
    layout.pp = pp;
    layout.vp = vp;
    if (workload::stage_layers(model, layout).possible) values.push_back(vp);
  }
  return values;
}

Layout skeleton(const LayoutChoice& choice, std::int64_t accelerators) {
  Layout layout;
  layout.tp = choice.tp.value_or(1);
  layout.pp = choice.pp.value_or(1);
  layout.vp = choice.vp.value_or(1);
  layout.cp = choice.cp.value_or(1);
  layout.cp_kind = choice.cp_kind.value_or(ContextParallel::software);
  layout.ep = choice.ep.value_or(1);
  layout.etp = choice.etp.value_or(1);
  layout.micro_batch = choice.micro_batch.value_or(1);
  layout.zero_stage = choice.zero_stage.value_or(1);
  layout.shard_group = choice.shard_group.value_or(0);
  layout.reshard_after_forward = choice.reshard_after_forward.value_or(true);
  layout.schedule = choice.schedule.value_or(Schedule::one_f_one_b);
  layout.recompute = choice.recompute.value_or(Recompute::none);
  layout.sequence_parallel = choice.sequence_parallel.value_or(true);
  layout.dp = choice.dp.value_or(std::max<std::int64_t>(1, accelerators / (layout.tp * layout.pp * layout.cp)));
  return layout;
}

}  // namespace ampacity::search_detail
