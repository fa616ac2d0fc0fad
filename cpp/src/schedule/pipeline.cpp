#include "schedule/pipeline.hpp"

#include <algorithm>

namespace ampacity::schedule {
namespace {

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

double gpipe(double m, Ranks ranks) {
  PassSeconds sum;
  double slowest_forward = 0;
  double slowest_backward = 0;
  for (const RankTimes& run : ranks) {
    sum += static_cast<double>(run.ranks) * run.all;
    slowest_forward = std::max(slowest_forward, run.all.forward_s);
    slowest_backward = std::max(slowest_backward, run.all.backward_s());
  }
  return sum.total_s() + (m - 1) * (slowest_forward + slowest_backward);
}

/// The path fills the ranks before rank k, waits there for the first gradient to come back from the ranks behind beyond
/// the forward passes that rank k does meanwhile, works, waits likewise for the last gradient, and drains.
double one_f_one_b(double vp, double m, Ranks ranks) {
  const PassSeconds& first = ranks.front().first_chunk;
  return longest(ranks, [&](const RankTimes& run, const Around& around) {
    const double forward = run.all.forward_s / vp;
    const double backward = run.all.backward_s() / vp;
    const double meanwhile = std::min((vp > 1 ? 2 : 1) * around.ranks_behind, m * vp - 1);
    const double there_and_back = around.behind.total_s();
    double length = m * run.all.total_s() + around.before.total_s();
    if (vp == 1 && around.ranks_behind > m - 1) {
      // All forward passes are done before the first gradient comes: the two waits are one.
      length += positive(there_and_back - (m - 1) * std::min(forward, backward));
    } else {
      length += positive(there_and_back - meanwhile * forward) + positive(there_and_back - meanwhile * backward);
    }
    if (vp > 1 && around.rank > 0) {
      // A first chunk that is longer than the others (embedding) holds up each micro-batch of the first group.
      length += (around.rank + around.ranks_behind) *
                (positive(first.forward_s - forward) + positive(first.backward_s() - backward));
    }
    return length;
  });
}

/// As 1F1B, but gradients come back without the weights', which are done while rank k waits and drains.
double zb_h1(double m, Ranks ranks) {
  const PassSeconds& first = ranks.front().all;
  return longest(ranks, [&](const RankTimes& run, const Around& around) {
    const double meanwhile = std::min(around.ranks_behind, m - 1);
    const double there_and_back = around.behind.forward_s + around.behind.input_gradient_s;
    const double put_off = std::min(around.rank, m - 1) + 1;
    const double wait = around.ranks_behind > m - 1  // one wait, as with 1F1B
                            ? positive(there_and_back - (m - 1) * std::min(run.all.forward_s, run.all.backward_s()))
                            : positive(there_and_back - meanwhile * run.all.forward_s) +
                                  positive(there_and_back - meanwhile * run.all.backward_s());
    return m * run.all.total_s() + around.before.forward_s + wait +
           positive(around.before.input_gradient_s + first.weight_gradient_s - put_off * run.all.weight_gradient_s);
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

double length_of(Schedule schedule, std::int64_t vp, double m, Ranks ranks, std::size_t slowest) {
  const auto pp = static_cast<double>(count_of(ranks));
  switch (schedule) {
    case Schedule::gpipe:
      return gpipe(m, ranks);
    case Schedule::one_f_one_b:
      return one_f_one_b(static_cast<double>(vp), m, ranks);
    case Schedule::zb_h1:
      return zb_h1(m, ranks);
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

PipelineTime pipeline_time(Schedule schedule, std::int64_t vp, double micro_batches, std::span<const RankTimes> ranks) {
  PipelineTime time;
  time.slowest = slowest_rank(ranks);
  time.busy_s = micro_batches * ranks[time.slowest].all.total_s();
  if (count_of(ranks) > 1) {
    time.bubble_s = positive(length_of(schedule, vp, micro_batches, ranks, time.slowest) - time.busy_s);
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
