// Corrections by measured kernels: what one measurement says of itself, of its neighbours, and of shapes far away.
#include <doctest/doctest.h>

#include <cmath>
#include <memory>
#include <vector>

#include "ampacity/measured_kernels.hpp"
#include "compute/kernels.hpp"
#include "scenario.hpp"

using namespace ampacity;
using doctest::Approx;

namespace {

MeasuredKernels one(double ratio) {
  const std::vector<MeasuredPoint> points{{MeasuredKernel::gemm, Precision::bf16, {8192, 4096, 4096}, ratio}};
  return {"a test", points};
}
Correction at(const MeasuredKernels& kernels, double m, Precision precision = Precision::bf16) {
  return kernels.at(MeasuredKernel::gemm, precision, {m, 4096, 4096});
}

}  // namespace

TEST_CASE("a measurement speaks for its shape, less for its neighbours, not for others") {
  const MeasuredKernels kernels = one(1.5);
  // Against 0.05 for the model: 1 / 1.05 of the logarithm.
  CHECK(at(kernels, 8192).coverage == Approx(1 / 1.05).epsilon(1e-12));
  CHECK(at(kernels, 8192).ratio == Approx(std::pow(1.5, 1 / 1.05)).epsilon(1e-12));
  double last = at(kernels, 8192).ratio;
  for (double m = 8192 * 1.05; m < 4 * 8192; m *= 1.05) {
    const Correction further = at(kernels, m);
    CHECK(further.ratio <= last);
    CHECK(last - further.ratio < 0.06);  // no step: 1.05 is a fourteenth of an octave
    last = further.ratio;
  }
  CHECK(at(kernels, 4 * 8192).coverage == 0);
  CHECK(at(kernels, 4 * 8192).ratio == 1);
  CHECK(at(kernels, 8192 / 1.3).ratio == Approx(at(kernels, 8192 * 1.3).ratio).epsilon(1e-12));  // across cells too
  CHECK(at(kernels, 8192, Precision::fp8).ratio == 1);
  CHECK(kernels.at(MeasuredKernel::attention_forward, Precision::bf16, {8192, 4096, 4096}).ratio == 1);
}

TEST_CASE("points that are no measurement are left out") {
  const std::vector<MeasuredPoint> points{{MeasuredKernel::gemm, Precision::bf16, {8192, 4096, 4096}, -1},
                                          {MeasuredKernel::gemm, Precision::bf16, {0, 4096, 4096}, 1},
                                          {MeasuredKernel::gemm, Precision::bf16, {8192, 4096, 4096}, NAN}};
  CHECK(MeasuredKernels("a test", points).size() == 0);
}

TEST_CASE("a corrected device takes longer at the same watts, and only for what was measured") {
  const Cluster bare = testing::cluster_of("dgx-h100-x1");
  const Cluster cluster = with_measured_kernels(bare, "h100-sxm", std::make_shared<const MeasuredKernels>(one(2)));
  const Accelerator& device = cluster.partitions.front().node.accelerator;
  const Accelerator& model = bare.partitions.front().node.accelerator;
  const compute::GemmShape shape{8192, 4096, 4096, 1, 0};
  const compute::KernelCost slow = compute::gemm(device, Precision::bf16, shape);
  const compute::KernelCost plain = compute::gemm(model, Precision::bf16, shape);
  CHECK(slow.seconds == Approx(std::pow(2, 1 / 1.05) * plain.seconds).epsilon(1e-12));
  CHECK(slow.joules / slow.seconds == Approx(plain.joules / plain.seconds).epsilon(1e-12));
  const compute::GemmShape grouped{8192, 4096, 4096, 4, 0};
  CHECK(compute::gemm(device, Precision::bf16, grouped).seconds ==
        compute::gemm(model, Precision::bf16, grouped).seconds);
  const Cluster other = with_measured_kernels(bare, "b200-sxm", std::make_shared<const MeasuredKernels>(one(2)));
  CHECK(other.partitions.front().node.accelerator.measured == nullptr);
}
