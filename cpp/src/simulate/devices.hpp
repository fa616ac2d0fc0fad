// What makes single devices differ: silicon, the air or liquid that reaches them, their power limit; and what follows
// from it: clock, temperature, watts, speed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "ampacity/cluster.hpp"
#include "ampacity/simulate.hpp"
#include "power/thermal.hpp"
#include "simulate/response.hpp"

namespace ampacity::simulation {

/// Where devices stand, for the temperature of what reaches them.
struct Room {
  std::int64_t per_host = 1;  ///< accelerators along one stream of air or liquid
  std::int64_t per_rack = 1;

  static constexpr std::int64_t racks_per_row = 16;  // a usual row has 10 to 20
};
[[nodiscard]] Room room_of(const Node& node);

/// What a device is given.
struct Given {
  double power_fraction = 1;  ///< power at a clock over that of the mean device
  double inlet_c = 0;
  double cap_w = 0;
};
/// What follows from it, and from its temperature.
struct State {
  double slowness = 1;       ///< of its kernels, over the mean device's at the design's inlet
  double busy_w = 0;         ///< while kernels run
  double leak_w = 0;         ///< what a mean device of its temperature leaks more; part of all its watts
  double temperature_c = 0;  ///< of the die
  double limit_w = 0;        ///< under which the mean device does the same
};

/// What of a mean device's step is not kernels, and what it draws over the whole of it.
struct MeanStep {
  double busy_share = 0;  ///< of the step in kernels of the pipeline
  double mean_w = 0;
};

/// Devices of one kind in the ranks of one job. P = q (P_mean(clock) + leak), T = inlet + R P; the clock is the highest
/// for which P stays below the limit and T below the temperature at which the device throttles. `P_mean` holds the
/// leakage of the mean device in the same work under the same limit at the design's inlet; `leak` is what a warmer one
/// leaks more: leakage x (exp(growth x dT) - 1).
class Kind {
 public:
  Kind() = default;
  Kind(const Cluster& cluster, const Partition& partition, Response response, std::vector<MeanStep> mean_step);

  /// Steady state: the temperature of endless such steps.
  [[nodiscard]] State steady(std::size_t rank, const Given& given) const;
  /// With a die of that temperature.
  [[nodiscard]] State at_temperature(std::size_t rank, const Given& given, double temperature_c) const;

  /// Clock (Hz) and watts of the device in its hungriest kernels.
  [[nodiscard]] Peak peak_of(const Given& given, const State& state) const;

  /// Standard deviation of power at a clock that, with such inlets, gives large products at the device's own limit that
  /// spread of speed.
  [[nodiscard]] double power_spread_at_limit(double speed_spread_fraction, double inlet_spread_c) const;
  /// Standard deviation of speed that these spreads cause in a rank at the device's own limit and design temperature.
  [[nodiscard]] double caused_spread(std::size_t rank, double power_spread_fraction, double inlet_spread_c) const;
  /// The mean device of the hall under the common limit.
  [[nodiscard]] Given mean() const { return {1, cooler_.supply_c, response_.design_limit_w()}; }

  [[nodiscard]] const power::Cooler& cooler() const { return cooler_; }
  [[nodiscard]] const Room& room() const { return room_; }

 private:
  /// Of the mean device: what its step draws beside its kernels, and its die at the design's inlet under that limit.
  [[nodiscard]] double rest_w(std::size_t rank) const;
  [[nodiscard]] double reference_c(std::size_t rank, double cap_w) const;
  [[nodiscard]] double leak_w(double warmer_c) const;
  [[nodiscard]] double settled_c(std::size_t rank, const Given& given, const State& state) const;
  [[nodiscard]] State state_of(std::size_t rank, const Given& given, double leak_w) const;
  [[nodiscard]] State throttled(std::size_t rank, const Given& given) const;

  power::Cooler cooler_;
  Room room_;
  Response response_;
  std::vector<MeanStep> mean_step_;  // of each rank
  double leakage_w_ = 0;
  double leakage_per_c_ = 0;
  double throttle_c_ = 0;
  double own_limit_w_ = 0;  // the common one may be below it
};

/// Draws of inlet temperatures: rows, racks along them and single racks each have a part of the spread, and devices
/// stand one behind the other in the stream of their host. Every value depends on (seed, place) only.
[[nodiscard]] double drawn_inlet_offset_c(std::uint64_t seed, const Room& room, double rack_spread_c, double preheat_c,
                                          std::uint64_t device);
/// Power at a clock over the mean device's.
[[nodiscard]] double drawn_power_fraction(std::uint64_t seed, double spread_fraction, std::uint64_t device);

}  // namespace ampacity::simulation
