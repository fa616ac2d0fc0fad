// Rates of flows that all run at once.
#include <algorithm>
#include <cstddef>
#include <limits>

#include "base/random.hpp"
#include "network/parts.hpp"
#include "network/plan.hpp"

namespace ampacity {
namespace {

constexpr double never = std::numeric_limits<double>::infinity();

// Hashes over which the rates of flowlets are averaged.
constexpr std::uint64_t snapshots = 8;

FlowRates at_once(const Network::Plan& plan, const Flows& flows, const FlowRules& rules) {
  const network::Split split = network::split_of(plan, {flows.source, flows.destination, {}, {}}, rules);
  const network::Parts parts = network::parts_of(plan, flows, rules, split);
  const std::vector<double> capacity = network::capacities_of(plan, parts);
  network::MaxMin shares(parts.paths, capacity, network::weights_of(parts, flows, rules));
  const auto runs = [&](std::uint32_t part) { return parts.reachable[part] != 0 && !parts.paths.of(part).empty(); };
  for (std::uint32_t part = 0; part < parts.paths.flows(); ++part) {
    if (runs(part)) shares.start(part);
  }
  static_cast<void>(shares.solve());

  FlowRates found;
  found.bytes_per_s.assign(flows.source.size(), 0);
  found.bottleneck_link.assign(flows.source.size(), -1);
  std::vector<double> used(capacity.size(), 0);
  std::vector<double> slowest(flows.source.size(), never);
  for (std::uint32_t part = 0; part < parts.paths.flows(); ++part) {
    const std::size_t flow = part / parts.per_flow;
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
      // (The link of a cap has no number that users know.)
      std::int64_t& known = found.bottleneck_link[flow];
      known = -1;
      if (link < plan.visible_links()) {
        known = link;
      } else if (link < plan.all_links()) {
        known = plan.cables_of(link).front();
      }
    }
  }
  network::spread_trunks(plan, used);
  for (std::uint32_t link = 0; link < plan.visible_links(); ++link) {
    if (used[link] > 0) used[link] /= capacity[link];
  }
  found.utilisation_fraction = std::move(used);
  return found;
}

/// Every flow changes its path many times: what it gets is the mean over hashes, where it is slowest it says by what.
FlowRates of_flowlets(const Network::Plan& plan, const Flows& flows, const FlowRules& rules) {
  FlowRules now = rules;
  now.routing = Routing::ecmp;
  FlowRates mean;
  std::vector<double> slowest(flows.source.size(), never);
  for (std::uint64_t i = 0; i < snapshots; ++i) {
    now.seed = base::random_bits(rules.seed, i, snapshots);
    FlowRates found = at_once(plan, flows, now);
    if (i == 0) {
      mean.bytes_per_s.assign(flows.source.size(), 0);
      mean.bottleneck_link = found.bottleneck_link;
      mean.utilisation_fraction.assign(found.utilisation_fraction.size(), 0);
    }
    for (std::size_t flow = 0; flow < slowest.size(); ++flow) {
      mean.bytes_per_s[flow] += found.bytes_per_s[flow] / snapshots;
      if (found.bytes_per_s[flow] < slowest[flow]) mean.bottleneck_link[flow] = found.bottleneck_link[flow];
      slowest[flow] = std::min(slowest[flow], found.bytes_per_s[flow]);
    }
    for (std::size_t link = 0; link < mean.utilisation_fraction.size(); ++link) {
      mean.utilisation_fraction[link] += found.utilisation_fraction[link] / snapshots;
    }
  }
  return mean;
}

}  // namespace

FlowRates Network::rates(const Flows& flows, const FlowRules& rules) const {
  network::check(*plan_, flows, rules, false);
  return rules.routing == Routing::flowlet ? of_flowlets(*plan_, flows, rules) : at_once(*plan_, flows, rules);
}

}  // namespace ampacity
