#include "network/torus_places.hpp"

#include <algorithm>
#include <utility>

#include "network/protocol.hpp"
#include "network/shape.hpp"

namespace ampacity::network {
namespace {

constexpr std::size_t all_dimensions = (1U << kTorusDimensions) - 1;

bool has(std::size_t set, std::size_t dimension) {
  return (set >> dimension & 1U) != 0;
}

std::int64_t smallest_prime(std::int64_t n) {
  for (std::int64_t p = 2; p * p <= n; ++p) {
    if (n % p == 0) return p;
  }
  return n;
}

/// Of the dimensions that have room for a factor the one in which the block is shortest; of equal ones the longest.
std::size_t shortest_with_room(const TorusPlaces& places, const std::array<std::int64_t, kTorusDimensions>& block,
                               std::int64_t prime) {
  std::size_t best = kTorusDimensions;
  for (std::size_t d = 0; d < kTorusDimensions; ++d) {
    if (places.sides[d] / block[d] % prime != 0) continue;
    const bool better = best == kTorusDimensions || block[d] < block[best] ||
                        (block[d] == block[best] && places.sides[d] > places.sides[best]);
    if (better) best = d;
  }
  return best;
}

/// Blocks of one level after the other: `from` devices make one that is there, `to` the next.
class Levels {
 public:
  explicit Levels(TorusPlaces& places) : places_(places) {}

  void add(std::int64_t factor) {
    while (factor > 1) {
      const std::int64_t prime = smallest_prime(factor);
      const std::size_t dimension = shortest_with_room(places_, block_, prime);
      places_.digits[places_.count++] = {static_cast<std::int32_t>(prime), static_cast<std::uint8_t>(dimension), false};
      block_[dimension] *= prime;
      factor /= prime;
    }
    if (places_.count > 0) places_.digits[places_.count - 1U].ends_level = true;
  }

