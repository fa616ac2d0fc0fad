// Measured kernels as a correction of the kernel model, near the shapes that were measured.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "ampacity/precision.hpp"

namespace ampacity {

struct Cluster;

/// Kernels that a correction knows; each is described by three extents.
enum class MeasuredKernel {
  gemm,               ///< single products: m, n, k
  attention_forward,  ///< causal flash attention of whole sequences in 16 bits: positions, batch x heads, head
                      ///< dimension
  attention_backward
};

/// Measured over predicted seconds of one kernel.
struct MeasuredPoint {
  MeasuredKernel kernel = MeasuredKernel::gemm;
  Precision precision = Precision::bf16;
  std::array<double, 3> extents{1, 1, 1};
  double ratio = 1;
};

/// How far measurements reach a shape (0: not at all, 1: they alone speak), and what they say there.
struct Correction {
  double ratio = 1;
  double coverage = 0;
};

/// Ratios of measured to predicted time, between shapes that were measured. Their logarithms are averaged with weights
/// that fall with the distance in octaves of each extent, together with a small weight of the bare model (ratio 1), so
/// that a correction fades out where nothing was measured, without a step anywhere. Immutable; any thread may ask.
class MeasuredKernels {
 public:
  /// `source` names where the measurements come from. Points with extents or ratios that are not positive are left out.
  MeasuredKernels(std::string source, std::span<const MeasuredPoint> points);

  [[nodiscard]] Correction at(MeasuredKernel kernel, Precision precision, const std::array<double, 3>& extents) const;

  /// The same where whatever is measured takes `tilt` more: what of a step follows it is measured (`explain`).
  [[nodiscard]] MeasuredKernels tilted(double tilt) const;

  [[nodiscard]] const std::string& source() const { return source_; }
  [[nodiscard]] std::size_t size() const { return points_.size(); }

 private:
  struct Place {
    std::array<double, 3> octaves;
    double log_ratio;
  };
  std::string source_;
  double tilt_ = 0;
  std::vector<Place> points_;
  std::unordered_map<std::uint64_t, std::vector<std::uint32_t>> cells_;
};

/// The cluster with devices of that name corrected; null takes a correction away. The correction is no field of the
/// accelerator: documents do not hold it, and copies made field by field lose it.
[[nodiscard]] Cluster with_measured_kernels(Cluster cluster, const std::string& accelerator,
                                            const std::shared_ptr<const MeasuredKernels>& measured);

}  // namespace ampacity
