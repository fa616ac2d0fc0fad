// Where things are in a dragonfly+: numbers of links and switches by arithmetic.
#pragma once

#include <cstdint>

namespace ampacity::network {

/// Links of endpoints (up, down), then between leaves and spines (up, down), then of every group to every other.
struct DragonflyPlusPlaces {
  std::uint32_t groups = 1;
  std::uint32_t leaves = 1;    ///< of a group
  std::uint32_t spines = 1;    ///< of a group
  std::uint32_t hosts = 1;     ///< endpoints of a leaf
  std::uint32_t parallel = 1;  ///< cables between two groups

  [[nodiscard]] std::uint32_t endpoints() const { return groups * leaves * hosts; }
  [[nodiscard]] std::uint32_t first_local() const { return 2 * endpoints(); }
  [[nodiscard]] std::uint32_t first_global() const { return first_local() + 2 * groups * leaves * spines; }
  [[nodiscard]] std::uint32_t cables() const { return first_global() + groups * groups * parallel; }
  /// From a leaf up to a spine of its group, both numbered over all groups; one more is the way down.
  [[nodiscard]] std::uint32_t up_to(std::uint32_t leaf, std::uint32_t spine) const {
    return first_local() + 2 * (leaf * spines + spine % spines);
  }
  [[nodiscard]] std::uint32_t global(std::uint32_t here, std::uint32_t there, std::uint32_t cable) const {
    return first_global() + (here * groups + there) * parallel + cable;
  }
  /// Spine of `group`, numbered over all groups, that holds a cable to `other`: ends are dealt out in turn.
  [[nodiscard]] std::uint32_t gateway(std::uint32_t group, std::uint32_t other, std::uint32_t cable) const {
    const std::uint32_t distance = (other + groups - group - 1) % groups;
    return group * spines + (distance * parallel + cable) % spines;
  }
};

}  // namespace ampacity::network
