// A job over time: steps one after the other, checkpoints, evaluations, failures. Keeps one step and where it is in it.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "ampacity/load.hpp"

namespace ampacity::load {

/// Floor and filler, as watts of one accelerator and the speed that they leave.
struct DeviceRules {
  double floor_fraction = 0;
  double filler_fraction = 0;
  double speed_fraction = 1;

  /// What an accelerator with that limit draws where its job alone would draw `w`.
  [[nodiscard]] double lifted_w(double w, double limit_w) const {
    const double least_w = (floor_fraction > filler_fraction ? floor_fraction : filler_fraction) * limit_w;
    return w > least_w ? w : least_w;
  }
};

/// Energy of a step up to any moment, with floor and filler.
class StepEnergy {
 public:
  StepEnergy(const LoadShape& shape, const DeviceRules& rules);

  [[nodiscard]] double step_time_s() const { return step_time_s_; }
  /// Joules of all accelerators from the start of the step to `at_s` of its mean length.
  [[nodiscard]] double until(double at_s) const {
    if (at_s >= step_time_s_) return joules_.back();
    const double place = at_s * per_s_;
    const std::size_t last = joules_.size() - 2;
    const std::size_t bin = std::min(static_cast<std::size_t>(place), last);  // rounding may reach the end
    const double part =
        bin == last ? (at_s - static_cast<double>(bin) / per_s_) / last_s_ : place - static_cast<double>(bin);
    return joules_[bin] + part * (joules_[bin + 1] - joules_[bin]);
  }
  [[nodiscard]] double joules() const { return joules_.back(); }
  [[nodiscard]] double evaluation_w() const { return evaluation_w_; }
  [[nodiscard]] double stalled_w() const { return stalled_w_; }
  [[nodiscard]] double idle_w() const { return idle_w_; }
  [[nodiscard]] std::size_t bytes() const { return joules_.size() * sizeof(double); }

 private:
  double step_time_s_;
  double per_s_;
  double last_s_;
  double evaluation_w_ = 0;
  double stalled_w_ = 0;
  double idle_w_ = 0;
  std::vector<double> joules_;
};

struct CurtailedHours {
  Curtailment when;
  std::size_t shape = 0;  ///< index of its `StepEnergy`
};

class JobSource {
 public:
  JobSource(const LoadJob& job, std::span<const Curtailment> curtailments, const DeviceRules& rules, std::uint64_t seed,
            std::uint64_t number);

  /// What it draws and how far it comes in the next `seconds`.
  struct Progress {
    double joules = 0;
    double training_s = 0;  ///< of undisturbed training; less what a failure takes back
  };
  Progress advance(double seconds);
  [[nodiscard]] std::int64_t failures() const { return failures_; }
  [[nodiscard]] std::size_t bytes() const;

 private:
  enum class State { step, checkpoint, evaluation, detection, restart };
  void begin(State state, double seconds, double watts);
  void begin_step();
  void go_on();
  void plan_failure();
  [[nodiscard]] std::size_t shape_now() const;

  std::vector<StepEnergy> steps_;
  std::vector<CurtailedHours> hours_;
  LoadEvents events_;
  DeviceRules rules_;
  std::uint64_t seed_;
  std::uint64_t number_;
  State state_ = State::step;
  std::size_t shape_ = 0;
  double left_s_ = 0;   // of this stretch
  double at_s_ = 0;     // into the step, at its mean length
  double pace_ = 1;     // seconds of a mean step in a second
  double drawn_j_ = 0;  // of the step until now
  double watts_ = 0;    // outside of steps
  double now_s_ = 0;
  double to_failure_s_ = 0;  // of running
  bool fails_ = false;       // at the end of this stretch
  double since_checkpoint_s_ = 0;
  double since_evaluation_s_ = 0;
  std::uint64_t draws_ = 0;
  std::int64_t failures_ = 0;
};

}  // namespace ampacity::load
