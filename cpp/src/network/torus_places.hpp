// Where the ranks of a job stand on a scale-up torus, and what that makes of its groups: which sides they have, how far
// apart neighbours are, and so how many groups of a kind share every link.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace ampacity::network {

inline constexpr std::size_t kTorusDimensions = 3;

/// Ranks of a job in nested blocks: each next level of its layout (tensor, context, data parallelism, stages) makes a
/// block of blocks, as near a cube as the sides let it be. Written as digits, the fastest first: a digit of a rank says
/// how many blocks of what lies before it to go in its dimension. Digits of one level run forth and back (reflected
/// Gray code), so that ranks of a level that follow each other are neighbours.
struct TorusPlaces {
  struct Digit {
    std::int32_t radix = 1;
    std::uint8_t dimension = 0;
    bool ends_level = false;
  };
  std::array<Digit, 32> digits{};
  std::uint8_t count = 0;  ///< of the digits; 0: not placed, every group is a compact block of its own
  std::array<std::int32_t, kTorusDimensions> sides{1, 1, 1};
  bool has_flows = false;  ///< a simulation lists what groups send on every link
  double slowdown = 1;     ///< over what is expected here, that it found

  [[nodiscard]] bool placed() const { return count > 0; }
  [[nodiscard]] std::int64_t endpoints() const;
  /// Endpoint of a torus of these sides at which a rank stands.
  [[nodiscard]] std::int64_t endpoint_of(std::int64_t rank) const;
};

/// Ranks at `boundaries` (products of the degrees of parallelism, in any order) end a level, where they divide one
/// another. Not placed where the sides do not multiply to the devices.
[[nodiscard]] TorusPlaces places_on_torus(const std::array<std::int64_t, kTorusDimensions>& sides, std::int64_t devices,
                                          std::span<const std::int64_t> boundaries);

/// A group of ranks as a block of the torus.
struct TorusGroup {
  std::array<std::int64_t, kTorusDimensions> extent{1, 1, 1};  ///< members along each dimension
  std::array<std::int64_t, kTorusDimensions> hop{1, 1, 1};     ///< links between two of them: as many groups share each
  /// Links of a device that help: two where the side is closed to a ring, one where it is a line, over which data go
  /// both ways but not around.
  std::array<std::int64_t, kTorusDimensions> links{0, 0, 0};

  bool is_block = false;  ///< false: levels cut across it, so that these are those of a block of as many

  [[nodiscard]] std::int64_t members() const { return extent[0] * extent[1] * extent[2]; }
  /// Of a device's links its share, when all groups of a kind send.
  [[nodiscard]] double links_of(std::size_t dimension) const {
    return static_cast<double>(links[dimension]) / static_cast<double>(hop[dimension]);
  }
};
[[nodiscard]] TorusGroup group_on_torus(const TorusPlaces& places, std::int64_t dimensions, std::int64_t ranks,
                                        std::int64_t stride);

/// The bucket algorithm: rings along every side, all at once, each chunk of the data in another order of sides; chunks
/// are as large as makes all sides end together (Rashidi et al., "Themis", ISCA 2022, arXiv:2110.04478). Shares of what
/// a device sends by dimension.
[[nodiscard]] std::array<double, kTorusDimensions> bucket_shares(const TorusGroup& group);
/// Seconds of that, of a device that sends one byte over links of one byte a second.
[[nodiscard]] double bucket_s_per_byte(const TorusGroup& group);
/// The same of messages of all to all, dimension by dimension the shorter way: the load of the links in the middle.
[[nodiscard]] double exchange_s_per_byte(const TorusGroup& group);

/// The same of a message of every member to the next: two ways lead to it where it is half way round. The slowest of
/// the dimensions along which members follow each other.
[[nodiscard]] double message_s_per_byte(const TorusGroup& group);

}  // namespace ampacity::network
