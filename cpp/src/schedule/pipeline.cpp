#include "schedule/pipeline.hpp"

#include <algorithm>
#include <array>

namespace ampacity::schedule {
namespace {

constexpr std::size_t most_runs = 20;

using Ranks = std::span<const RankTimes>;

double positive(double value) {
  return std::max(0.0, value);
}

std::int64_t count_of(Ranks ranks) {
  std::int64_t count = 0;
  for (const RankTimes& run : ranks) count += run.ranks;
  return count;
}

/// What a path through one rank meets on the ranks before and behind it.
struct Around {
  double rank = 0;  ///< index of the rank
  double ranks_behind = 0;
  PassSeconds before;  ///< sums over the ranks before (their first chunks) ...
  PassSeconds behind;  ///< ... and behind (their last chunks)
};

/// The longest path over all ranks. A path's length is convex in the index among equal ranks, so that the first and the
/// last of them are enough.
template <class Path>
double longest(Ranks ranks, const Path& path) {
  Around around;
  for (const RankTimes& run : ranks) {
    around.ranks_behind += static_cast<double>(run.ranks);
    around.behind += static_cast<double>(run.ranks) * run.last_chunk;
  }
  double found = 0;
  const auto pass = [&](const RankTimes& run, double times) {
    around.rank += times;
    around.ranks_behind -= times;
    around.before += times * run.first_chunk;
    around.behind += -times * run.last_chunk;
  };
  for (const RankTimes& run : ranks) {
    // Step behind the rank itself, look, and come back for what was before it.
    const auto look = [&] {
      Around here = around;
      here.ranks_behind -= 1;
      here.behind += -1.0 * run.last_chunk;
      found = std::max(found, path(run, here));
    };
    look();
    if (run.ranks > 1) {
      pass(run, static_cast<double>(run.ranks - 1));
      look();
    }
    pass(run, 1);
  }
  return found;
}

/// Passes in front of and behind the longest path, on the slowest of the ranks so far or on the last of them: messages
/// of the first micro-batch forward (of the last one back) are late, those of others come while there is work to do.
struct Queue {
  double slowest_s = 0;
  double slowest_late_s = 0;  ///< messages on the way to that rank
  double own_s = 0;
  double own_late_s = 0;

  void pass(double seconds, double late_s) {
    own_s = seconds;
    own_late_s = late_s;
    if (seconds < slowest_s) return;
    slowest_s = seconds;
    slowest_late_s = late_s;
  }
  /// So many passes and the messages of the one that is late.
  [[nodiscard]] double longest_s(double passes) const {
    return std::max(passes * slowest_s + slowest_late_s, passes * own_s + own_late_s);
  }
};

double gpipe(double m, Ranks ranks, double late_s) {
  PassSeconds sum;
  Queue forward;
  Queue backward;
  double forward_s = 0;
  double backward_s = 0;
  double before = -1;
  for (const RankTimes& run : ranks) {
    before += static_cast<double>(run.ranks);
    sum += static_cast<double>(run.ranks) * run.all;
    forward.pass(run.all.forward_s, before * late_s);
    backward.pass(run.all.backward_s(), before * late_s);
    forward_s = std::max(forward_s, forward.longest_s(m - 1));
    backward_s = std::max(backward_s, backward.longest_s(m - 1));
  }
  return sum.total_s() + forward_s + backward_s;
}

/// A rank at which a path of 1F1B may turn around or stay.
struct Turn {
  double ahead = 0;  ///< forward passes that it does between its first one and its first gradient
  PassSeconds own;
  double both_s = 0;  ///< forward through all ranks to this one, and back
  Queue forward;
  Queue backward;
};

/// Those that matter: among equal ranks everything is linear in the rank's index, but where `ahead` stops growing.
class Turns {
 public:
  Turns(double m, Ranks ranks, double late_s) : m_(m), ranks_(static_cast<double>(count_of(ranks))), late_s_(late_s) {
    behind_ = ranks_;
    for (const RankTimes& run : ranks) {
      here_.own = run.all;
      const double last = behind_ - static_cast<double>(run.ranks);
      pass(behind_ - 1);
      if (last < m - 1 && m - 1 < behind_) pass(m - 1);
      if (last < behind_) pass(last);
    }
  }
  [[nodiscard]] std::span<const Turn> all() const { return {turns_.data(), count_}; }

 private:
  /// On to the rank that has so many behind it.
  void pass(double behind) {
    here_.both_s += (behind_ - behind) * here_.own.total_s();
    here_.ahead = std::min(behind, m_ - 1);
    here_.forward.pass(here_.own.forward_s, (ranks_ - 1 - behind) * late_s_);
    here_.backward.pass(here_.own.backward_s(), (ranks_ - 1 - behind) * late_s_);
    behind_ = behind;
    turns_.at(count_++) = here_;
  }

