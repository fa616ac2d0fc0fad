// Dragonflies: switches of a group are all joined, and so are groups; detours over third groups and third switches.
#include <algorithm>
#include <cstddef>
#include <limits>
#include <utility>

#include "base/random.hpp"
#include "network/adaptive.hpp"
#include "network/dragonfly_places.hpp"
#include "network/wiring.hpp"

namespace ampacity::network {
namespace {

// Draws of a way before all are tried one after the other.
constexpr std::uint32_t draws = 8;

/// The fullest of a row or of a column.
struct Fullest {
  double use = 0;
  std::size_t at = 0;
};

class OnDragonfly final : public Adaptive {
 public:
  OnDragonfly(const Network::Plan& plan, double bytes_per_s);

  void settle_groups() override;
  void add_within_groups(std::uint32_t source, std::uint32_t destination, double demand) override;
  void settle_switches() override;

 private:
  static Shape shape_of(const DragonflyPlaces& at) { return {at.groups, at.switches, at.hosts, at.first_local()}; }
  bool add_part(std::uint32_t from, std::uint32_t to, std::uint64_t hash,
                std::vector<std::uint32_t>& links) const override;
  void set_switch_limits(std::uint32_t group, const Detours& found);
  void add_transit();
  void add_local(std::uint32_t from, std::uint32_t to, double demand);
  bool cross(std::uint32_t from, std::uint32_t to, std::uint64_t hash, std::vector<std::uint32_t>& links) const;
  bool hop(std::uint32_t from, std::uint32_t to, bool direct, std::uint64_t hash,
           std::vector<std::uint32_t>& links) const;
  bool direct(std::uint32_t from, std::uint32_t to, std::uint32_t cable, std::uint64_t hash,
              std::vector<std::uint32_t>& links) const;
  bool over(std::uint32_t from, std::uint32_t to, std::uint32_t third, std::uint64_t hash,
            std::vector<std::uint32_t>& links) const;
  [[nodiscard]] std::uint32_t alive_cable(std::uint32_t here, std::uint32_t there, std::uint64_t hash) const;

