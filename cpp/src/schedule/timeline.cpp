#include <algorithm>
#include <cstddef>
#include <string>

#include "ampacity/error.hpp"
#include "ampacity/pipeline.hpp"
#include "base/text.hpp"
#include "schedule/order.hpp"
#include "schedule/rules.hpp"

namespace ampacity {
namespace {

using schedule::Order;
using schedule::Step;

constexpr double not_yet = -1;

/// Durations of one kind, however many of them were given.
class Durations {
 public:
  Durations(const std::vector<double>& values, std::size_t stages, std::size_t micro_batches)
      : values_(values.data()),
        by_stage_(values.size() == 1        ? 0
                  : values.size() == stages ? 1
                                            : micro_batches),
        by_micro_batch_(values.size() > stages ? 1 : 0) {}

  [[nodiscard]] double of(const Step& step) const {
    return values_[static_cast<std::size_t>(step.stage) * by_stage_ +
                   static_cast<std::size_t>(step.micro_batch) * by_micro_batch_];
  }

 private:
  const double* values_;
  std::size_t by_stage_;
  std::size_t by_micro_batch_;
};

/// Ends of forward and backward passes, from which other ranks start. Every rank advances until it has to wait for
/// another; each sweep over the ranks finishes at least one task.
class Recurrences {
 public:
  Recurrences(const Pipeline& p, const Order& order, PipelineTimeline& out)
      : p_(p),
        order_(order),
        out_(out),
        stages_(static_cast<std::size_t>(p.stages())),
        m_(static_cast<std::size_t>(p.micro_batches)),
        forward_(p.forward_s, stages_, m_),
        input_(p.input_gradient_s, stages_, m_),
        weight_(p.weight_gradient_s, stages_, m_),
        forward_end_(stages_ * m_, not_yet),
        backward_end_(stages_ * m_, not_yet),
        next_(order.begin.begin(), order.begin.end() - 1),
        free_(next_.size(), 0) {}

  void solve() {
    std::size_t left = order_.steps.size();
    while (left > 0) {
      std::size_t done = 0;
      for (std::size_t rank = 0; rank < free_.size(); ++rank) done += advance(rank);
      if (done == 0) throw Error("a pipeline schedule waits for itself");  // a fault of `order_of`
      left -= done;
    }
  }

 private:
  [[nodiscard]] std::size_t cell(std::int32_t stage, std::int32_t micro_batch) const {
    return static_cast<std::size_t>(stage) * m_ + static_cast<std::size_t>(micro_batch);
  }

  [[nodiscard]] double work_s(const Step& step) const {
    switch (step.kind) {
      case PipelineTask::forward:
        return forward_.of(step);
      case PipelineTask::backward:
        return input_.of(step) + weight_.of(step);
      case PipelineTask::input_gradient:
        return input_.of(step);
      case PipelineTask::weight_gradient:
        return weight_.of(step);
    }
    return 0;
  }

  /// Seconds between two stages; `lower` is the one nearer to the input.
  [[nodiscard]] double transfer_s(std::int32_t lower, const Step& step) const {
    const auto rank = [&](std::int64_t stage) {
      return schedule::rank_of(p_.schedule, p_.pp, p_.micro_batches, stage, step.micro_batch);
    };
    if (rank(lower) == rank(lower + 1)) return 0;
    return p_.transfer_s[p_.transfer_s.size() == 1 ? 0 : static_cast<std::size_t>(lower)];
  }

  /// When what a task needs from other stages has arrived; `not_yet` if it is not known yet.
  [[nodiscard]] double arrival_s(const Step& step) const {
    if (step.kind == PipelineTask::weight_gradient) return 0;
    if (step.kind == PipelineTask::forward) {
      if (step.stage == 0) return 0;
      const double sent = forward_end_[cell(step.stage - 1, step.micro_batch)];
      return sent == not_yet ? not_yet : sent + transfer_s(step.stage - 1, step);
    }
    if (step.stage + 1 == static_cast<std::int32_t>(stages_)) return 0;  // its forward pass is behind it on this rank
    const double sent = backward_end_[cell(step.stage + 1, step.micro_batch)];
    return sent == not_yet ? not_yet : sent + transfer_s(step.stage, step);
  }

  std::size_t advance(std::size_t rank) {
    const std::size_t from = next_[rank];
    const std::size_t end = order_.begin[rank + 1];
    std::size_t at = from;
    while (at < end) {
      const Step& step = order_.steps[at];
      double start = arrival_s(step);
      double work = work_s(step);
      if (start == not_yet) break;
      if (step.with_next) {
        const Step& other = order_.steps[at + 1];
        const double other_start = arrival_s(other);
        if (other_start == not_yet) break;
        start = std::max(start, other_start);
        const double other_work = work_s(other);
        work = std::max({work, other_work, work + other_work - p_.saved_s});
      }
      start = std::max(start, free_[rank]);
      free_[rank] = start + work;
      for (const std::size_t last = at + (step.with_next ? 1 : 0); at <= last; ++at) {
        finish(at, order_.steps[at], start, start + work);
      }
    }
    next_[rank] = at;
    return at - from;
  }

