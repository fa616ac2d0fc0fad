#include "ampacity/bill_of_materials.hpp"

#include <algorithm>
#include <cmath>

#include "ampacity/error.hpp"
#include "network/cluster_tree.hpp"
#include "network/wan.hpp"

namespace ampacity {
namespace {

std::vector<std::string> tier_names(const Fabric& fabric, std::size_t tiers) {
  if (fabric.topology == Topology::dragonfly_plus) return {"endpoint to leaf", "leaf to spine", "between groups"};
  if (fabric.topology == Topology::dragonfly) return {"endpoint to switch", "within groups", "between groups"};
  std::vector<std::string> names{"endpoint to tier 1"};
  for (std::size_t tier = 1; tier < tiers; ++tier) {
    names.push_back("tier " + std::to_string(tier) + " to " + std::to_string(tier + 1));
  }
  return names;
}

void add(BillOfMaterials& bill, BillItem item) {
  if (item.count == 0) return;
  const auto count = static_cast<double>(item.count);
  bill.typical_w += count * item.typical_w;
  bill.max_w += count * item.max_w;
  bill.price_usd += count * item.price_usd;
  if (item.price_usd == 0) {
    const std::string& known_as = item.name.empty() ? item.part : item.name;
    if (std::find(bill.unpriced.begin(), bill.unpriced.end(), known_as) == bill.unpriced.end()) {
      bill.unpriced.push_back(known_as);
    }
  }
  bill.items.push_back(std::move(item));
}

/// Lines between sites.
void add_wan(BillOfMaterials& bill, const Fabric& fabric) {
  const network::WanParts parts = network::wan_parts(fabric);
  const LineSystem& line = fabric.wan;
  const auto part = [&](const char* what, std::int64_t count, double typical_w, double max_w, double usd) {
    add(bill, {"between sites", what, {}, count, typical_w, max_w, usd});
  };
  part("coherent module", parts.modules, line.module_typical_w, line.module_max_w, line.module_price_usd);
  part("router port", parts.modules, line.port_typical_w, line.port_max_w, line.port_price_usd);
  part("line terminal", parts.terminals, line.terminal_typical_w, line.terminal_max_w, line.terminal_price_usd);
  part("line amplifier", parts.amplifiers, line.amplifier_typical_w, line.amplifier_max_w, line.amplifier_price_usd);
  part("amplifier hut", parts.huts, line.hut_w, line.hut_w, line.hut_price_usd);
  part("km of fibre pair", parts.fibre_pair_kms, 0, 0, 1e3 * line.fibre_pair_usd_per_m);
}

}  // namespace

BillOfMaterials bill_of_materials(const Cluster& cluster) {
  const Fabric& fabric = cluster.fabric;
  const std::int64_t accelerators = cluster.accelerators();
  const network::ClusterParts parts =
      network::cluster_parts(fabric, accelerators, cluster.partitions.front().node.accelerators);
  if (parts.tiers == 0) throw Infeasible(cluster.name + " has no switches to count: " + fabric.name);
  const std::vector<std::string> names = tier_names(fabric, parts.tiers);
  BillOfMaterials bill;
  for (std::size_t tier = 0; tier < parts.tiers; ++tier) {
    const network::TierParts& part = parts.tier[tier];
    const Switch& box = network::switch_of(fabric, tier);
    add(bill, {names[tier], "switch", box.name, part.switches, box.typical_w, box.max_w, box.price_usd});
    add(bill, {names[tier], "cable", "", part.cables, 0, 0, 0});
    if (static_cast<std::int64_t>(tier) < fabric.copper_tiers) {
      add(bill, {names[tier], "copper end", "", 2 * part.cables, network::kCopperEndW, network::kCopperEndMaxW, 0});
    } else {
      const Optic& optic = fabric.optic;
      const auto modules =
          std::llround(std::ceil(network::optic_ends(fabric, static_cast<double>(part.cables)) - 1e-9));
      add(bill, {names[tier], "optic", optic.name, modules, optic.typical_w, optic.max_w, optic.price_usd});
      bill.optic_ends_per_accelerator += static_cast<double>(modules) / static_cast<double>(accelerators);
    }
    bill.switches_per_accelerator += static_cast<double>(part.switches) / static_cast<double>(accelerators);
  }
  add_wan(bill, fabric);
  bill.stated_switches_per_accelerator = fabric.switches_per_accelerator;
  bill.stated_optic_ends_per_accelerator = fabric.optic_ends_per_accelerator;
  return bill;
}

}  // namespace ampacity
