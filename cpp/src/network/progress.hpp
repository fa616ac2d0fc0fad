// How far every part of every flow has come.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "network/completions.hpp"
#include "network/max_min.hpp"

namespace ampacity::network {

/// Bytes that are left of every part, brought up to date when its rate changes.
class Progress {
 public:
  explicit Progress(std::vector<double> bytes)
      : left_(std::move(bytes)),
        rate_(left_.size(), 0),
        since_(left_.size(), 0),
        stalled_s_(left_.size(), 0),
        ends_(left_.size()) {}

  [[nodiscard]] const Completions& ends() const { return ends_; }
  [[nodiscard]] double left(std::uint32_t part) const { return left_[part]; }
  [[nodiscard]] double stalled_s(std::uint32_t part) const { return stalled_s_[part]; }

  /// From now on these shares apply; parts that run must `begin` anew.
  void adopt(MaxMin& shares) {
    shares_ = &shares;
    ends_ = Completions(left_.size());
  }

  void begin(std::uint32_t part, double now) {
    since_[part] = now;
    rate_[part] = 0;
    ends_.set(part, never);
    shares_->start(part);
  }
  /// The part that ends next has ended.
  std::uint32_t finish() {
    const std::uint32_t part = ends_.first();
    ends_.pop();
    left_[part] = 0;
    rate_[part] = over;
    shares_->stop(part);
    return part;
  }
  /// Brings a running part up to date without an event of its own.
  void settle(std::uint32_t part, double now) {
    if (rate_[part] == 0) stalled_s_[part] += now - since_[part];
    left_[part] = std::max(0.0, left_[part] - rate_[part] * (now - since_[part]));
    since_[part] = now;
  }
  void wait(std::uint32_t part, double seconds) { stalled_s_[part] += seconds; }

  void solve(double now) {
    for (const std::uint32_t part : shares_->solve()) {
      if (rate_[part] == over) continue;
      const double rate = shares_->rate(part);
      if (rate == rate_[part]) continue;
      settle(part, now);
      rate_[part] = rate;
      ends_.set(part, rate > 0 ? now + left_[part] / rate : never);
    }
    shares_->forget_changes();
  }

 private:
  static constexpr double never = std::numeric_limits<double>::infinity();
  static constexpr double over = -1;

  MaxMin* shares_ = nullptr;
  std::vector<double> left_;
  std::vector<double> rate_;
  std::vector<double> since_;
  std::vector<double> stalled_s_;
  Completions ends_;
};

}  // namespace ampacity::network