 private:
  TorusPlaces& places_;
  std::array<std::int64_t, kTorusDimensions> block_{1, 1, 1};
};

/// A ring that is closed by links of the torus; those of shorter sides are not there.
bool closes(const TorusPlaces& places, const TorusGroup& group, std::size_t dimension) {
  const std::int64_t side = group.extent[dimension] * group.hop[dimension];
  if (static_cast<double>(side) < kClosedSide) return false;
  return !places.placed() || side == places.sides[dimension];
}

/// Groups that levels cut across, and those of jobs that no block holds: a block of their own between others.
void lay_out_compactly(std::int64_t dimensions, std::int64_t ranks, std::int64_t stride, TorusGroup& group) {
  group.extent = torus_sides(ranks, dimensions);
  group.hop = torus_sides(stride, dimensions);
  // Sides ascend: the longest hops lie along the shortest ones.
  if (dimensions > 1) std::swap(group.hop[dimensions == 2 ? 1U : 0U], group.hop[2]);
}

/// Bytes that at least cross the dimensions of a set, of one that each member sends: they come last.
double least_share(const TorusGroup& group, std::size_t set) {
  double block = 1;
  for (std::size_t d = 0; d < kTorusDimensions; ++d) {
    if (has(set, d)) block *= static_cast<double>(group.extent[d]);
  }
  return (block - 1) / (static_cast<double>(group.members()) - 1);
}

double links_of(const TorusGroup& group, std::size_t set) {
  double links = 0;
  for (std::size_t d = 0; d < kTorusDimensions; ++d) {
    if (has(set, d)) links += group.links_of(d);
  }
  return links;
}

/// Of sets of dimensions beside those of `done` the one whose links have most to carry.
struct Busiest {
  std::size_t set = 0;
  double s_per_byte = 0;
};
Busiest busiest(const TorusGroup& group, std::size_t done) {
  Busiest found;
  for (std::size_t set = 1; set <= all_dimensions; ++set) {
    const double links = links_of(group, set);
    if ((set & done) != 0 || links <= 0) continue;
    const double load = (least_share(group, set | done) - least_share(group, done)) / links;
    if (load >= found.s_per_byte) found = {set, load};
  }
  return found;
}

/// Pairs of members of one row whose messages pass the fullest link of it, one direction.
double crossing(std::int64_t members, bool closed) {
  const auto n = static_cast<double>(members);
  const double odd = members % 2 == 0 ? 0 : 1;
  return (n * n - odd) / (closed ? 8 : 4);
}

}  // namespace

std::int64_t TorusPlaces::endpoints() const {
  return std::int64_t{sides[0]} * sides[1] * sides[2];
}

std::int64_t TorusPlaces::endpoint_of(std::int64_t rank) const {
  const std::array<std::int64_t, kTorusDimensions> pitch{1, sides[0], std::int64_t{sides[0]} * sides[1]};
  std::array<std::int64_t, kTorusDimensions> block{1, 1, 1};
  std::int64_t endpoint = 0;
  for (std::size_t first = 0; first < count;) {
    std::size_t end = first;
    std::int64_t level = 1;
    for (bool ended = false; !ended && end < count; ++end) {
      level *= digits[end].radix;
      ended = digits[end].ends_level;
    }
    std::int64_t index = rank % level;
    rank /= level;
    for (std::size_t k = first; k < end; ++k) {
      const Digit& digit = digits[k];
      const std::int64_t higher = index / digit.radix;
      const std::int64_t forth = index % digit.radix;
      const std::int64_t place = higher % 2 == 0 ? forth : digit.radix - 1 - forth;
      endpoint += place * block[digit.dimension] * pitch[digit.dimension];
      block[digit.dimension] *= digit.radix;
      index = higher;
    }
    first = end;
  }
  return endpoint;
}

TorusPlaces places_on_torus(const std::array<std::int64_t, kTorusDimensions>& sides, std::int64_t devices,
                            std::span<const std::int64_t> boundaries) {
  TorusPlaces places;
  if (devices < 2 || sides[0] * sides[1] * sides[2] != devices) return places;
  for (std::size_t d = 0; d < kTorusDimensions; ++d) places.sides[d] = static_cast<std::int32_t>(sides[d]);
  Levels levels(places);
  std::int64_t from = 1;
  while (from < devices) {
    std::int64_t next = devices;
    for (const std::int64_t to : boundaries) {
      if (to > from && to < next && to % from == 0 && devices % to == 0) next = to;
    }
    levels.add(next / from);
    from = next;
  }
  return places;
}

TorusGroup group_on_torus(const TorusPlaces& places, std::int64_t dimensions, std::int64_t ranks, std::int64_t stride) {
  TorusGroup group;
  std::array<std::int64_t, kTorusDimensions> block{1, 1, 1};
  bool begins = stride == 1;
  bool ends = false;
  std::int64_t product = 1;
  for (std::size_t k = 0; k < places.count && !ends; ++k) {
    const TorusPlaces::Digit& digit = places.digits[k];
    // The next one, in a row of more than two: a message to a neighbour.
    ends = begins && product == stride && ranks == 2;
    block[digit.dimension] *= ends ? 2 : digit.radix;
    product *= ends ? 2 : digit.radix;
    if (product == stride) {
      begins = true;
      group.hop = block;
    }
    ends = ends || (begins && product == stride * ranks);
  }
  if (ends) {
    group.is_block = true;
    for (std::size_t d = 0; d < kTorusDimensions; ++d) group.extent[d] = block[d] / group.hop[d];
  } else {
    lay_out_compactly(dimensions, ranks, stride, group);
  }
  for (std::size_t d = 0; d < kTorusDimensions; ++d) {
    if (group.extent[d] > 1) group.links[d] = closes(places, group, d) ? 2 : 1;
  }
  return group;
}

std::array<double, kTorusDimensions> bucket_shares(const TorusGroup& group) {
  std::array<double, kTorusDimensions> shares{};
  std::size_t done = 0;
  for (Busiest next = busiest(group, done); next.set != 0; next = busiest(group, done)) {
    for (std::size_t d = 0; d < kTorusDimensions; ++d) {
      if (has(next.set, d)) shares[d] = next.s_per_byte * group.links_of(d);
    }
    done |= next.set;
  }
  return shares;
}

double bucket_s_per_byte(const TorusGroup& group) {
  return busiest(group, 0).s_per_byte;
}

double exchange_s_per_byte(const TorusGroup& group) {
  const auto members = static_cast<double>(group.members());
  double load = 0;
  for (std::size_t d = 0; d < kTorusDimensions; ++d) {
    if (group.extent[d] <= 1) continue;
    const double row = crossing(group.extent[d], group.links[d] > 1) / static_cast<double>(group.extent[d]);
    load = std::max(load, members * row * static_cast<double>(group.hop[d]));
  }
  return load / (members - 1);
}

double message_s_per_byte(const TorusGroup& group) {
  double slowest = 0;
  for (std::size_t d = 0; d < kTorusDimensions; ++d) {
    if (group.extent[d] <= 1) continue;
    const double ways = group.extent[d] == 2 ? static_cast<double>(group.links[d]) : 1;
    slowest = std::max(slowest, static_cast<double>(group.hop[d]) / ways);
  }
  return slowest;
}

}  // namespace ampacity::network
