#include "network/parts.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/random.hpp"

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

}  // namespace

std::size_t parts_per_flow(const FlowRules& rules) {
  return static_cast<std::size_t>(rules.routing == Routing::spray ? 1 : rules.queue_pairs);
}

Parts parts_of(const Network::Plan& plan, const Flows& flows, const FlowRules& rules) {
  const std::size_t pairs = parts_per_flow(rules);
  Parts parts;
  parts.per_flow = pairs;
  const std::size_t count = flows.source.size() * pairs;
  parts.paths.offset.reserve(count + 1);
  parts.paths.links.reserve(count * 6);
  parts.latency_s.assign(count, 0);
  parts.reachable.assign(count, 1);
  for (std::size_t part = 0; part < count; ++part) {
    const std::size_t flow = part / pairs;
    const std::size_t before = parts.paths.links.size();
    const bool found = plan.route(
        static_cast<std::uint32_t>(flows.source[flow]), static_cast<std::uint32_t>(flows.destination[flow]),
        rules.routing, base::random_bits(rules.seed, flow, part % pairs), parts.paths.links, parts.latency_s[part]);
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