  const DragonflyPlaces& at_;
  std::vector<JoinedNodes> switches_;  // of every group
  std::vector<double> cables_at_;      // working cables between groups, of every switch
  std::vector<std::vector<double>> direct_switches_;
};

OnDragonfly::OnDragonfly(const Network::Plan& plan, double bytes_per_s)
    : Adaptive(plan, bytes_per_s, shape_of(*plan.wiring->dragonfly())),
      at_(*plan.wiring->dragonfly()),
      switches_(at_.groups, joined_nodes(at_.switches)),
      cables_at_(std::size_t{at_.groups} * at_.switches, 0) {
  for (std::uint32_t g = 0; g < at_.groups; ++g) {
    for (std::uint32_t h = 0; h < at_.groups; ++h) {
      for (std::uint32_t cable = 0; g != h && cable < at_.parallel; ++cable) {
        const double here = capacity(at_.global(g, h, cable));
        groups_.capacity[g * at_.groups + h] += here;
        if (here > 0) cables_at_[at_.gateway(g, h, cable)] += 1;
      }
    }
    for (std::uint32_t a = 0; a < at_.switches; ++a) {
      for (std::uint32_t b = 0; b < at_.switches; ++b) {
        if (a != b) switches_[g].capacity[a * at_.switches + b] = capacity(at_.local(g * at_.switches + a, b));
      }
    }
  }
}

void OnDragonfly::settle_groups() {
  Adaptive::settle_groups([this](std::uint32_t from, std::uint32_t to) { return at_.global(from, to, 0); });
  add_transit();
}

/// What crosses groups on its way to others: from the switches where it enters to those where it leaves.
void OnDragonfly::add_transit() {
  const std::vector<double> through = transit();
  const std::size_t switches = at_.switches;
  for (std::size_t k = 0; k < at_.groups; ++k) {
    if (through[k] <= 0) continue;
    const double* const cables = cables_at_.data() + k * switches;
    double all = 0;
    for (std::size_t a = 0; a < switches; ++a) all += cables[a];
    for (std::size_t at = 0; at < switches * switches; ++at) {
      switches_[k].beside[at] += through[k] * cables[at / switches] * cables[at % switches] / (all * all);
    }
  }
}

void OnDragonfly::add_local(std::uint32_t from, std::uint32_t to, double demand) {
  if (from == to) return;
  switches_[from / at_.switches].beside[from % at_.switches * at_.switches + to % at_.switches] += demand;
}

/// Between endpoints of one group, and from endpoints to the cables to other groups and back.
void OnDragonfly::add_within_groups(std::uint32_t source, std::uint32_t destination, double demand) {
  const std::uint32_t from = source / at_.hosts;
  const std::uint32_t to = destination / at_.hosts;
  if (from == to) return;
  leaving_[from] += demand;
  entering_[to] += demand;
  const std::uint32_t here = from / at_.switches;
  const std::uint32_t there = to / at_.switches;
  if (here == there) {
    switches_[here].demand[from % at_.switches * at_.switches + to % at_.switches] += demand;
    return;
  }
  const double direct = demand * direct_groups_[here * at_.groups + there];
  const double each = direct / at_.parallel;
  for (std::uint32_t cable = 0; cable < at_.parallel && direct > 0; ++cable) {
    add_local(from, at_.gateway(here, there, cable), each);
    add_local(at_.gateway(there, here, cable), to, each);
  }
  if (demand - direct <= 0) return;
  const auto spread = [&](std::uint32_t group, const auto& add) {
    double all = 0;
    for (std::uint32_t a = group * at_.switches; a < (group + 1) * at_.switches; ++a) all += cables_at_[a];
    for (std::uint32_t a = group * at_.switches; a < (group + 1) * at_.switches; ++a) {
      if (cables_at_[a] > 0) add(a, (demand - direct) * cables_at_[a] / all);
    }
  };
  spread(here, [&](std::uint32_t gateway, double part) { add_local(from, gateway, part); });
  spread(there, [&](std::uint32_t gateway, double part) { add_local(gateway, to, part); });
}

void OnDragonfly::set_switch_limits(std::uint32_t group, const Detours& found) {
  const std::size_t n = at_.switches;
  const std::uint32_t first = group * at_.switches;
  for (std::uint32_t a = 0; a < n; ++a) {
    for (const bool into : {false, true}) {
      Fullest fullest;
      for (std::size_t b = 0; b < n; ++b) {
        const std::size_t at = into ? b * n + a : a * n + b;
        if (found.use[at] > fullest.use) fullest = {found.use[at], at};
      }
      const auto from = first + static_cast<std::uint32_t>(fullest.at / n);
      const auto to = static_cast<std::uint32_t>(fullest.at % n);
      const double streams = (into ? entering_ : leaving_)[first + a];
      set_limit(limit(into, true, first + a), streams, fullest.use, at_.local(from, to));
    }
  }
}

void OnDragonfly::settle_switches() {
  for (std::uint32_t g = 0; g < at_.groups; ++g) {
    JoinedNodes& net = switches_[g];
    for (std::size_t at = 0; at < net.demand.size(); ++at) {
      // What would cross a failed cable on its way to another group goes round it as well.
      if (net.capacity[at] > 0) continue;
      net.demand[at] += std::exchange(net.beside[at], 0.0);
    }
    const Detours found = detours_of(net);
    set_switch_limits(g, found);
    direct_switches_.push_back(found.direct);
  }
}

bool OnDragonfly::add_part(std::uint32_t from, std::uint32_t to, std::uint64_t hash,
                           std::vector<std::uint32_t>& links) const {
  const std::uint32_t here = from / at_.switches;
  if (here != to / at_.switches) return cross(from, to, hash, links);
  const double share = direct_switches_[here][from % at_.switches * at_.switches + to % at_.switches];
  return hop(from, to, base::uniform(hash) < share, base::mixed(hash), links);
}

/// From one switch to another of a group; where that cable is down, or not `direct`, over a third one.
bool OnDragonfly::hop(std::uint32_t from, std::uint32_t to, bool direct, std::uint64_t hash,
                      std::vector<std::uint32_t>& links) const {
  if (from == to) return true;
  if (direct && alive(at_.local(from, to))) {
    links.push_back(at_.local(from, to));
    return true;
  }
  const std::uint32_t first = from / at_.switches * at_.switches;
  const auto start = static_cast<std::uint32_t>(hash % at_.switches);
  for (std::uint32_t i = 0; i < at_.switches; ++i) {
    const std::uint32_t third = first + (start + i) % at_.switches;
    if (third == from || third == to || !alive(at_.local(from, third)) || !alive(at_.local(third, to))) continue;
    links.push_back(at_.local(from, third));
    links.push_back(at_.local(third, to));
    return true;
  }
  if (direct || !alive(at_.local(from, to))) return false;
  links.push_back(at_.local(from, to));
  return true;
}

std::uint32_t OnDragonfly::alive_cable(std::uint32_t here, std::uint32_t there, std::uint64_t hash) const {
  const auto start = static_cast<std::uint32_t>(hash % at_.parallel);
  for (std::uint32_t i = 0; i < at_.parallel; ++i) {
    const std::uint32_t cable = (start + i) % at_.parallel;
    if (alive(at_.global(here, there, cable))) return cable;
  }
  return at_.parallel;
}

bool OnDragonfly::direct(std::uint32_t from, std::uint32_t to, std::uint32_t cable, std::uint64_t hash,
                         std::vector<std::uint32_t>& links) const {
  const std::uint32_t here = from / at_.switches;
  const std::uint32_t there = to / at_.switches;
  if (cable == at_.parallel) return false;
  const std::size_t first = links.size();
  if (hop(from, at_.gateway(here, there, cable), true, base::mixed(hash), links)) {
    links.push_back(at_.global(here, there, cable));
    if (hop(at_.gateway(there, here, cable), to, true, base::mixed(hash + 1), links)) return true;
  }
  links.resize(first);
  return false;
}

bool OnDragonfly::over(std::uint32_t from, std::uint32_t to, std::uint32_t third, std::uint64_t hash,
                       std::vector<std::uint32_t>& links) const {
  const std::uint32_t here = from / at_.switches;
  const std::uint32_t there = to / at_.switches;
  if (third == here || third == there) return false;
  const std::uint32_t cable = alive_cable(third, there, base::mixed(hash + 2));
  if (cable == at_.parallel) return false;
  const std::size_t first = links.size();
  const std::uint32_t leave = at_.gateway(third, there, cable);
  if (direct(from, leave, alive_cable(here, third, base::mixed(hash + 3)), hash, links) &&
      direct(leave, to, cable, hash + 4, links)) {
    return true;
  }
  links.resize(first);
  return false;
}

/// From a switch of one group to one of another: the direct share of parts direct, others over third groups.
bool OnDragonfly::cross(std::uint32_t from, std::uint32_t to, std::uint64_t hash,
                        std::vector<std::uint32_t>& links) const {
  const std::uint32_t here = from / at_.switches;
  const std::uint32_t there = to / at_.switches;
  const auto go_direct = [&] { return direct(from, to, alive_cable(here, there, base::mixed(hash)), hash, links); };
  const bool wants_direct = base::uniform(hash) < direct_groups_[here * at_.groups + there];
  if (wants_direct && go_direct()) return true;
  for (std::uint32_t i = 0; i < draws; ++i) {
    const std::uint64_t drawn = base::random_bits(hash, i, 7);
    if (over(from, to, static_cast<std::uint32_t>(drawn % at_.groups), drawn, links)) return true;
  }
  for (std::uint32_t third = 0; third < at_.groups; ++third) {
    if (over(from, to, third, hash, links)) return true;
  }
  return !wants_direct && go_direct();
}

}  // namespace

std::unique_ptr<Adaptive> adaptive_on_dragonfly(const Network::Plan& plan, double bytes_per_s) {
  return std::make_unique<OnDragonfly>(plan, bytes_per_s);
}

}  // namespace ampacity::network
