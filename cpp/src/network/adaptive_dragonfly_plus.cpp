// Dragonfly+: inside a group streams spread over all spines; between groups they go direct while cables carry them, the
// rest over third groups (Shpiner et al., HiPINEB 2017), where it goes down to a leaf and up again unless the spine
// that it enters holds a cable to where it goes.
#include <cstddef>

#include "base/random.hpp"
#include "network/adaptive.hpp"
#include "network/dragonfly_plus_places.hpp"
#include "network/wiring.hpp"

namespace ampacity::network {
namespace {

// Draws of a way before all are tried one after the other.
constexpr std::uint32_t draws = 8;

class OnDragonflyPlus final : public Adaptive {
 public:
  OnDragonflyPlus(const Network::Plan& plan, double bytes_per_s)
      : Adaptive(plan, bytes_per_s, shape_of(*plan.wiring->dragonfly_plus())), at_(*plan.wiring->dragonfly_plus()) {
    for (std::uint32_t g = 0; g < at_.groups; ++g) {
      for (std::uint32_t h = 0; h < at_.groups; ++h) {
        for (std::uint32_t cable = 0; g != h && cable < at_.parallel; ++cable) {
          groups_.capacity[g * at_.groups + h] += capacity(at_.global(g, h, cable));
        }
      }
    }
  }

  void settle_groups() override {
    Adaptive::settle_groups([this](std::uint32_t from, std::uint32_t to) { return at_.global(from, to, 0); });
  }

  void add_within_groups(std::uint32_t source, std::uint32_t destination, double demand) override {
    const std::uint32_t from = source / at_.hosts;
    const std::uint32_t to = destination / at_.hosts;
    if (from == to) return;
    leaving_[from] += demand;
    entering_[to] += demand;
  }

  /// Spines balance what a leaf sends: its cables up carry equal parts of it, and of what crosses the group.
  void settle_switches() override {
    const std::vector<double> through = transit();
    for (std::uint32_t leaf = 0; leaf < at_.groups * at_.leaves; ++leaf) {
      const std::uint32_t group = leaf / at_.leaves;
      const double beside = through[group] * changes_spine(group) / at_.leaves;
      for (const std::uint32_t way : {0U, 1U}) {
        double capacity_here = 0;
        for (std::uint32_t spine = 0; spine < at_.spines; ++spine) {
          capacity_here += capacity(at_.up_to(leaf, spine) + way);
        }
        const double streams = way == 0 ? leaving_[leaf] : entering_[leaf];
        const double use = capacity_here > 0 ? (streams + beside) / capacity_here : 0;
        set_limit(limit(way == 1, true, leaf), streams, use, at_.up_to(leaf, 0) + way);
      }
    }
  }

 private:
  static Shape shape_of(const DragonflyPlusPlaces& at) { return {at.groups, at.leaves, at.hosts, at.first_local()}; }

  /// Of pairs of cables of a group the share that lies on two spines.
  [[nodiscard]] double changes_spine(std::uint32_t group) const {
    std::vector<double> cables(at_.spines, 0);
    double all = 0;
    for (std::uint32_t other = 0; other < at_.groups; ++other) {
      for (std::uint32_t cable = 0; other != group && cable < at_.parallel; ++cable) {
        cables[at_.gateway(group, other, cable) % at_.spines] += 1;
        all += 1;
      }
    }
    double same = 0;
    for (const double here : cables) same += here * here;
    return all > 0 ? 1 - same / (all * all) : 0;
  }

  bool add_part(std::uint32_t from, std::uint32_t to, std::uint64_t hash,
                std::vector<std::uint32_t>& links) const override {
    const std::uint32_t here = from / at_.leaves;
    const std::uint32_t there = to / at_.leaves;
    if (here == there) return over_spine(from, to, base::mixed(hash), links);
    const bool wants_direct = base::uniform(hash) < direct_groups_[here * at_.groups + there];
    if (wants_direct && direct(from, to, base::mixed(hash), links)) return true;
    for (std::uint32_t i = 0; i < draws; ++i) {
      const std::uint64_t drawn = base::random_bits(hash, i, 7);
      if (over_group(from, to, static_cast<std::uint32_t>(drawn % at_.groups), drawn, links)) return true;
    }
    for (std::uint32_t third = 0; third < at_.groups; ++third) {
      if (over_group(from, to, third, hash, links)) return true;
    }
    return !wants_direct && direct(from, to, base::mixed(hash), links);
  }

  bool over_spine(std::uint32_t from, std::uint32_t to, std::uint64_t hash, std::vector<std::uint32_t>& links) const {
    const auto start = static_cast<std::uint32_t>(hash % at_.spines);
    for (std::uint32_t i = 0; i < at_.spines; ++i) {
      const std::uint32_t spine = (start + i) % at_.spines;
      if (!alive(at_.up_to(from, spine)) || !alive(at_.up_to(to, spine) + 1)) continue;
      links.push_back(at_.up_to(from, spine));
      links.push_back(at_.up_to(to, spine) + 1);
      return true;
    }
    return false;
  }

  /// Over any cable between the two groups that works, and whose spines both leaves reach.
  bool direct(std::uint32_t from, std::uint32_t to, std::uint64_t hash, std::vector<std::uint32_t>& links) const {
    const std::uint32_t here = from / at_.leaves;
    const std::uint32_t there = to / at_.leaves;
    const auto start = static_cast<std::uint32_t>(hash % at_.parallel);
    for (std::uint32_t i = 0; i < at_.parallel; ++i) {
      const std::uint32_t cable = (start + i) % at_.parallel;
      const std::uint32_t up = at_.up_to(from, at_.gateway(here, there, cable));
      const std::uint32_t down = at_.up_to(to, at_.gateway(there, here, cable)) + 1;
      if (!alive(up) || !alive(at_.global(here, there, cable)) || !alive(down)) continue;
      links.insert(links.end(), {up, at_.global(here, there, cable), down});
      return true;
    }
    return false;
  }

  bool over_group(std::uint32_t from, std::uint32_t to, std::uint32_t third, std::uint64_t hash,
                  std::vector<std::uint32_t>& links) const {
    const std::uint32_t here = from / at_.leaves;
    const std::uint32_t there = to / at_.leaves;
    if (third == here || third == there) return false;
    const auto enter = static_cast<std::uint32_t>(base::mixed(hash + 1) % at_.parallel);
    const auto leave = static_cast<std::uint32_t>(base::mixed(hash + 2) % at_.parallel);
    const std::uint32_t first_spine = at_.gateway(third, here, enter);
    const std::uint32_t last_spine = at_.gateway(third, there, leave);
    const auto leaf = third * at_.leaves + static_cast<std::uint32_t>(base::mixed(hash + 3) % at_.leaves);
    std::vector<std::uint32_t> way{at_.up_to(from, at_.gateway(here, third, enter)), at_.global(here, third, enter)};
    if (first_spine != last_spine) {
      way.insert(way.end(), {at_.up_to(leaf, first_spine) + 1, at_.up_to(leaf, last_spine)});
    }
    way.insert(way.end(), {at_.global(third, there, leave), at_.up_to(to, at_.gateway(there, third, leave)) + 1});
    for (const std::uint32_t link : way) {
      if (!alive(link)) return false;
    }
    links.insert(links.end(), way.begin(), way.end());
    return true;
  }

  const DragonflyPlusPlaces& at_;
};

}  // namespace

std::unique_ptr<Adaptive> adaptive_on_dragonfly_plus(const Network::Plan& plan, double bytes_per_s) {
  return std::make_unique<OnDragonflyPlus>(plan, bytes_per_s);
}

}  // namespace ampacity::network
