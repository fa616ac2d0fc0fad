// Which devices of a step work or stand together, and what the devices of a group did.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "ampacity/batch.hpp"
#include "ampacity/cluster.hpp"
#include "ampacity/simulation_views.hpp"
#include "simulate/replicas.hpp"

namespace ampacity::simulation {

/// Accelerators of a hall of such nodes: whole racks, at least one.
[[nodiscard]] std::int64_t hall_accelerators(const Node& node, const Site& site);

/// The group of each device, counted from 0. Nodes of different kinds share no rack and no hall.
[[nodiscard]] std::vector<std::int32_t> group_of(const Cluster& cluster, const Places& places, GroupKind kind);

/// Whether the sum of a column over devices means something: not that of fractions, temperatures, clocks and voltages.
[[nodiscard]] bool adds_up(std::string_view key);

/// Sums, means and extremes of all columns.
[[nodiscard]] GroupColumns by_group(std::span<const std::int32_t> group, std::span<const ColumnInfo> infos,
                                    const std::function<std::span<const double>(std::size_t column)>& values);

}  // namespace ampacity::simulation
