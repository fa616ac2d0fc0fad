// Flows from start to completion: between two events all rates are constant.
#include <algorithm>
#include <cstddef>
#include <limits>
#include <numeric>

#include "network/plan.hpp"

namespace ampacity {
namespace {

using network::MaxMin;
using network::Parts;

constexpr double never = std::numeric_limits<double>::infinity();

/// Parts by the time at which they end, earliest first: a heap of four children whose items can move.
class Completions {
 public:
  explicit Completions(std::size_t parts) : end_(parts, never), place_(parts, absent) {}

  [[nodiscard]] bool empty() const { return heap_.empty(); }
  [[nodiscard]] std::uint32_t first() const { return heap_[0]; }
  [[nodiscard]] double first_end() const { return heap_.empty() ? never : end_[heap_[0]]; }

  void set(std::uint32_t part, double end) {
    if (place_[part] == absent) {
      place_[part] = static_cast<std::uint32_t>(heap_.size());
      heap_.push_back(part);
      end_[part] = never;
    }
    const bool earlier = end < end_[part];
    end_[part] = end;
    earlier ? rise(place_[part]) : sink(place_[part]);
  }

  void pop() {
    place_[heap_[0]] = absent;
    const std::uint32_t last = heap_.back();
    heap_.pop_back();
    if (heap_.empty()) return;
    heap_[0] = last;
    place_[last] = 0;
    sink(0);
  }

 private:
  static constexpr std::uint32_t absent = std::numeric_limits<std::uint32_t>::max();

  /// Ties go by number, so that the order of events never depends on history.
  [[nodiscard]] bool before(std::uint32_t a, std::uint32_t b) const {
    return end_[a] < end_[b] || (end_[a] == end_[b] && a < b);
  }
  void put(std::uint32_t at, std::uint32_t part) {
    heap_[at] = part;
    place_[part] = at;
  }
  void rise(std::uint32_t at) {
    const std::uint32_t part = heap_[at];
    while (at > 0 && before(part, heap_[(at - 1) / 4])) {
      put(at, heap_[(at - 1) / 4]);
      at = (at - 1) / 4;
    }
    put(at, part);
  }
  void sink(std::uint32_t at) {
    const std::uint32_t part = heap_[at];
    const auto size = static_cast<std::uint32_t>(heap_.size());
    for (std::uint32_t child = 4 * at + 1; child < size; child = 4 * at + 1) {
      std::uint32_t least = child;
      for (std::uint32_t other = child + 1; other < std::min(child + 4, size); ++other) {
        if (before(heap_[other], heap_[least])) least = other;
      }
      if (!before(heap_[least], part)) break;
      put(at, heap_[least]);
      at = least;
    }
    put(at, part);
  }

  std::vector<double> end_;
  std::vector<std::uint32_t> place_;
  std::vector<std::uint32_t> heap_;
};

/// Bytes that are left of every part, brought up to date when its rate changes.
class Progress {
 public:
  Progress(std::vector<double> bytes, MaxMin& shares)
      : shares_(shares),
        left_(std::move(bytes)),
        rate_(left_.size(), 0),
        since_(left_.size(), 0),
        ends_(left_.size()) {}

  [[nodiscard]] const Completions& ends() const { return ends_; }

  void begin(std::uint32_t part, double now) {
    since_[part] = now;
    ends_.set(part, never);
    shares_.start(part);
  }
  std::uint32_t finish() {
    const std::uint32_t part = ends_.first();
    ends_.pop();
    rate_[part] = -1;  // over
    shares_.stop(part);
    return part;
  }
  void solve(double now) {
    for (const std::uint32_t part : shares_.solve()) {
      if (rate_[part] < 0) continue;
      const double rate = shares_.rate(part);
      if (rate == rate_[part]) continue;
      left_[part] = std::max(0.0, left_[part] - rate_[part] * (now - since_[part]));
      since_[part] = now;
      rate_[part] = rate;
      ends_.set(part, rate > 0 ? now + left_[part] / rate : never);
    }
    shares_.forget_changes();
  }

