#include "spec/rules.hpp"

#include <cmath>
#include <string>

#include "ampacity/decode.hpp"
#include "base/text.hpp"

namespace ampacity::spec {
namespace {

using base::number_text;

void note(std::vector<Problem>& problems, std::string path, std::string value, std::string rule,
          std::string hint = {}) {
  problems.push_back({std::move(path), std::move(value), std::move(rule), std::move(hint)});
}

void complete_attention(Model& model, const std::string& path, std::vector<Problem>& problems) {
  if (model.kv_heads == 0) model.kv_heads = model.heads;
  if (model.heads % model.kv_heads != 0) {
    note(problems, path + ".kv_heads", number_text(model.kv_heads),
         "must divide " + path + ".heads (" + number_text(model.heads) + ")");
  }
  if (model.head_dim == 0) {
    if (model.hidden % model.heads != 0) {
      note(problems, path + ".heads", number_text(model.heads),
           "must divide " + path + ".hidden (" + number_text(model.hidden) + ") unless head_dim is given");
    } else {
      model.head_dim = model.hidden / model.heads;
    }
  }
  if (model.value_head_dim == 0) model.value_head_dim = model.head_dim;
  if (model.is_mla() && model.rope_head_dim >= model.head_dim + model.rope_head_dim) {
    note(problems, path + ".head_dim", number_text(model.head_dim), "must be positive");
  }
}

void check_windows(const Model& model, const std::string& path, std::vector<Problem>& problems) {
  if (model.has_local_layers()) return;
  if (model.chunked_attention) {
    note(problems, path + ".attention_window", "0", "must be given where chunked_attention is", "tokens of a chunk");
  }
  if (model.global_attention_interval > 0) {
    note(problems, path + ".attention_window", "0", "must be given where global_attention_interval is",
         "tokens that a local layer sees");
  }
}

void check_expert_groups(const Model& model, const std::string& path, std::vector<Problem>& problems) {
  if (model.expert_groups == 0 && model.expert_groups_per_token == 0) return;
  if (model.expert_groups < 1 || model.experts % model.expert_groups != 0) {
    note(problems, path + ".expert_groups", number_text(model.expert_groups),
         "must divide " + path + ".experts (" + number_text(model.experts) + ")");
  } else if (model.expert_groups_per_token < 1 || model.expert_groups_per_token > model.expert_groups) {
    note(problems, path + ".expert_groups_per_token", number_text(model.expert_groups_per_token),
         "must be between 1 and " + path + ".expert_groups (" + number_text(model.expert_groups) + ")");
  }
}

void complete_experts(Model& model, const std::string& path, std::vector<Problem>& problems) {
  if (!model.is_moe()) {
    if (model.experts_per_token > 0 || model.shared_experts > 0 || model.expert_ffn > 0 || model.expert_groups > 0) {
      note(problems, path + ".experts", "0",
           "must be given where experts_per_token, shared_experts, expert_ffn or expert_groups are");
    }
    return;
  }
  if (model.expert_ffn == 0) model.expert_ffn = model.ffn;
  if (model.experts_per_token < 1 || model.experts_per_token > model.experts) {
    note(problems, path + ".experts_per_token", number_text(model.experts_per_token),
         "must be between 1 and " + path + ".experts (" + number_text(model.experts) + ")");
  }
  check_expert_groups(model, path, problems);
  if (model.moe_layer_interval > model.layers) {
    note(problems, path + ".moe_layer_interval", number_text(model.moe_layer_interval),
         "must not exceed " + path + ".layers (" + number_text(model.layers) + "): no layer would have experts");
  }
  if (model.dense_layers > model.layers) {
    note(problems, path + ".dense_layers", number_text(model.dense_layers),
         "must not exceed " + path + ".layers (" + number_text(model.layers) + ")");
  }
}

/// A cap below what a device draws with its clocks up leaves nothing for work.
void check_limits(const Accelerator& device, const std::string& path, std::vector<Problem>& problems) {
  const double above_idle_w = device.architecture.active_fraction * (device.base_w() - device.idle_w);
  const double lowest_w = std::ceil(device.idle_w + above_idle_w);
  if (device.power_cap_w > 0 && (device.power_cap_w < lowest_w || device.power_cap_w > device.tdp_w)) {
    note(problems, path + ".power_cap_w", number_text(device.power_cap_w),
         "must be 0 or between " + number_text(lowest_w) + " (drawn with clocks up, before any work) and tdp_w (" +
             number_text(device.tdp_w) + ")");
  }
  if (device.locked_clock_hz > 0 &&
      (device.locked_clock_hz < Accelerator::lowest_clock_fraction * device.boost_clock_hz ||
       device.locked_clock_hz > device.boost_clock_hz)) {
    note(problems, path + ".locked_clock_hz", number_text(device.locked_clock_hz),
         "must be 0 or between " + number_text(Accelerator::lowest_clock_fraction * device.boost_clock_hz) +
             " and boost_clock_hz (" + number_text(device.boost_clock_hz) + ")");
  }
}

}  // namespace

void complete(Accelerator& device, const std::string& path, const Catalogue&, std::vector<Problem>& problems) {
  if (device.idle_w >= device.tdp_w) {
    note(problems, path + ".idle_w", number_text(device.idle_w),
         "must be below tdp_w (" + number_text(device.tdp_w) + ")");
  }
  if (device.base_tdp_w > 0 && device.base_tdp_w <= device.idle_w) {
    note(problems, path + ".base_tdp_w", number_text(device.base_tdp_w),
         "must be 0 or above idle_w (" + number_text(device.idle_w) + ")");
  }
  if (device.boost_clock_hz == 0) device.boost_clock_hz = device.tensor_clock_hz;
  check_limits(device, path, problems);
}

void complete(Node& node, const std::string& path, const Catalogue&, std::vector<Problem>& problems) {
  const bool whole = node.scaleup_domain % node.accelerators == 0 || node.accelerators % node.scaleup_domain == 0;
  if (!whole) {
    note(problems, path + ".scaleup_domain", number_text(node.scaleup_domain),
         "must be a multiple or a divisor of " + path + ".accelerators (" + number_text(node.accelerators) + ")");
  }
}

namespace {

void check_torus(const Cluster& cluster, const std::string& path, std::vector<Problem>& problems) {
  const Fabric& fabric = cluster.fabric;
  if (fabric.torus_x == 0 && fabric.torus_y == 0 && fabric.torus_z == 0) return;
  const std::string sides =
      number_text(fabric.torus_x) + " x " + number_text(fabric.torus_y) + " x " + number_text(fabric.torus_z);
  if (fabric.topology != Topology::torus) {
    note(problems, path + ".torus_x", sides, "is for tori only");
  } else if (static_cast<double>(fabric.torus_x) * static_cast<double>(fabric.torus_y) *
                 static_cast<double>(fabric.torus_z) !=
             static_cast<double>(cluster.accelerators())) {
    note(problems, path + ".torus_x", sides,
         "must multiply to the " + number_text(cluster.accelerators()) + " accelerators of the cluster",
         "torus_z = 1 for two dimensions");
  }
}

void check_sites(const Cluster& cluster, const std::string& path, std::vector<Problem>& problems) {
  const Fabric& fabric = cluster.fabric;
  if (fabric.sites == 1) {
    if (!fabric.wan.name.empty()) {
      note(problems, path + ".wan", fabric.wan.name, "must be left out of one site", "sites = 2, or more");
    }
    if (fabric.wan_bytes_per_s > 0) {
      note(problems, path + ".wan_bytes_per_s", number_text(fabric.wan_bytes_per_s), "must be left out of one site",
           "sites = 2, or more");
    }
    if (fabric.wan_m > 0) {
      note(problems, path + ".wan_m", number_text(fabric.wan_m), "must be left out of one site", "sites = 2, or more");
    }
    return;
  }
  if (!is_tree(fabric.topology) || fabric.tiers < 1 || fabric.tiers > 5) {
    note(problems, path + ".sites", number_text(fabric.sites),
         "is for fat trees of 1 to 5 tiers, with rails or without", "groups of a dragonfly-plus are joined in pairs");
  }
  if (fabric.wan_bytes_per_s <= 0) {
    note(problems, path + ".wan_bytes_per_s", "0", "must be given where there are several sites",
         "of all WAN links of a site together");
  }
  if (cluster.accelerators() % fabric.sites != 0) {
    note(problems, path + ".sites", number_text(fabric.sites),
         "must divide the " + number_text(cluster.accelerators()) + " accelerators of the cluster");
  }
}

}  // namespace

void complete(Cluster& cluster, const std::string& path, const Catalogue& catalogue, std::vector<Problem>& problems) {
  constexpr std::string_view usual_line = "400zr-plus";
  if (cluster.fabric.sites > 1 && cluster.fabric.wan.name.empty() && catalogue.contains("line_system", usual_line)) {
    cluster.fabric.wan = catalogue.get<LineSystem>(usual_line);
  }
  check_torus(cluster, path + ".fabric", problems);
  check_sites(cluster, path + ".fabric", problems);
  const Topology topology = cluster.fabric.topology;
  if (cluster.fabric.global_links > 0 && topology != Topology::dragonfly && topology != Topology::dragonfly_plus) {
    note(problems, path + ".fabric.global_links", number_text(cluster.fabric.global_links),
         "is for dragonfly and dragonfly-plus only");
  }
  for (std::size_t i = 0; i < cluster.partitions.size(); ++i) {
    const Partition& partition = cluster.partitions[i];
    if (partition.accelerators % partition.node.accelerators != 0) {
      note(problems, path + ".partitions[" + std::to_string(i) + "].accelerators", number_text(partition.accelerators),
           "must be whole nodes of " + number_text(partition.node.accelerators) + " accelerators",
           "nearest: " +
               number_text(partition.accelerators / partition.node.accelerators * partition.node.accelerators));
    }
  }
}

void complete(Storage& storage, const std::string& path, const Catalogue&, std::vector<Problem>& problems) {
  const auto one = [&](const std::string& key, double whole, double each) {
    if ((whole > 0) != (each > 0)) return;
    note(problems, path + "." + key, whole > 0 ? number_text(whole) : "",
         "must be given once: for the whole site or per accelerator", key + " or " + key + "_per_accelerator");
  };
  one("energy_j", storage.energy_j, storage.energy_j_per_accelerator);
  one("power_w", storage.power_w, storage.power_w_per_accelerator);
}

void complete(Curtailment& hours, const std::string& path, const Catalogue&, std::vector<Problem>& problems) {
  if (hours.period_s > 0 && hours.period_s < hours.duration_s) {
    note(problems, path + ".period_s", number_text(hours.period_s),
         "must not be below duration_s (" + number_text(hours.duration_s) + ")");
  }
}

void complete(GridContract& contract, const std::string& path, const Catalogue&, std::vector<Problem>& problems) {
  if (contract.band_low_hz >= contract.band_high_hz) {
    note(problems, path + ".band_low_hz", number_text(contract.band_low_hz),
         "must be below band_high_hz (" + number_text(contract.band_high_hz) + ")");
  }
  const std::string mask = path + ".spectral_mask";
  if (contract.spectral_mask.size() == 1) note(problems, mask, "1 point", "must have two points or more");
  for (std::size_t i = 1; i < contract.spectral_mask.size(); ++i) {
    if (contract.spectral_mask[i].frequency_hz > contract.spectral_mask[i - 1].frequency_hz) continue;
    note(problems, mask + "[" + std::to_string(i) + "].frequency_hz",
         number_text(contract.spectral_mask[i].frequency_hz), "must be above that of the point before");
  }
}

void complete(PowerProfile& profile, const std::string& path, const Catalogue&, std::vector<Problem>& problems) {
  const bool set = profile.power_cap_w > 0 || profile.locked_clock_hz > 0;
  if (set == (profile.least_throughput_fraction > 0)) {
    note(problems, path, profile.name,
         "must have either power_cap_w, locked_clock_hz or both, or least_throughput_fraction");
  }
}

void complete(Tariff& tariff, const std::string& path, const Catalogue&, std::vector<Problem>& problems) {
  if (tariff.least_demand_fraction > 0 && tariff.contracted_w <= 0) {
    note(problems, path + ".contracted_w", number_text(tariff.contracted_w),
         "must be above 0 where least_demand_fraction is given", "watts");
  }
}

void complete(Model& model, const std::string& path, const Catalogue&, std::vector<Problem>& problems) {
  complete_attention(model, path, problems);
  check_windows(model, path, problems);
  complete_experts(model, path, problems);
}

namespace {

std::string names_of(const LoraTargets& targets) {
  std::string names;
  for (std::size_t i = 0; i < EnumNames<LoraTarget>::names.size(); ++i) {
    const auto target = static_cast<LoraTarget>(i);
    if (targets.contains(target)) names += (names.empty() ? "" : ", ") + std::string(name_of(target));
  }
  return "[" + names + "]";
}

}  // namespace

void check_fine_tuning(const Training& job, const std::string& path, std::vector<Problem>& problems) {
  if (job.lora_rank > job.model.hidden) {
    note(problems, path + ".lora_rank", number_text(job.lora_rank),
         "must not exceed " + path + ".model.hidden (" + number_text(job.model.hidden) + "): adapters are low-rank",
         "typical ranks are 8 to 256");
  }
  if (!job.lora_targets.empty() && job.lora_rank == 0) {
    note(problems, path + ".lora_targets", names_of(job.lora_targets),
         "must be empty where " + path + ".lora_rank is 0", "give lora_rank, e.g. 16");
  }
  if (job.frozen_weight_bytes != 2 && !job.is_frozen()) {
    note(problems, path + ".frozen_weight_bytes", number_text(job.frozen_weight_bytes),
         "must be 2 where weights are trained", "give lora_rank or frozen_weights");
  }
}

void complete(Training& job, const std::string& path, const Catalogue& catalogue, std::vector<Problem>& problems) {
  if (job.software.name.empty()) job.software = catalogue.get<Software>("megatron-core");
  if (job.seq_len == 0) job.seq_len = job.model.seq_len;
  if (job.global_batch == 0) job.global_batch = job.model.global_batch;
  if (job.tokens == 0 && !job.is_frozen()) job.tokens = job.model.tokens;  // published for training all weights
  if (job.global_batch == 0) {
    note(problems, path + ".global_batch", "0", "must be given: the model has no published batch",
         "sequences per step");
  }
  check_fine_tuning(job, path, problems);
}

}  // namespace ampacity::spec
