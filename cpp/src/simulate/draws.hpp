// Random draws of devices and tasks: each depends on its key only.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "ampacity/simulate.hpp"
#include "base/random.hpp"

namespace ampacity::simulation {

/// A standard normal variable in 4,096 equally likely steps, scaled to a variance of 1. Its largest value is 3.7.
class JitterTable {
 public:
  static constexpr std::size_t bits = 12;
  static constexpr std::size_t draws_per_hash = 5;

  JitterTable();
  [[nodiscard]] double at(std::uint64_t random) const { return values_[random & (values_.size() - 1)]; }

 private:
  std::array<float, std::size_t{1} << bits> values_{};
};

/// Streams of random numbers of a device; those of its tasks come behind.
enum Stream : std::uint64_t {
  speed,
  fail_slow,
  first_task,
  silicon = std::uint64_t{1} << 62U,
  rack_inlet,
  row_inlet,
  row_gradient,
  later_step
};

/// A standard normal deviation of its own for each key.
[[nodiscard]] double normal_draw(std::uint64_t seed, std::uint64_t entity, std::uint64_t stream);

/// The speed of a device over the mean, drawn; never below a tenth of the mean but for devices that fail slow.
[[nodiscard]] double drawn_speed(std::uint64_t seed, const Variability& variability, std::uint64_t device);
/// Whether the device fails slow.
[[nodiscard]] bool fails_slow(std::uint64_t seed, const Variability& variability, std::uint64_t device);

/// Calls `use(index, deviation)` for each of so many tasks of a device, in order: standard normal deviations.
template <class Use>
inline void for_each_deviation(const JitterTable& table, std::uint64_t seed, std::uint64_t device, std::size_t tasks,
                               Use&& use) {
  std::size_t task = 0;
  for (std::uint64_t block = 0; task < tasks; ++block) {
    std::uint64_t bits = base::random_bits(seed, device, first_task + block);
    const std::size_t end = task + JitterTable::draws_per_hash < tasks ? task + JitterTable::draws_per_hash : tasks;
    for (; task < end; ++task, bits >>= JitterTable::bits) use(task, table.at(bits));
  }
}

}  // namespace ampacity::simulation
