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

namespace {

/// Least first. Norms are cheap to compute again; then the widest tensors of a layer; at last all of it.
std::vector<RecomputeOption> recompute_options(const Training& job, const LayoutChoice& choice) {
  const RecomputeModules given = choice.recompute_modules.value_or(RecomputeModules{});
  if (choice.recompute) return {{*choice.recompute, given}};
  if (!given.empty()) return {{Recompute::modules, given}};
  std::vector<RecomputeOption> options{{Recompute::none, {}}};
  // Flash attention leaves nothing for selective recomputation to save.
  if (!job.software.flash_attention) options.push_back({Recompute::selective, {}});
  RecomputeModules modules;
  modules.insert(RecomputeModule::layernorm);
  options.push_back({Recompute::modules, modules});
  modules.insert(job.model.is_moe() ? RecomputeModule::moe_act : RecomputeModule::mlp);
  options.push_back({Recompute::modules, modules});
  options.push_back({Recompute::full, {}});
  if (choice.recompute_layers.value_or(0) > 0) options.erase(options.begin());
  return options;
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
    Layout layout = skeleton(choice, 1);
    layout.vp = is_v(layout.schedule) ? 2 : 1;
    for (std::int64_t pp = 1; pp <= std::min(job.model.layers, accelerators); ++pp) {
      layout.pp = pp;
      if (workload::stages_possible(job.model, layout)) options.pp.push_back(pp);
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
  options.recompute = recompute_options(job, choice);
  return options;
}

std::vector<std::int64_t> virtual_stages(const Model& model, const LayoutChoice& choice, std::int64_t pp) {
  if (choice.vp) return {*choice.vp};
  std::vector<std::int64_t> values;
  Layout layout = skeleton(choice, 1);
  const bool interleaves = pp > 1 && layout.schedule == Schedule::one_f_one_b;
  const std::int64_t least = is_v(layout.schedule) ? 2 : 1;
  const std::int64_t most = interleaves ? (model.layers + 2) / pp : least;
  layout.pp = pp;
  for (std::int64_t vp = least; vp <= most; ++vp) {
    layout.vp = vp;
    if (workload::stages_possible(model, layout)) values.push_back(vp);
  }
  return values;
}

std::int64_t multiple_of_batches(const Layout& layout) {
  if (layout.schedule == Schedule::one_f_one_b && layout.vp > 1) return layout.pp;
  return layout.schedule == Schedule::dualpipe ? 2 : 1;
}

Layout skeleton(const LayoutChoice& choice, std::int64_t accelerators) {
  Layout layout;
  layout.tp = choice.tp.value_or(1);
  layout.pp = choice.pp.value_or(1);
  layout.schedule = choice.schedule.value_or(Schedule::one_f_one_b);
  layout.vp = choice.vp.value_or(is_v(layout.schedule) ? 2 : 1);
  layout.cp = choice.cp.value_or(1);
  layout.cp_kind = choice.cp_kind.value_or(ContextParallel::software);
  layout.ep = choice.ep.value_or(1);
  layout.etp = choice.etp.value_or(1);
  layout.micro_batch = choice.micro_batch.value_or(1);
  layout.zero_stage = choice.zero_stage.value_or(1);
  layout.shard_group = choice.shard_group.value_or(0);
  layout.reshard_after_forward = choice.reshard_after_forward.value_or(true);
  layout.first_stage_layers = choice.first_stage_layers.value_or(0);
  layout.last_stage_layers = choice.last_stage_layers.value_or(0);
  layout.uneven_stages = choice.uneven_stages.value_or(false);
  layout.recompute_modules = choice.recompute_modules.value_or(RecomputeModules{});
  layout.recompute_layers = choice.recompute_layers.value_or(0);
  // Modules or a number of layers to recompute say that something is.
  layout.recompute = choice.recompute.value_or(!layout.recompute_modules.empty() ? Recompute::modules
                                               : layout.recompute_layers > 0     ? Recompute::full
                                                                                 : Recompute::none);
  layout.offload_optimizer_fraction = choice.offload_optimizer_fraction.value_or(0);
  layout.offload_activations_fraction = choice.offload_activations_fraction.value_or(0);
  layout.offload_weights_fraction = choice.offload_weights_fraction.value_or(0);
  layout.sequence_parallel = choice.sequence_parallel.value_or(true);
  layout.dp = choice.dp.value_or(std::max<std::int64_t>(1, accelerators / (layout.tp * layout.pp * layout.cp)));
  return layout;
}

}  // namespace ampacity::search_detail
