// Corrections by measured kernels: a weighted mean of log ratios around a shape.
#include <algorithm>
#include <cmath>
#include <utility>

#include "ampacity/cluster.hpp"
#include "ampacity/measured_kernels.hpp"
#include "compute/device.hpp"

namespace ampacity {
namespace {

// A measurement speaks for shapes within about an octave: tables step by octaves, and between two of their steps the
// quantisation of tiles and waves, which the model knows, is what varies.
constexpr double width_octaves = 0.4;
constexpr double reach_octaves = 4 * width_octaves;
// Weight of the model itself: one measurement of just this shape counts for 20 times as much.
constexpr double model_weight = 0.05;

std::uint64_t cell(MeasuredKernel kernel, Precision precision, std::int64_t x, std::int64_t y, std::int64_t z) {
  const auto part = [](std::int64_t value) { return static_cast<std::uint64_t>(value + 128) & 0xff; };
  return (static_cast<std::uint64_t>(kernel) << 32) | (static_cast<std::uint64_t>(precision) << 24) | (part(x) << 16) |
         (part(y) << 8) | part(z);
}
std::int64_t cell_of(double octaves) {
  return static_cast<std::int64_t>(std::floor(octaves / reach_octaves));
}

/// 1 at no distance, 0 from the reach on, smooth between.
double weight_at(double squared_octaves) {
  constexpr double scale = 1 / (2 * width_octaves * width_octaves);
  constexpr double nearest_to_nothing = 3.3546262790251185e-4;  // exp(-8), the same at the reach
  return std::max(0.0, std::exp(-squared_octaves * scale) - nearest_to_nothing) / (1 - nearest_to_nothing);
}

}  // namespace

MeasuredKernels::MeasuredKernels(std::string source, std::span<const MeasuredPoint> points)
    : source_(std::move(source)) {
  points_.reserve(points.size());
  for (const MeasuredPoint& point : points) {
    Place place{};
    bool sane = point.ratio > 0 && std::isfinite(point.ratio);
    for (std::size_t i = 0; i < 3; ++i) {
      sane = sane && point.extents[i] >= 1 && point.extents[i] < 1e15;
      if (sane) place.octaves[i] = std::log2(point.extents[i]);
    }
    if (!sane) continue;
    place.log_ratio = std::log(point.ratio);
    const auto index = static_cast<std::uint32_t>(points_.size());
    points_.push_back(place);
    const auto& at = place.octaves;
    cells_[cell(point.kernel, point.precision, cell_of(at[0]), cell_of(at[1]), cell_of(at[2]))].push_back(index);
  }
}

Correction MeasuredKernels::at(MeasuredKernel kernel, Precision precision, const std::array<double, 3>& extents) const {
  std::array<double, 3> octaves{};
  for (std::size_t i = 0; i < 3; ++i) octaves[i] = std::log2(std::max(1.0, extents[i]));
  const std::array<std::int64_t, 3> home{cell_of(octaves[0]), cell_of(octaves[1]), cell_of(octaves[2])};
  double weights = 0;
  double sum = 0;
  for (std::int64_t near = 0; near < 27; ++near) {
    const auto found = cells_.find(
        cell(kernel, precision, home[0] + near / 9 - 1, home[1] + near / 3 % 3 - 1, home[2] + near % 3 - 1));
    if (found == cells_.end()) continue;
    for (const std::uint32_t index : found->second) {
      const Place& place = points_[index];
      double squared = 0;
      for (std::size_t i = 0; i < 3; ++i) squared += (place.octaves[i] - octaves[i]) * (place.octaves[i] - octaves[i]);
      const double weight = weight_at(squared);
      weights += weight;
      sum += weight * place.log_ratio;
    }
  }
  const double coverage = weights / (weights + model_weight);
  return {std::exp(sum / (weights + model_weight)) * (1 + tilt_ * coverage), coverage};
}

MeasuredKernels MeasuredKernels::tilted(double tilt) const {
  MeasuredKernels other = *this;
  other.tilt_ = tilt;
  return other;
}

namespace compute {

KernelCost corrected(const Accelerator& device, MeasuredKernel kernel, Precision precision,
                     const std::array<double, 3>& extents, const KernelCost& cost) {
  return device.measured->at(kernel, precision, extents).ratio * cost;
}

}  // namespace compute

Cluster with_measured_kernels(Cluster cluster, const std::string& accelerator,
                              const std::shared_ptr<const MeasuredKernels>& measured) {
  for (Partition& partition : cluster.partitions) {
    Accelerator& device = partition.node.accelerator;
    if (device.name == accelerator) device.measured = measured;
  }
  return cluster;
}

}  // namespace ampacity
