#include "network/parts.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace ampacity::network {
namespace {

/// A flow that may have so much and no more has a link of that rate to itself, which its parts share.
void add_caps(const Network::Plan& plan, const Flows& flows, Parts& parts) {
  if (flows.max_bytes_per_s.empty()) return;
  Paths capped;
  capped.offset.reserve(parts.paths.offset.size());
  capped.links.reserve(parts.paths.links.size() + parts.latency_s.size());
  const std::uint32_t first = plan.all_links();
  std::size_t owner = flows.source.size();  // of the last cap
  for (std::uint32_t part = 0; part < parts.paths.flows(); ++part) {
    const std::span<const std::uint32_t> path = parts.paths.of(part);
    capped.links.insert(capped.links.end(), path.begin(), path.end());
    const std::size_t flow = part / parts.per_flow;
    if (!path.empty() && std::isfinite(flows.max_bytes_per_s[flow])) {
      if (owner != flow) parts.caps_bytes_per_s.push_back(flows.max_bytes_per_s[flow]);
      owner = flow;
      capped.links.push_back(first + static_cast<std::uint32_t>(parts.caps_bytes_per_s.size()) - 1);
    }
    capped.offset.push_back(static_cast<std::uint32_t>(capped.links.size()));
  }
  parts.paths = std::move(capped);
}

// A sprayed flow where no trunk stands for all paths (dragonflies): as many hashed parts.
constexpr std::size_t sprayed_parts = 16;

/// Flows in the order in which they look for a path: as they start, ties by number.
std::vector<std::size_t> by_start(const Flows& flows) {
  std::vector<std::size_t> order(flows.source.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  if (flows.start_s.empty()) return order;
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return flows.start_s[a] < flows.start_s[b]; });
  return order;
}

/// Paths of all parts, each with the fewest others before it on every cable that it can choose.
void add_adaptive(const Network::Plan& plan, const Flows& flows, const FlowRules& rules, Parts& parts) {
  const std::size_t count = flows.source.size() * parts.per_flow;
  std::vector<std::uint32_t> flows_on(plan.all_links(), 0);
  std::vector<std::vector<std::uint32_t>> path(count);
  for (const std::size_t flow : by_start(flows)) {
    for (std::size_t part = 0; part < parts.per_flow; ++part) {
      const std::size_t index = flow * parts.per_flow + part;
      FlowChoice choice = choice_of(rules, plan.planes(), flow, part);
      choice.flows_on = &flows_on;
      if (plan.route(static_cast<std::uint32_t>(flows.source[flow]),
                     static_cast<std::uint32_t>(flows.destination[flow]), choice, path[index],
                     parts.latency_s[index])) {
        for (const std::uint32_t link : path[index]) ++flows_on[link];
      } else {
        path[index].clear();
        parts.reachable[index] = 0;
      }
    }
  }
  for (const std::vector<std::uint32_t>& links : path) {
    parts.paths.links.insert(parts.paths.links.end(), links.begin(), links.end());
    parts.paths.offset.push_back(static_cast<std::uint32_t>(parts.paths.links.size()));
  }
}

}  // namespace

Split split_of(const Network::Plan& plan, const Flows& flows, const FlowRules& rules) {
  // Sprayed flows use all paths of a plane at once, and no part of them would differ from another.
  if (rules.routing == Routing::spray) {
    return {plan.planes() * (plan.wiring->trunks() > 0 ? 1 : sprayed_parts), 1};
  }
  Split split{static_cast<std::size_t>(rules.queue_pairs), 1};
  if (rules.routing == Routing::flowlet && !flows.bytes.empty()) {
    const double largest = *std::max_element(flows.bytes.begin(), flows.bytes.end());
    const double batches = std::ceil(largest / static_cast<double>(split.streams) / rules.flowlet_bytes);
    split.batches = static_cast<std::size_t>(std::clamp(batches, 1.0, most_batches));
  }
  return split;
}

Parts parts_of(const Network::Plan& plan, const Flows& flows, const FlowRules& rules, Split split) {
  Parts parts;
  parts.per_flow = split.per_flow();
  const std::size_t count = flows.source.size() * parts.per_flow;
  parts.paths.offset.reserve(count + 1);
  parts.paths.links.reserve(count * 6);
  parts.latency_s.assign(count, 0);
  parts.reachable.assign(count, 1);
  if (rules.routing == Routing::adaptive) {
    add_adaptive(plan, flows, rules, parts);
    add_caps(plan, flows, parts);
    return parts;
  }
  for (std::size_t part = 0; part < count; ++part) {
    const std::size_t flow = part / parts.per_flow;
    const std::size_t before = parts.paths.links.size();
    const FlowChoice choice = choice_of(rules, plan.planes(), flow, part % parts.per_flow);
    const bool found =
        plan.route(static_cast<std::uint32_t>(flows.source[flow]), static_cast<std::uint32_t>(flows.destination[flow]),
                   choice, parts.paths.links, parts.latency_s[part]);
    if (!found) {
      parts.paths.links.resize(before);
      parts.reachable[part] = 0;
    }
    parts.paths.offset.push_back(static_cast<std::uint32_t>(parts.paths.links.size()));
  }
  add_caps(plan, flows, parts);
  return parts;
}

std::vector<double> capacities_of(const Network::Plan& plan, const Parts& parts) {
  std::vector<double> found(plan.all_links());
  for (std::uint32_t link = 0; link < plan.all_links(); ++link) found[link] = plan.bytes_per_s(link);
  found.insert(found.end(), parts.caps_bytes_per_s.begin(), parts.caps_bytes_per_s.end());
  return found;
}

std::vector<double> weights_of(const Parts& parts, const Flows& flows, const FlowRules& rules) {
  std::vector<double> weights(parts.latency_s.size(), 1);
  for (std::size_t part = 0; part < weights.size() && !flows.weight.empty(); ++part) {
    weights[part] = flows.weight[part / parts.per_flow];
  }
  if (!rules.latency_weighted) return weights;
  const double shortest =
      std::accumulate(parts.latency_s.begin(), parts.latency_s.end(), std::numeric_limits<double>::infinity(),
                      [](double a, double b) { return b > 0 ? std::min(a, b) : a; });
  for (std::size_t part = 0; part < weights.size(); ++part) {
    if (parts.latency_s[part] > 0) weights[part] *= shortest / parts.latency_s[part];
  }
  return weights;
}

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

}  // namespace ampacity::network
