// Which rank of a job runs on which endpoint of a network.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "ampacity/field.hpp"
#include "ampacity/network.hpp"

namespace ampacity {

/// How ranks are laid on endpoints. `packed`: in order. `by_rail`: first device 0 of every node, then device 1, ...: a
/// group of consecutive ranks lies on one rail. `scattered`: scale-up domains in random order, as a busy cluster has
/// them left. `topology_aware`: under as few switches as the free endpoints allow, neighbours in rank side by side.
enum class Placement { packed, by_rail, scattered, topology_aware };
template <>
struct EnumNames<Placement> {
  static constexpr std::array<std::string_view, 4> names{"packed", "by-rail", "scattered", "topology-aware"};
};

struct PlacementOptions {
  Placement kind = Placement::packed;
  std::int64_t rails = 0;                                  ///< devices of a node, for `by_rail`; 0: the scale-up domain
  std::uint64_t seed = 0;                                  ///< of `scattered`
  std::optional<std::span<const std::int64_t>> available;  ///< free endpoints; not given: all
};

/// Endpoint of every rank. \throws InvalidSpec where there are too few endpoints, or `available` names one twice or one
/// that does not exist.
[[nodiscard]] std::vector<std::int64_t> place_ranks(const Network& network, std::int64_t ranks,
                                                    const PlacementOptions& options = {});

/// \throws InvalidSpec naming (at most ten) ranks on endpoints that do not exist, or that another rank has already.
void check_placement(const Network& network, std::span<const std::int64_t> endpoints);

}  // namespace ampacity
