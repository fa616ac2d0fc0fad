// Dragonfly+ (Shpiner, Haramaty, Eliad, Zdornov, Gafni, Zahavi, HiPINEB 2017): groups are leaves and spines, spines of
// different groups are joined; the cables between two groups are dealt out to their spines in turn. Minimal routes: to
// a leaf of the same group over any spine; to another group over the spines that hold a cable to it.
#include <array>
#include <cstddef>

#include "base/random.hpp"
#include "network/wiring.hpp"

namespace ampacity::network {
namespace {

class DragonflyPlusWiring final : public Wiring {
 public:
  explicit DragonflyPlusWiring(const DragonflyPlus& shape)
      : groups_(static_cast<std::uint32_t>(shape.groups)),
        leaves_(static_cast<std::uint32_t>(shape.leaves)),
        spines_(static_cast<std::uint32_t>(shape.spines)),
        hosts_(static_cast<std::uint32_t>(shape.endpoints_per_leaf)),
        parallel_(static_cast<std::uint32_t>(shape.global_links)),
        first_local_(2 * groups_ * leaves_ * hosts_),
        first_global_(first_local_ + 2 * groups_ * leaves_ * spines_),
        global_s_(shape.global_m * kFibreSPerM),
        rates_{shape.endpoint_bytes_per_s, shape.local_bytes_per_s, shape.global_bytes_per_s} {}

  [[nodiscard]] std::uint32_t endpoints() const override { return groups_ * leaves_ * hosts_; }
  [[nodiscard]] std::uint32_t cables() const override { return first_global_ + groups_ * groups_ * parallel_; }
  [[nodiscard]] double bytes_per_s(std::uint32_t link) const override { return rates_[tier(link)]; }
  [[nodiscard]] bool long_cables() const override { return global_s_ > 0; }
  [[nodiscard]] double flight_s(std::uint32_t link) const override { return link < first_global_ ? 0 : global_s_; }
  [[nodiscard]] std::size_t tier(std::uint32_t link) const override {
    return link < first_local_ ? 0 : link < first_global_ ? 1 : 2;
  }

  [[nodiscard]] std::string name(std::uint32_t link) const override {
    if (link < first_local_) {
      return "endpoint " + std::to_string(link / 2) + (link % 2 == 0 ? " up" : " down");
    }
    if (link < first_global_) {
      const Local cable = local(link);
      return "group " + std::to_string(cable.leaf / leaves_) + ", leaf " + std::to_string(cable.leaf % leaves_) +
             (link % 2 == 0 ? " to spine " : " from spine ") + std::to_string(cable.spine % spines_);
    }
    const Global cable = global(link);
    return "group " + std::to_string(cable.from) + " to group " + std::to_string(cable.to) + ", cable " +
           std::to_string(cable.number);
  }

  /// All leaves come first, then all spines.
  [[nodiscard]] std::uint32_t switches() const override { return groups_ * (leaves_ + spines_); }
  [[nodiscard]] std::string switch_name(std::uint32_t box) const override {
    const bool is_leaf = box < groups_ * leaves_;
    const std::uint32_t index = is_leaf ? box : box - groups_ * leaves_;
    const std::uint32_t each = is_leaf ? leaves_ : spines_;
    return "group " + std::to_string(index / each) + (is_leaf ? ", leaf " : ", spine ") + std::to_string(index % each);
  }

  [[nodiscard]] LinkEnds ends(std::uint32_t link) const override {
    if (link < first_local_) {
      const std::uint32_t leaf = endpoints() + link / 2 / hosts_;
      return link % 2 == 0 ? LinkEnds{link / 2, leaf} : LinkEnds{leaf, link / 2};
    }
    const std::uint32_t first_spine = endpoints() + groups_ * leaves_;
    if (link < first_global_) {
      const Local cable = local(link);
      const LinkEnds up{endpoints() + cable.leaf, first_spine + cable.spine};
      return link % 2 == 0 ? up : LinkEnds{up.to, up.from};
    }
    const Global cable = global(link);
    return {first_spine + gateway(cable.from, cable.to, cable.number),
            first_spine + gateway(cable.to, cable.from, cable.number)};
  }
  [[nodiscard]] std::uint32_t reverse(std::uint32_t link) const override {
    if (link < first_global_) return link ^ 1U;
    const Global cable = global(link);
    return first_global_ + (cable.to * groups_ + cable.from) * parallel_ + cable.number;
  }

  [[nodiscard]] std::vector<NetworkTier> tiers() const override {
    const std::int64_t groups = groups_;
    return {{"endpoint to leaf", groups * leaves_, endpoints(), rates_[0]},
            {"leaf to spine", groups * spines_, groups * leaves_ * spines_, rates_[1]},
            {"between groups", 0, groups * (groups - 1) / 2 * parallel_, rates_[2]}};
  }

  [[nodiscard]] double bisection_bytes_per_s() const override {
    if (groups_ == 1) return static_cast<double>(leaves_) * spines_ * rates_[1] / 2;
    const std::uint32_t low = groups_ / 2;
    return static_cast<double>(low) * (groups_ - low) * parallel_ * rates_[2];
  }

