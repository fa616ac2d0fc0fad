// The tree from accelerators to the grid feed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ampacity/cluster.hpp"
#include "ampacity/site_power.hpp"
#include "power/distribution.hpp"
#include "power/plant_power.hpp"

namespace ampacity::power {

/// Watts of the three cases that stay apart.
struct Watts3 {
  double mean = 0;
  double peak = 0;
  double nameplate = 0;
};

/// A tree that is filled from the root; sums go up at the end.
class PowerTree {
 public:
  std::int64_t add(std::string level, std::string name, std::int64_t parent, double count, const Watts3& watts = {});
  /// Adds children to parents, leaves first.
  [[nodiscard]] std::vector<PowerItem> summed() &&;

 private:
  std::vector<PowerItem> items_;
};

/// IT equipment: racks of each partition with their nodes' parts, network, storage. Fills the racks.
void add_it(const Cluster& cluster, const SitePowerOptions& options, std::int64_t parent, PowerTree& tree,
            std::vector<RackGroup>& racks);

/// Conversion, cooling and the rest.
void add_plant(const PlantPower& mean, const PlantPower& peak, const PlantPower& nameplate, std::int64_t parent,
               PowerTree& tree);

}  // namespace ampacity::power
