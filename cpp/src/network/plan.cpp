#include "network/plan.hpp"

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

std::vector<std::uint32_t> Network::Plan::cables_of(std::uint32_t trunk) const {
  const std::uint32_t index = trunk - visible_links();
  const std::uint32_t plane = index / wiring->trunks();
  std::vector<std::uint32_t> cables = wiring->cables_of(wiring->cables() + index % wiring->trunks());
  for (std::uint32_t& cable : cables) cable += plane * wiring->cables();
  return cables;
}

bool Network::Plan::route(std::uint32_t source, std::uint32_t destination, Routing routing, std::uint64_t hash,
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
  const std::uint32_t cables = wiring->cables();
  const auto plane = static_cast<std::uint32_t>(planes() == 1 ? 0 : base::random_bits(hash, 0, 1) % planes());
  const std::size_t before = links.size();
  // Shares of one plane's cables lie together; its trunks are looked up by the cables that are left.
  const network::PathChoice choice{routing, hash, share.empty() ? nullptr : &share, plane * cables};
  if (!wiring->route(source, destination, choice, links)) return false;
  for (std::size_t i = before; i < links.size(); ++i) {
    links[i] = links[i] < cables ? plane * cables + links[i]
                                 : visible_links() + plane * wiring->trunks() + (links[i] - cables);
  }
  latency_s += static_cast<double>(links.size() - before) * options.hop_latency_s;
  return true;
}

}  // namespace ampacity
