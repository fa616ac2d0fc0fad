// What a cluster's network is made of, with watts and dollars.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ampacity/cluster.hpp"

namespace ampacity {

/// Equal parts of one tier of the network.
struct BillItem {
  std::string tier;  ///< `tier 1 to 2`: the cables below the switches of tier 2
  /// `switch`, `cable`, `optic` (a module, or one end of a cable), `copper end`; between sites `coherent module`,
  /// `router port`, `line terminal`, `line amplifier`, `amplifier hut`, `km of fibre pair`
  std::string part;
  std::string name;  ///< of the catalogue; empty for cables and copper
  std::int64_t count = 0;
  double typical_w = 0;  ///< of one
  double max_w = 0;      ///< of one
  double price_usd = 0;  ///< of one; 0 = unknown
};

/// Switches, cables and transceivers of a network, counted from its topology, and the lines between its sites.
struct BillOfMaterials {
  std::vector<BillItem> items;
  double typical_w = 0;
  double max_w = 0;
  double price_usd = 0;               ///< of the parts whose price is known
  std::vector<std::string> unpriced;  ///< names or kinds of parts without a price
  double switches_per_accelerator = 0;
  double optic_ends_per_accelerator = 0;
  /// What the fabric states instead (published counts), which power and cost then use; 0 = they use these counts.
  double stated_switches_per_accelerator = 0;
  double stated_optic_ends_per_accelerator = 0;
};

/// Counts what the network of a cluster is made of. \throws Infeasible where it has no scale-out switches.
[[nodiscard]] BillOfMaterials bill_of_materials(const Cluster& cluster);

}  // namespace ampacity
