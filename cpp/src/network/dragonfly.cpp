// Dragonflies (Kim, Dally, Scott, Abts, ISCA 2008): switches of a group are all joined, groups are all joined by
// `global_links` cables whose ends are spread over the group's switches in turn. Minimal routes: at most local, global,
// local.
#include <cstddef>

#include "base/random.hpp"
#include "network/wiring.hpp"

namespace ampacity::network {
namespace {

class DragonflyWiring final : public Wiring {
 public:
  explicit DragonflyWiring(const Dragonfly& shape)
      : groups_(static_cast<std::uint32_t>(shape.groups)),
        switches_(static_cast<std::uint32_t>(shape.switches_per_group)),
        hosts_(static_cast<std::uint32_t>(shape.endpoints_per_switch)),
        parallel_(static_cast<std::uint32_t>(shape.global_links)),
        rates_{shape.endpoint_bytes_per_s, shape.local_bytes_per_s, shape.global_bytes_per_s} {
    first_local_ = 2 * endpoints();
    first_global_ = first_local_ + groups_ * switches_ * switches_;
  }

  [[nodiscard]] std::uint32_t endpoints() const override { return groups_ * switches_ * hosts_; }
  [[nodiscard]] std::uint32_t cables() const override { return first_global_ + groups_ * groups_ * parallel_; }
  [[nodiscard]] double bytes_per_s(std::uint32_t link) const override {
    return rates_[link < first_local_ ? 0 : link < first_global_ ? 1 : 2];
  }

  [[nodiscard]] std::string name(std::uint32_t link) const override {
    if (link < first_local_) {
      return "endpoint " + std::to_string(link / 2) + (link % 2 == 0 ? " up" : " down");
    }
    if (link < first_global_) {
      const std::uint32_t index = link - first_local_;
      return "group " + std::to_string(index / (switches_ * switches_)) + ", switch " +
             std::to_string(index / switches_ % switches_) + " to switch " + std::to_string(index % switches_);
    }
    const std::uint32_t index = link - first_global_;
    return "group " + std::to_string(index / parallel_ / groups_) + " to group " +
           std::to_string(index / parallel_ % groups_) + ", cable " + std::to_string(index % parallel_);
  }

  [[nodiscard]] std::vector<NetworkTier> tiers() const override {
    const std::int64_t groups = groups_;
    const std::int64_t switches = switches_;
    return {{"endpoint to switch", groups * switches, endpoints(), rates_[0]},
            {"within groups", 0, groups * (switches * (switches - 1) / 2), rates_[1]},
            {"between groups", 0, groups * (groups - 1) / 2 * parallel_, rates_[2]}};
  }

  [[nodiscard]] std::uint32_t switches() const override { return groups_ * switches_; }
  [[nodiscard]] std::string switch_name(std::uint32_t box) const override {
    return "group " + std::to_string(box / switches_) + ", switch " + std::to_string(box % switches_);
  }
  [[nodiscard]] std::size_t tier(std::uint32_t link) const override {
    return link < first_local_ ? 0 : link < first_global_ ? 1 : 2;
  }
  [[nodiscard]] LinkEnds ends(std::uint32_t link) const override {
    if (link < first_local_) {
      const std::uint32_t box = endpoints() + link / 2 / hosts_;
      return link % 2 == 0 ? LinkEnds{link / 2, box} : LinkEnds{box, link / 2};
    }
    if (link < first_global_) {
      const std::uint32_t from = (link - first_local_) / switches_;
      const std::uint32_t to = from / switches_ * switches_ + (link - first_local_) % switches_;
      return {endpoints() + from, endpoints() + to};
    }
    const auto [here, there, cable] = global(link);
    return {endpoints() + here * switches_ + gateway(here, there, cable),
            endpoints() + there * switches_ + gateway(there, here, cable)};
  }
  [[nodiscard]] std::uint32_t reverse(std::uint32_t link) const override {
    if (link < first_local_) return link ^ 1U;
    if (link < first_global_) {
      const LinkEnds found = ends(link);
      return local(found.to - endpoints(), found.from - endpoints());
    }
    const auto [here, there, cable] = global(link);
    return first_global_ + (there * groups_ + here) * parallel_ + cable;
  }

