// Flows from start to completion: between two events all rates are constant.
#include <algorithm>
#include <cstddef>
#include <limits>

#include "network/completions.hpp"
#include "network/parts.hpp"
#include "network/plan.hpp"

namespace ampacity {
namespace {

using network::MaxMin;
using network::Parts;

constexpr double never = std::numeric_limits<double>::infinity();

/// Bytes that are left of every part, brought up to date when its rate changes.
class Progress {
 public:
  Progress(std::vector<double> bytes, MaxMin& shares)
      : shares_(shares),
        left_(std::move(bytes)),
        rate_(left_.size(), 0),
        since_(left_.size(), 0),
        ends_(left_.size()) {}

  [[nodiscard]] const network::Completions& ends() const { return ends_; }

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
  network::Completions ends_;
};

}  // namespace

Transfer Network::transfer(const Flows& flows, const FlowRules& rules) const {
  network::check(*plan_, flows, rules, true);
  const Parts parts = network::parts_of(*plan_, flows, rules);
  const auto count = static_cast<std::uint32_t>(parts.latency_s.size());
  MaxMin shares(parts.paths, network::capacities_of(*plan_), network::weights_of(parts, rules));

  Transfer result;
  result.completion_s.assign(flows.source.size(), 0);
  result.link_bytes.assign(plan_->all_links(), 0);
  const auto over = [&](std::uint32_t part, double when) {
    double& flow_end = result.completion_s[part / parts.per_flow];
    flow_end = std::max(flow_end, when);
  };

  std::vector<double> bytes(count);
  std::vector<double> arrival(count);
  std::vector<std::uint32_t> waiting;
  waiting.reserve(count);
  for (std::uint32_t part = 0; part < count; ++part) {
    const std::size_t flow = part / parts.per_flow;
    bytes[part] = flows.bytes[flow] / static_cast<double>(parts.per_flow);
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
  network::spread_trunks(*plan_, result.link_bytes);
  return result;
}

}  // namespace ampacity
