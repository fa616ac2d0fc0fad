#include "simulate/network_health.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/text.hpp"
#include "network/plan.hpp"

namespace ampacity::simulation {
namespace {

void check_pairs(const char* path, const std::vector<std::int64_t>& ids, const std::vector<double>& fractions,
                 double least, std::vector<Problem>& problems) {
  if (ids.size() != fractions.size()) {
    problems.push_back({path,
                        base::number_text(static_cast<std::int64_t>(ids.size())) + " and " +
                            base::number_text(static_cast<std::int64_t>(fractions.size())),
                        "must have one fraction for each",
                        {}});
  }
  for (const double fraction : fractions) {
    if (fraction >= least && fraction <= 1) continue;
    problems.push_back(
        {path, base::number_text(fraction), "must be between " + base::number_text(least) + " and 1", {}});
    return;
  }
}

/// Both cables of those accelerators (in every plane); all links of those that forward for others.
void set_cards(const std::vector<CardHealth>& cards, Network::Plan& plan) {
  std::unordered_map<std::uint32_t, double> share_of;
  for (const CardHealth& card : cards) share_of[card.endpoint] = card.fraction;
  for (std::uint32_t link = 0; link < plan.domain_first(); ++link) {
    const network::LinkEnds ends = plan.ends(link);
    if (ends.from >= plan.endpoints() && ends.to >= plan.endpoints()) continue;
    const auto card = share_of.find(std::min(ends.from, ends.to));
    if (card != share_of.end()) {
      plan.set_link(link, static_cast<float>(card->second));
    } else if (const auto far = share_of.find(std::max(ends.from, ends.to)); far != share_of.end()) {
      plan.set_link(link, static_cast<float>(far->second));
    }
  }
}

}  // namespace

void check_health(const NetworkHealth& health, std::int64_t devices, std::vector<Problem>& problems) {
  if (!(health.failed_fraction >= 0 && health.failed_fraction <= 1)) {
    problems.push_back(
        {"network.failed_fraction", base::number_text(health.failed_fraction), "must be between 0 and 1", {}});
  }
  check_pairs("network.links", health.links, health.link_fraction, 0, problems);
  // Without its card an accelerator takes no part in the step at all.
  check_pairs("network.nics", health.nics, health.nic_fraction, 1e-3, problems);
  for (const std::int64_t device : health.nics) {
    if (device >= 0 && device < devices) continue;
    problems.push_back(
        {"network.nics", base::number_text(device), "must be between 0 and " + base::number_text(devices - 1), {}});
  }
}

Network network_of(const Network& whole, const SimulateOptions& options, const std::vector<CardHealth>& cards) {
  const NetworkHealth& health = options.network;
  if (health.whole()) return whole;
  auto plan = std::make_shared<Network::Plan>(whole.plan());
  set_cards(cards, *plan);
  network::check_links(*plan, health.links, 0);
  for (std::size_t i = 0; i < health.links.size(); ++i) {
    plan->set_link(static_cast<std::uint32_t>(health.links[i]), static_cast<float>(health.link_fraction[i]));
  }
  if (health.failed_fraction > 0) {
    const auto tiers = static_cast<std::int64_t>(whole.tiers().size());
    const std::int64_t tier = health.tier < 0 ? tiers - 1 : health.tier;
    for (const std::int64_t link : whole.random_cables(tier, health.failed_fraction, options.seed)) {
      plan->set_link(static_cast<std::uint32_t>(link), 0);
    }
  }
  plan->renew();
  return Network(std::move(plan));
}

void throw_no_links(const Cluster& cluster) {
  throw InvalidSpec({{"network",
                      cluster.fabric.name,
                      "links are simulated one by one on fat trees, dragonflies of both kinds and scale-up tori only; "
                      "where there are rails, for "
                      "jobs on nodes of one size",
                      {}}});
}

void check_cut_off(const Network& network, const network::GroupPaces& paces) {
  if (!paces.cut_off.empty()) {
    const network::CutOff& first = paces.cut_off.front();
    throw Infeasible("failures of the network cut accelerator " + std::to_string(first.source) +
                     " off from accelerator " + std::to_string(first.destination) +
                     (paces.cut_off.size() > 1 ? ", and others" : ""));
  }
  const auto endless =
      std::find_if(paces.slowdown.begin(), paces.slowdown.end(), [](float slowdown) { return std::isinf(slowdown); });
  if (endless == paces.slowdown.end()) return;
  const std::uint32_t link = paces.link[static_cast<std::size_t>(endless - paces.slowdown.begin())];
  const Network::Plan& plan = network.plan();
  const std::uint32_t visible = link < plan.visible_links() ? link : plan.cables_of(link).front();
  throw Infeasible("failures of the network cut accelerators off: nothing is left of " + network.link_name(visible) +
                   (visible == link ? "" : " and those beside it"));
}

}  // namespace ampacity::simulation
