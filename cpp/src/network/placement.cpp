// Placement of ranks: an order of the free endpoints, of which the job takes the first.
#include "ampacity/placement.hpp"

#include <algorithm>
#include <numeric>
#include <string>
#include <utility>

#include "ampacity/error.hpp"
#include "base/random.hpp"
#include "network/plan.hpp"

namespace ampacity {
namespace {

using Endpoints = std::vector<std::int64_t>;

constexpr std::size_t named_at_most = 10;

/// Every value is an endpoint, and none comes twice.
void check_endpoints(const Network& network, std::span<const std::int64_t> endpoints, const std::string& name,
                     const std::string& rule_of_once) {
  std::vector<Problem> problems;
  constexpr std::int64_t nobody = -1;
  std::vector<std::int64_t> taken(static_cast<std::size_t>(network.endpoints()), nobody);
  for (std::size_t i = 0; i < endpoints.size() && problems.size() < named_at_most; ++i) {
    const std::string path = name + '[' + std::to_string(i) + ']';
    if (endpoints[i] < 0 || endpoints[i] >= network.endpoints()) {
      problems.push_back({path, std::to_string(endpoints[i]),
                          "must be an endpoint, 0 to " + std::to_string(network.endpoints() - 1), ""});
      continue;
    }
    std::int64_t& first = taken[static_cast<std::size_t>(endpoints[i])];
    if (first != nobody) {
      problems.push_back(
          {path, std::to_string(endpoints[i]), rule_of_once, name + '[' + std::to_string(first) + "] has it already"});
    } else {
      first = static_cast<std::int64_t>(i);
    }
  }
  if (!problems.empty()) throw InvalidSpec(std::move(problems));
}

/// Domains in random order (Fisher and Yates, keyed by position), the endpoints of each in theirs.
void scatter(Endpoints& free, std::int64_t domain, std::uint64_t seed) {
  std::vector<std::pair<std::size_t, std::size_t>> blocks;  // begin and end
  for (std::size_t i = 0; i < free.size(); ++i) {
    if (i == 0 || free[i] / domain != free[i - 1] / domain) blocks.emplace_back(i, i);
    blocks.back().second = i + 1;
  }
  for (std::size_t i = blocks.size(); i > 1; --i) {
    std::swap(blocks[i - 1], blocks[base::random_bits(seed, i, 0) % i]);
  }
  Endpoints order;
  order.reserve(free.size());
  for (const auto& [begin, end] : blocks) {
    order.insert(order.end(), free.begin() + static_cast<std::ptrdiff_t>(begin),
                 free.begin() + static_cast<std::ptrdiff_t>(end));
  }
  free = std::move(order);
}

/// Chooses endpoints that hang together: where one neighbourhood has enough, the smallest that does; where none has,
/// the fullest first, so that few are used.
class Gatherer {
 public:
  Gatherer(const Network::Plan& plan, Endpoints& chosen) : plan_(plan), chosen_(chosen) {}

  /// `free` lies in one neighbourhood of `level` (all of the network, at the top) and has at least `wanted`.
  void take(std::span<const std::int64_t> free, std::uint32_t level, std::size_t wanted) {
    if (free.size() == wanted || level == 0) {
      chosen_.insert(chosen_.end(), free.begin(), free.begin() + static_cast<std::ptrdiff_t>(wanted));
      return;
    }
    std::vector<std::span<const std::int64_t>> parts = split(free, level - 1);
    std::stable_sort(parts.begin(), parts.end(), [](auto a, auto b) { return a.size() > b.size(); });
    for (auto part = parts.begin(); wanted > 0; ++part) {
      if (part->size() >= wanted) {
        // Of those that have enough the smallest, and of equals the first.
        auto smallest = part;
        for (auto other = part; other != parts.end() && other->size() >= wanted; ++other) {
          if (other->size() < smallest->size()) smallest = other;
        }
        return take(*smallest, level - 1, wanted);
      }
      take(*part, level - 1, part->size());
      wanted -= part->size();
    }
  }

 private:
  [[nodiscard]] std::vector<std::span<const std::int64_t>> split(std::span<const std::int64_t> free,
                                                                 std::uint32_t level) const {
    std::vector<std::span<const std::int64_t>> parts;
    std::size_t begin = 0;
    for (std::size_t i = 1; i <= free.size(); ++i) {
      if (i < free.size() && neighbourhood(free[i], level) == neighbourhood(free[begin], level)) continue;
      parts.push_back(free.subspan(begin, i - begin));
      begin = i;
    }
    return parts;
  }
  [[nodiscard]] std::uint32_t neighbourhood(std::int64_t endpoint, std::uint32_t level) const {
    return plan_.neighbourhood(static_cast<std::uint32_t>(endpoint), level);
  }

  const Network::Plan& plan_;
  Endpoints& chosen_;
};

void gather(const Network::Plan& plan, Endpoints& free, std::size_t wanted) {
  // Side by side in the network: by neighbourhoods from the largest to the smallest, then along the wiring.
  const std::uint32_t levels = plan.neighbourhoods();
  const auto before = [&](std::int64_t a, std::int64_t b) {
    const auto from = static_cast<std::uint32_t>(a);
    const auto to = static_cast<std::uint32_t>(b);
    for (std::uint32_t level = levels; level-- > 0;) {
      const std::uint32_t one = plan.neighbourhood(from, level);
      const std::uint32_t other = plan.neighbourhood(to, level);
      if (one != other) return one < other;
    }
    return plan.wiring->along(from) < plan.wiring->along(to);
  };
  std::sort(free.begin(), free.end(), before);
  Endpoints chosen;
  chosen.reserve(wanted);
  Gatherer(plan, chosen).take(free, levels, wanted);
  std::sort(chosen.begin(), chosen.end(), before);
  free = std::move(chosen);
}

}  // namespace

void check_placement(const Network& network, std::span<const std::int64_t> endpoints) {
  check_endpoints(network, endpoints, "ranks", "an endpoint holds one rank");
}

std::vector<std::int64_t> place_ranks(const Network& network, std::int64_t ranks, const PlacementOptions& options) {
  Endpoints free;
  if (options.available) {
    check_endpoints(network, *options.available, "available", "must be named once");
    free.assign(options.available->begin(), options.available->end());
  } else {
    free.resize(static_cast<std::size_t>(network.endpoints()));
    std::iota(free.begin(), free.end(), 0);
  }
  std::vector<Problem> problems;
  const auto most = static_cast<std::int64_t>(free.size());
  if (ranks < 1 || ranks > most) {
    problems.push_back({"ranks", std::to_string(ranks), "must be between 1 and " + std::to_string(most),
                        "one rank for each endpoint that is free"});
  }
  const std::int64_t domain = network.plan().options.domain;
  const std::int64_t rails = options.rails == 0 ? domain : options.rails;
  if (rails < 1 || rails > network.endpoints()) {
    problems.push_back({"rails", std::to_string(options.rails),
                        "must be between 1 and " + std::to_string(network.endpoints()), "0 takes the scale-up domain"});
  }
  if (!problems.empty()) throw InvalidSpec(std::move(problems));

  const auto wanted = static_cast<std::size_t>(ranks);
  if (options.kind == Placement::topology_aware) {
    gather(network.plan(), free, wanted);
    return free;
  }
  std::sort(free.begin(), free.end());
  if (options.kind == Placement::scattered) scatter(free, domain, options.seed);
  free.resize(wanted);
  if (options.kind == Placement::by_rail) {
    std::stable_sort(free.begin(), free.end(), [&](std::int64_t a, std::int64_t b) { return a % rails < b % rails; });
  }
  return free;
}

}  // namespace ampacity
