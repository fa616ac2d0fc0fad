#include "simulate/slowed.hpp"

#include <algorithm>
#include <cmath>
#include <set>

namespace ampacity::simulation {
namespace {

constexpr std::size_t most_nodes = 24;

constexpr std::array<double Slower::*, kExchanges> pace_of{&Slower::tensor, &Slower::context, &Slower::experts,
                                                           &Slower::shards};

/// Plans of the job with one kind of communication at the pace of every node, as differences to the plan itself.
SlotCurves curves_of(const TrafficQuestion& q, double Slower::* kind, const Paces& paces, bool with_delays) {
  SlotCurves curves;
  curves.nodes = Nodes(paces.slowdown);
  curves.slots = q.plan.slots.size();
  for (const float slowdown : curves.nodes.values()) {
    Slower slower;
    slower.*kind = static_cast<double>(slowdown);
    const Plan plan = plan_of(q.job, q.layout, q.device, q.links, slower);
    for (std::size_t at = 0; at < curves.slots; ++at) {
      const Slot& slot = plan.slots[at];
      const Slot& before = q.plan.slots[at];
      curves.seconds.push_back(slot.communication_s - before.communication_s);
      if (!with_delays) continue;
      curves.delays_s.push_back({slot.delay_s[0] - before.delay_s[0], slot.delay_s[1] - before.delay_s[1]});
    }
  }
  return curves;
}

}  // namespace

Nodes::Nodes(std::span<const float> slowdowns) {
  std::set<float> values{1};
  float last = 1;
  for (const float slowdown : slowdowns) {
    if (slowdown == last) continue;  // neighbours are often alike
    values.insert(last = slowdown);
    if (values.size() > most_nodes) break;
  }
  if (values.size() > most_nodes) {
    const float largest = *std::max_element(slowdowns.begin(), slowdowns.end());
    values.clear();
    for (std::size_t i = 0; i + 1 < most_nodes; ++i) {
      values.insert(std::pow(largest, static_cast<float>(i) / static_cast<float>(most_nodes - 1)));
    }
    values.insert(largest);
  }
  values_.assign(values.begin(), values.end());
}

Nodes::Place Nodes::place_of(float slowdown) const {
  const auto above = std::upper_bound(values_.begin(), values_.end(), slowdown);
  const auto below = static_cast<std::uint32_t>(above - values_.begin() - (above == values_.begin() ? 0 : 1));
  if (above == values_.end() || values_[below] >= slowdown) return {below, 0};
  return {below, static_cast<double>((slowdown - values_[below]) / (*above - values_[below]))};
}

Slowed::Slowed(const TrafficQuestion& q, const Traffic& traffic) : plan_(&q.plan), traffic_(&traffic) {
  const std::size_t sets = q.places.sets();
  const auto mark = [&](const Paces& paces) {
    sets_.resize(sets, 0);
    const std::size_t each = paces.slowdown.size() / sets;
    for (std::size_t i = 0; i < paces.slowdown.size(); ++i) {
      if (paces.slowdown[i] > 1) sets_[i / each] = 1;
    }
  };
  for (std::size_t kind = 0; kind < kExchanges; ++kind) {
    if (traffic.within[kind].largest() <= 1) continue;
    within_[kind] = curves_of(q, pace_of[kind], traffic.within[kind], false);
    mark(traffic.within[kind]);
  }
  if (traffic.between.largest() > 1) {
    between_ = curves_of(q, &Slower::stages, traffic.between, true);
    mark(traffic.between);
  }
  const std::span<const float> ends = traffic.ends.slowdown;
  if (traffic.ends.largest() <= 1) return;
  end_nodes_ = Nodes(ends);
  end_seconds_.clear();
  for (const float slowdown : end_nodes_.values()) {
    end_seconds_.push_back(exposed_end_s(q.job, q.layout, q.device, q.links, static_cast<double>(slowdown)) -
                           q.plan.end_of(q.plan.ranks.front()).replicas.exposed_s);
  }
  last_device_ = static_cast<std::size_t>(std::max_element(ends.begin(), ends.end()) - ends.begin());
  longest_end_s_ = end_s(last_device_);
}

void Slowed::fill(std::size_t set, std::span<double> seconds, std::span<std::array<double, 2>> delays_s) const {
  std::fill(seconds.begin(), seconds.end(), 0.0);
  std::fill(delays_s.begin(), delays_s.end(), std::array<double, 2>{});
  const std::size_t ranks = plan_->ranks.size();
  for (std::size_t kind = 0; kind < kExchanges; ++kind) {
    if (within_[kind].slots == 0) continue;
    for (std::size_t rank = 0; rank < ranks; ++rank) {
      const float slowdown = traffic_->within[kind].slowdown[set * ranks + rank];
      if (slowdown <= 1) continue;
      const Nodes::Place place = within_[kind].nodes.place_of(slowdown);
      const auto end = static_cast<std::size_t>(plan_->begin[rank + 1]);
      for (auto at = static_cast<std::size_t>(plan_->begin[rank]); at < end; ++at) {
        seconds[at] += within_[kind].at(place, at);
      }
    }
  }
  if (between_.slots == 0) return;
  const std::size_t pairs = traffic_->pairs.size();
  std::vector<Nodes::Place> places(pairs);
  for (std::size_t pair = 0; pair < pairs; ++pair) {
    places[pair] = between_.nodes.place_of(traffic_->between.slowdown[set * pairs + pair]);
  }
  for (std::size_t at = 1; at < between_.slots; ++at) {
    double longest_s = 0;
    for (std::size_t message = 0; message < 2; ++message) {
      const std::int32_t pair = traffic_->pace[at][message];
      if (pair < 0) continue;
      const Nodes::Place& place = places[static_cast<std::size_t>(pair)];
      longest_s = std::max(longest_s, between_.at(place, at));
      if (traffic_->needs[at][message] >= 0) delays_s[at][message] = between_.delay_at(place, at, message);
    }
    seconds[at] += longest_s;
  }
}

std::uint32_t Slowed::link_of_message(std::size_t set, std::size_t slot, std::size_t message) const {
  const std::int32_t pair = traffic_->needs.empty() ? -1 : traffic_->needs[slot][message];
  if (pair < 0 || traffic_->between.link.empty()) return network::GroupPaces::no_link;
  return traffic_->between.link[set * traffic_->pairs.size() + static_cast<std::size_t>(pair)];
}

std::uint32_t Slowed::link_of(std::size_t set, std::size_t slot) const {
  const std::size_t at = set * plan_->ranks.size() + static_cast<std::size_t>(plan_->slots[slot].rank);
  std::uint32_t found = network::GroupPaces::no_link;
  double most_s = 0;
  for (std::size_t kind = 0; kind < kExchanges; ++kind) {
    if (within_[kind].slots == 0) continue;
    const double seconds = within_[kind].at(within_[kind].nodes.place_of(traffic_->within[kind].slowdown[at]), slot);
    if (seconds <= most_s) continue;
    most_s = seconds;
    found = traffic_->within[kind].link[at];
  }
  for (std::size_t message = 0; message < 2 && between_.slots > 0; ++message) {
    const std::int32_t pair = traffic_->pace[slot][message];
    if (pair < 0) continue;
    const std::size_t group = set * traffic_->pairs.size() + static_cast<std::size_t>(pair);
    const double seconds = between_.at(between_.nodes.place_of(traffic_->between.slowdown[group]), slot);
    if (seconds <= most_s) continue;
    most_s = seconds;
    found = traffic_->between.link[group];
  }
  return found;
}

double Slowed::end_s(std::size_t device) const {
  if (end_seconds_.size() == 1) return 0;
  const Nodes::Place place = end_nodes_.place_of(traffic_->ends.slowdown[device]);
  const double below_s = end_seconds_[place.below];
  return place.share == 0 ? below_s : below_s + place.share * (end_seconds_[place.below + 1] - below_s);
}

}  // namespace ampacity::simulation
