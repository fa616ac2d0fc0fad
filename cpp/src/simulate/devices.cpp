#include "simulate/devices.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "ampacity/kernels.hpp"
#include "power/node_power.hpp"
#include "simulate/draws.hpp"

namespace ampacity::simulation {
namespace {

// Silicon further off is sorted out before it is sold.
constexpr double least_power_fraction = 0.5;

constexpr int rounds = 4;  // of temperature and watts: each brings the error to a twentieth

}  // namespace

Room room_of(const Node& node) {
  Room room;
  room.per_host = std::max<std::int64_t>(1, node.accelerators / node.hosts);
  room.per_rack = power::rack_accelerators(node);
  return room;
}

double drawn_power_fraction(std::uint64_t seed, double spread_fraction, std::uint64_t device) {
  if (spread_fraction <= 0) return 1;
  return std::max(least_power_fraction, 1 + spread_fraction * normal_draw(seed, device, silicon));
}

double drawn_inlet_offset_c(std::uint64_t seed, const Room& room, double rack_spread_c, double preheat_c,
                            std::uint64_t device) {
  const auto rack = device / static_cast<std::uint64_t>(room.per_rack);
  const std::uint64_t row = rack / Room::racks_per_row;
  double offset_c = 0;
  if (rack_spread_c > 0) {
    // From one end of the row to the other, of unit variance over its racks.
    const double along = static_cast<double>(rack % Room::racks_per_row) * 2 / (Room::racks_per_row - 1) - 1;
    const double unit = std::sqrt(3.0 * (Room::racks_per_row - 1) / (Room::racks_per_row + 1));
    const double sum = normal_draw(seed, row, row_inlet) + unit * along * normal_draw(seed, row, row_gradient) +
                       normal_draw(seed, rack, rack_inlet);
    offset_c = rack_spread_c / std::sqrt(3.0) * sum;
  }
  const auto per_host = static_cast<std::uint64_t>(room.per_host);
  if (per_host > 1) offset_c += preheat_c * (device % per_host < (per_host + 1) / 2 ? -0.5 : 0.5);
  return offset_c;
}

Kind::Kind(const Cluster& cluster, const Partition& partition, Response response, std::vector<MeanStep> mean_step)
    : cooler_(power::cooler_of(partition.node, cluster.site)),
      room_(room_of(partition.node)),
      response_(std::move(response)),
      mean_step_(std::move(mean_step)) {
  const Accelerator& device = partition.node.accelerator;
  leakage_w_ = device.leakage_fraction * active_w(device);
  leakage_per_c_ = device.leakage_per_c;
  throttle_c_ = device.throttle_c;
  own_limit_w_ = device.tdp_w;
}

double Kind::rest_w(std::size_t rank) const {
  const MeanStep& mean = mean_step_[rank];
  return mean.mean_w - mean.busy_share * response_.at(rank, response_.design_limit_w()).busy_w;
}

double Kind::reference_c(std::size_t rank, double cap_w) const {
  const double mean_w = cap_w == response_.design_limit_w()
                            ? mean_step_[rank].mean_w
                            : rest_w(rank) + mean_step_[rank].busy_share * response_.at(rank, cap_w).busy_w;
  return cooler_.design_inlet_c + cooler_.resistance_c_per_w * mean_w;
}

double Kind::leak_w(double warmer_c) const {
  if (warmer_c == 0) return 0;
  return leakage_w_ * (std::exp(leakage_per_c_ * warmer_c) - 1);
}

double Kind::settled_c(std::size_t rank, const Given& given, const State& state) const {
  const double busy_share = mean_step_[rank].busy_share;
  const double mean_w =
      given.power_fraction * (rest_w(rank) + (1 - busy_share) * state.leak_w) + busy_share * state.busy_w;
  return given.inlet_c + cooler_.resistance_c_per_w * mean_w;
}

/// Kernels of a device that leaks so much more: those of the mean device under what is left of the limit.
State Kind::state_of(std::size_t rank, const Given& given, double leak_w) const {
  State state;
  state.leak_w = leak_w;
  state.limit_w = given.cap_w / given.power_fraction - leak_w;
  const Answer answer = response_.at(rank, state.limit_w);
  state.slowness = answer.slowness;
  // Between rungs the ladder is a hair above the limit.
  state.busy_w = std::min(given.power_fraction * (answer.busy_w + leak_w), given.cap_w);
  return state;
}

/// The device slows down until it stays at the temperature at which it throttles.
State Kind::throttled(std::size_t rank, const Given& given) const {
  const double leak = leak_w(throttle_c_ - reference_c(rank, given.cap_w));
  const double allowed_w = (throttle_c_ - given.inlet_c) / cooler_.resistance_c_per_w / given.power_fraction;
  const double busy_w = (allowed_w - rest_w(rank) - leak) / mean_step_[rank].busy_share;
  const double cooler_cap_w = given.power_fraction * (response_.limit_for(rank, busy_w) + leak);
  return state_of(rank, {given.power_fraction, given.inlet_c, std::min(given.cap_w, cooler_cap_w)}, leak);
}

State Kind::steady(std::size_t rank, const Given& given) const {
  const double reference = reference_c(rank, given.cap_w);
  State state = state_of(rank, given, 0);
  if (given.power_fraction == 1 && given.inlet_c == cooler_.design_inlet_c) {
    state.temperature_c = reference;
  } else {
    for (int round = 0; round < rounds; ++round) {
      state = state_of(rank, given, leak_w(settled_c(rank, given, state) - reference));
    }
    state.temperature_c = settled_c(rank, given, state);
  }
  if (state.temperature_c > throttle_c_) {
    state = throttled(rank, given);
    state.temperature_c = settled_c(rank, given, state);
  }
  return state;
}

State Kind::at_temperature(std::size_t rank, const Given& given, double temperature_c) const {
  State state = temperature_c > throttle_c_
                    ? throttled(rank, given)
                    : state_of(rank, given, leak_w(temperature_c - reference_c(rank, given.cap_w)));
  state.temperature_c = temperature_c;
  return state;
}

Peak Kind::peak_of(const Given& given, const State& state) const {
  const Peak mean = response_.peak_at(state.limit_w);
  return {mean.clock_hz, std::min(given.power_fraction * (mean.watts + state.leak_w), given.cap_w)};
}

double Kind::power_spread_at_limit(double speed_spread_fraction, double inlet_spread_c) const {
  constexpr double off = 0.02;
  const double limit_w = own_limit_w_;
  const auto half_range = [&](double low_w, double high_w) {
    return 0.5 * std::log(response_.peak_at(high_w).clock_hz / response_.peak_at(low_w).clock_hz);
  };
  const double by_silicon = half_range(limit_w / (1 + off), limit_w / (1 - off)) / off;
  const double by_heat = half_range(limit_w - leak_w(inlet_spread_c), limit_w - leak_w(-inlet_spread_c));
  if (by_silicon <= 0) return 1;
  return std::sqrt(std::max(0.0, speed_spread_fraction * speed_spread_fraction - by_heat * by_heat)) / by_silicon;
}

double Kind::caused_spread(std::size_t rank, double power_spread_fraction, double inlet_spread_c) const {
  const auto half_range = [&](const Given& low, const Given& high) {
    return 0.5 * std::log(steady(rank, high).slowness / steady(rank, low).slowness);
  };
  const Given design{1, cooler_.design_inlet_c, own_limit_w_};
  Given low = design;
  Given high = design;
  low.power_fraction -= power_spread_fraction;
  high.power_fraction += power_spread_fraction;
  const double by_silicon = half_range(low, high);
  low = design;
  high = design;
  low.inlet_c -= inlet_spread_c;
  high.inlet_c += inlet_spread_c;
  const double by_heat = half_range(low, high);
  return std::sqrt(by_silicon * by_silicon + by_heat * by_heat);
}

}  // namespace ampacity::simulation
