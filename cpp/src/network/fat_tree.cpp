// Extended generalised fat trees (Ohring, Ibel, Das, Kumar 1995). A node of tier l is a subtree s (of the endpoints
// below it) and a replica r (one of the parallel roots of that subtree); port p of (l, s, r) leads to
// (l + 1, s / down, r + p * replicas). Up and down path share the ports, so a path is a list of ports.
#include <algorithm>
#include <array>
#include <cstddef>

#include "base/random.hpp"
#include "network/wiring.hpp"

namespace ampacity::network {
namespace {

constexpr std::size_t most_tiers = 6;

class FatTreeWiring final : public Wiring {
 public:
  explicit FatTreeWiring(const FatTree& shape)
      : rails_(static_cast<std::uint32_t>(shape.rails)), joins_sites_(shape.joins_sites) {
    tiers_ = shape.down.size();
    for (std::size_t l = 0; l < tiers_; ++l) {
      down_[l] = static_cast<std::uint32_t>(shape.down[l]);
      up_[l] = static_cast<std::uint32_t>(shape.up[l]);
      rate_[l] = shape.link_bytes_per_s.size() == 1 ? shape.link_bytes_per_s[0] : shape.link_bytes_per_s[l];
      if (!shape.cable_m.empty()) {
        flight_s_[l] = kFibreSPerM * (shape.cable_m.size() == 1 ? shape.cable_m[0] : shape.cable_m[l]);
        long_cables_ = long_cables_ || flight_s_[l] > 0;
      }
      below_[l + 1] = below_[l] * down_[l];
      replicas_[l + 1] = replicas_[l] * up_[l];
    }
    rail_only_ = shape.rail_only && rails_ > 1;
    // Each rail is a tree of its own where nothing joins them.
    trees_ = rail_only_ ? rails_ : 1;
    for (std::size_t l = 0; l < tiers_; ++l) {
      first_[l + 1] = first_[l] + trees_ * below_[tiers_] / below_[l] * replicas_[l] * up_[l];
      first_trunk_[l + 1] = first_trunk_[l] + trees_ * below_[tiers_] / below_[l];
      first_switch_[l + 1] = first_switch_[l] + trees_ * below_[tiers_] / below_[l + 1] * replicas_[l + 1];
    }
  }

  [[nodiscard]] std::uint32_t endpoints() const override { return trees_ * below_[tiers_]; }
  [[nodiscard]] std::uint32_t cables() const override { return 2 * first_[tiers_]; }
  [[nodiscard]] std::uint32_t trunks() const override { return 2 * first_trunk_[tiers_]; }

  [[nodiscard]] double bytes_per_s(std::uint32_t link) const override {
    if (link < cables()) return rate_[tier_of(link % first_[tiers_], first_)];
    const std::size_t tier = tier_of((link - cables()) % first_trunk_[tiers_], first_trunk_);
    return rate_[tier] * replicas_[tier] * up_[tier];
  }

  [[nodiscard]] std::vector<std::uint32_t> cables_of(std::uint32_t trunk) const override {
    const std::uint32_t index = trunk - cables();
    const bool downwards = index >= first_trunk_[tiers_];
    const std::uint32_t one_way = index % first_trunk_[tiers_];
    const std::size_t tier = tier_of(one_way, first_trunk_);
    const std::uint32_t each = replicas_[tier] * up_[tier];
    std::vector<std::uint32_t> found(each);
    for (std::uint32_t i = 0; i < each; ++i) {
      found[i] = (downwards ? first_[tiers_] : 0) + first_[tier] + (one_way - first_trunk_[tier]) * each + i;
    }
    return found;
  }

