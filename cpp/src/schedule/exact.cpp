#include "schedule/exact.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "ampacity/error.hpp"
#include "schedule/order.hpp"

namespace ampacity::schedule {
namespace {

constexpr double not_yet = -1;
constexpr double settled = 1e-9;  // share by which growth may differ from that in the end

/// Ends of forward and backward passes by stage and micro-batch, worked off rank by rank until each has to wait.
class Recurrences {
 public:
  Recurrences(Schedule schedule, std::int64_t vp, std::int64_t m, std::span<const RankTimes> ranks,
              const Messages& messages)
      : vp_(static_cast<std::size_t>(vp)), m_(static_cast<std::size_t>(m)), messages_(messages) {
    for (const RankTimes& run : ranks) add_ranks(run);
    pp_ = static_cast<std::int32_t>(saved_s_.size());
    stages_ = schedule == Schedule::dualpipe ? pp_ : pp_ * static_cast<std::int32_t>(vp);
    each_way_ = schedule == Schedule::dualpipe ? m / 2 : m;
    order_ = order_of(schedule, pp_, vp, m);
    forward_end_.resize(static_cast<std::size_t>(stages_) * m_, {not_yet, 0});
    backward_end_.resize(forward_end_.size(), {not_yet, 0});
    free_s_.resize(saved_s_.size());
  }

  [[nodiscard]] double length() {
    std::vector<std::size_t> next(order_.begin.begin(), order_.begin.end() - 1);
    std::size_t left = order_.steps.size();
    while (left > 0) {
      std::size_t done = 0;
      for (std::int32_t rank = 0; rank < pp_; ++rank) done += advance(rank, next[static_cast<std::size_t>(rank)]);
      if (done == 0) throw Error("a pipeline schedule waits for itself");  // a fault of `order_of`
      left -= done;
    }
    return *std::max_element(free_s_.begin(), free_s_.end());
  }

  /// Seconds by which a further micro-batch lengthens a pipeline that is full: on its slowest rank, which first gets
  /// into step, between the last gradients of micro-batches that are `period` apart, before the drain begins.
  [[nodiscard]] double steady_s(std::int64_t slowest_rank) const {
    const std::int64_t directions = static_cast<std::int64_t>(m_) / each_way_;
    const std::int64_t period = pp_ / directions;
    const std::int64_t last = each_way_ - 2 * period - 1;
    const auto stage = static_cast<std::int32_t>(slowest_rank);
    const double apart_s = backward_end_[cell(stage, static_cast<std::int32_t>(last))].at_s -
                           backward_end_[cell(stage, static_cast<std::int32_t>(last - period))].at_s;
    return apart_s / static_cast<double>(period * directions);
  }

 private:
  struct End {
    double at_s;
    std::int32_t rank;
  };

  void add_ranks(const RankTimes& run) {
    std::vector<PassSeconds> chunks(vp_, run.all);
    if (vp_ > 1) {
      PassSeconds between = run.all;
      between += -1.0 * run.first_chunk;
      between += -1.0 * run.last_chunk;
      std::fill(chunks.begin(), chunks.end(), 1 / std::max(1.0, static_cast<double>(vp_) - 2) * between);
      chunks.front() = run.first_chunk;
      chunks.back() = run.last_chunk;
    }
    for (std::int64_t i = 0; i < run.ranks; ++i) {
      chunks_.insert(chunks_.end(), chunks.begin(), chunks.end());
      saved_s_.push_back(run.saved_s);
    }
  }

  [[nodiscard]] std::size_t cell(std::int32_t stage, std::int32_t micro_batch) const {
    return static_cast<std::size_t>(stage) * m_ + static_cast<std::size_t>(micro_batch);
  }

  [[nodiscard]] double work_s(std::int32_t rank, const Step& step) const {
    const std::size_t chunk = vp_ == 1 ? 0 : static_cast<std::size_t>(step.stage / pp_);
    const PassSeconds& seconds = chunks_[static_cast<std::size_t>(rank) * vp_ + chunk];
    switch (step.kind) {
      case PipelineTask::forward:
        return seconds.forward_s + messages_.shown_s;
      case PipelineTask::backward:
        return seconds.backward_s() + messages_.shown_s;
      case PipelineTask::input_gradient:
        return seconds.input_gradient_s + messages_.shown_s;
      case PipelineTask::weight_gradient:
        return seconds.weight_gradient_s;
    }
    return 0;
  }

