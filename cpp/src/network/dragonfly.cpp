// Dragonflies (Kim, Dally, Scott, Abts, ISCA 2008): switches of a group are all joined, groups are all joined by
// `global_links` cables whose ends are spread over the group's switches in turn. Minimal routes: at most local, global,
// local.
#include <cstddef>

#include "base/random.hpp"
#include "network/dragonfly_places.hpp"
#include "network/wiring.hpp"

namespace ampacity::network {
namespace {

class DragonflyWiring final : public Wiring {
 public:
  explicit DragonflyWiring(const Dragonfly& shape)
      : at_{static_cast<std::uint32_t>(shape.groups), static_cast<std::uint32_t>(shape.switches_per_group),
            static_cast<std::uint32_t>(shape.endpoints_per_switch), static_cast<std::uint32_t>(shape.global_links)},
        rates_{shape.endpoint_bytes_per_s, shape.local_bytes_per_s, shape.global_bytes_per_s} {}

  [[nodiscard]] const DragonflyPlaces* dragonfly() const override { return &at_; }

  [[nodiscard]] std::uint32_t endpoints() const override { return at_.endpoints(); }
  [[nodiscard]] std::uint32_t cables() const override { return at_.cables(); }
  [[nodiscard]] double bytes_per_s(std::uint32_t link) const override {
    return rates_[link < at_.first_local() ? 0 : link < at_.first_global() ? 1 : 2];
  }

  [[nodiscard]] std::string name(std::uint32_t link) const override {
    if (link < at_.first_local()) {
      return "endpoint " + std::to_string(link / 2) + (link % 2 == 0 ? " up" : " down");
    }
    if (link < at_.first_global()) {
      const std::uint32_t index = link - at_.first_local();
      return "group " + std::to_string(index / (at_.switches * at_.switches)) + ", switch " +
             std::to_string(index / at_.switches % at_.switches) + " to switch " + std::to_string(index % at_.switches);
    }
    const std::uint32_t index = link - at_.first_global();
    return "group " + std::to_string(index / at_.parallel / at_.groups) + " to group " +
           std::to_string(index / at_.parallel % at_.groups) + ", cable " + std::to_string(index % at_.parallel);
  }

  [[nodiscard]] std::vector<NetworkTier> tiers() const override {
    const std::int64_t groups = at_.groups;
    const std::int64_t switches = at_.switches;
    return {{"endpoint to switch", groups * switches, endpoints(), rates_[0]},
            {"within groups", 0, groups * (switches * (switches - 1) / 2), rates_[1]},
            {"between groups", 0, groups * (groups - 1) / 2 * at_.parallel, rates_[2]}};
  }

  [[nodiscard]] std::uint32_t switches() const override { return at_.groups * at_.switches; }
  [[nodiscard]] std::string switch_name(std::uint32_t box) const override {
    return "group " + std::to_string(box / at_.switches) + ", switch " + std::to_string(box % at_.switches);
  }
  [[nodiscard]] std::size_t tier(std::uint32_t link) const override {
    return link < at_.first_local() ? 0 : link < at_.first_global() ? 1 : 2;
  }
  [[nodiscard]] LinkEnds ends(std::uint32_t link) const override {
    if (link < at_.first_local()) {
      const std::uint32_t box = endpoints() + link / 2 / at_.hosts;
      return link % 2 == 0 ? LinkEnds{link / 2, box} : LinkEnds{box, link / 2};
    }
    if (link < at_.first_global()) {
      const std::uint32_t from = (link - at_.first_local()) / at_.switches;
      const std::uint32_t to = from / at_.switches * at_.switches + (link - at_.first_local()) % at_.switches;
      return {endpoints() + from, endpoints() + to};
    }
    const auto [here, there, cable] = global(link);
    return {endpoints() + at_.gateway(here, there, cable), endpoints() + at_.gateway(there, here, cable)};
  }
  [[nodiscard]] std::uint32_t reverse(std::uint32_t link) const override {
    if (link < at_.first_local()) return link ^ 1U;
    if (link < at_.first_global()) {
      const LinkEnds found = ends(link);
      return at_.local(found.to - endpoints(), found.from - endpoints());
    }
    const auto [here, there, cable] = global(link);
    return at_.first_global() + (there * at_.groups + here) * at_.parallel + cable;
  }

  [[nodiscard]] double bisection_bytes_per_s() const override {
    const std::uint32_t parts = at_.groups == 1 ? at_.switches : at_.groups;
    const std::uint32_t low = parts / 2;
    const double pairs = static_cast<double>(low) * static_cast<double>(parts - low);
    return at_.groups == 1 ? pairs * rates_[1] : pairs * at_.parallel * rates_[2];
  }

  [[nodiscard]] std::uint32_t neighbourhoods() const override { return 2; }
  [[nodiscard]] std::uint32_t neighbourhood(std::uint32_t endpoint, std::uint32_t level) const override {
    return endpoint / at_.hosts / (level == 0 ? 1 : at_.switches);
  }

  bool route(std::uint32_t source, std::uint32_t destination, const PathChoice& choice,
             std::vector<std::uint32_t>& links) const override {
    const std::size_t before = links.size();
    const std::uint32_t from = source / at_.hosts;
    const std::uint32_t to = destination / at_.hosts;
    const std::uint32_t here = from / at_.switches;
    const std::uint32_t there = to / at_.switches;
    const auto fail = [&] {
      links.resize(before);
      return false;
    };
    if (!add(2 * source, choice, links) || !add(2 * destination + 1, choice, links)) return fail();
    if (here == there) return (from == to || add(at_.local(from, to), choice, links)) || fail();
    std::uint32_t wanted = choice.routing == Routing::d_mod_k
                               ? destination % at_.parallel
                               : static_cast<std::uint32_t>(base::random_bits(choice.hash, here, there) % at_.parallel);
    if (choice.flows_on != nullptr) {
      wanted = choice.least_used(at_.first_global() + (here * at_.groups + there) * at_.parallel, at_.parallel, wanted);
    }
    const auto second = static_cast<std::uint32_t>(base::random_bits(choice.hash, there, here) % at_.parallel);
    for (std::uint32_t i = 0; i <= at_.parallel; ++i) {
      const std::size_t mark = links.size();
      const std::uint32_t cable = PathChoice::attempt(i, wanted, second, at_.parallel);
      const std::uint32_t leave = at_.gateway(here, there, cable);
      const std::uint32_t enter = at_.gateway(there, here, cable);
      if (add(at_.first_global() + (here * at_.groups + there) * at_.parallel + cable, choice, links) &&
          (from == leave || add(at_.local(from, leave), choice, links)) &&
          (enter == to || add(at_.local(enter, to), choice, links))) {
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
    const std::uint32_t index = link - at_.first_global();
    return {index / at_.parallel / at_.groups, index / at_.parallel % at_.groups, index % at_.parallel};
  }

  DragonflyPlaces at_;
  std::array<double, 3> rates_;
};

}  // namespace

std::shared_ptr<const Wiring> make_dragonfly(const Dragonfly& shape) {
  return std::make_shared<DragonflyWiring>(shape);
}

}  // namespace ampacity::network
