#include "network/shape.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "network/protocol.hpp"

namespace ampacity::network {
namespace {

double all_links(const Links& links) {
  return 2 * static_cast<double>(links.scaleup_dimensions);
}

/// A device's bandwidth is that of all its links; the bucket algorithm uses those along the sides of the group.
void lay_on_torus(Shape& shape, const Links& links, std::int64_t members, std::int64_t stride) {
  const TorusPlaces& places = links.torus;
  const TorusGroup group = group_on_torus(places, links.scaleup_dimensions, members, stride);
  const double bucket = bucket_s_per_byte(group);
  shape.inside_hops = 0;
  for (const std::int64_t extent : group.extent) shape.inside_hops += static_cast<double>(extent - 1);
  shape.scaleup_s_per_byte *= all_links(links) * bucket * places.slowdown;
  shape.exchange_factor = exchange_s_per_byte(group) / bucket;
}

}  // namespace

double log2_ceil(std::int64_t n) {
  return static_cast<double>(std::bit_width(static_cast<std::uint64_t>(n - 1)));
}

std::array<std::int64_t, 3> torus_sides(std::int64_t n, std::int64_t dimensions) {
  constexpr std::int64_t cube = 4;
  if (dimensions == 3 && n % (cube * cube * cube) == 0 && n > cube * cube * cube) {
    std::array<std::int64_t, 3> cubes = torus_sides(n / (cube * cube * cube), dimensions);
    if (cubes[0] * cubes[1] * cubes[2] * cube * cube * cube == n) {
      for (std::int64_t& side : cubes) side *= cube;
      return cubes;
    }
  }
  std::array<std::int64_t, 3> sides{1, 1, 1};
  std::int64_t left = n;
  for (std::int64_t d = std::clamp<std::int64_t>(dimensions, 1, 3); d > 1; --d) {
    const double root = d == 3 ? std::cbrt(static_cast<double>(left)) : std::sqrt(static_cast<double>(left));
    const auto longest = static_cast<std::int64_t>(root + 1e-9);
    std::int64_t side = longest;
    while (left % side != 0 && 2 * side > longest) --side;
    // Without a divisor near the root the block has a few devices that are not of the group.
    if (left % side != 0) side = static_cast<std::int64_t>(std::ceil(root));
    sides[static_cast<std::size_t>(3 - d)] = side;
    left = (left + side - 1) / side;
  }
  sides[2] = left;
  std::sort(sides.begin(), sides.end());
  return sides;
}

std::int64_t members_in_domain(const Group& group, std::int64_t domain) {
  return std::clamp<std::int64_t>(domain / std::max<std::int64_t>(group.stride, 1), 1, group.ranks);
}

Shape shape_of(const Links& links, const Group& group) {
  const std::int64_t domain = std::max<std::int64_t>(links.scaleup_domain, 1);
  const std::int64_t members = members_in_domain(group, domain);
  const std::int64_t domains = (group.ranks + members - 1) / members;
  Shape shape;
  shape.ranks = static_cast<double>(group.ranks);
  shape.members = static_cast<double>(members);
  shape.domains = static_cast<double>(domains);
  shape.tree_depth = log2_ceil(domains);
  if (members > 1) {
    shape.inside_hops = shape.members - 1;
    shape.own_s_per_byte = 1 / links.scaleup_bytes_per_s;
    shape.scaleup_s_per_byte = shape.own_s_per_byte;
    if (links.scaleup_topology == ScaleupTopology::mesh) {
      // Every pair has its own link: a device has as many links into a group as the group has other members.
      shape.scaleup_s_per_byte *= static_cast<double>(domain - 1) / shape.inside_hops;
    } else if (links.scaleup_topology == ScaleupTopology::torus) {
      lay_on_torus(shape, links, members, std::max<std::int64_t>(group.stride, 1));
    }
  }
  if (domains > 1) {
    shape.sites = sites_of(links.paths, group);
    if (shape.sites > 1) shape.wan_s = links.paths.wan_s;
    shape.uplink_slowdown = neighbours_slowdown(links.paths, group, static_cast<double>(domain));
    shape.scaleout_s_per_byte = shape.uplink_slowdown / (shape.members * links.scaleout_bytes_per_s);
  }
  return shape;
}

Shape pair_of(const Links& links, const Group& group) {
  Shape pair = shape_of(links, {2, group.stride});
  const std::int64_t members = members_in_domain(group, std::max<std::int64_t>(links.scaleup_domain, 1));
  if (links.scaleup_topology != ScaleupTopology::torus || pair.domains > 1 || members < 2) return pair;
  const TorusGroup block = group_on_torus(links.torus, links.scaleup_dimensions, members, group.stride);
  const double message = message_s_per_byte(block);
  pair.scaleup_s_per_byte = pair.own_s_per_byte * all_links(links) * message * links.torus.slowdown;
  return pair;
}

}  // namespace ampacity::network
