// The columns of simulated devices: their order, names and units.
#pragma once

#include <array>
#include <cstddef>

#include "ampacity/batch.hpp"

namespace ampacity::simulation {

enum class Key : std::size_t {
  speed,
  busy,
  communication,
  host,
  peers,
  pipeline,
  replicas,
  network,
  joules,
  mean_w,
  sent,
  received,
  memory,
  kind,
  power,
  inlet,
  cap,
  temperature,
  clock,
  busy_w,
  peak_w,
  leak_w,
  count
};
inline constexpr std::array<ColumnInfo, static_cast<std::size_t>(Key::count)> infos{{
    {"speed_fraction", "speed over that of the mean device"},
    {"busy_s", "kernels: products, attention, memory-bound operators, recomputation, optimizer (s)"},
    {"communication_s", "exposed communication: tensor, context, expert, pipeline and data parallel (s)"},
    {"host_s", "waiting for the host: launches, transfers, the software's fixed share of a step (s)"},
    {"wait_peers_s", "waiting for slower devices and busier experts of its groups within tasks (s)"},
    {"wait_pipeline_s", "waiting for other stages: fill, drain, unequal stages (s)"},
    {"wait_replicas_s", "waiting for the slowest replica and the slowest reduction at the end of the step (s)"},
    {"wait_network_s", "communication beyond what it takes with the network to itself: crowded or failed links (s)"},
    {"joules", "energy of the device over the step (J)"},
    {"mean_w", "mean power of the device over the step (W)"},
    {"sent_bytes", "sent over its network cards in the step (bytes)"},
    {"received_bytes", "received over its network cards in the step (bytes)"},
    {"memory_bytes", "memory of the device at its fullest moment (bytes)"},
    {"kind", "partition of the cluster whose devices it is one of (index)"},
    {"power_fraction", "power at the same clock over that of the mean device"},
    {"inlet_c", "temperature of the air or liquid that reaches the device (degrees Celsius)"},
    {"cap_w", "power limit (W)"},
    {"temperature_c", "temperature of the die (degrees Celsius)"},
    {"clock_hz", "clock that power limit and temperature allow in large matrix products (Hz)"},
    {"busy_w", "mean power while kernels run (W)"},
    {"peak_w", "power in its hungriest kernels, large matrix products (W)"},
    {"leak_w", "leakage above that of the mean device at the design's inlet, part of all its watts (W)"},
}};

}  // namespace ampacity::simulation
