// What a grid allows a site to draw, and how a load breaks it.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "ampacity/field.hpp"

namespace ampacity {

/// A point of a spectral mask.
struct MaskPoint {
  double frequency_hz = 0;
  double amplitude_w = 0;

  static constexpr std::string_view kind = "mask_point";
  template <class S = MaskPoint>
  static constexpr auto fields() {
    return std::tuple{required("frequency_hz", &S::frequency_hz, Range{1e-4, 1e3}, "frequency"),
                      required("amplitude_w", &S::amplitude_w, Range{1, 1e12}, "largest amplitude there")};
  }
  friend bool operator==(const MaskPoint&, const MaskPoint&) = default;
};

/// Limits of a connection to the grid. Those that are 0 do not apply.
struct GridContract {
  std::string name;
  double maximum_w = 0;
  double averaging_s = 1;
  double ramp_w_per_s = 0;
  double ramp_w_per_min = 0;
  double dynamic_range_w = 0;
  double dynamic_range_window_s = 60;
  double band_low_hz = 0.1;
  double band_high_hz = 20;
  double band_energy_fraction = 0;
  double band_amplitude_w = 0;
  double ride_through_s = 0;
  std::vector<MaskPoint> spectral_mask;

  static constexpr std::string_view kind = "contract";
  template <class S = GridContract>
  static constexpr auto fields() {
    constexpr Range watts{1, 1e12};
    return std::tuple{
        optional("name", &S::name, "who asks for it"),
        optional("maximum_w", &S::maximum_w, watts, "most power, as a mean over averaging_s"),
        optional("averaging_s", &S::averaging_s, Range{1, 3600}, "over which the maximum is a mean (default: 1)"),
        optional("ramp_w_per_s", &S::ramp_w_per_s, watts, "largest change from one second's mean to the next"),
        optional("ramp_w_per_min", &S::ramp_w_per_min, watts,
                 "largest change between means of a second a minute apart"),
        optional("dynamic_range_w", &S::dynamic_range_w, watts, "highest less lowest power within a window"),
        optional("dynamic_range_window_s", &S::dynamic_range_window_s, Range{1, 86400}, "that window (default: 60)"),
        optional("band_low_hz", &S::band_low_hz, Range{1e-4, 1e3}, "critical band, from (default: 0.1)"),
        optional("band_high_hz", &S::band_high_hz, Range{1e-4, 1e3}, "critical band, to (default: 20)"),
        optional("band_energy_fraction", &S::band_energy_fraction, Range{1e-6, 1},
                 "largest share of the spectral energy (mean power aside) within the band"),
        optional("band_amplitude_w", &S::band_amplitude_w, watts, "largest amplitude of any frequency of the band"),
        optional("ride_through_s", &S::ride_through_s, Range{1e-3, 1e5},
                 "that the site must stay while the grid's voltage is down, on what it has stored"),
        optional("spectral_mask", &S::spectral_mask,
                 "largest amplitudes by rising frequency, straight lines of their logarithms between; none outside")};
  }
  friend bool operator==(const GridContract&, const GridContract&) = default;
};

enum class ContractLimit {
  maximum,
  ramp_per_s,
  ramp_per_min,
  dynamic_range,
  band_energy,
  band_amplitude,
  ride_through,
  spectral_mask
};
template <>
struct EnumNames<ContractLimit> {
  static constexpr std::array<std::string_view, 8> names{"maximum_w",       "ramp_w_per_s",         "ramp_w_per_min",
                                                         "dynamic_range_w", "band_energy_fraction", "band_amplitude_w",
                                                         "ride_through_s",  "spectral_mask"};
};

/// A stretch of time in which a limit is broken. Values have the limit's unit.
struct Violation {
  ContractLimit limit = ContractLimit::maximum;
  double start_s = 0;
  double end_s = 0;
  double worst = 0;
  double worst_at_s = 0;
  double allowed = 0;
  double frequency_hz = 0;  ///< of limits by frequency; 0: of those in time
};

/// Checks the limits in time (power, ramps, dynamic range) of a load that comes in pieces. Memory is that of its
/// windows and of the first violations.
class ContractMonitor {
 public:
  /// Rows of `row_s` seconds, the first at `start_s`; `keep` violations of each limit are listed, all are counted.
  /// \throws InvalidSpec
  ContractMonitor(const GridContract& contract, double row_s, double start_s = 0, std::size_t keep = 1000);
  ~ContractMonitor();
  ContractMonitor(ContractMonitor&&) noexcept;
  ContractMonitor& operator=(ContractMonitor&&) noexcept;
  ContractMonitor(const ContractMonitor&) = delete;
  ContractMonitor& operator=(const ContractMonitor&) = delete;

  /// The next rows: mean, lowest and highest power of each.
  void add(std::span<const double> mean_w, std::span<const double> lowest_w, std::span<const double> highest_w);
  /// Those that are over, and those that go on.
  [[nodiscard]] std::vector<Violation> violations() const;
  [[nodiscard]] std::size_t count(ContractLimit limit) const;
  /// Largest value that the load has reached, whether limited or not.
  [[nodiscard]] double reached(ContractLimit limit) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ampacity
