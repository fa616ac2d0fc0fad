#include "network/phase_run.hpp"

#include <algorithm>
#include <cstddef>
#include <deque>
#include <functional>
#include <limits>
#include <queue>
#include <tuple>

#include "network/progress.hpp"

namespace ampacity::network {
namespace {

constexpr double never = std::numeric_limits<double>::infinity();

class Runner {
 public:
  explicit Runner(Run& run)
      : run_(run),
        shares_(run.paths, run.capacity, run.weight),
        progress_(run.bytes),
        chain_of_(run.paths.flows(), 0),
        next_(run.chains.size(), 0),
        open_(run.chains.size(), 0),
        levels_(static_cast<std::size_t>(run.groups) * run.levels) {
    run_.end_s.assign(run.paths.flows(), never);
    progress_.adopt(shares_);
    for (std::uint32_t chain = 0; chain < run.chains.size(); ++chain) {
      for (RunPhase& phase : run.chains[chain].phases) {
        phase.start_s = phase.end_s = never;
        for (std::uint32_t i = 0; i < phase.count; ++i) chain_of_[phase.first + i] = chain;
      }
      schedule(run.chains[chain].start_s, run.paths.flows() + chain);
    }
  }

  void work() {
    for (;;) {
      const double now =
          std::min(schedule_.empty() ? never : std::get<0>(schedule_.top()), progress_.ends().first_end());
      if (now == never) break;  // all is over, or the rest is cut off
      const double until = now + run_.batch_fraction * now;
      while (!schedule_.empty() && std::get<0>(schedule_.top()) <= now) {
        const std::uint32_t what = std::get<2>(schedule_.top());
        schedule_.pop();
        if (what < run_.paths.flows()) {
          arrive(what, now);
        } else {
          proceed(what - run_.paths.flows(), now);
        }
      }
      while (progress_.ends().first_end() <= until) {
        const double end = progress_.ends().first_end();
        const std::uint32_t bottleneck = shares_.bottleneck(progress_.ends().first());
        const std::uint32_t flow = progress_.finish();
        finish(flow, end, bottleneck);
        if ((flow + 1) % run_.batches != 0) progress_.begin(flow + 1, now);
      }
      progress_.solve(now);
      ++run_.events;
    }
  }

 private:
  struct LevelState {
    bool busy = false;
    std::deque<std::uint32_t> waiting;  // chains
  };
  // When, in which order among equals, and what: a flow that arrives, or behind the flows a chain that starts.
  using Event = std::tuple<double, std::uint64_t, std::uint32_t>;

  void schedule(double when, std::uint32_t what) { schedule_.emplace(when, order_++, what); }
  LevelState& level_of(std::uint32_t chain) {
    const RunChain& owner = run_.chains[chain];
    return levels_[static_cast<std::size_t>(owner.group) * run_.levels + owner.phases[next_[chain]].level];
  }

  /// The next phase of a chain may begin as soon as its level is free.
  void proceed(std::uint32_t chain, double now) {
    if (next_[chain] == run_.chains[chain].phases.size()) return;
    LevelState& level = level_of(chain);
    if (level.busy) {
      level.waiting.push_back(chain);
      return;
    }
    level.busy = true;
    begin(chain, now);
  }

  void begin(std::uint32_t chain, double now) {
    RunPhase& phase = run_.chains[chain].phases[next_[chain]];
    phase.start_s = now;
    open_[chain] = phase.count;
    for (std::uint32_t i = 0; i < phase.count; i += run_.batches) {
      const std::uint32_t flow = phase.first + i;
      if (run_.reachable[flow] != 0) schedule(now + phase.delay_s + run_.latency_s[flow], flow);
    }
  }

  void arrive(std::uint32_t flow, double now) {
    if (progress_.left(flow) == 0 || run_.paths.of(flow).empty()) {
      for (std::uint32_t batch = 0; batch < run_.batches; ++batch) finish(flow + batch, now, RunPhase::no_link);
      return;
    }
    progress_.begin(flow, now);
  }

  void finish(std::uint32_t flow, double now, std::uint32_t bottleneck) {
    run_.end_s[flow] = now;
    const std::uint32_t chain = chain_of_[flow];
    if (--open_[chain] > 0) return;
    RunPhase& phase = run_.chains[chain].phases[next_[chain]];
    phase.end_s = now;
    phase.last = flow;
    phase.bottleneck = bottleneck;
    if (phase.keeps_level) {
      ++next_[chain];
      begin(chain, now);
      return;
    }
    LevelState& level = level_of(chain);
    level.busy = false;
    ++next_[chain];
    // First come, first served: who has waited goes before this chain, should it need the same level again.
    if (!level.waiting.empty()) {
      const std::uint32_t other = level.waiting.front();
      level.waiting.pop_front();
      proceed(other, now);
    }
    proceed(chain, now);
  }

  Run& run_;
  MaxMin shares_;
  Progress progress_;
  std::vector<std::uint32_t> chain_of_;  // of every flow
  std::vector<std::size_t> next_;        // phase of every chain
  std::vector<std::uint32_t> open_;      // flows of that phase that have not ended
  std::vector<LevelState> levels_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> schedule_;
  std::uint64_t order_ = 0;
};

}  // namespace

void run_phases(Run& run) {
  Runner(run).work();
}

}  // namespace ampacity::network
