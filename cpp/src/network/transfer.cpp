// Flows from start to completion: between two events all rates are constant.
#include <algorithm>
#include <cstddef>
#include <limits>
#include <memory>

#include "network/parts.hpp"
#include "network/plan.hpp"
#include "network/progress.hpp"

namespace ampacity {
namespace {

using network::MaxMin;
using network::Parts;

constexpr double never = std::numeric_limits<double>::infinity();

/// Transfers on a network that may change: from one change to the next (a stretch) paths and capacities stay.
class Transport {
 public:
  Transport(Network::Plan plan, const Flows& flows, const FlowRules& rules)
      : plan_(std::move(plan)),
        flows_(flows),
        rules_(rules),
        split_(network::split_of(plan_, flows, rules)),
        per_flow_(split_.per_flow()),
        progress_(bytes_of(flows, per_flow_)) {
    const std::size_t count = flows.source.size() * per_flow_;
    open_ = count;
    state_.assign(count, State::before);
    arrival_.assign(count, never);
    result_.completion_s.assign(flows.source.size(), 0);
    result_.link_bytes.assign(plan_.all_links(), 0);
    result_.reroutes.assign(flows.source.size(), 0);
    result_.stalled_s.assign(flows.source.size(), 0);
  }

  /// Runs until `until`, when the network changes (or never).
  void run(double now, double until) {
    depart(now, until);
    while (next_ < waiting_.size() || !progress_.ends().empty()) {
      const double arriving = next_ < waiting_.size() ? arrival_[waiting_[next_]] : never;
      const double event = std::min(arriving, progress_.ends().first_end());
      if (event > until || event == never) break;  // never: the rest is cut off
      now = std::max(now, event);
      const double batched = std::min(now + rules_.batch_fraction * now, until);
      while (next_ < waiting_.size() && arrival_[waiting_[next_]] <= now) begin(waiting_[next_++], now);
      while (progress_.ends().first_end() <= batched) {
        const double end = progress_.ends().first_end();
        const std::uint32_t part = progress_.finish();
        over(part, end);
        if (!last_of_stream(part)) begin(part + 1, now);
      }
      progress_.solve(now);
      ++result_.events;
    }
  }

  /// Applies what happens at `now`.
  void change(std::span<const NetworkEvent> events, double now) {
    const std::vector<float> before = plan_.share;
    for (const NetworkEvent& event : events) {
      const auto id = static_cast<std::uint32_t>(event.id);
      const auto fraction = static_cast<float>(event.fraction);
      event.part == NetworkEvent::Part::link ? plan_.set_link(id, fraction) : plan_.set_switch(id, fraction);
    }
    plan_.renew();
    const auto share = [](const std::vector<float>& shares, std::uint32_t link) {
      return shares.empty() ? 1.0F : shares[link];
    };
    if (shares_ == nullptr) return;  // nothing has run yet
    bool other_paths = false;
    for (std::uint32_t link = 0; link < plan_.all_links(); ++link) {
      const float was = share(before, link);
      const float is = share(plan_.share, link);
      if (was == is) continue;
      other_paths = other_paths || was == 0 || is == 0;
      shares_->set_capacity(link, plan_.bytes_per_s(link));
    }
    if (other_paths) route_again(now);
    progress_.solve(now);
    ++result_.events;
  }

  Transfer finish() && {
    count_bytes();
    for (std::uint32_t part = 0; part < state_.size(); ++part) {
      const std::size_t flow = part / per_flow_;
      if (state_[part] != State::over) {
        over(part, never);
        result_.stalled_s[flow] = never;
      }
      result_.stalled_s[flow] = std::max(result_.stalled_s[flow], progress_.stalled_s(part));
    }
    for (const double end : result_.completion_s) {
      if (end < never) result_.end_s = std::max(result_.end_s, end);
    }
    network::spread_trunks(plan_, result_.link_bytes);
    return std::move(result_);
  }

  [[nodiscard]] bool done() const { return open_ == 0; }

 private:
  /// `before`: not started, or without a path; `underway`: its first byte travels; `running`, if only at rate 0.
  enum class State : std::uint8_t { before, underway, running, over };

  static std::vector<double> bytes_of(const Flows& flows, std::size_t per_flow) {
    std::vector<double> bytes(flows.bytes.size() * per_flow);
    for (std::size_t part = 0; part < bytes.size(); ++part) {
      bytes[part] = flows.bytes[part / per_flow] / static_cast<double>(per_flow);
    }
    return bytes;
  }

  void over(std::uint32_t part, double when) {
    state_[part] = State::over;
    double& flow_end = result_.completion_s[part / per_flow_];
    flow_end = std::max(flow_end, when);
    --open_;
  }

  [[nodiscard]] bool first_of_stream(std::uint32_t part) const { return part % split_.batches == 0; }
  [[nodiscard]] bool last_of_stream(std::uint32_t part) const { return part % split_.batches + 1 == split_.batches; }