  bool route(std::uint32_t source, std::uint32_t destination, const PathChoice& choice,
             std::vector<std::uint32_t>& links) const override {
    const std::size_t before = links.size();
    const std::uint32_t from = source / hosts_;
    const std::uint32_t to = destination / hosts_;
    const bool joined = add(2 * source, choice, links) && add(2 * destination + 1, choice, links) &&
                        (from == to || (from / leaves_ == to / leaves_ ? within(from, to, destination, choice, links)
                                                                       : across(from, to, destination, choice, links)));
    if (!joined) links.resize(before);
    return joined;
  }

 private:
  struct Local {
    std::uint32_t leaf;
    std::uint32_t spine;  // both numbered over all groups
  };
  struct Global {
    std::uint32_t from;
    std::uint32_t to;
    std::uint32_t number;
  };
  [[nodiscard]] Local local(std::uint32_t link) const {
    const std::uint32_t index = (link - first_local_) / 2;
    const std::uint32_t leaf = index / spines_;
    return {leaf, leaf / leaves_ * spines_ + index % spines_};
  }
  [[nodiscard]] Global global(std::uint32_t link) const {
    const std::uint32_t index = link - first_global_;
    return {index / parallel_ / groups_, index / parallel_ % groups_, index % parallel_};
  }
  /// From a leaf up to a spine of its group; one more is the way down.
  [[nodiscard]] std::uint32_t up_to(std::uint32_t leaf, std::uint32_t spine) const {
    return first_local_ + 2 * (leaf * spines_ + spine % spines_);
  }
  /// Spine of `group` that holds a cable to `other`.
  [[nodiscard]] std::uint32_t gateway(std::uint32_t group, std::uint32_t other, std::uint32_t cable) const {
    const std::uint32_t distance = (other + groups_ - group - 1) % groups_;
    return group * spines_ + (distance * parallel_ + cable) % spines_;
  }
  static bool add(std::uint32_t link, const PathChoice& choice, std::vector<std::uint32_t>& links) {
    if (!choice.alive(link)) return false;
    links.push_back(link);
    return true;
  }
  static std::uint32_t hashed(const PathChoice& choice, std::uint32_t destination, std::uint32_t stream,
                              std::uint32_t count) {
    if (choice.routing == Routing::d_mod_k) return destination % count;
    return static_cast<std::uint32_t>(base::random_bits(choice.hash, stream, 1) % count);
  }
  static bool in_use_more(const PathChoice& choice, std::uint32_t a, std::uint32_t b) {
    return choice.flows_on != nullptr &&
           (*choice.flows_on)[choice.first_link + a] > (*choice.flows_on)[choice.first_link + b];
  }

  bool within(std::uint32_t from, std::uint32_t to, std::uint32_t destination, const PathChoice& choice,
              std::vector<std::uint32_t>& links) const {
    const std::uint32_t wanted = hashed(choice, destination, 0, spines_);
    std::uint32_t best = spines_;
    const auto second = static_cast<std::uint32_t>(base::random_bits(choice.hash, 0, 2) % spines_);
    for (std::uint32_t i = 0; i <= spines_; ++i) {
      const std::uint32_t spine = PathChoice::attempt(i, wanted, second, spines_);
      if (!choice.alive(up_to(from, spine)) || !choice.alive(up_to(to, spine) + 1)) continue;
      if (best == spines_ || in_use_more(choice, up_to(from, best), up_to(from, spine))) best = spine;
      if (choice.flows_on == nullptr) break;
    }
    return best < spines_ && add(up_to(from, best), choice, links) && add(up_to(to, best) + 1, choice, links);
  }

  bool across(std::uint32_t from, std::uint32_t to, std::uint32_t destination, const PathChoice& choice,
              std::vector<std::uint32_t>& links) const {
    const std::uint32_t here = from / leaves_;
    const std::uint32_t there = to / leaves_;
    const std::uint32_t first = first_global_ + (here * groups_ + there) * parallel_;
    std::uint32_t wanted = hashed(choice, destination, 1 + here * groups_ + there, parallel_);
    if (choice.flows_on != nullptr) wanted = choice.least_used(first, parallel_, wanted);
    const std::size_t mark = links.size();
    const auto second = static_cast<std::uint32_t>(base::random_bits(choice.hash, there, 3) % parallel_);
    for (std::uint32_t i = 0; i <= parallel_; ++i) {
      const std::uint32_t cable = PathChoice::attempt(i, wanted, second, parallel_);
      if (add(up_to(from, gateway(here, there, cable)), choice, links) && add(first + cable, choice, links) &&
          add(up_to(to, gateway(there, here, cable)) + 1, choice, links)) {
        return true;
      }
      links.resize(mark);
    }
    return false;
  }

  std::uint32_t groups_;
  std::uint32_t leaves_;
  std::uint32_t spines_;
  std::uint32_t hosts_;
  std::uint32_t parallel_;
  std::uint32_t first_local_;
  std::uint32_t first_global_;
  double global_s_;
  std::array<double, 3> rates_;
};

}  // namespace

std::shared_ptr<const Wiring> make_dragonfly_plus(const DragonflyPlus& shape) {
  return std::make_shared<DragonflyPlusWiring>(shape);
}

}  // namespace ampacity::network
