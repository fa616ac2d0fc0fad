// Means over equal bins of time of what steps up and down at any time.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace ampacity::load {

/// Exact: the integral is that of the steps. The last bin ends at `end_s` and is shorter.
class Bins {
 public:
  Bins(double end_s, double resolution_s)
      : end_s_(end_s),
        per_s_(1 / resolution_s),
        bins_(static_cast<std::size_t>(std::max(1.0, std::ceil(end_s / resolution_s)))),
        slopes_(bins_ + 2) {}

  void add(double start_s, double stop_s, double value) {
    step(start_s, value);
    step(stop_s, -value);
  }
  [[nodiscard]] std::vector<double> means() const {
    std::vector<double> values(bins_);
    double sum = 0;
    for (std::size_t bin = 0; bin < bins_; ++bin) {
      sum += slopes_[bin];
      values[bin] = sum;
    }
    values.back() /= end_s_ * per_s_ - static_cast<double>(bins_ - 1);
    return values;
  }

 private:
  void step(double time_s, double value) {
    const double at = std::clamp(time_s, 0.0, end_s_) * per_s_;
    const auto bin = static_cast<std::size_t>(at);
    const double part = static_cast<double>(bin + 1) - at;
    slopes_[bin] += value * part;
    slopes_[bin + 1] += value * (1 - part);
  }

  double end_s_;
  double per_s_;
  std::size_t bins_;
  std::vector<double> slopes_;
};

}  // namespace ampacity::load
