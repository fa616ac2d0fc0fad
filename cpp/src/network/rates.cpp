// Rates of flows that all run at once.
#include <cstddef>
#include <limits>

#include "network/parts.hpp"
#include "network/plan.hpp"

namespace ampacity {
namespace {

constexpr double never = std::numeric_limits<double>::infinity();

}  // namespace

FlowRates Network::rates(const Flows& flows, const FlowRules& rules) const {
  network::check(*plan_, flows, rules, false);
  const network::Parts parts = network::parts_of(*plan_, flows, rules);
  const std::vector<double> capacity = network::capacities_of(*plan_, parts);
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
      if (link < plan_->visible_links()) {
        known = link;
      } else if (link < plan_->all_links()) {
        known = plan_->cables_of(link).front();
      }
    }
  }
  network::spread_trunks(*plan_, used);
  for (std::uint32_t link = 0; link < plan_->visible_links(); ++link) {
    if (used[link] > 0) used[link] /= capacity[link];
  }
  found.utilisation_fraction = std::move(used);
  return found;
}

}  // namespace ampacity
