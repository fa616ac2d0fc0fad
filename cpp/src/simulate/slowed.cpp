#include "simulate/slowed.hpp"

#include <algorithm>
#include <cmath>
#include <set>

#include "simulate/exchanges.hpp"
#include "simulate/sites.hpp"

namespace ampacity::simulation {
namespace {

constexpr std::size_t most_nodes = 24;

constexpr std::array<Way Slower::*, kExchanges> way_of{&Slower::tensor, &Slower::context, &Slower::experts,
                                                       &Slower::shards};

/// Plans of a crew with one kind of communication at the pace of every node, as differences to its own.
SlotCurves curves_of(const TrafficQuestion& q, const TrafficCrew& crew, Way Slower::* kind, const Nodes& nodes,
                     const network::Paths& distances) {
  const bool with_delays = kind == &Slower::stages;
  SlotCurves curves;
  curves.nodes = nodes;
  curves.slots = crew.plan.slots.size();
  for (const float slowdown : nodes.values()) {
    Slower slower;
    slower.*kind = {static_cast<double>(slowdown), distances};
    const Plan plan = plan_of(crew.job, q.layout, crew.front(), crew.rest(), slower);
    for (std::size_t at = 0; at < curves.slots; ++at) {
      const Slot& slot = plan.slots[at];
      const Slot& before = crew.plan.slots[at];
      curves.seconds.push_back(slot.communication_s - before.communication_s);
      if (!with_delays) continue;
      curves.delays_s.push_back({slot.delay_s[0] - before.delay_s[0], slot.delay_s[1] - before.delay_s[1]});
    }
  }
  return curves;
}

/// Those of groups within a site and over several, where there are such and something slows them down.
std::array<SlotCurves, 2> both_curves(const TrafficQuestion& q, const TrafficCrew& crew, Way Slower::* kind,
                                      const network::Group& group, const Paces& paces) {
  std::array<SlotCurves, 2> found;
  if (!paces.matter()) return found;
  const Nodes nodes(paces.slowdown);
  if (paces.largest > 1) found[0] = curves_of(q, crew, kind, nodes, {});
  if (paces.most_sites > 1) {
    found[1] = curves_of(q, crew, kind, nodes, distances_of(q.cluster, group, paces.most_sites));
  }
  return found;
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

Slowed::Slowed(const TrafficQuestion& q, const Traffic& traffic) : traffic_(&traffic), places_(q.places) {
  const std::size_t sets = q.places.sets();
  const auto mark = [&](const Paces& paces) {
    if (!paces.matter()) return;
    sets_.resize(sets, 0);
    const std::size_t each = paces.slowdown.size() / sets;
    for (std::size_t i = 0; i < paces.slowdown.size(); ++i) {
      if (paces.slowdown[i] > 1 || paces.far(i)) sets_[i / each] = 1;
    }
  };
  for (const Paces& paces : traffic.within) mark(paces);
  mark(traffic.between);
  slow_ends_ = traffic.ends.matter();
  if (slow_ends_) end_nodes_ = Nodes(traffic.ends.slowdown);
  for (const TrafficCrew& crew : q.crews) add_crew(q, crew);
  if (slow_ends_) find_longest_end(q.places);
}

/// Of the slowest device of each stage of each crew, among those within a site and those over several.
void Slowed::find_longest_end(const Places& places) {
  const Paces& ends = traffic_->ends;
  for (std::int64_t rank = 0; rank < places.stages; ++rank) {
    for (std::size_t crew = 0; crew < crews_.size(); ++crew) {
      const std::size_t first = places.first_device(crews_[crew].first_set, rank);
      const std::size_t end = first + (end_set(crews_, crew, places) - crews_[crew].first_set) * places.group();
      for (const bool far : {false, true}) {
        if (far && ends.sites.empty()) continue;
        std::size_t slowest = end;
        for (std::size_t d = first; d < end; ++d) {
          if (ends.far(d) == far && (slowest == end || ends.slowdown[d] > ends.slowdown[slowest])) slowest = d;
        }
        if (slowest == end || end_s(slowest) <= longest_end_s_) continue;
        longest_end_s_ = end_s(slowest);
        last_device_ = slowest;
      }
    }
  }
}

void Slowed::add_crew(const TrafficQuestion& q, const TrafficCrew& crew) {
  CrewCurves& curves = crews_.emplace_back();
  curves.plan = &crew.plan;
  curves.first_set = crew.first_set;
  curves.messages = &traffic_->crews[crews_.size() - 1];
  for (std::size_t kind = 0; kind < kExchanges; ++kind) {
    const network::Group group = pattern_of(crew.job, q.layout, static_cast<Exchange>(kind)).group;
    curves.within[kind] = both_curves(q, crew, way_of[kind], group, traffic_->within[kind]);
  }
  const network::Group neighbours{2, q.layout.accelerators() / q.layout.pp};
  curves.between = both_curves(q, crew, &Slower::stages, neighbours, traffic_->between);
  const network::Group replicas{q.layout.dp * q.layout.cp, q.layout.tp};
  const network::Paths distances = distances_of(q.cluster, replicas, traffic_->ends.most_sites);
  for (std::size_t side = 0; side < 2 && slow_ends_; ++side) {
    const LinkedDevice& kind = crew.at_end[side];
    for (const bool far : {false, true}) {
      for (const float slowdown : end_nodes_.values()) {
        const Way way{static_cast<double>(slowdown), far ? distances : network::Paths{}};
        const double shown_s = exposed_end_s(crew.job, q.layout, kind.device, kind.links, way);
        curves.end_seconds[side][far ? 1 : 0].push_back(shown_s - crew.plan.ends[side].replicas.exposed_s);
      }
    }
  }
}

const CrewCurves& Slowed::of_set(std::size_t set) const {
  return crews_[crew_of_set(crews_, set)];
}

void Slowed::fill(std::size_t set, std::span<double> seconds, std::span<std::array<double, 2>> delays_s) const {
  std::fill(seconds.begin(), seconds.end(), 0.0);
  std::fill(delays_s.begin(), delays_s.end(), std::array<double, 2>{});
  const CrewCurves& crew = of_set(set);
  const std::size_t ranks = crew.plan->ranks.size();
  for (std::size_t kind = 0; kind < kExchanges; ++kind) {
    const Paces& paces = traffic_->within[kind];
    if (!paces.matter()) continue;
    for (std::size_t rank = 0; rank < ranks; ++rank) {
      const float slowdown = paces.slowdown[set * ranks + rank];
      const bool far = paces.far(set * ranks + rank);
      if (slowdown <= 1 && !far) continue;
      const SlotCurves& within = crew.within[kind][far ? 1 : 0];
      const Nodes::Place place = within.nodes.place_of(slowdown);
      const auto end = static_cast<std::size_t>(crew.plan->begin[rank + 1]);
      for (auto at = static_cast<std::size_t>(crew.plan->begin[rank]); at < end; ++at) {
        seconds[at] += within.at(place, at);
      }
    }
  }
  if (!traffic_->between.matter()) return;
  const std::size_t pairs = traffic_->pairs.size();
  std::vector<Nodes::Place> places(pairs);
  std::vector<const SlotCurves*> curves(pairs);
  for (std::size_t pair = 0; pair < pairs; ++pair) {
    const SlotCurves& between = crew.between_of(traffic_->between, set * pairs + pair);
    curves[pair] = between.slots > 0 ? &between : nullptr;
    if (between.slots > 0) places[pair] = between.nodes.place_of(traffic_->between.slowdown[set * pairs + pair]);
  }
  for (std::size_t at = 1; at < crew.plan->slots.size(); ++at) {
    double longest_s = 0;
    for (std::size_t message = 0; message < 2; ++message) {
      const std::int32_t pair = crew.messages->pace[at][message];
      if (pair < 0 || curves[static_cast<std::size_t>(pair)] == nullptr) continue;
      const SlotCurves& between = *curves[static_cast<std::size_t>(pair)];
      const Nodes::Place& place = places[static_cast<std::size_t>(pair)];
      longest_s = std::max(longest_s, between.at(place, at));
      if (crew.messages->needs[at][message] >= 0) delays_s[at][message] = between.delay_at(place, at, message);
    }
    seconds[at] += longest_s;
  }
}

std::uint32_t Slowed::link_of_message(std::size_t set, std::size_t slot, std::size_t message) const {
  const CrewCurves& crew = of_set(set);
  const std::int32_t pair = crew.messages->needs.empty() ? -1 : crew.messages->needs[slot][message];
  if (pair < 0 || traffic_->between.link.empty()) return network::GroupPaces::no_link;
  return traffic_->between.link[set * traffic_->pairs.size() + static_cast<std::size_t>(pair)];
}

std::uint32_t Slowed::link_of(std::size_t set, std::size_t slot) const {
  const CrewCurves& crew = of_set(set);
  const std::size_t at = set * crew.plan->ranks.size() + static_cast<std::size_t>(crew.plan->slots[slot].rank);
  std::uint32_t found = network::GroupPaces::no_link;
  double most_s = 0;
  for (std::size_t kind = 0; kind < kExchanges; ++kind) {
    if (!traffic_->within[kind].matter()) continue;
    const SlotCurves& within = crew.within[kind][traffic_->within[kind].far(at) ? 1 : 0];
    if (within.slots == 0) continue;
    const double seconds = within.at(within.nodes.place_of(traffic_->within[kind].slowdown[at]), slot);
    if (seconds <= most_s) continue;
    most_s = seconds;
    found = traffic_->within[kind].link[at];
  }
  for (std::size_t message = 0; message < 2 && traffic_->between.matter(); ++message) {
    const std::int32_t pair = crew.messages->pace[slot][message];
    if (pair < 0) continue;
    const std::size_t group = set * traffic_->pairs.size() + static_cast<std::size_t>(pair);
    const SlotCurves& between = crew.between_of(traffic_->between, group);
    if (between.slots == 0) continue;
    const double seconds = between.at(between.nodes.place_of(traffic_->between.slowdown[group]), slot);
    if (seconds <= most_s) continue;
    most_s = seconds;
    found = traffic_->between.link[group];
  }
  return found;
}

double Slowed::end_s(std::size_t device) const {
  if (!slow_ends_) return 0;
  const CrewCurves& crew = of_set(places_.set_of(device));
  const std::size_t side = crew.plan->ranks[places_.rank_of(device)].front ? 0 : 1;
  const std::vector<double>& seconds = crew.end_seconds[side][traffic_->ends.far(device) ? 1 : 0];
  const Nodes::Place place = end_nodes_.place_of(traffic_->ends.slowdown[device]);
  const double below_s = seconds[place.below];
  return place.share == 0 ? below_s : below_s + place.share * (seconds[place.below + 1] - below_s);
}

}  // namespace ampacity::simulation
