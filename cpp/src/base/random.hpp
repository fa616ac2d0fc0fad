// Counter-based random numbers: a value depends on its key only, never on what was drawn before or on the thread.
#pragma once

#include <cstdint>

namespace ampacity::base {

/// SplitMix64 (Steele, Lea, Flood 2014): a bijection of 64 bits whose outputs pass BigCrush as a sequence.
[[nodiscard]] constexpr std::uint64_t mixed(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15U;
  x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27U)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31U);
}

/// The random bits of (seed, entity, stream).
[[nodiscard]] constexpr std::uint64_t random_bits(std::uint64_t seed, std::uint64_t entity, std::uint64_t stream) {
  return mixed(mixed(mixed(seed) ^ entity) ^ stream);
}

/// A uniform draw in (0, 1), never either.
[[nodiscard]] constexpr double uniform(std::uint64_t bits) {
  return (static_cast<double>(bits >> 11U) + 0.5) * 0x1p-53;
}

}  // namespace ampacity::base
