#include "search/options.hpp"

#include <algorithm>
#include <tuple>

#include "workload/stages.hpp"

namespace ampacity::search_detail {
namespace {

std::vector<std::int64_t> powers_of_two(std::int64_t most) {
  std::vector<std::int64_t> values;
  for (std::int64_t value = 1; value <= most; value *= 2) values.push_back(value);
  return values;
}

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
  const auto take = [&](const auto& field) {
    if (const auto& decided = choice.of(field.member)) layout.*field.member = *decided;
  };
  std::apply([&](const auto&... field) { (take(field), ...); }, Layout::fields());
  if (!choice.vp && is_v(layout.schedule)) layout.vp = 2;
  // Modules or a number of layers to recompute say that something is.
  if (!choice.recompute && !layout.recompute_modules.empty()) {
    layout.recompute = Recompute::modules;
  } else if (!choice.recompute && layout.recompute_layers > 0) {
    layout.recompute = Recompute::full;
  }
  if (!choice.dp) layout.dp = std::max<std::int64_t>(1, accelerators / (layout.tp * layout.pp * layout.cp));
  return layout;
}

}  // namespace ampacity::search_detail