  double m_;
  double ranks_;
  double late_s_;
  double behind_ = 0;
  Turn here_;
  std::array<Turn, 3 * most_runs> turns_;
  std::size_t count_ = 0;
};

/// The longest of the paths that turn around at some rank: forward to it, with as many further passes as it has ahead
/// of its first gradient on the slowest rank so far, and back as that gradient; to rank k, which stays at work while
/// the pipeline is full; and likewise from its last forward pass to the next turn and back behind the gradients that
/// are still to be done.
double one_f_one_b(double m, Ranks ranks, double late_s) {
  const Turns turns(m, ranks, late_s);
  double length = 0;
  double fill_s = 0;
  double drain_s = 0;
  for (std::size_t i = turns.all().size(); i > 0; --i) {
    const Turn& k = turns.all()[i - 1];
    fill_s = std::max(fill_s, k.both_s + k.forward.longest_s(k.ahead));
    drain_s = std::max(drain_s, k.both_s + k.backward.longest_s(k.ahead));
    const double full = m - 1 - k.ahead;
    // Where all forward passes are done before the first gradient comes, one turn is all there is.
    length = std::max(length,
                      full > 0 ? fill_s + drain_s - k.both_s + full * k.own.total_s()
                               : std::max(fill_s + k.backward.longest_s(m - 1), drain_s + k.forward.longest_s(m - 1)));
  }
  return length;
}

/// The path fills the ranks before rank k, waits there for the first gradient to come back from the ranks behind beyond
/// the forward passes that rank k does meanwhile, works, waits likewise for the last gradient, and drains.
double interleaved(double vp, double m, Ranks ranks, double late_s) {
  const PassSeconds& first = ranks.front().first_chunk;
  return longest(ranks, [&](const RankTimes& run, const Around& around) {
    const double forward = run.all.forward_s / vp;
    const double backward = run.all.backward_s() / vp;
    const double meanwhile = std::min(2 * around.ranks_behind, m * vp - 1);
    const double there_and_back = around.behind.total_s() + around.ranks_behind * late_s;
    double length = m * run.all.total_s() + around.before.total_s();
    length += positive(there_and_back - meanwhile * forward) + positive(there_and_back - meanwhile * backward);
    if (around.rank > 0) {
      // A first chunk that is longer than the others (embedding) holds up each micro-batch of the first group, or the
      // first of them is late.
      const double others = around.rank + around.ranks_behind;
      length += std::max(around.rank * late_s, others * positive(first.forward_s - run.first_chunk.forward_s));
      length += std::max(around.rank * late_s, others * positive(first.backward_s() - run.first_chunk.backward_s()));
    }
    return length;
  });
}

/// As 1F1B, but gradients come back without the weights', which are done while rank k waits and drains.
double zb_h1(double m, Ranks ranks, double late_s) {
  const PassSeconds& first = ranks.front().all;
  return longest(ranks, [&](const RankTimes& run, const Around& around) {
    const double meanwhile = std::min(around.ranks_behind, m - 1);
    const double there_and_back =
        around.behind.forward_s + around.behind.input_gradient_s + around.ranks_behind * late_s;
    const double put_off = std::min(around.rank, m - 1) + 1;
    const double wait = around.ranks_behind > m - 1  // one wait, as with 1F1B
                            ? positive(there_and_back - (m - 1) * std::min(run.all.forward_s, run.all.backward_s()))
                            : positive(there_and_back - meanwhile * run.all.forward_s) +
                                  positive(there_and_back - meanwhile * run.all.backward_s());
    return m * run.all.total_s() + around.before.forward_s + around.rank * late_s + wait +
           positive(around.before.input_gradient_s + around.rank * late_s + first.weight_gradient_s -
                    put_off * run.all.weight_gradient_s);
  });
}

/// Bubbles of equal stages: the longest of the paths of the recurrences.
double zb_v_bubble(double others, const PassSeconds& chunk) {
  const double f = chunk.forward_s;
  const double i = chunk.input_gradient_s;
  const double w = chunk.weight_gradient_s;
  return std::max({others * i, 2 * others * (i - w), f + (others - 1) * w, (2 * others - 1) * f - (others - 1) * i,
                   (2 * others - 1) * f + i - 2 * others * w});
}
double dualpipe_bubble(double half, const PassSeconds& chunk) {
  const double f = chunk.forward_s;
  const double i = chunk.input_gradient_s;
  const double w = chunk.weight_gradient_s;
  return std::max({(half - 1) * (2 * f + i - w), (half - 2) * f + (half - 1) * (2 * i - w), 2 * (half - 1) * f,
                   (half - 2) * f + (half - 1) * i});
}

/// Where one rank is slower than the others (or, with DualPipe, the first and the last), their bubble shrinks by what
/// they wait for it; it itself waits only for the first gradients to come back.
template <class Bubble>
double folded(double chunks, double m, double half, Ranks ranks, std::size_t slowest, const Bubble& bubble) {
  std::int64_t set_apart = 2 * half == static_cast<double>(count_of(ranks)) ? 2 : 1;
  const double longest_s = ranks[slowest].all.total_s();
  PassSeconds others;
  double count = 0;
  double next_s = 0;
  for (const RankTimes& run : ranks) {
    const bool is_slowest = run.all.total_s() > (1 - 1e-9) * longest_s;
    const std::int64_t apart = is_slowest ? std::min(set_apart, run.ranks) : 0;
    set_apart -= apart;
    if (apart == run.ranks) continue;
    others += static_cast<double>(run.ranks - apart) * run.all;
    count += static_cast<double>(run.ranks - apart);
    next_s = std::max(next_s, run.all.total_s());
  }
  if (count == 0) {
    others = ranks[slowest].all;
    count = 1;
    next_s = longest_s;
  }
  const PassSeconds chunk = (1 / (count * chunks)) * others;
  return std::max(m * next_s + bubble(chunk),
                  m * longest_s + (half - 1) * positive(chunk.input_gradient_s - chunk.weight_gradient_s));
}

double length_of(Schedule schedule, std::int64_t vp, double m, Ranks ranks, std::size_t slowest, double late_s) {
  const auto pp = static_cast<double>(count_of(ranks));
  switch (schedule) {
    case Schedule::gpipe:
      return gpipe(m, ranks, late_s);
    case Schedule::one_f_one_b:
      return vp == 1 ? one_f_one_b(m, ranks, late_s) : interleaved(static_cast<double>(vp), m, ranks, late_s);
    case Schedule::zb_h1:
      return zb_h1(m, ranks, late_s);
    case Schedule::zb_v:
      return folded(2, m, pp, ranks, slowest, [&](const PassSeconds& c) { return zb_v_bubble(pp - 1, c); });
    case Schedule::dualpipe:
      return folded(1, m, pp / 2, ranks, slowest, [&](const PassSeconds& c) { return dualpipe_bubble(pp / 2, c); });
    case Schedule::dualpipe_v:
      return folded(2, m, pp, ranks, slowest, [&](const PassSeconds& c) { return dualpipe_bubble(pp, c); });
  }
  return 0;
}

}  // namespace

std::size_t slowest_rank(std::span<const RankTimes> ranks) {
  std::size_t slowest = 0;
  for (std::size_t i = 1; i < ranks.size(); ++i) {
    if (ranks[i].all.total_s() > ranks[slowest].all.total_s()) slowest = i;
  }
  return slowest;
}

PipelineTime pipeline_time(Schedule schedule, std::int64_t vp, double micro_batches, std::span<const RankTimes> ranks,
                           double late_s) {
  PipelineTime time;
  time.slowest = slowest_rank(ranks);
  time.busy_s = micro_batches * ranks[time.slowest].all.total_s();
  if (count_of(ranks) > 1) {
    time.bubble_s = positive(length_of(schedule, vp, micro_batches, ranks, time.slowest, late_s) - time.busy_s);
  }
  return time;
}

namespace {

/// DualPipe: `n` micro-batches in each of two directions through `half` ranks.
struct Ways {
  double half;
  double n;
};
Ways ways_of(Schedule schedule, std::int64_t pp, double micro_batches) {
  const bool v = is_v(schedule);
  return {static_cast<double>(pp) / (v ? 1 : 2), v ? micro_batches : micro_batches / 2};
}

}  // namespace

// Counted in the order of the release.
double overlapped_share(Schedule schedule, std::int64_t pp, double micro_batches) {
  if (!overlaps_passes(schedule)) return 0;
  const auto [half, n] = ways_of(schedule, pp, micro_batches);
  return (2 * (n - half) + half - 2) / (2 * n);
}

// Rank h from the end has 2 n - 3 half + h + 1 of them, the innermost one less.
double mean_overlapped_share(Schedule schedule, std::int64_t pp, double micro_batches) {
  if (!overlaps_passes(schedule)) return 0;
  const auto [half, n] = ways_of(schedule, pp, micro_batches);
  return (2 * n - 3 * half + (half + 1) / 2 - 1 / half) / (2 * n);
}

}  // namespace ampacity::schedule
