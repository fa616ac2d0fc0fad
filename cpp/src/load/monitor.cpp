// Limits in time, checked on a load that comes in pieces.
#include <algorithm>
#include <array>
#include <cmath>
#include <deque>
#include <utility>

#include "ampacity/error.hpp"
#include "ampacity/grid_contract.hpp"
#include "base/text.hpp"
#include "spec/ranges.hpp"

namespace ampacity {
namespace {

constexpr std::size_t kinds = EnumNames<ContractLimit>::names.size();

/// Largest or smallest of the last so many values.
class WindowExtreme {
 public:
  WindowExtreme(std::size_t length, bool largest) : length_(length), sign_(largest ? 1 : -1) {}
  double next(double value) {
    const double signed_value = sign_ * value;
    while (!kept_.empty() && kept_.back().second <= signed_value) kept_.pop_back();
    kept_.emplace_back(count_++, signed_value);
    if (kept_.front().first + length_ < count_) kept_.pop_front();
    return sign_ * kept_.front().second;
  }

 private:
  std::size_t length_;
  double sign_;
  std::size_t count_ = 0;
  std::deque<std::pair<std::size_t, double>> kept_;
};

}  // namespace

struct ContractMonitor::State {
  GridContract contract;
  double unit_s = 1;  // means are taken over so long: a second, or a row where that is longer
  std::size_t rows_in_unit = 1;
  std::size_t keep = 1000;
  double now_s = 0;      // end of the last unit
  std::size_t rows = 0;  // in this unit
  double sum_w = 0;
  double lowest_w = 0;
  double highest_w = 0;
  std::deque<double> minute;    // means of the last minute
  std::deque<double> averaged;  // means of the last averaging window
  double averaged_sum = 0;
  std::size_t averaging = 1;
  std::size_t minute_units = 60;
  WindowExtreme lowest{60, false};
  WindowExtreme highest{60, true};
  std::array<double, kinds> reached{};
  std::array<std::size_t, kinds> counts{};
  std::array<bool, kinds> going_on{};
  std::array<Violation, kinds> current{};
  std::vector<Violation> over;

  void look(ContractLimit limit, double value, double allowed, double from_s);
  void unit(double mean_w);
};

void ContractMonitor::State::look(ContractLimit limit, double value, double allowed, double from_s) {
  const auto at = static_cast<std::size_t>(limit);
  reached[at] = std::max(reached[at], value);
  const bool broken = allowed > 0 && value > allowed;
  if (broken && going_on[at]) {
    current[at].end_s = now_s;
    if (value > current[at].worst) {
      current[at].worst = value;
      current[at].worst_at_s = now_s;
    }
  } else if (broken) {
    current[at] = {limit, from_s, now_s, value, now_s, allowed};
    ++counts[at];
  } else if (going_on[at] && counts[at] <= keep) {
    over.push_back(current[at]);
  }
  going_on[at] = broken;
}

void ContractMonitor::State::unit(double mean_w) {
  now_s += unit_s;
  const double from_s = now_s - unit_s;
  if (!minute.empty()) {
    look(ContractLimit::ramp_per_s, std::fabs(mean_w - minute.back()) / unit_s, contract.ramp_w_per_s, from_s);
  }
  minute.push_back(mean_w);
  if (minute.size() > minute_units) {
    const double minutes = static_cast<double>(minute_units) * unit_s / 60;
    look(ContractLimit::ramp_per_min, std::fabs(mean_w - minute.front()) / minutes, contract.ramp_w_per_min, from_s);
    minute.pop_front();
  }
  averaged.push_back(mean_w);
  averaged_sum += mean_w;
  if (averaged.size() > averaging) {
    averaged_sum -= averaged.front();
    averaged.pop_front();
  }
  if (averaged.size() == averaging) {
    look(ContractLimit::maximum, averaged_sum / static_cast<double>(averaging), contract.maximum_w, from_s);
  }
  const double low = lowest.next(lowest_w);
  look(ContractLimit::dynamic_range, highest.next(highest_w) - low, contract.dynamic_range_w, from_s);
}

ContractMonitor::ContractMonitor(const GridContract& contract, double row_s, double start_s, std::size_t keep)
    : state_(std::make_unique<State>()) {
  std::vector<Problem> problems;
  spec::check_ranges(contract, problems);
  if (!(row_s >= 1e-6 && row_s <= 1e6)) {
    problems.push_back({"row_s", base::number_text(row_s), "must be between 1e-06 and 1e+06", {}});
  }
  if (!problems.empty()) throw InvalidSpec(std::move(problems));
  State& s = *state_;
  s.contract = contract;
  s.rows_in_unit = static_cast<std::size_t>(std::max(1.0, std::round(1 / row_s)));
  s.unit_s = static_cast<double>(s.rows_in_unit) * row_s;
  s.now_s = start_s;
  s.keep = keep;
  const auto units = [&](double seconds) {
    return static_cast<std::size_t>(std::max(1.0, std::round(seconds / s.unit_s)));
  };
  s.averaging = units(contract.averaging_s);
  s.minute_units = units(60);
  s.lowest = WindowExtreme(units(contract.dynamic_range_window_s), false);
  s.highest = WindowExtreme(units(contract.dynamic_range_window_s), true);
}
ContractMonitor::~ContractMonitor() = default;
ContractMonitor::ContractMonitor(ContractMonitor&&) noexcept = default;
ContractMonitor& ContractMonitor::operator=(ContractMonitor&&) noexcept = default;

void ContractMonitor::add(std::span<const double> mean_w, std::span<const double> lowest_w,
                          std::span<const double> highest_w) {
  if (mean_w.size() != lowest_w.size() || mean_w.size() != highest_w.size()) {
    throw InvalidSpec({{"load",
                        base::number_text(static_cast<double>(lowest_w.size())),
                        "must have as many lowest and highest values as means",
                        {}}});
  }
  State& s = *state_;
  for (std::size_t i = 0; i < mean_w.size(); ++i) {
    if (!std::isfinite(mean_w[i]) || !std::isfinite(lowest_w[i]) || !std::isfinite(highest_w[i])) {
      throw InvalidSpec({{"load[" + std::to_string(i) + "]",
                          base::number_text(mean_w[i]),
                          "must be a finite number: fill gaps of a trace first",
                          {}}});
    }
    s.lowest_w = s.rows == 0 ? lowest_w[i] : std::min(s.lowest_w, lowest_w[i]);
    s.highest_w = s.rows == 0 ? highest_w[i] : std::max(s.highest_w, highest_w[i]);
    s.sum_w += mean_w[i];
    if (++s.rows < s.rows_in_unit) continue;
    s.unit(s.sum_w / static_cast<double>(s.rows_in_unit));
    s.rows = 0;
    s.sum_w = 0;
  }
}

std::vector<Violation> ContractMonitor::violations() const {
  std::vector<Violation> all = state_->over;
  for (std::size_t at = 0; at < kinds; ++at) {
    if (state_->going_on[at] && state_->counts[at] <= state_->keep) all.push_back(state_->current[at]);
  }
  std::stable_sort(all.begin(), all.end(),
                   [](const Violation& a, const Violation& b) { return a.start_s < b.start_s; });
  return all;
}

std::size_t ContractMonitor::count(ContractLimit limit) const {
  return state_->counts[static_cast<std::size_t>(limit)];
}

double ContractMonitor::reached(ContractLimit limit) const {
  return state_->reached[static_cast<std::size_t>(limit)];
}

}  // namespace ampacity
