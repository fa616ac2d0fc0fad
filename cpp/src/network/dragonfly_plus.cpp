// Dragonfly+ (Shpiner, Haramaty, Eliad, Zdornov, Gafni, Zahavi, HiPINEB 2017): groups are leaves and spines, spines of
// different groups are joined; the cables between two groups are dealt out to their spines in turn. Minimal routes: to
// a leaf of the same group over any spine; to another group over the spines that hold a cable to it.
#include <array>
#include <cstddef>

#include "base/random.hpp"
#include "network/dragonfly_plus_places.hpp"
#include "network/wiring.hpp"

namespace ampacity::network {
namespace {

class DragonflyPlusWiring final : public Wiring {
 public:
  explicit DragonflyPlusWiring(const DragonflyPlus& shape)
      : at_{static_cast<std::uint32_t>(shape.groups), static_cast<std::uint32_t>(shape.leaves),
            static_cast<std::uint32_t>(shape.spines), static_cast<std::uint32_t>(shape.endpoints_per_leaf),
            static_cast<std::uint32_t>(shape.global_links)},
        first_local_(at_.first_local()),
        first_global_(at_.first_global()),
        global_s_(shape.global_m * kFibreSPerM),
        rates_{shape.endpoint_bytes_per_s, shape.local_bytes_per_s, shape.global_bytes_per_s} {}

  [[nodiscard]] std::uint32_t endpoints() const override { return at_.endpoints(); }
  [[nodiscard]] std::uint32_t cables() const override { return at_.cables(); }
  [[nodiscard]] double bytes_per_s(std::uint32_t link) const override { return rates_[tier(link)]; }
  [[nodiscard]] const DragonflyPlusPlaces* dragonfly_plus() const override { return &at_; }
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
      return "group " + std::to_string(cable.leaf / at_.leaves) + ", leaf " + std::to_string(cable.leaf % at_.leaves) +
             (link % 2 == 0 ? " to spine " : " from spine ") + std::to_string(cable.spine % at_.spines);
    }
    const Global cable = global(link);
    return "group " + std::to_string(cable.from) + " to group " + std::to_string(cable.to) + ", cable " +
           std::to_string(cable.number);
  }

  /// All leaves come first, then all spines.
  [[nodiscard]] std::uint32_t switches() const override { return at_.groups * (at_.leaves + at_.spines); }
  [[nodiscard]] std::string switch_name(std::uint32_t box) const override {
    const bool is_leaf = box < at_.groups * at_.leaves;
    const std::uint32_t index = is_leaf ? box : box - at_.groups * at_.leaves;
    const std::uint32_t each = is_leaf ? at_.leaves : at_.spines;
    return "group " + std::to_string(index / each) + (is_leaf ? ", leaf " : ", spine ") + std::to_string(index % each);
  }

  [[nodiscard]] LinkEnds ends(std::uint32_t link) const override {
    if (link < first_local_) {
      const std::uint32_t leaf = endpoints() + link / 2 / at_.hosts;
      return link % 2 == 0 ? LinkEnds{link / 2, leaf} : LinkEnds{leaf, link / 2};
    }
    const std::uint32_t first_spine = endpoints() + at_.groups * at_.leaves;
    if (link < first_global_) {
      const Local cable = local(link);
      const LinkEnds up{endpoints() + cable.leaf, first_spine + cable.spine};
      return link % 2 == 0 ? up : LinkEnds{up.to, up.from};
    }
    const Global cable = global(link);
    return {first_spine + at_.gateway(cable.from, cable.to, cable.number),
            first_spine + at_.gateway(cable.to, cable.from, cable.number)};
  }
  [[nodiscard]] std::uint32_t reverse(std::uint32_t link) const override {
    if (link < first_global_) return link ^ 1U;
    const Global cable = global(link);
    return first_global_ + (cable.to * at_.groups + cable.from) * at_.parallel + cable.number;
  }

  [[nodiscard]] std::vector<NetworkTier> tiers() const override {
    const std::int64_t groups = at_.groups;
    return {{"endpoint to leaf", groups * at_.leaves, endpoints(), rates_[0]},
            {"leaf to spine", groups * at_.spines, groups * at_.leaves * at_.spines, rates_[1]},
            {"between groups", 0, groups * (groups - 1) / 2 * at_.parallel, rates_[2]}};
  }

  [[nodiscard]] double bisection_bytes_per_s() const override {
    if (at_.groups == 1) return static_cast<double>(at_.leaves) * at_.spines * rates_[1] / 2;
    const std::uint32_t low = at_.groups / 2;
    return static_cast<double>(low) * (at_.groups - low) * at_.parallel * rates_[2];
  }

  bool route(std::uint32_t source, std::uint32_t destination, const PathChoice& choice,
             std::vector<std::uint32_t>& links) const override {
    const std::size_t before = links.size();
    const std::uint32_t from = source / at_.hosts;
    const std::uint32_t to = destination / at_.hosts;
    const bool joined =
        add(2 * source, choice, links) && add(2 * destination + 1, choice, links) &&
        (from == to || (from / at_.leaves == to / at_.leaves ? within(from, to, destination, choice, links)
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
    const std::uint32_t leaf = index / at_.spines;
    return {leaf, leaf / at_.leaves * at_.spines + index % at_.spines};
  }
  [[nodiscard]] Global global(std::uint32_t link) const {
    const std::uint32_t index = link - first_global_;
    return {index / at_.parallel / at_.groups, index / at_.parallel % at_.groups, index % at_.parallel};
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
    const std::uint32_t wanted = hashed(choice, destination, 0, at_.spines);
    std::uint32_t best = at_.spines;
    const auto second = static_cast<std::uint32_t>(base::random_bits(choice.hash, 0, 2) % at_.spines);
    for (std::uint32_t i = 0; i <= at_.spines; ++i) {
      const std::uint32_t spine = PathChoice::attempt(i, wanted, second, at_.spines);
      if (!choice.alive(at_.up_to(from, spine)) || !choice.alive(at_.up_to(to, spine) + 1)) continue;
      if (best == at_.spines || in_use_more(choice, at_.up_to(from, best), at_.up_to(from, spine))) best = spine;
      if (choice.flows_on == nullptr) break;
    }
    return best < at_.spines && add(at_.up_to(from, best), choice, links) &&
           add(at_.up_to(to, best) + 1, choice, links);
  }

  bool across(std::uint32_t from, std::uint32_t to, std::uint32_t destination, const PathChoice& choice,
              std::vector<std::uint32_t>& links) const {
    const std::uint32_t here = from / at_.leaves;
    const std::uint32_t there = to / at_.leaves;
    const std::uint32_t first = first_global_ + (here * at_.groups + there) * at_.parallel;
    std::uint32_t wanted = hashed(choice, destination, 1 + here * at_.groups + there, at_.parallel);
    if (choice.flows_on != nullptr) wanted = choice.least_used(first, at_.parallel, wanted);
    const std::size_t mark = links.size();
    const auto second = static_cast<std::uint32_t>(base::random_bits(choice.hash, there, 3) % at_.parallel);
    for (std::uint32_t i = 0; i <= at_.parallel; ++i) {
      const std::uint32_t cable = PathChoice::attempt(i, wanted, second, at_.parallel);
      if (add(at_.up_to(from, at_.gateway(here, there, cable)), choice, links) && add(first + cable, choice, links) &&
          add(at_.up_to(to, at_.gateway(there, here, cable)) + 1, choice, links)) {
        return true;
      }
      links.resize(mark);
    }
    return false;
  }

  DragonflyPlusPlaces at_;
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
