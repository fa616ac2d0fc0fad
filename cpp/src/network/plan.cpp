#include "network/plan.hpp"

#include <algorithm>
#include <cstddef>

#include "base/random.hpp"

namespace ampacity {

double Network::Plan::bytes_per_s(std::uint32_t link) const {
  const double whole = share.empty() ? 1 : static_cast<double>(share[link]);
  if (link >= visible_links()) {
    const std::uint32_t trunk = (link - visible_links()) % wiring->trunks();
    return whole * wiring->bytes_per_s(wiring->cables() + trunk) / planes();
  }
  if (link >= domain_first()) return whole * options.domain_bytes_per_s;
  return whole * wiring->bytes_per_s(link % wiring->cables()) / planes();
}

network::LinkEnds Network::Plan::ends(std::uint32_t link) const {
  if (link >= domain_first()) {
    const std::uint32_t index = link - domain_first();
    const std::uint32_t endpoint = index / 2;
    const std::uint32_t box =
        endpoints() + planes() * wiring->switches() + endpoint / static_cast<std::uint32_t>(options.domain);
    return index % 2 == 0 ? network::LinkEnds{endpoint, box} : network::LinkEnds{box, endpoint};
  }
  network::LinkEnds found = wiring->ends(link % wiring->cables());
  const std::uint32_t before = link / wiring->cables() * wiring->switches();  // switches of earlier planes
  if (found.from >= endpoints()) found.from += before;
  if (found.to >= endpoints()) found.to += before;
  return found;
}

std::uint32_t Network::Plan::reverse(std::uint32_t link) const {
  if (link >= domain_first()) return domain_first() + ((link - domain_first()) ^ 1U);
  const std::uint32_t cables = wiring->cables();
  return link / cables * cables + wiring->reverse(link % cables);
}

std::uint32_t Network::Plan::reverse_trunk(std::uint32_t trunk) const {
  const std::uint32_t each = wiring->trunks();
  const std::uint32_t index = trunk - visible_links();
  return visible_links() + index / each * each + (index % each + each / 2) % each;
}

std::size_t Network::Plan::tier(std::uint32_t link) const {
  if (link >= domain_first()) return 0;
  return wiring->tier(link % wiring->cables()) + (options.domain > 1 ? 1 : 0);
}

void Network::Plan::set_link(std::uint32_t link, float fraction) {
  if (fraction == 1) {
    links_at.erase(link);
  } else {
    links_at[link] = fraction;
  }
}

void Network::Plan::set_switch(std::uint32_t box, float fraction) {
  if (fraction == 1) {
    switches_at.erase(box);
  } else {
    switches_at[box] = fraction;
  }
}

void Network::Plan::renew() {
  share.clear();
  if (links_at.empty() && switches_at.empty()) return;
  share.assign(all_links(), 1.0F);
  for (const auto& [link, fraction] : links_at) share[link] = fraction;
  if (!switches_at.empty()) {
    std::vector<float> of_node(endpoints() + switches(), 1.0F);
    for (const auto& [box, fraction] : switches_at) of_node[endpoints() + box] = fraction;
    for (std::uint32_t link = 0; link < visible_links(); ++link) {
      const network::LinkEnds both = ends(link);
      share[link] = std::min({share[link], of_node[both.from], of_node[both.to]});
    }
  }
  // A trunk is worth what its cables are.
  for (std::uint32_t trunk = visible_links(); trunk < all_links(); ++trunk) {
    double sum = 0;
    const std::vector<std::uint32_t> cables = cables_of(trunk);
    for (const std::uint32_t cable : cables) sum += static_cast<double>(share[cable]);
    share[trunk] = static_cast<float>(sum / static_cast<double>(cables.size()));
  }
}

std::uint32_t Network::Plan::evened(std::uint32_t link) const {
  if (link >= domain_first()) return link;
  const std::uint32_t cables = wiring->cables();
  const std::uint32_t plane = link / cables;
  const std::uint32_t found = wiring->evened(link % cables);
  return found < cables ? link : visible_links() + plane * wiring->trunks() + (found - cables);
}

std::vector<std::uint32_t> Network::Plan::cables_of(std::uint32_t trunk) const {
  const std::uint32_t index = trunk - visible_links();
  const std::uint32_t plane = index / wiring->trunks();
  std::vector<std::uint32_t> cables = wiring->cables_of(wiring->cables() + index % wiring->trunks());
  for (std::uint32_t& cable : cables) cable += plane * wiring->cables();
  return cables;
}

bool Network::Plan::route(std::uint32_t source, std::uint32_t destination, const network::FlowChoice& choice,
                          std::vector<std::uint32_t>& links, double& latency_s) const {
  if (source == destination) return true;
  const auto domain = static_cast<std::uint32_t>(options.domain);
  const auto through_domain = [&](std::uint32_t from, std::uint32_t to) {
    const std::uint32_t up = domain_first() + 2 * from;
    const std::uint32_t down = domain_first() + 2 * to + 1;
    links.push_back(up);
    links.push_back(down);
    latency_s += 2 * options.domain_latency_s;
    return share.empty() || (share[up] > 0 && share[down] > 0);
  };
  if (domain > 1 && source / domain == destination / domain) return through_domain(source, destination);
  if (!wiring->joined(source, destination)) {
    // The neighbour in the domain whose rail is the destination's forwards (NCCL's PXN).
    std::uint32_t relay = source / domain * domain;
    while (!wiring->joined(relay, destination)) ++relay;
    if (!through_domain(source, relay)) return false;
    source = relay;
  }
  for (std::uint32_t tried = 0; tried < planes(); ++tried) {
    if (route_in_plane(source, destination, choice, (choice.plane + tried) % planes(), links, latency_s)) return true;
  }
  return false;
}

bool Network::Plan::route(std::uint32_t source, std::uint32_t destination, Routing routing, std::uint64_t hash,
                          std::vector<std::uint32_t>& links, double& latency_s) const {
  return route(source, destination, network::choice_of(routing, planes(), hash), links, latency_s);
}

bool Network::Plan::route_in_plane(std::uint32_t source, std::uint32_t destination, const network::FlowChoice& choice,
                                   std::uint32_t plane, std::vector<std::uint32_t>& links, double& latency_s) const {
  const std::uint32_t cables = wiring->cables();
  const std::size_t before = links.size();
  // Shares of one plane's cables lie together; its trunks are looked up by the cables that are left.
  const network::PathChoice path{choice.routing, choice.hash, share.empty() ? nullptr : &share, plane * cables,
                                 choice.flows_on};
  if (!wiring->route(source, destination, path, links)) return false;
  latency_s += static_cast<double>(links.size() - before) * options.hop_latency_s;
  const bool long_cables = wiring->long_cables();
  for (std::size_t i = before; i < links.size(); ++i) {
    if (long_cables) latency_s += wiring->flight_s(links[i]);
    links[i] = links[i] < cables ? plane * cables + links[i]
                                 : visible_links() + plane * wiring->trunks() + (links[i] - cables);
  }
  return true;
}

}  // namespace ampacity

namespace ampacity::network {

FlowChoice choice_of(Routing routing, std::uint32_t planes, std::uint64_t hash) {
  const std::uint64_t plane = planes == 1 ? 0 : base::random_bits(hash, 0, 1) % planes;
  return {routing, hash, static_cast<std::uint32_t>(plane), nullptr};
}

FlowChoice choice_of(const FlowRules& rules, std::uint32_t planes, std::uint64_t flow, std::uint64_t part) {
  FlowChoice choice = choice_of(rules.routing, planes, base::random_bits(rules.seed, flow, part));
  // Sprayed flows use every plane, one part each.
  if (rules.routing == Routing::spray) choice.plane = static_cast<std::uint32_t>(part % planes);
  return choice;
}

}  // namespace ampacity::network
