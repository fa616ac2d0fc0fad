// Which flows a change of the network does something to.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>

#include "ampacity/error.hpp"
#include "network/parts.hpp"
#include "network/plan.hpp"

namespace ampacity {
namespace {

// Rates closer than this are the same: the solver's own promise.
constexpr double same_rate = 1e-9;

bool rerouted(const network::Parts& before, const network::Parts& after, std::size_t flow) {
  for (std::size_t part = flow * before.per_flow; part < (flow + 1) * before.per_flow; ++part) {
    const auto was = before.paths.of(static_cast<std::uint32_t>(part));
    const auto is = after.paths.of(static_cast<std::uint32_t>(part));
    if (!std::equal(was.begin(), was.end(), is.begin(), is.end())) return true;
  }
  return false;
}

}  // namespace

AffectedFlows Network::affected(const Network& then, const Flows& flows, const FlowRules& rules) const {
  if (then.links() != links() || then.endpoints() != endpoints()) {
    throw InvalidSpec({{"then", std::to_string(then.links()) + " links",
                        "must be this network with other links or switches at work", ""}});
  }
  const std::vector<double> was = rates(flows, rules).bytes_per_s;
  const std::vector<double> is = then.rates(flows, rules).bytes_per_s;
  const network::Split split = network::split_of(plan(), {flows.source, flows.destination, {}, {}}, rules);
  const network::Parts before = network::parts_of(plan(), flows, rules, split);
  const network::Parts after = network::parts_of(then.plan(), flows, rules, split);
  std::vector<std::size_t> hit;
  for (std::size_t flow = 0; flow < was.size(); ++flow) {
    const bool same = was[flow] == is[flow] || std::abs(is[flow] - was[flow]) <= same_rate * was[flow];
    if (!same || rerouted(before, after, flow)) hit.push_back(flow);
  }
  const auto kept = [&](std::size_t flow) { return was[flow] > 0 ? is[flow] / was[flow] : 1; };
  std::stable_sort(hit.begin(), hit.end(), [&](auto a, auto b) { return kept(a) < kept(b); });
  AffectedFlows found;
  for (const std::size_t flow : hit) {
    found.flow.push_back(static_cast<std::int64_t>(flow));
    found.before_bytes_per_s.push_back(was[flow]);
    found.after_bytes_per_s.push_back(is[flow]);
    found.rerouted.push_back(rerouted(before, after, flow) ? 1 : 0);
  }
  return found;
}

}  // namespace ampacity