  /// When what a task needs of another stage is there; `not_yet` if that is not known.
  [[nodiscard]] double arrival_s(std::int32_t rank, const Step& step) const {
    if (step.kind == PipelineTask::weight_gradient) return 0;
    const bool forward = step.kind == PipelineTask::forward;
    if (step.stage == (forward ? 0 : stages_ - 1)) return 0;
    const End& end = forward ? forward_end_[cell(step.stage - 1, step.micro_batch)]
                             : backward_end_[cell(step.stage + 1, step.micro_batch)];
    // The fill goes through the first virtual stages of all ranks, the drain back through them.
    const std::int32_t higher = forward ? step.stage : step.stage + 1;
    if (end.at_s == not_yet || end.rank == rank || higher >= pp_) return end.at_s;
    const std::int64_t at = step.micro_batch % each_way_;
    return at == (forward ? 0 : each_way_ - 1) ? end.at_s + messages_.late_s : end.at_s;
  }

  std::size_t advance(std::int32_t rank, std::size_t& next) {
    const std::size_t from = next;
    const std::size_t end = order_.begin[static_cast<std::size_t>(rank) + 1];
    double& free_s = free_s_[static_cast<std::size_t>(rank)];
    while (next < end) {
      const Step& step = order_.steps[next];
      double start_s = arrival_s(rank, step);
      if (start_s == not_yet) break;
      double seconds = work_s(rank, step);
      if (step.with_next) {
        const Step& other = order_.steps[next + 1];
        const double other_s = arrival_s(rank, other);
        if (other_s == not_yet) break;
        start_s = std::max(start_s, other_s);
        seconds += work_s(rank, other) - saved_s_[static_cast<std::size_t>(rank)];
      }
      free_s = std::max(start_s, free_s) + seconds;
      finish(rank, step, free_s);
      if (step.with_next) finish(rank, order_.steps[++next], free_s);
      ++next;
    }
    return next - from;
  }

  void finish(std::int32_t rank, const Step& step, double end_s) {
    if (step.kind == PipelineTask::weight_gradient) return;
    (step.kind == PipelineTask::forward ? forward_end_ : backward_end_)[cell(step.stage, step.micro_batch)] = {end_s,
                                                                                                               rank};
  }

  std::size_t vp_;
  std::size_t m_;
  Messages messages_;
  std::int32_t pp_ = 0;
  std::int32_t stages_ = 0;
  std::int64_t each_way_ = 0;
  std::vector<PassSeconds> chunks_;  // of every rank
  std::vector<double> saved_s_;      // of every rank, where two passes run into one another
  Order order_;
  std::vector<End> forward_end_;
  std::vector<End> backward_end_;
  std::vector<double> free_s_;
};

/// DualPipe has half of them in each direction, the interleaved schedule works in groups of `pp`.
std::int64_t group_of(Schedule schedule, std::int64_t pp) {
  return schedule == Schedule::one_f_one_b ? pp : 2;
}

/// In schedules without bubbles ranks that are a little faster than the slowest one may hold up the drain until it has
/// fallen behind: the pipeline grows more slowly at first than in the end. What is known then are two bounds.
bool falls_behind(Schedule schedule) {
  return schedule == Schedule::zb_h1 || schedule == Schedule::zb_v;
}

}  // namespace

std::int64_t solved_micro_batches(Schedule schedule, std::int64_t pp, std::int64_t micro_batches) {
  const std::int64_t most = (schedule == Schedule::zb_h1 ? 4 : 6) * pp;
  if (micro_batches <= most) return micro_batches;
  return most + (micro_batches - most) % group_of(schedule, pp);
}

double exact_length(Schedule schedule, std::int64_t vp, std::int64_t micro_batches, std::span<const RankTimes> ranks,
                    const Messages& messages) {
  std::int64_t pp = 0;
  std::int64_t slowest = 0;
  const std::size_t slowest_run = slowest_rank(ranks);
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    if (i == slowest_run) slowest = pp;
    pp += ranks[i].ranks;
  }
  const std::int64_t solved = solved_micro_batches(schedule, pp, micro_batches);
  Recurrences recurrences(schedule, vp, solved, ranks, messages);
  const double length = recurrences.length();
  if (solved == micro_batches) return length;
  const auto more = static_cast<double>(micro_batches - solved);
  const double steady_s = recurrences.steady_s(slowest);
  const double longest = length + more * steady_s;
  if (!falls_behind(schedule)) return longest;
  const std::int64_t less = group_of(schedule, pp);
  const double growth_s =
      (length - Recurrences(schedule, vp, solved - less, ranks, messages).length()) / static_cast<double>(less);
  if (growth_s >= (1 - settled) * steady_s) return longest;
  return (longest + std::max(length + more * growth_s, static_cast<double>(micro_batches) * steady_s)) / 2;
}

}  // namespace ampacity::schedule
