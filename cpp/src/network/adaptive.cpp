#include "network/adaptive.hpp"

#include <cstddef>
#include <limits>

#include "base/random.hpp"
#include "network/wiring.hpp"

namespace ampacity::network {
namespace {

/// The fullest of a row or of a column.
struct Fullest {
  double use = 0;
  std::size_t at = 0;
};

}  // namespace

JoinedNodes joined_nodes(std::size_t nodes) {
  const std::vector<double> nothing(nodes * nodes, 0);
  return {nodes, nothing, nothing, nothing};
}

std::unique_ptr<Adaptive> adaptive_for(const Network::Plan& plan, double bytes_per_s) {
  if (plan.planes() > 1) return nullptr;
  if (plan.wiring->dragonfly() != nullptr) return adaptive_on_dragonfly(plan, bytes_per_s);
  if (plan.wiring->dragonfly_plus() != nullptr) return adaptive_on_dragonfly_plus(plan, bytes_per_s);
  return nullptr;
}

Adaptive::Adaptive(const Network::Plan& plan, double bytes_per_s, const Shape& shape)
    : plan_(plan),
      shape_(shape),
      bytes_per_s_(bytes_per_s),
      first_limit_(plan.all_links()),
      groups_(joined_nodes(shape.groups)),
      leaving_(std::size_t{shape.groups} * shape.switches, 0),
      entering_(leaving_),
      limit_bytes_per_s_(2 * (shape.groups + leaving_.size()), std::numeric_limits<double>::infinity()),
      fullest_(limit_bytes_per_s_.size(), 0) {}

std::uint32_t Adaptive::limit(bool into, bool of_switch, std::uint32_t index) const {
  const std::uint32_t switches = shape_.groups * shape_.switches;
  const std::uint32_t before = of_switch ? 2 * shape_.groups : 0;
  return first_limit_ + before + (into ? (of_switch ? switches : shape_.groups) : 0) + index;
}

void Adaptive::add_between_groups(std::uint32_t source, std::uint32_t destination, double demand) {
  const std::uint32_t here = group_of(source);
  const std::uint32_t there = group_of(destination);
  if (here != there) groups_.demand[here * shape_.groups + there] += demand;
}

void Adaptive::set_limit(std::uint32_t limit, double streams, double use, std::uint32_t cable) {
  if (streams <= 0 || use <= 0) return;
  limit_bytes_per_s_[limit - first_limit_] = streams * bytes_per_s_ / use;
  fullest_[limit - first_limit_] = cable;
}

void Adaptive::settle_groups(const std::function<std::uint32_t(std::uint32_t, std::uint32_t)>& cable) {
  const Detours found = detours_of(groups_);
  direct_groups_ = found.direct;
  const std::size_t n = shape_.groups;
  for (std::uint32_t g = 0; g < n; ++g) {
    for (const bool into : {false, true}) {
      Fullest fullest;
      double streams = 0;
      for (std::size_t h = 0; h < n; ++h) {
        const std::size_t at = into ? h * n + g : g * n + h;
        streams += groups_.demand[at];
        if (found.use[at] > fullest.use) fullest = {found.use[at], at};
      }
      const auto from = static_cast<std::uint32_t>(fullest.at / n);
      const auto to = static_cast<std::uint32_t>(fullest.at % n);
      set_limit(limit(into, false, g), streams, fullest.use, cable(from, to));
    }
  }
}

std::vector<double> Adaptive::transit() const {
  const std::size_t n = shape_.groups;
  std::vector<double> out(n, 0);
  for (std::size_t at = 0; at < n * n; ++at) out[at / n] += groups_.capacity[at];
  std::vector<double> through(n, 0);
  for (std::size_t at = 0; at < n * n; ++at) {
    const double detoured = groups_.demand[at] * (1 - direct_groups_[at]);
    const std::size_t g = at / n;
    const std::size_t h = at % n;
    const double others = out[g] - groups_.capacity[at];
    if (detoured <= 0 || others <= 0) continue;
    for (std::size_t k = 0; k < n; ++k) {
      if (k != g && k != h) through[k] += detoured * groups_.capacity[g * n + k] / others;
    }
  }
  return through;
}

bool Adaptive::route(std::uint32_t source, std::uint32_t destination, std::uint64_t flow,
                     std::vector<std::uint32_t>& links, std::uint32_t& whole) const {
  const std::size_t first = links.size();
  if (!alive(2 * source) || !alive(2 * destination + 1)) return false;
  links.push_back(2 * source);
  links.push_back(2 * destination + 1);
  const std::uint32_t from = source / shape_.hosts;
  const std::uint32_t to = destination / shape_.hosts;
  const std::uint32_t here = from / shape_.switches;
  const std::uint32_t there = to / shape_.switches;
  if (from != to) {
    links.push_back(limit(false, true, from));
    links.push_back(limit(true, true, to));
  }
  if (here != there) {
    links.push_back(limit(false, false, here));
    links.push_back(limit(true, false, there));
  }
  whole = static_cast<std::uint32_t>(links.size() - first);
  for (std::uint32_t part = 0; from != to && part < parts; ++part) {
    if (add_part(from, to, base::mixed(flow ^ part), links)) continue;
    links.resize(first);
    return false;
  }
  return true;
}

}  // namespace ampacity::network