  [[nodiscard]] double bisection_bytes_per_s() const override {
    const std::uint32_t parts = groups_ == 1 ? switches_ : groups_;
    const std::uint32_t low = parts / 2;
    const double pairs = static_cast<double>(low) * static_cast<double>(parts - low);
    return groups_ == 1 ? pairs * rates_[1] : pairs * parallel_ * rates_[2];
  }

  [[nodiscard]] std::uint32_t neighbourhoods() const override { return 2; }
  [[nodiscard]] std::uint32_t neighbourhood(std::uint32_t endpoint, std::uint32_t level) const override {
    return endpoint / hosts_ / (level == 0 ? 1 : switches_);
  }

  bool route(std::uint32_t source, std::uint32_t destination, const PathChoice& choice,
             std::vector<std::uint32_t>& links) const override {
    const std::size_t before = links.size();
    const std::uint32_t from = source / hosts_;
    const std::uint32_t to = destination / hosts_;
    const std::uint32_t here = from / switches_;
    const std::uint32_t there = to / switches_;
    const auto fail = [&] {
      links.resize(before);
      return false;
    };
    if (!add(2 * source, choice, links) || !add(2 * destination + 1, choice, links)) return fail();
    if (here == there) return (from == to || add(local(from, to), choice, links)) || fail();
    std::uint32_t wanted = choice.routing == Routing::d_mod_k
                               ? destination % parallel_
                               : static_cast<std::uint32_t>(base::random_bits(choice.hash, here, there) % parallel_);
    if (choice.flows_on != nullptr) {
      wanted = choice.least_used(first_global_ + (here * groups_ + there) * parallel_, parallel_, wanted);
    }
    const auto second = static_cast<std::uint32_t>(base::random_bits(choice.hash, there, here) % parallel_);
    for (std::uint32_t i = 0; i <= parallel_; ++i) {
      const std::size_t mark = links.size();
      const std::uint32_t cable = PathChoice::attempt(i, wanted, second, parallel_);
      const std::uint32_t leave = here * switches_ + gateway(here, there, cable);
      const std::uint32_t enter = there * switches_ + gateway(there, here, cable);
      if (add(first_global_ + (here * groups_ + there) * parallel_ + cable, choice, links) &&
          (from == leave || add(local(from, leave), choice, links)) &&
          (enter == to || add(local(enter, to), choice, links))) {
        return true;
      }
      links.resize(mark);
    }
    return fail();
  }

 private:
  static bool add(std::uint32_t link, const PathChoice& choice, std::vector<std::uint32_t>& links) {
    if (!choice.alive(link)) return false;
    links.push_back(link);
    return true;
  }
  struct GlobalLink {
    std::uint32_t from;
    std::uint32_t to;
    std::uint32_t cable;
  };
  [[nodiscard]] GlobalLink global(std::uint32_t link) const {
    const std::uint32_t index = link - first_global_;
    return {index / parallel_ / groups_, index / parallel_ % groups_, index % parallel_};
  }
  /// Link from one switch to another of the same group; both numbered over all groups.
  [[nodiscard]] std::uint32_t local(std::uint32_t from, std::uint32_t to) const {
    return first_local_ + from * switches_ + to % switches_;
  }
  /// Switch of `group` that holds a cable to `other`: ends are dealt out in turn.
  [[nodiscard]] std::uint32_t gateway(std::uint32_t group, std::uint32_t other, std::uint32_t cable) const {
    const std::uint32_t distance = (other + groups_ - group - 1) % groups_;
    return (distance * parallel_ + cable) % switches_;
  }

  std::uint32_t groups_;
  std::uint32_t switches_;
  std::uint32_t hosts_;
  std::uint32_t parallel_;
  std::uint32_t first_local_ = 0;
  std::uint32_t first_global_ = 0;
  std::array<double, 3> rates_;
};

}  // namespace

std::shared_ptr<const Wiring> make_dragonfly(const Dragonfly& shape) {
  return std::make_shared<DragonflyWiring>(shape);
}

}  // namespace ampacity::network