  [[nodiscard]] bool evens_out() const override { return joins_sites_; }
  [[nodiscard]] std::uint32_t evened(std::uint32_t link) const override {
    if (!joins_sites_ || link >= cables()) return link;
    const std::uint32_t one_way = link % first_[tiers_];
    const std::size_t top = tiers_ - 1;
    if (one_way < first_[top]) return link;
    const std::uint32_t trunk = first_trunk_[top] + (one_way - first_[top]) / (replicas_[top] * up_[top]);
    return cables() + (link == one_way ? 0 : first_trunk_[tiers_]) + trunk;
  }

  [[nodiscard]] std::string name(std::uint32_t link) const override {
    if (link >= cables()) {
      const std::uint32_t index = link - cables();
      const std::uint32_t one_way = index % first_trunk_[tiers_];
      const std::size_t tier = tier_of(one_way, first_trunk_);
      return "all cables " + direction(index < first_trunk_[tiers_], tier) + " subtree " +
             std::to_string(one_way - first_trunk_[tier]);
    }
    const std::uint32_t one_way = link % first_[tiers_];
    const std::size_t tier = tier_of(one_way, first_);
    const std::uint32_t port = one_way - first_[tier];
    const std::uint32_t place = port / up_[tier];
    return "cable " + direction(link < first_[tiers_], tier) +
           (tier == 0 ? " endpoint " + std::to_string(endpoint_at(place)) : " switch " + std::to_string(place)) +
           " port " + std::to_string(port % up_[tier]);
  }

  [[nodiscard]] bool long_cables() const override { return long_cables_; }
  [[nodiscard]] double flight_s(std::uint32_t link) const override {
    if (link < cables()) return flight_s_[tier(link)];
    return flight_s_[tier_of((link - cables()) % first_trunk_[tiers_], first_trunk_)];
  }
  [[nodiscard]] std::uint32_t switches() const override { return first_switch_[tiers_]; }
  [[nodiscard]] std::string switch_name(std::uint32_t box) const override {
    const std::size_t tier = tier_of(box, first_switch_);
    return "tier " + std::to_string(tier + 1) + ", switch " + std::to_string(box - first_switch_[tier]);
  }
  [[nodiscard]] std::size_t tier(std::uint32_t link) const override { return tier_of(link % first_[tiers_], first_); }
  [[nodiscard]] std::uint32_t reverse(std::uint32_t link) const override {
    return link < first_[tiers_] ? link + first_[tiers_] : link - first_[tiers_];
  }
  [[nodiscard]] LinkEnds ends(std::uint32_t link) const override {
    const std::uint32_t one_way = link % first_[tiers_];
    const std::size_t tier = tier_of(one_way, first_);
    const std::uint32_t place = (one_way - first_[tier]) / up_[tier];
    const std::uint32_t port = (one_way - first_[tier]) % up_[tier];
    const std::uint32_t subtree = place / replicas_[tier];
    const std::uint32_t root = place % replicas_[tier] + port * replicas_[tier];
    const std::uint32_t lower = tier == 0 ? endpoint_at(place) : endpoints() + first_switch_[tier - 1] + place;
    const std::uint32_t upper = endpoints() + first_switch_[tier] + subtree / down_[tier] * replicas_[tier + 1] + root;
    return link < first_[tiers_] ? LinkEnds{lower, upper} : LinkEnds{upper, lower};
  }

  [[nodiscard]] std::vector<NetworkTier> tiers() const override {
    std::vector<NetworkTier> found;
    for (std::size_t l = 0; l < tiers_; ++l) {
      const std::uint32_t switches = first_switch_[l + 1] - first_switch_[l];
      found.push_back({l == 0 ? "endpoint to tier 1" : "tier " + std::to_string(l) + " to " + std::to_string(l + 1),
                       switches, first_[l + 1] - first_[l], rate_[l]});
    }
    if (joins_sites_) {
      found.back().name = "between sites";
      found.back().switches = 0;
    }
    return found;
  }

  [[nodiscard]] double bisection_bytes_per_s() const override {
    // The narrowest tier: half of its cables join the two halves.
    double narrowest = 0;
    for (std::size_t l = 0; l < tiers_; ++l) {
      const double all = rate_[l] * (first_[l + 1] - first_[l]);
      narrowest = l == 0 ? all : std::min(narrowest, all);
    }
    return narrowest / 2;
  }