 private:
  MaxMin& shares_;
  std::vector<double> left_;
  std::vector<double> rate_;
  std::vector<double> since_;
  Completions ends_;
};

std::vector<double> capacities(const Network::Plan& plan) {
  std::vector<double> found(plan.all_links());
  for (std::uint32_t link = 0; link < plan.all_links(); ++link) found[link] = plan.bytes_per_s(link);
  return found;
}

std::vector<double> weights_of(const Parts& parts, const FlowRules& rules) {
  std::vector<double> weights(parts.latency_s.size(), 1);
  if (!rules.latency_weighted) return weights;
  const double shortest = std::accumulate(parts.latency_s.begin(), parts.latency_s.end(), never,
                                          [](double a, double b) { return b > 0 ? std::min(a, b) : a; });
  for (std::size_t part = 0; part < weights.size(); ++part) {
    if (parts.latency_s[part] > 0) weights[part] = shortest / parts.latency_s[part];
  }
  return weights;
}

/// What trunks carried, spread over the cables that are left of them.
void spread_trunks(const Network::Plan& plan, std::vector<double>& per_link) {
  for (std::uint32_t trunk = plan.visible_links(); trunk < plan.all_links(); ++trunk) {
    if (per_link[trunk] == 0) continue;
    const std::vector<std::uint32_t> cables = plan.cables_of(trunk);
    double whole = 0;
    for (const std::uint32_t cable : cables) whole += plan.bytes_per_s(cable);
    for (const std::uint32_t cable : cables) per_link[cable] += per_link[trunk] * plan.bytes_per_s(cable) / whole;
  }
  per_link.resize(plan.visible_links());
}

}  // namespace

FlowRates Network::rates(const Flows& flows, const FlowRules& rules) const {
  network::check(*plan_, flows, rules, false);
  const Parts parts = network::parts_of(*plan_, flows, rules);
  const std::vector<double> capacity = capacities(*plan_);
  MaxMin shares(parts.paths, capacity, weights_of(parts, rules));
  const auto runs = [&](std::uint32_t part) { return parts.reachable[part] != 0 && !parts.paths.of(part).empty(); };
  for (std::uint32_t part = 0; part < parts.paths.flows(); ++part) {
    if (runs(part)) shares.start(part);
  }
  static_cast<void>(shares.solve());

  const std::size_t pairs = flows.source.empty() ? 1 : parts.latency_s.size() / flows.source.size();
  FlowRates found;
  found.bytes_per_s.assign(flows.source.size(), 0);
  found.bottleneck_link.assign(flows.source.size(), -1);
  std::vector<double> used(plan_->all_links(), 0);
  std::vector<double> slowest(flows.source.size(), never);
  for (std::uint32_t part = 0; part < parts.paths.flows(); ++part) {
    const std::size_t flow = part / pairs;
    if (!runs(part)) {
      if (parts.reachable[part] != 0) found.bytes_per_s[flow] = never;
      continue;
    }
    const double rate = shares.rate(part);
    found.bytes_per_s[flow] += rate;
    for (const std::uint32_t link : parts.paths.of(part)) used[link] += rate;
    if (rate < slowest[flow]) {
      slowest[flow] = rate;
      const std::uint32_t link = shares.bottleneck(part);
      found.bottleneck_link[flow] = link < plan_->visible_links() ? link : plan_->cables_of(link).front();
    }
  }
  spread_trunks(*plan_, used);
  for (std::uint32_t link = 0; link < plan_->visible_links(); ++link) {
    if (used[link] > 0) used[link] /= capacity[link];
  }
  found.utilisation_fraction = std::move(used);
  return found;
}

Transfer Network::transfer(const Flows& flows, const FlowRules& rules) const {
  network::check(*plan_, flows, rules, true);
  const Parts parts = network::parts_of(*plan_, flows, rules);
  const auto count = static_cast<std::uint32_t>(parts.latency_s.size());
  const std::size_t pairs = flows.source.empty() ? 1 : count / flows.source.size();
  MaxMin shares(parts.paths, capacities(*plan_), weights_of(parts, rules));

  Transfer result;
  result.completion_s.assign(flows.source.size(), 0);
  result.link_bytes.assign(plan_->all_links(), 0);
  const auto over = [&](std::uint32_t part, double when) {
    double& flow_end = result.completion_s[part / pairs];
    flow_end = std::max(flow_end, when);
  };

  std::vector<double> bytes(count);
  std::vector<double> arrival(count);
  std::vector<std::uint32_t> waiting;
  waiting.reserve(count);
  for (std::uint32_t part = 0; part < count; ++part) {
    const std::size_t flow = part / pairs;
    bytes[part] = flows.bytes[flow] / static_cast<double>(pairs);
    arrival[part] = flows.start_s[flow] + parts.latency_s[part];
    if (parts.reachable[part] == 0) {
      over(part, never);
    } else if (parts.paths.of(part).empty() || bytes[part] == 0) {
      over(part, arrival[part]);
    } else {
      waiting.push_back(part);
      for (const std::uint32_t link : parts.paths.of(part)) result.link_bytes[link] += bytes[part];
    }
  }
  std::stable_sort(waiting.begin(), waiting.end(), [&](auto a, auto b) { return arrival[a] < arrival[b]; });

  Progress progress(std::move(bytes), shares);
  std::size_t next = 0;
  while (next < waiting.size() || !progress.ends().empty()) {
    const double arriving = next < waiting.size() ? arrival[waiting[next]] : never;
    const double ending = progress.ends().first_end();
    const double now = std::min(arriving, ending);
    if (now == never) break;  // the rest is cut off
    const double until = now + rules.batch_fraction * now;
    while (next < waiting.size() && arrival[waiting[next]] <= now) progress.begin(waiting[next++], now);
    while (progress.ends().first_end() <= until) {
      const double end = progress.ends().first_end();
      over(progress.finish(), end);
    }
    progress.solve(now);
    ++result.events;
  }
  while (!progress.ends().empty()) over(progress.finish(), never);
  for (const double end : result.completion_s) {
    if (end < never) result.end_s = std::max(result.end_s, end);
  }
  spread_trunks(*plan_, result.link_bytes);
  return result;
}

}  // namespace ampacity
