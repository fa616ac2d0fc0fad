#include "ampacity/tariff.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "ampacity/error.hpp"
#include "base/text.hpp"
#include "campaign/run.hpp"
#include "spec/ranges.hpp"

namespace ampacity {
namespace {

constexpr double joules_per_kwh = 3.6e6;
constexpr double seconds_per_month = 365.25 * 86400 / 12;
constexpr double seconds_per_year = 8760.0 * 3600;
// Epoch AI's cost of ownership of a 1 GW site: servers live 5 years, plant 14.
constexpr double server_life_s = 5 * seconds_per_year;
constexpr double plant_life_s = 14 * seconds_per_year;

}  // namespace

DemandMeter::DemandMeter(double row_s, double window_s)
    : row_s_(row_s), rows_of_window_(std::max<std::int64_t>(1, std::llround(std::min(window_s / row_s, 1e15)))) {
  if (!(row_s > 0 && std::isfinite(row_s) && window_s >= row_s && std::isfinite(window_s))) {
    throw InvalidSpec({{"demand_window_s", base::number_text(window_s),
                        "must be at least a row of the load (" + base::number_text(row_s) + " s)", ""}});
  }
}

void DemandMeter::add(std::span<const double> watts) {
  for (std::size_t i = 0; i < watts.size(); ++i) {
    if (!std::isfinite(watts[i])) {
      throw InvalidSpec({{"load[" + std::to_string(i) + "]", base::number_text(watts[i]), "must be a finite number",
                          "fill gaps of a trace first"}});
    }
    ++rows_;
    sum_w_ += watts[i];
    window_sum_w_ += watts[i];
    if (++in_window_ < rows_of_window_) continue;
    const double mean_w = window_sum_w_ / static_cast<double>(rows_of_window_);
    highest_w_ = rows_ == rows_of_window_ ? mean_w : std::max(highest_w_, mean_w);
    in_window_ = 0;
    window_sum_w_ = 0;
  }
}

double DemandMeter::demand_w() const {
  if (rows_ >= rows_of_window_) return highest_w_;
  return rows_ > 0 ? sum_w_ / static_cast<double>(rows_) : 0;
}

Bill bill(const Tariff& tariff, const DemandMeter& meter) {
  std::vector<Problem> problems;
  spec::check_ranges(tariff, problems);
  if (!(meter.duration_s() > 0)) problems.push_back({"load", "", "must have at least one row", ""});
  if (!problems.empty()) throw InvalidSpec(std::move(problems));
  Bill month;
  month.mean_w = meter.energy_j() / meter.duration_s();
  month.demand_w = meter.demand_w();
  month.billed_demand_w = std::max(month.demand_w, tariff.least_demand_fraction * tariff.contracted_w);
  month.energy_kwh_per_month = month.mean_w * seconds_per_month / joules_per_kwh;
  month.energy_usd_per_month = month.energy_kwh_per_month * tariff.energy_usd_per_kwh;
  month.demand_usd_per_month = month.billed_demand_w / 1e3 * tariff.demand_usd_per_kw_month;
  month.usd_per_month = month.energy_usd_per_month + month.demand_usd_per_month;
  return month;
}

double owning_usd_per_s(const Cluster& cluster, std::int64_t accelerators, double plant_w) {
  const double servers_usd = campaign::capital_cost_usd(cluster, accelerators, 0);
  return servers_usd / server_life_s + cluster.site.facility_usd_per_w * plant_w / plant_life_s;
}

}  // namespace ampacity
