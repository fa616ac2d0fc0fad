#include "simulate/sites.hpp"

#include <algorithm>
#include <limits>

#include "network/cluster_tree.hpp"
#include "network/wiring.hpp"

namespace ampacity::simulation {

Sites::Sites(const Cluster& cluster)
    : each_(cluster.fabric.sites > 1 ? network::per_site(cluster.fabric, cluster.accelerators()) : 0) {}

std::uint8_t Sites::spanned(std::int64_t first, std::int64_t last) const {
  if (each_ == 0) return 1;
  const std::int64_t apart = std::max(first, last) / each_ - std::min(first, last) / each_;
  return static_cast<std::uint8_t>(1 + apart);
}

void Sites::start(std::vector<std::uint8_t>& spanned, std::size_t count) const {
  if (several()) spanned.resize(count, 1);
}

network::Paths distances_of(const Cluster& cluster) {
  const Fabric& fabric = cluster.fabric;
  if (fabric.sites == 1) return {};
  network::Paths paths;
  paths.site.accelerators = static_cast<double>(network::per_site(fabric, cluster.accelerators()));
  paths.site.uplinks = std::numeric_limits<double>::infinity();
  paths.wan_s = fabric.wan_m * network::kFibreSPerM;
  return paths;
}

network::Paths distances_of(const Cluster& cluster, const network::Group& group, std::int64_t sites) {
  if (sites <= 1) return {};
  network::Paths paths = distances_of(cluster);
  const auto extent = static_cast<double>(group.ranks * std::max<std::int64_t>(1, group.stride));
  paths.site.accelerators = extent / (static_cast<double>(sites) - 0.5);  // so that as many are begun
  return paths;
}

}  // namespace ampacity::simulation