  [[nodiscard]] bool joined(std::uint32_t a, std::uint32_t b) const override {
    return !rail_only_ || a % rails_ == b % rails_;
  }

  [[nodiscard]] std::uint32_t neighbourhoods() const override { return static_cast<std::uint32_t>(tiers_); }
  [[nodiscard]] std::uint32_t neighbourhood(std::uint32_t endpoint, std::uint32_t level) const override {
    // With rails, the leaves of one group of nodes are one neighbourhood, as seen from rail 0.
    if (rails_ == 1) return endpoint / below_[level + 1];
    const std::uint32_t node = endpoint / rails_;
    if (rail_only_) return node / below_[level + 1];
    return level == 0 ? node / down_[0] : place_of(node * rails_) / std::max(below_[level + 1], down_[0] * rails_);
  }

  bool route(std::uint32_t source, std::uint32_t destination, const PathChoice& choice,
             std::vector<std::uint32_t>& links) const override {
    const Ends ends{place_of(source), place_of(destination)};
    std::size_t top = 0;
    while (ends.from / below_[top] != ends.to / below_[top]) ++top;
    if (choice.routing == Routing::spray) {
      spray(ends, top, links);
      return true;
    }
    return climb(ends, top, 0, 0, choice, links);
  }

  bool route_hashed(std::uint32_t source, std::uint32_t destination, std::span<const std::uint64_t> hashes,
                    std::vector<std::uint32_t>& links) const override {
    if (up_[0] != 1) return false;
    const std::uint32_t from = place_of(source);
    const std::uint32_t to = place_of(destination);
    links.push_back(first_[0] + from);
    links.push_back(first_[tiers_] + first_[0] + to);
    std::array<std::uint32_t, most_tiers> up{};
    std::array<std::uint32_t, most_tiers> down{};
    std::size_t top = 1;
    for (; from / below_[top] != to / below_[top]; ++top) {
      up[top] = first_[top] + from / below_[top] * replicas_[top] * up_[top];
      down[top] = first_[tiers_] + first_[top] + to / below_[top] * replicas_[top] * up_[top];
    }
    std::size_t at = links.size();
    links.resize(at + 2 * (top - 1) * hashes.size());
    for (const std::uint64_t hash : hashes) {
      std::uint32_t replica = 0;
      for (std::size_t tier = 1; tier < top; ++tier) {
        const auto p = static_cast<std::uint32_t>(base::random_bits(hash, tier, 0) % up_[tier]);
        links[at++] = up[tier] + replica * up_[tier] + p;
        links[at++] = down[tier] + replica * up_[tier] + p;
        replica += p * replicas_[tier];
      }
    }
    return true;
  }

 private:
  struct Ends {
    std::uint32_t from;
    std::uint32_t to;
  };

  /// Where an endpoint sits: with rails, device r of the nodes of one leaf group is below the leaf of rail r.
  [[nodiscard]] std::uint32_t place_of(std::uint32_t endpoint) const {
    if (rails_ == 1) return endpoint;
    const std::uint32_t node = endpoint / rails_;
    const std::uint32_t rail = endpoint % rails_;
    if (rail_only_) return rail * below_[tiers_] + node;
    return (node / down_[0] * rails_ + rail) * down_[0] + node % down_[0];
  }

  [[nodiscard]] std::uint32_t endpoint_at(std::uint32_t place) const {
    if (rails_ == 1) return place;
    if (rail_only_) return place % below_[tiers_] * rails_ + place / below_[tiers_];
    const std::uint32_t leaf = place / down_[0];
    const std::uint32_t node = leaf / rails_ * down_[0] + place % down_[0];
    return node * rails_ + leaf % rails_;
  }

