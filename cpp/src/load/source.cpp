#include "load/source.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/random.hpp"

namespace ampacity::load {
namespace {

constexpr double never = std::numeric_limits<double>::infinity();

enum Stream : std::uint64_t { failure = 1, step_length };

/// Standard normal but for its tails: the sum of four uniform draws out of one hash (it ends at 3.46 deviations).
double deviation(std::uint64_t bits) {
  double sum = 0;
  for (int i = 0; i < 4; ++i, bits >>= 16U) sum += (static_cast<double>(bits & 0xffffU) + 0.5) * 0x1p-16;
  return (sum - 2) * std::sqrt(3.0);
}

bool curtailed_at(const Curtailment& when, double time_s) {
  double since_s = time_s - when.start_s;
  if (since_s < 0) return false;
  if (when.period_s > 0) since_s = std::fmod(since_s, when.period_s);
  return since_s < when.duration_s;
}

}  // namespace

StepEnergy::StepEnergy(const LoadShape& shape, const DeviceRules& rules)
    : step_time_s_(shape.step_time_s), per_s_(1 / shape.resolution_s) {
  const std::size_t bins = shape.accelerators_w.size();
  const auto devices = static_cast<double>(shape.accelerators);
  const bool phases = !shape.share[0].empty();
  const double whole_s = static_cast<double>(bins - 1) * shape.resolution_s;
  last_s_ = std::max(step_time_s_ - whole_s, 1e-12 * shape.resolution_s);
  joules_.reserve(bins + 1);
  joules_.push_back(0);
  double computing_share = 0;
  double waiting_share = 0;
  for (std::size_t bin = 0; bin < bins; ++bin) {
    double watts = shape.accelerators_w[bin];
    if (phases) {
      for (std::size_t phase = 0; phase < load_phases; ++phase) {
        const double w = shape.phase_w[phase];
        watts += devices * shape.share[phase][bin] * (rules.lifted_w(w, shape.limit_w) - w);
      }
      computing_share += shape.share[0][bin] + shape.share[1][bin];
      waiting_share += shape.share[static_cast<std::size_t>(LoadPhase::bubble)][bin];
    } else {
      watts = devices * rules.lifted_w(watts / devices, shape.limit_w);
    }
    joules_.push_back(joules_.back() + watts * (bin + 1 == bins ? last_s_ : shape.resolution_s));
  }
  const auto lifted = [&](double w) { return devices * rules.lifted_w(w, shape.limit_w); };
  // A floor is of devices that a job holds; while processes start again they hold them too.
  stalled_w_ = lifted(shape.phase_w[static_cast<std::size_t>(LoadPhase::stall)]);
  idle_w_ = lifted(shape.idle_w);
  // An evaluation is forward passes, with bubbles as in training.
  const double busy = computing_share > 0 ? computing_share / (computing_share + waiting_share) : 1;
  evaluation_w_ = busy * lifted(shape.phase_w[0]) + (1 - busy) * stalled_w_;
}

JobSource::JobSource(const LoadJob& job, std::span<const Curtailment> curtailments, const DeviceRules& rules,
                     std::uint64_t seed, std::uint64_t number)
    : events_(job.events), rules_(rules), seed_(seed), number_(number) {
  steps_.emplace_back(job.shape, rules);
  for (std::size_t i = 0; i < curtailments.size(); ++i) {
    steps_.emplace_back(job.curtailed[i], rules);
    hours_.push_back({curtailments[i], i + 1});
  }
  plan_failure();
  begin_step();
  // The first step has begun before the load does.
  const double skipped_s = std::fmod(job.offset_s, steps_.front().step_time_s());
  at_s_ = skipped_s;
  drawn_j_ = steps_[shape_].until(at_s_);
  left_s_ = std::max(left_s_ - skipped_s / pace_, 0.0);  // it may have failed before
}

void JobSource::plan_failure() {
  to_failure_s_ = never;
  if (events_.mtbf_s <= 0) return;
  const auto nth = static_cast<std::uint64_t>(failures_);
  to_failure_s_ = -events_.mtbf_s * std::log(base::uniform(base::random_bits(seed_, 2 * number_ + failure, nth)));
}

std::size_t JobSource::shape_now() const {
  for (const CurtailedHours& hours : hours_) {
    if (curtailed_at(hours.when, now_s_)) return hours.shape;
  }
  return 0;
}

void JobSource::begin(State state, double seconds, double watts) {
  state_ = state;
  watts_ = watts;
  const bool running = state == State::step || state == State::checkpoint || state == State::evaluation;
  fails_ = running && to_failure_s_ <= seconds;
  left_s_ = fails_ ? to_failure_s_ : seconds;
  if (running) to_failure_s_ -= left_s_;
}

void JobSource::begin_step() {
  shape_ = shape_now();
  at_s_ = 0;
  drawn_j_ = 0;
  double length = 1 / rules_.speed_fraction;
  if (events_.step_spread_fraction > 0) {
    const std::uint64_t bits = base::random_bits(seed_ ^ step_length, number_, draws_++);
    length *= std::max(0.1, 1 + events_.step_spread_fraction * deviation(bits));
  }
  pace_ = 1 / length;
  begin(State::step, steps_[shape_].step_time_s() * length, 0);
}

/// What comes when a stretch is over.
void JobSource::go_on() {
  if (fails_) {
    ++failures_;
    plan_failure();
    begin(State::detection, events_.detection_s, steps_.front().stalled_w());
    return;
  }
  switch (state_) {
    case State::detection:
      begin(State::restart, events_.restart_s, steps_.front().idle_w());
      return;
    case State::restart:
      since_checkpoint_s_ = 0;
      begin_step();
      return;
    case State::step:
      since_checkpoint_s_ += steps_.front().step_time_s();
      since_evaluation_s_ += steps_.front().step_time_s();
      [[fallthrough]];
    case State::checkpoint:
    case State::evaluation:
      break;
  }
  if (events_.checkpoint_interval_s > 0 && since_checkpoint_s_ >= events_.checkpoint_interval_s) {
    since_checkpoint_s_ = 0;
    begin(State::checkpoint, events_.checkpoint_s, steps_.front().stalled_w());
  } else if (events_.evaluation_interval_s > 0 && since_evaluation_s_ >= events_.evaluation_interval_s) {
    since_evaluation_s_ = 0;
    begin(State::evaluation, events_.evaluation_s, steps_[shape_now()].evaluation_w());
  } else {
    begin_step();
  }
}

JobSource::Progress JobSource::advance(double seconds) {
  Progress progress;
  // A whole step is as much progress wherever its power limit was; steps are told by the first shape's seconds.
  const double worth = steps_.front().step_time_s();
  while (true) {
    const double stretch_s = std::min(seconds, left_s_);
    const bool over = left_s_ <= seconds;
    if (state_ == State::step) {
      const StepEnergy& step = steps_[shape_];
      const bool done = over && !fails_;
      const double at_s = done ? step.step_time_s() : std::min(at_s_ + stretch_s * pace_, step.step_time_s());
      const double until_j = done ? step.joules() : step.until(at_s);
      progress.joules += (until_j - drawn_j_) / pace_;
      progress.training_s += (at_s - at_s_) / step.step_time_s() * worth;
      at_s_ = at_s;
      drawn_j_ = until_j;
    } else {
      progress.joules += watts_ * stretch_s;
    }
    now_s_ += stretch_s;
    left_s_ -= stretch_s;
    seconds -= stretch_s;
    if (!over) return progress;
    if (fails_) {
      // Steps since the last checkpoint are lost, and what was done of this one.
      progress.training_s -= since_checkpoint_s_;
      if (state_ == State::step) progress.training_s -= at_s_ / steps_[shape_].step_time_s() * worth;
    }
    go_on();
    if (seconds <= 0) return progress;
  }
}

std::size_t JobSource::bytes() const {
  std::size_t sum = sizeof(*this);
  for (const StepEnergy& step : steps_) sum += step.bytes();
  return sum;
}

}  // namespace ampacity::load
