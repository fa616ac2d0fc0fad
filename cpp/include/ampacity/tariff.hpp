// What a load costs: prices of energy and of the highest demand, and what the hardware costs while it waits.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <tuple>

#include "ampacity/cluster.hpp"
#include "ampacity/field.hpp"

namespace ampacity {

/// Prices of a connection to the grid.
struct Tariff {
  std::string name;
  double energy_usd_per_kwh = 0;
  double demand_usd_per_kw_month = 0;
  double demand_window_s = 900;
  double contracted_w = 0;
  double least_demand_fraction = 0;

  static constexpr std::string_view kind = "tariff";
  template <class S = Tariff>
  static constexpr auto fields() {
    return std::tuple{
        optional("name", &S::name, "who asks for it"),
        optional("energy_usd_per_kwh", &S::energy_usd_per_kwh, Range{0, 10}, "price of energy (USD per kWh)"),
        optional("demand_usd_per_kw_month", &S::demand_usd_per_kw_month, Range{0, 1e3},
                 "price of the month's highest demand (USD per kW and month); 0 = none"),
        optional("demand_window_s", &S::demand_window_s, Range{1, 86400},
                 "demand is the mean over so long (default: 900, a quarter of an hour)"),
        optional("contracted_w", &S::contracted_w, Range{0, 1e12}, "demand that was contracted; 0 = none"),
        optional("least_demand_fraction", &S::least_demand_fraction, Range{0, 1},
                 "share of the contracted demand that is billed at least")};
  }
  friend bool operator==(const Tariff&, const Tariff&) = default;
};

/// Counts a load that comes in pieces of equal rows, as a meter of demand does: one window after the other.
class DemandMeter {
 public:
  /// \throws InvalidSpec unless both are above 0 and a window has at least one row
  DemandMeter(double row_s, double window_s);
  /// Means of the next rows (W). \throws InvalidSpec for one that is not a finite number
  void add(std::span<const double> watts);

  [[nodiscard]] double duration_s() const { return row_s_ * static_cast<double>(rows_); }
  [[nodiscard]] double energy_j() const { return row_s_ * sum_w_; }
  /// Highest mean of a whole window; of all rows where they fill none.
  [[nodiscard]] double demand_w() const;

 private:
  double row_s_;
  std::int64_t rows_of_window_;
  std::int64_t rows_ = 0;
  std::int64_t in_window_ = 0;
  double sum_w_ = 0;
  double window_sum_w_ = 0;
  double highest_w_ = 0;
};

/// What a month like the load that was metered costs. A month is a twelfth of 365.25 days.
struct Bill {
  double mean_w = 0;
  double demand_w = 0;         ///< measured
  double billed_demand_w = 0;  ///< that, or the least that the contract bills
  double energy_kwh_per_month = 0;
  double energy_usd_per_month = 0;
  double demand_usd_per_month = 0;
  double usd_per_month = 0;
};

/// \throws InvalidSpec for prices out of range, or a meter that has seen nothing
[[nodiscard]] Bill bill(const Tariff& tariff, const DemandMeter& meter);

/// What servers (5 years), network (with them) and plant (14 years; Epoch AI's cost of ownership of a 1 GW site) cost
/// per second, whether they work or not; plant for `plant_w` of IT power.
[[nodiscard]] double owning_usd_per_s(const Cluster& cluster, std::int64_t accelerators, double plant_w);

}  // namespace ampacity
