#include "simulate/draws.hpp"

#include <algorithm>
#include <cmath>

#include "base/statistics.hpp"

namespace ampacity::simulation {
namespace {

constexpr double slowest_speed = 0.1;

}  // namespace

JitterTable::JitterTable() {
  const auto size = static_cast<double>(values_.size());
  double squares = 0;
  for (std::size_t i = 0; i < values_.size(); ++i) {
    const double value = base::normal_quantile((static_cast<double>(i) + 0.5) / size);
    values_[i] = static_cast<float>(value);
    squares += value * value;
  }
  const double scale = std::sqrt(size / squares);
  for (float& value : values_) value = static_cast<float>(scale * static_cast<double>(value));
}

double normal_draw(std::uint64_t seed, std::uint64_t entity, std::uint64_t stream) {
  return base::normal_quantile(base::uniform(base::random_bits(seed, entity, stream)));
}

bool fails_slow(std::uint64_t seed, const Variability& variability, std::uint64_t device) {
  return variability.fail_slow_fraction > 0 &&
         base::uniform(base::random_bits(seed, device, fail_slow)) < variability.fail_slow_fraction;
}

double drawn_speed(std::uint64_t seed, const Variability& variability, std::uint64_t device) {
  double fraction = 1;
  if (variability.device_spread_fraction > 0) {
    fraction = std::max(slowest_speed, 1 + variability.device_spread_fraction * normal_draw(seed, device, speed));
  }
  if (fails_slow(seed, variability, device)) fraction *= variability.fail_slow_speed_fraction;
  return fraction;
}

}  // namespace ampacity::simulation
