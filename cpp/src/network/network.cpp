#include "ampacity/network.hpp"

#include "ampacity/error.hpp"
#include "base/random.hpp"
#include "network/plan.hpp"

namespace ampacity {
namespace {

std::shared_ptr<const Network::Plan> plan_with(std::shared_ptr<const network::Wiring> wiring,
                                               const NetworkOptions& options) {
  auto plan = std::make_shared<Network::Plan>();
  plan->wiring = std::move(wiring);
  plan->options = options;
  return plan;
}

}  // namespace

Network Network::fat_tree(const FatTree& shape, const NetworkOptions& options) {
  network::check(shape, options);
  return Network(plan_with(network::make_fat_tree(shape), options));
}

Network Network::torus(const Torus& shape, const NetworkOptions& options) {
  network::check(shape, options);
  return Network(plan_with(network::make_torus(shape), options));
}

Network Network::dragonfly(const Dragonfly& shape, const NetworkOptions& options) {
  network::check(shape, options);
  return Network(plan_with(network::make_dragonfly(shape), options));
}

std::int64_t Network::endpoints() const {
  return plan_->endpoints();
}

std::int64_t Network::links() const {
  return plan_->visible_links();
}

double Network::link_bytes_per_s(std::int64_t link) const {
  network::check_link(*plan_, link);
  return plan_->bytes_per_s(static_cast<std::uint32_t>(link));
}

std::string Network::link_name(std::int64_t link) const {
  network::check_link(*plan_, link);
  const auto id = static_cast<std::uint32_t>(link);
  if (id >= plan_->domain_first()) {
    const std::uint32_t index = id - plan_->domain_first();
    return "scale-up link of endpoint " + std::to_string(index / 2) + (index % 2 == 0 ? " up" : " down");
  }
  const std::uint32_t cables = plan_->wiring->cables();
  const std::string name = plan_->wiring->name(id % cables);
  return plan_->planes() == 1 ? name : "plane " + std::to_string(id / cables) + ", " + name;
}

std::vector<NetworkTier> Network::tiers() const {
  std::vector<NetworkTier> found = plan_->wiring->tiers();
  for (NetworkTier& tier : found) {
    tier.switches *= plan_->planes();
    tier.cables *= plan_->planes();
    tier.bytes_per_s /= plan_->planes();
  }
  if (plan_->options.domain > 1) {
    const std::int64_t domains = (plan_->endpoints() + plan_->options.domain - 1) / plan_->options.domain;
    found.insert(found.begin(), {"scale-up domain", domains, plan_->endpoints(), plan_->options.domain_bytes_per_s});
  }
  return found;
}

double Network::bisection_bytes_per_s() const {
  return plan_->wiring->bisection_bytes_per_s();
}

std::vector<std::int64_t> Network::route(std::int64_t source, std::int64_t destination, const FlowRules& rules) const {
  const double nothing = 0;
  network::check(*plan_, {{&source, 1}, {&destination, 1}, {&nothing, 1}, {&nothing, 1}}, rules, false);
  std::vector<std::uint32_t> links;
  double latency_s = 0;
  const Routing routing = rules.routing == Routing::spray ? Routing::d_mod_k : rules.routing;
  const bool found = plan_->route(static_cast<std::uint32_t>(source), static_cast<std::uint32_t>(destination), routing,
                                  base::random_bits(rules.seed, 0, 0), links, latency_s);
  if (!found) {
    throw Infeasible("failed links cut endpoint " + std::to_string(destination) + " off from endpoint " +
                     std::to_string(source));
  }
  return {links.begin(), links.end()};
}

Network Network::with_links_at(std::span<const std::int64_t> links, double fraction) const {
  network::check_links(*plan_, links, fraction);
  auto plan = std::make_shared<Plan>(*plan_);
  if (plan->share.empty()) plan->share.assign(plan->all_links(), 1.0F);
  for (const std::int64_t link : links) plan->share[static_cast<std::size_t>(link)] = static_cast<float>(fraction);
  // A trunk is worth what its cables are.
  for (std::uint32_t trunk = plan->visible_links(); trunk < plan->all_links(); ++trunk) {
    double sum = 0;
    const std::vector<std::uint32_t> cables = plan->cables_of(trunk);
    for (const std::uint32_t cable : cables) sum += static_cast<double>(plan->share[cable]);
    plan->share[trunk] = static_cast<float>(sum / static_cast<double>(cables.size()));
  }
  return Network(std::move(plan));
}

}  // namespace ampacity
