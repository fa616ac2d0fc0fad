// Where things are in a dragonfly: numbers of links and switches by arithmetic.
#pragma once

#include <cstdint>

namespace ampacity::network {

/// Links of endpoints (up, down), then of every switch to every other of its group, then of every group to every other.
struct DragonflyPlaces {
  std::uint32_t groups = 1;
  std::uint32_t switches = 1;  ///< of a group
  std::uint32_t hosts = 1;     ///< endpoints of a switch
  std::uint32_t parallel = 1;  ///< cables between two groups

  [[nodiscard]] std::uint32_t endpoints() const { return groups * switches * hosts; }
  [[nodiscard]] std::uint32_t first_local() const { return 2 * endpoints(); }
  [[nodiscard]] std::uint32_t first_global() const { return first_local() + groups * switches * switches; }
  [[nodiscard]] std::uint32_t cables() const { return first_global() + groups * groups * parallel; }
  /// Link from one switch to another of the same group; both numbered over all groups.
  [[nodiscard]] std::uint32_t local(std::uint32_t from, std::uint32_t to) const {
    return first_local() + from * switches + to % switches;
  }
  [[nodiscard]] std::uint32_t global(std::uint32_t here, std::uint32_t there, std::uint32_t cable) const {
    return first_global() + (here * groups + there) * parallel + cable;
  }
  /// Switch of `group`, numbered over all groups, that holds a cable to `other`: ends are dealt out in turn.
  [[nodiscard]] std::uint32_t gateway(std::uint32_t group, std::uint32_t other, std::uint32_t cable) const {
    const std::uint32_t distance = (other + groups - group - 1) % groups;
    return group * switches + (distance * parallel + cable) % switches;
  }
};

}  // namespace ampacity::network
