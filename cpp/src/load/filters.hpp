// Filters that a load passes on its way to the grid, one sample after the other.
#pragma once

#include <algorithm>
#include <cmath>

#include "ampacity/mitigation.hpp"

namespace ampacity::load {

/// Follows its input with a time constant; its mean is that of its input.
class Lag {
 public:
  Lag(double time_constant_s, double sample_s)
      : gain_(time_constant_s > 0 ? -std::expm1(-sample_s / time_constant_s) : 1) {}

  double next(double input) {
    if (!begun_) value_ = input;
    begun_ = true;
    value_ += gain_ * (input - value_);
    return value_;
  }

 private:
  double gain_;
  double value_ = 0;
  bool begun_ = false;
};

/// All accelerators together rise and fall no faster than so much.
class RampLimit {
 public:
  RampLimit(double up_w_per_s, double down_w_per_s, double sample_s)
      : up_w_(up_w_per_s > 0 ? up_w_per_s * sample_s : huge),
        down_w_(down_w_per_s > 0 ? down_w_per_s * sample_s : huge) {}

  double next(double input_w) {
    if (!begun_) value_w_ = input_w;
    begun_ = true;
    value_w_ = std::clamp(input_w, value_w_ - down_w_, value_w_ + up_w_);
    return value_w_;
  }

 private:
  static constexpr double huge = 1e30;
  double up_w_;
  double down_w_;
  double value_w_ = 0;
  bool begun_ = false;
};

/// Resolved `Storage`: totals, no defaults left.
struct StorageSize {
  double energy_j = 0;
  double power_w = 0;
  double smoothing_s = 0;
};
[[nodiscard]] StorageSize size_of(const Storage& storage, double accelerators);

/// A storage before the grid. What it takes in less what it gives out is what it stores and what it loses:
/// grid - load = stored + lost, with lost >= 0.
class StorageFilter {
 public:
  StorageFilter(const Storage& storage, const StorageSize& size, double sample_s)
      : size_(size),
        sample_s_(sample_s),
        one_way_(std::sqrt(storage.efficiency_fraction)),
        gain_(-std::expm1(-sample_s / size.smoothing_s)),
        answer_(storage.response_s > 0 ? -std::expm1(-sample_s / storage.response_s) : 1),
        ramp_w_(storage.ramp_w_per_s > 0 ? storage.ramp_w_per_s * sample_s : 1e30),
        rest_j_(storage.rest_fraction * size.energy_j),
        stored_j_(rest_j_) {
    // Fifty times slower than it smooths, so that going back to its rest lifts no swing by more than 2 %, and slow
    // enough not to overshoot where its ramp is limited.
    pull_s_ = 50 * size.smoothing_s;
    if (storage.ramp_w_per_s > 0) pull_s_ = std::max(pull_s_, 4 * std::sqrt(size.energy_j / storage.ramp_w_per_s));
  }

  double next(double load_w) {
    if (!begun_) target_w_ = load_w;
    begun_ = true;
    const double wish_w = load_w + lost_w_ + (rest_j_ - stored_j_) / pull_s_;
    const double followed_w = target_w_ + gain_ * (wish_w - target_w_);
    target_w_ = std::clamp(followed_w, target_w_ - ramp_w_, target_w_ + ramp_w_);
    const double most_in_w = std::min(size_.power_w, (size_.energy_j - stored_j_) / (one_way_ * sample_s_));
    const double most_out_w = std::min({size_.power_w, stored_j_ * one_way_ / sample_s_, std::max(load_w, 0.0)});
    // The converter comes up to what is asked of it; it is never stronger than itself, nor fuller than full.
    answered_w_ += answer_ * (std::clamp(target_w_ - load_w, -size_.power_w, size_.power_w) - answered_w_);
    const double flow_w = std::clamp(answered_w_, -most_out_w, most_in_w);
    const double change_w = flow_w > 0 ? flow_w * one_way_ : flow_w / one_way_;
    stored_j_ = std::clamp(stored_j_ + change_w * sample_s_, 0.0, size_.energy_j);
    change_w_ = change_w;
    lost_w_ = flow_w - change_w;
    // Where it is full, empty or too weak the grid sees the rest; what it would follow goes on, so that a storage that
    // has once run dry finds its rest again.
    return load_w + flow_w;
  }
  [[nodiscard]] double stored_j() const { return stored_j_; }
  [[nodiscard]] double change_w() const { return change_w_; }
  [[nodiscard]] double lost_w() const { return lost_w_; }

 private:
  StorageSize size_;
  double sample_s_;
  double one_way_;
  double gain_;
  double answer_;
  double ramp_w_;
  double rest_j_;
  double stored_j_;
  double pull_s_ = 1;
  double target_w_ = 0;
  double answered_w_ = 0;
  double change_w_ = 0;
  double lost_w_ = 0;
  bool begun_ = false;
};

}  // namespace ampacity::load
