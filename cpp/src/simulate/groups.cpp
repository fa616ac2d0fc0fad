#include "simulate/groups.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <string>
#include <utility>

#include "power/node_power.hpp"
#include "power/partitions.hpp"

namespace ampacity::simulation {
namespace {

std::int64_t accelerators_of(const Node& node, const Site& site, GroupKind kind) {
  if (kind == GroupKind::node) return node.accelerators;
  return kind == GroupKind::rack ? power::rack_accelerators(node) : hall_accelerators(node, site);
}

/// Groups that stand together: a job fills the partitions in order.
std::vector<std::int32_t> standing(const Cluster& cluster, const Places& places, GroupKind kind) {
  std::vector<std::int32_t> group;
  group.reserve(places.devices());
  std::int64_t first = 0;
  const auto fill = [&](const Node& node, double count) {
    const std::int64_t size = accelerators_of(node, cluster.site, kind);
    const auto devices = static_cast<std::int64_t>(count);
    for (std::int64_t d = 0; d < devices; ++d) group.push_back(static_cast<std::int32_t>(first + d / size));
    first += (devices + size - 1) / size;
  };
  power::for_each_used_partition(cluster, static_cast<std::int64_t>(places.devices()), fill);
  if (places.kinds.empty()) return group;
  std::vector<std::int32_t> of_rank(group.size());
  for (std::size_t d = 0; d < group.size(); ++d) of_rank[d] = group[places.stands_at(d)];
  return of_rank;
}

void add(GroupColumns& found, const ColumnInfo& info, const char* prefix, const char* words,
         std::vector<double> values) {
  found.columns.push_back(
      {prefix + ('_' + std::string(info.key)), words + (" of: " + std::string(info.doc)), std::move(values)});
}

}  // namespace

std::int64_t hall_accelerators(const Node& node, const Site& site) {
  const double rack_w = power::node_nameplate_w(node) * node.nodes_per_rack;
  const auto racks = static_cast<std::int64_t>(std::clamp(site.hall_w() / rack_w, 1.0, 1e9));
  return racks * power::rack_accelerators(node);
}

std::vector<std::int32_t> group_of(const Cluster& cluster, const Places& places, GroupKind kind) {
  if (kind != GroupKind::stage && kind != GroupKind::replica) return standing(cluster, places, kind);
  std::vector<std::int32_t> group(places.devices());
  for (std::size_t d = 0; d < group.size(); ++d) {
    const std::int64_t row = static_cast<std::int64_t>(d) / places.peers;
    group[d] = static_cast<std::int32_t>(kind == GroupKind::stage ? row / places.replicas : row % places.replicas);
  }
  return group;
}

bool adds_up(std::string_view key) {
  constexpr std::array<std::string_view, 5> intensive{"_fraction", "_c", "_hz", "_v", "_per_s"};
  return key != "kind" &&
         std::none_of(intensive.begin(), intensive.end(), [&](std::string_view unit) { return key.ends_with(unit); });
}

GroupColumns by_group(std::span<const std::int32_t> group, std::span<const ColumnInfo> infos,
                      const std::function<std::span<const double>(std::size_t column)>& values) {
  GroupColumns found;
  const std::size_t groups =
      group.empty() ? 0 : static_cast<std::size_t>(*std::max_element(group.begin(), group.end())) + 1;
  found.devices.resize(groups);
  for (const std::int32_t g : group) ++found.devices[static_cast<std::size_t>(g)];
  for (std::size_t column = 0; column < infos.size(); ++column) {
    const std::span<const double> of_devices = values(column);
    std::vector<double> sum(groups);
    std::vector<double> least(groups, std::numeric_limits<double>::infinity());
    std::vector<double> most(groups, -std::numeric_limits<double>::infinity());
    for (std::size_t d = 0; d < group.size(); ++d) {
      const auto g = static_cast<std::size_t>(group[d]);
      sum[g] += of_devices[d];
      least[g] = std::min(least[g], of_devices[d]);
      most[g] = std::max(most[g], of_devices[d]);
    }
    std::vector<double> mean(groups);
    for (std::size_t g = 0; g < groups; ++g) mean[g] = sum[g] / static_cast<double>(found.devices[g]);
    const ColumnInfo& info = infos[column];
    if (adds_up(info.key)) add(found, info, "sum", "sum over the devices", std::move(sum));
    add(found, info, "mean", "mean of the devices", std::move(mean));
    add(found, info, "min", "least of the devices", std::move(least));
    add(found, info, "max", "most of the devices", std::move(most));
  }
  return found;
}

}  // namespace ampacity::simulation
