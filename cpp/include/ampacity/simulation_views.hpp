// What can be read off a simulated step beside its columns: sums by group, the time of single devices, joules by level.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ampacity/field.hpp"

namespace ampacity {

/// Devices that work or stand together. Ranks fill the cluster in order, node by node and rack by rack; a hall is as
/// many racks as its switchboard carries (`Site::hall_w`).
enum class GroupKind : std::uint8_t { stage, replica, node, rack, hall };
template <>
struct EnumNames<GroupKind> {
  static constexpr std::array<std::string_view, 5> names{"stage", "replica", "node", "rack", "hall"};
};

/// One value a group.
struct GroupColumn {
  std::string key;  ///< `mean_`, `min_`, `max_`, or `sum_` where a sum means something, and the column of the devices
  std::string doc;
  std::vector<double> values;
};

/// What the devices of each group did, in the order of the groups.
struct GroupColumns {
  std::vector<std::int64_t> devices;  ///< how many each has
  std::vector<GroupColumn> columns;
};

/// The step of one device, slice by slice, from its start to its end without a gap.
struct DeviceSlices {
  std::int64_t device = 0;
  std::vector<std::int32_t> activity;     ///< the column of seconds that a slice counts in, an index of `info()`
  std::vector<std::int32_t> stage;        ///< of the model; -1 where a slice belongs to no task
  std::vector<std::int32_t> micro_batch;  ///< -1 where a slice belongs to no task
  std::vector<std::int32_t> kind;         ///< a `PipelineTask`; -1 where a slice belongs to no task
  std::vector<double> start_s;
  std::vector<double> end_s;
  std::vector<double> watts;  ///< what it draws meanwhile

  [[nodiscard]] std::size_t size() const { return start_s.size(); }
};

/// Joules of a step from the accelerators to the meter; each line beyond those before it.
struct StepEnergy {
  double accelerators_j = 0;
  double nodes_j = 0;     ///< hosts, network cards, fans, conversion in power supplies
  double network_j = 0;   ///< switches and optics
  double storage_j = 0;   ///< storage and management
  double facility_j = 0;  ///< cooling, conversion and everything else of the building

  [[nodiscard]] double site_j() const { return accelerators_j + nodes_j + network_j + storage_j + facility_j; }
};

}  // namespace ampacity