  [[nodiscard]] std::size_t tier_of(std::uint32_t one_way,
                                    const std::array<std::uint32_t, most_tiers + 1>& first) const {
    std::size_t tier = 0;
    while (one_way >= first[tier + 1]) ++tier;
    return tier;
  }
  [[nodiscard]] static std::string direction(bool upwards, std::size_t tier) {
    return upwards ? "up from tier " + std::to_string(tier) + ',' : "down to tier " + std::to_string(tier) + ',';
  }

  /// By a digit of the destination or by a hash; `draw` 1 where the first has failed.
  [[nodiscard]] std::uint32_t port(const Ends& ends, std::size_t tier, const PathChoice& choice,
                                   std::uint32_t draw) const {
    if (choice.routing == Routing::d_mod_k) {
      const std::uint32_t digits = ends.to / replicas_[tier];
      return (draw == 0 ? digits : digits / up_[tier]) % up_[tier];
    }
    return static_cast<std::uint32_t>(base::random_bits(choice.hash, tier, draw) % up_[tier]);
  }

  /// Both cables of every tier up to `top`, by port; where a cable has failed, by another port that leads on.
  bool climb(const Ends& ends, std::size_t top, std::size_t tier, std::uint32_t replica, const PathChoice& choice,
             std::vector<std::uint32_t>& links) const {
    if (tier == top) return true;
    std::uint32_t wanted = port(ends, tier, choice, 0);
    const std::uint32_t up = first_[tier] + (ends.from / below_[tier] * replicas_[tier] + replica) * up_[tier];
    const std::uint32_t down =
        first_[tiers_] + first_[tier] + (ends.to / below_[tier] * replicas_[tier] + replica) * up_[tier];
    if (choice.flows_on != nullptr) wanted = choice.least_used(up, up_[tier], wanted);
    for (std::uint32_t i = 0; i <= up_[tier]; ++i) {
      const std::uint32_t p = PathChoice::attempt(i, wanted, i == 0 ? 0 : port(ends, tier, choice, 1), up_[tier]);
      if (!choice.alive(up + p) || !choice.alive(down + p)) continue;
      links.push_back(up + p);
      links.push_back(down + p);
      if (climb(ends, top, tier + 1, replica + p * replicas_[tier], choice, links)) return true;
      links.resize(links.size() - 2);
    }
    return false;
  }

  /// A trunk that has lost all its cables carries nothing: its capacity says so.
  void spray(const Ends& ends, std::size_t top, std::vector<std::uint32_t>& links) const {
    for (std::size_t tier = 0; tier < top; ++tier) {
      links.push_back(cables() + first_trunk_[tier] + ends.from / below_[tier]);
      links.push_back(cables() + first_trunk_[tiers_] + first_trunk_[tier] + ends.to / below_[tier]);
    }
  }

  std::size_t tiers_ = 0;
  std::uint32_t rails_;
  bool joins_sites_;
  bool rail_only_ = false;
  std::uint32_t trees_ = 1;
  std::array<std::uint32_t, most_tiers> down_{};
  std::array<std::uint32_t, most_tiers> up_{};
  std::array<double, most_tiers> rate_{};
  std::array<double, most_tiers> flight_s_{};
  bool long_cables_ = false;
  std::array<std::uint32_t, most_tiers + 1> below_{1};        // endpoints below a node of tier l
  std::array<std::uint32_t, most_tiers + 1> replicas_{1};     // roots of one subtree
  std::array<std::uint32_t, most_tiers + 1> first_{};         // first cable of a tier, upwards
  std::array<std::uint32_t, most_tiers + 1> first_switch_{};  // first switch of tier l + 1
  std::array<std::uint32_t, most_tiers + 1> first_trunk_{};   // first trunk of a tier, upwards
};

}  // namespace

std::shared_ptr<const Wiring> make_fat_tree(const FatTree& shape) {
  return std::make_shared<FatTreeWiring>(shape);
}

}  // namespace ampacity::network
