#include "ampacity/network.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

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

/// `; cut off from most others: 3, 7 and 12 more`.
std::string named(const std::vector<std::int64_t>& endpoints) {
  constexpr std::size_t at_most = 10;
  if (endpoints.empty()) return {};
  std::string text = "; cut off from most others:";
  for (std::size_t i = 0; i < endpoints.size() && i < at_most; ++i) {
    text += (i == 0 ? " " : ", ") + std::to_string(endpoints[i]);
  }
  if (endpoints.size() > at_most) text += " and " + std::to_string(endpoints.size() - at_most) + " more";
  return text;
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

Network Network::dimensions(std::span<const Dimension> shape) {
  network::check(shape);
  NetworkOptions options;
  options.hop_latency_s = 0;  // every dimension has its own
  return Network(plan_with(network::make_dimensions(shape), options));
}

Network Network::dragonfly_plus(const DragonflyPlus& shape, const NetworkOptions& options) {
  network::check(shape, options);
  return Network(plan_with(network::make_dragonfly_plus(shape), options));
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
  network::FlowChoice choice = network::choice_of(rules, plan_->planes(), 0, 0);
  if (rules.routing == Routing::spray) choice.routing = Routing::d_mod_k;  // one of its paths
  const bool found = plan_->route(static_cast<std::uint32_t>(source), static_cast<std::uint32_t>(destination), choice,
                                  links, latency_s);
  if (!found) {
    throw Infeasible("failed links cut endpoint " + std::to_string(destination) + " off from endpoint " +
                     std::to_string(source) + named(cut_off()));
  }
  return {links.begin(), links.end()};
}

Network Network::with_links_at(std::span<const std::int64_t> links, double fraction) const {
  network::check_links(*plan_, links, fraction);
  auto plan = std::make_shared<Plan>(*plan_);
  for (const std::int64_t link : links) plan->set_link(static_cast<std::uint32_t>(link), static_cast<float>(fraction));
  plan->renew();
  return Network(std::move(plan));
}

Network Network::with_switches_at(std::span<const std::int64_t> switches, double fraction) const {
  network::check_switches(*plan_, switches, fraction);
  auto plan = std::make_shared<Plan>(*plan_);
  for (const std::int64_t id : switches) plan->set_switch(static_cast<std::uint32_t>(id), static_cast<float>(fraction));
  plan->renew();
  return Network(std::move(plan));
}

std::int64_t Network::switches() const {
  return plan_->switches();
}

std::string Network::switch_name(std::int64_t id) const {
  network::check_switches(*plan_, {&id, 1}, 1);
  const auto box = static_cast<std::uint32_t>(id);
  const std::uint32_t each = plan_->wiring->switches();
  if (box >= each * plan_->planes()) return "scale-up switch " + std::to_string(box - each * plan_->planes());
  const std::string name = plan_->wiring->switch_name(box % each);
  return plan_->planes() == 1 ? name : "plane " + std::to_string(box / each) + ", " + name;
}

std::int64_t Network::tier_of_link(std::int64_t link) const {
  network::check_link(*plan_, link);
  return static_cast<std::int64_t>(plan_->tier(static_cast<std::uint32_t>(link)));
}

std::int64_t Network::reverse_link(std::int64_t link) const {
  network::check_link(*plan_, link);
  return plan_->reverse(static_cast<std::uint32_t>(link));
}

std::vector<std::int64_t> Network::random_cables(std::int64_t tier, double fraction, std::uint64_t seed) const {
  network::check_tier(*plan_, tier, fraction);
  // The cables with the lowest draws: which ones does not depend on how they are listed.
  std::vector<std::pair<std::uint64_t, std::uint32_t>> drawn;
  for (std::uint32_t link = 0; link < plan_->visible_links(); ++link) {
    const std::uint32_t back = plan_->reverse(link);
    if (link < back && static_cast<std::int64_t>(plan_->tier(link)) == tier && plan_->bytes_per_s(link) > 0) {
      drawn.emplace_back(base::random_bits(seed, link, 0), link);
    }
  }
  const auto count = static_cast<std::size_t>(std::llround(fraction * static_cast<double>(drawn.size())));
  std::sort(drawn.begin(), drawn.end());
  drawn.resize(count);
  std::vector<std::int64_t> links;
  for (const auto& [bits, link] : drawn) {
    links.push_back(link);
    links.push_back(plan_->reverse(link));
  }
  return links;
}

std::vector<std::int64_t> Network::cut_off() const {
  return network::cut_off(*plan_);
}

}  // namespace ampacity