  void finish(std::size_t row, const Step& step, double start, double end) {
    out_.start_s[row] = start;
    out_.end_s[row] = end;
    if (step.kind == PipelineTask::weight_gradient) return;
    (step.kind == PipelineTask::forward ? forward_end_ : backward_end_)[cell(step.stage, step.micro_batch)] = end;
  }

  const Pipeline& p_;
  const Order& order_;
  PipelineTimeline& out_;
  std::size_t stages_;
  std::size_t m_;
  Durations forward_;
  Durations input_;
  Durations weight_;
  std::vector<double> forward_end_;
  std::vector<double> backward_end_;
  std::vector<std::size_t> next_;
  std::vector<double> free_;
};

void check_durations(const char* path, const std::vector<double>& values, std::size_t stages, std::size_t micro_batches,
                     std::vector<Problem>& problems) {
  const std::size_t n = values.size();
  if (n != 1 && n != stages && (micro_batches == 0 || n != stages * micro_batches)) {
    std::string rule = "must be one duration, one for each of " + std::to_string(stages) +
                       (micro_batches > 0 ? " stages" : " transfers");
    if (micro_batches > 0) rule += ", or one for each stage and micro-batch";
    problems.push_back({path, base::number_text(static_cast<std::int64_t>(n)) + " values", rule, {}});
  }
  for (const double value : values) {
    if (value >= 0 && value < 1e18) continue;
    problems.push_back({path, base::number_text(value), "must be a duration in seconds, at least 0", {}});
    break;
  }
}

std::vector<Problem> problems_of(const Pipeline& p) {
  std::vector<Problem> problems;
  const auto at_least_one = [&](const char* path, std::int64_t value, std::int64_t most) {
    if (value >= 1 && value <= most) return;
    problems.push_back({path, base::number_text(value), "must be between 1 and " + base::number_text(most), {}});
  };
  at_least_one("pp", p.pp, 1'000'000);
  at_least_one("vp", p.vp, 1'000);
  at_least_one("micro_batches", p.micro_batches, 10'000'000);
  if (!problems.empty()) return problems;
  if (static_cast<double>(p.stages()) * static_cast<double>(p.micro_batches) > 1e8) {
    problems.push_back({"micro_batches", base::number_text(p.micro_batches), "times the stages must not pass 1e8", {}});
    return problems;
  }
  if (const schedule::Violation broken = schedule::broken_rule(p.schedule, p.pp, p.vp, p.micro_batches); broken.rule) {
    problems.push_back({broken.field, base::number_text(broken.value), broken.rule, {}});
  }
  const auto stages = static_cast<std::size_t>(p.stages());
  const auto m = static_cast<std::size_t>(p.micro_batches);
  check_durations("forward_s", p.forward_s, stages, m, problems);
  check_durations("input_gradient_s", p.input_gradient_s, stages, m, problems);
  check_durations("weight_gradient_s", p.weight_gradient_s, stages, m, problems);
  check_durations("transfer_s", p.transfer_s, std::max<std::size_t>(1, stages - 1), 0, problems);
  check_durations("saved_s", {p.saved_s}, 1, 0, problems);
  return problems;
}

}  // namespace

double PipelineTimeline::makespan_s() const {
  return end_s.empty() ? 0 : *std::max_element(end_s.begin(), end_s.end());
}

PipelineTimeline pipeline_timeline(const Pipeline& pipeline) {
  std::vector<Problem> problems = problems_of(pipeline);
  if (!problems.empty()) throw InvalidSpec(std::move(problems));
  const Order order = schedule::order_of(pipeline.schedule, pipeline.pp, pipeline.vp, pipeline.micro_batches);

  PipelineTimeline timeline;
  const std::size_t rows = order.steps.size();
  timeline.rank.reserve(rows);
  timeline.stage.reserve(rows);
  timeline.micro_batch.reserve(rows);
  timeline.kind.reserve(rows);
  for (std::size_t rank = 0; rank + 1 < order.begin.size(); ++rank) {
    for (std::size_t row = order.begin[rank]; row < order.begin[rank + 1]; ++row) {
      const Step& step = order.steps[row];
      timeline.rank.push_back(static_cast<std::int32_t>(rank));
      timeline.stage.push_back(step.stage);
      timeline.micro_batch.push_back(step.micro_batch);
      timeline.kind.push_back(step.kind);
    }
  }
  timeline.start_s.resize(rows);
  timeline.end_s.resize(rows);
  Recurrences(pipeline, order, timeline).solve();
  return timeline;
}

}  // namespace ampacity
