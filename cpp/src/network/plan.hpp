// A network put together: planes of switches, scale-up domains, the state of every link.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ampacity/network.hpp"
#include "network/wiring.hpp"

namespace ampacity::network {

/// How one part of a flow finds its way.
struct FlowChoice {
  Routing routing = Routing::ecmp;
  std::uint64_t hash = 0;
  std::uint32_t plane = 0;                               ///< the first to try
  const std::vector<std::uint32_t>* flows_on = nullptr;  ///< parts on every link so far, for adaptive routing
};
[[nodiscard]] FlowChoice choice_of(Routing routing, std::uint32_t planes, std::uint64_t hash);
/// What the rules make of part `part` of flow `flow`.
[[nodiscard]] FlowChoice choice_of(const FlowRules& rules, std::uint32_t planes, std::uint64_t flow,
                                   std::uint64_t part);

}  // namespace ampacity::network

namespace ampacity {

/// Links are numbered plane by plane, then the scale-up links of every endpoint (up, down), then trunks, which users
/// never see.
struct Network::Plan {
  std::shared_ptr<const network::Wiring> wiring;
  NetworkOptions options;
  std::map<std::uint32_t, float> links_at;     ///< links that are not whole, by themselves
  std::map<std::uint32_t, float> switches_at;  ///< switches that are not whole
  std::vector<float> share;  ///< rate of each link over its full rate, as both leave it; empty: all whole

  [[nodiscard]] std::uint32_t planes() const { return static_cast<std::uint32_t>(options.planes); }
  [[nodiscard]] std::uint32_t endpoints() const { return wiring->endpoints(); }
  [[nodiscard]] std::uint32_t domain_first() const { return planes() * wiring->cables(); }
  [[nodiscard]] std::uint32_t visible_links() const {
    return domain_first() + (options.domain > 1 ? 2 * endpoints() : 0);
  }
  [[nodiscard]] std::uint32_t all_links() const { return visible_links() + planes() * wiring->trunks(); }

  [[nodiscard]] std::uint32_t domains() const {
    const auto domain = static_cast<std::uint32_t>(options.domain);
    return domain > 1 ? (endpoints() + domain - 1) / domain : 0;
  }
  /// Switches of all planes, then those of the scale-up domains.
  [[nodiscard]] std::uint32_t switches() const { return planes() * wiring->switches() + domains(); }
  /// Both ends of a visible link; endpoints come first, then switches.
  [[nodiscard]] network::LinkEnds ends(std::uint32_t link) const;
  /// The other direction of a visible link.
  [[nodiscard]] std::uint32_t reverse(std::uint32_t link) const;
  /// The same of a trunk of a fat tree: its trunks upwards come first.
  [[nodiscard]] std::uint32_t reverse_trunk(std::uint32_t trunk) const;
  /// Place of a visible link in `Network::tiers()`.
  [[nodiscard]] std::size_t tier(std::uint32_t link) const;

  /// Sets what is left of a link or switch; `renew` then says what that leaves of every link.
  void set_link(std::uint32_t link, float fraction);
  void set_switch(std::uint32_t box, float fraction);
  void renew();

  /// Rate of a link, failures included.
  [[nodiscard]] double bytes_per_s(std::uint32_t link) const;
  /// `Wiring::evened`.
  [[nodiscard]] std::uint32_t evened(std::uint32_t link) const;
  /// Cables behind a trunk, by visible number.
  [[nodiscard]] std::vector<std::uint32_t> cables_of(std::uint32_t trunk) const;
  /// Neighbourhoods of the wiring, inside which a scale-up domain, where there is one, is the smallest.
  [[nodiscard]] std::uint32_t neighbourhoods() const { return wiring->neighbourhoods() + (options.domain > 1 ? 1 : 0); }
  [[nodiscard]] std::uint32_t neighbourhood(std::uint32_t endpoint, std::uint32_t level) const {
    if (options.domain <= 1) return wiring->neighbourhood(endpoint, level);
    if (level == 0) return endpoint / static_cast<std::uint32_t>(options.domain);
    return wiring->neighbourhood(endpoint, level - 1);
  }
  /// Appends the links from one endpoint to another and adds their latency; false where failures cut them off. Among
  /// several planes the flow takes the one that `choice` hashes to, or the next one that works (dual homing).
  bool route(std::uint32_t source, std::uint32_t destination, const network::FlowChoice& choice,
             std::vector<std::uint32_t>& links, double& latency_s) const;
  bool route(std::uint32_t source, std::uint32_t destination, Routing routing, std::uint64_t hash,
             std::vector<std::uint32_t>& links, double& latency_s) const;
  bool route_in_plane(std::uint32_t source, std::uint32_t destination, const network::FlowChoice& choice,
                      std::uint32_t plane, std::vector<std::uint32_t>& links, double& latency_s) const;
};

}  // namespace ampacity

namespace ampacity::network {

/// \throws InvalidSpec naming everything that makes no network, flow, rule or link (at most ten flows of a kind).
void check(const FatTree& shape, const NetworkOptions& options);
void check(const Torus& shape, const NetworkOptions& options);
void check(const Dragonfly& shape, const NetworkOptions& options);
void check(std::span<const Dimension> shape);
void check(const DragonflyPlus& shape, const NetworkOptions& options);
void check(const Network::Plan& plan, const Flows& flows, const FlowRules& rules, bool timed);
void check_link(const Network::Plan& plan, std::int64_t link);
void check_links(const Network::Plan& plan, std::span<const std::int64_t> links, double fraction);
void check_switches(const Network::Plan& plan, std::span<const std::int64_t> switches, double fraction);
void check_tier(const Network::Plan& plan, std::int64_t tier, double fraction);
void check_events(const Network::Plan& plan, std::span<const NetworkEvent> events);

/// Endpoints that no working path joins to most others, in order.
[[nodiscard]] std::vector<std::int64_t> cut_off(const Network::Plan& plan);

}  // namespace ampacity::network