  void begin(std::uint32_t part, double now) {
    state_[part] = State::running;
    progress_.begin(part, now);
  }

  void route() {
    parts_ = std::make_unique<Parts>(network::parts_of(plan_, flows_, rules_, split_));
    shares_ = std::make_unique<MaxMin>(parts_->paths, network::capacities_of(plan_, *parts_),
                                       network::weights_of(*parts_, flows_, rules_));
    progress_.adopt(*shares_);
    // Caps are links too, as long as flows run.
    result_.link_bytes.resize(std::max(result_.link_bytes.size(), plan_.all_links() + parts_->caps_bytes_per_s.size()));
  }

  /// Parts that start before `until` and have a path set out; they begin one latency later.
  void depart(double now, double until) {
    if (parts_ == nullptr) route();
    for (std::uint32_t part = 0; part < state_.size(); ++part) {
      const double start = flows_.start_s[part / per_flow_];
      if (state_[part] != State::before || !first_of_stream(part) || start >= until) continue;
      if (parts_->reachable[part] == 0) continue;
      const double departure = std::max(start, now);
      progress_.wait(part, departure - start);
      arrival_[part] = departure + parts_->latency_s[part];
      if (parts_->paths.of(part).empty() || progress_.left(part) == 0) {
        for (std::uint32_t batch = 0; batch < split_.batches; ++batch) over(part + batch, arrival_[part]);
      } else {
        state_[part] = State::underway;
      }
    }
    next_ = 0;
    waiting_.clear();
    for (std::uint32_t part = 0; part < state_.size(); ++part) {
      if (state_[part] == State::underway) waiting_.push_back(part);
    }
    std::stable_sort(waiting_.begin(), waiting_.end(), [&](auto a, auto b) { return arrival_[a] < arrival_[b]; });
  }

  /// Adds to the links what parts have sent since paths were found last.
  void count_bytes() {
    if (parts_ == nullptr) return;
    for (std::uint32_t part = 0; part < state_.size(); ++part) {
      const double whole = flows_.bytes[part / per_flow_] / static_cast<double>(per_flow_);
      const double sent = whole - progress_.left(part) - (counted_.empty() ? 0 : counted_[part]);
      if (sent <= 0) continue;
      for (const std::uint32_t link : parts_->paths.of(part)) result_.link_bytes[link] += sent;
      if (!counted_.empty()) counted_[part] += sent;
    }
  }

  /// Running parts go on where routing now leads them; those without a path stay at rate 0.
  void route_again(double now) {
    for (std::uint32_t part = 0; part < state_.size(); ++part) {
      if (state_[part] == State::running) progress_.settle(part, now);
    }
    if (counted_.empty()) counted_.assign(state_.size(), 0);
    count_bytes();
    const std::unique_ptr<Parts> old = std::move(parts_);
    route();
    for (std::uint32_t part = 0; part < state_.size(); ++part) {
      if (state_[part] == State::before || state_[part] == State::over) continue;
      const auto was = old->paths.of(part);
      const auto is = parts_->paths.of(part);
      const bool same = std::equal(was.begin(), was.end(), is.begin(), is.end());
      if (!same && parts_->reachable[part] != 0) ++result_.reroutes[part / per_flow_];
      if (state_[part] == State::running) progress_.begin(part, now);
    }
  }

  Network::Plan plan_;
  const Flows& flows_;
  const FlowRules& rules_;
  network::Split split_;
  std::size_t per_flow_;
  network::Progress progress_;
  std::unique_ptr<Parts> parts_;
  std::unique_ptr<MaxMin> shares_;
  std::vector<State> state_;
  std::vector<double> arrival_;
  std::vector<std::uint32_t> waiting_;  // parts under way, by arrival
  std::size_t next_ = 0;                // of those
  std::vector<double> counted_;         // bytes of every part that the links already have; empty: none
  std::size_t open_ = 0;
  Transfer result_;
};

}  // namespace

Transfer Network::transfer(const Flows& flows, const FlowRules& rules, std::span<const NetworkEvent> events) const {
  network::check(*plan_, flows, rules, true);
  network::check_events(*plan_, events);
  std::vector<NetworkEvent> ordered(events.begin(), events.end());
  std::stable_sort(ordered.begin(), ordered.end(), [](const auto& a, const auto& b) { return a.at_s < b.at_s; });
  Transport transport(*plan_, flows, rules);
  double now = 0;
  for (std::size_t i = 0; i < ordered.size() && !transport.done();) {
    const double at_s = ordered[i].at_s;
    if (at_s > now) transport.run(now, at_s);
    std::size_t last = i;
    while (last < ordered.size() && ordered[last].at_s == at_s) ++last;
    transport.change(std::span(ordered).subspan(i, last - i), at_s);
    now = at_s;
    i = last;
  }
  transport.run(now, never);
  return std::move(transport).finish();
}

}  // namespace ampacity
