#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "ampacity/accelerator.hpp"
#include "compute/device.hpp"
#include "compute/kernels.hpp"

using namespace ampacity;
using namespace ampacity::compute;

namespace {

// Data sheets; families are the struct's defaults unless a test says otherwise.
Accelerator h100() {
  Accelerator d;
  d.name = "h100-sxm";
  d.fp32_flops_per_s = 67e12;
  d.tf32_flops_per_s = 494.5e12;
  d.bf16_flops_per_s = 989.4e12;
  d.fp8_flops_per_s = 1978.9e12;
  d.memory_bytes = 80e9;
  d.memory_bytes_per_s = 3.35e12;
  d.sm_count = 132;
  d.tensor_clock_hz = 1.83e9;
  d.boost_clock_hz = 1.98e9;
  d.tdp_w = 700;
  d.idle_w = 70;
  d.architecture.reference_clock_hz = 1.83e9;
  return d;
}

// Enough watts that the clock never falls, and no boost: the bare roofline.
Accelerator unlimited() {
  Accelerator d = h100();
  d.tdp_w = 1e5;
  d.boost_clock_hz = d.tensor_clock_hz;
  return d;
}

double watts(const KernelCost& cost) {
  return cost.joules / cost.seconds;
}
double rate(const GemmShape& s, const KernelCost& cost) {
  return 2 * s.m * s.n * s.k * s.batch / cost.seconds;
}

const GemmShape huge{132 * 256.0, 16384, 65536, 1, 0};

const std::vector<GemmShape>& shapes() {
  static const std::vector<GemmShape> list{
      {1, 1, 1, 1, 0},          {16, 4096, 4096, 1, 0},    {512, 512, 512, 1, 0},
      {2048, 2048, 2048, 1, 0}, {1000, 3000, 777, 3, 0},   {8192, 1024, 51200, 1, 0},
      {256, 256, 65536, 1, 0},  {65536, 128, 32, 1, 0},    {8192, 53248, 16384, 1, 4},
      {4096, 4096, 8192, 8, 4}, {128, 128256, 8192, 1, 0}, {16384, 16384, 16384, 1, 0}};
  return list;
}

}  // namespace

TEST_CASE("peaks are SMs x FLOP per clock x clock") {
  CHECK(132 * 4096 * 1.83e9 == doctest::Approx(989.4e12).epsilon(1e-3));  // H100
  CHECK(108 * 2048 * 1.41e9 == doctest::Approx(312e12).epsilon(1e-3));    // A100
  CHECK(peak_flops_per_s(h100(), Precision::bf16) == 989.4e12);
  CHECK(peak_flops_per_s(h100(), Precision::fp8) == 1978.9e12);
}

TEST_CASE("a missing format falls back to the widest one below it") {
  Accelerator d = h100();
  CHECK(supports(d, Precision::fp8_block));
  CHECK_FALSE(supports(d, Precision::nvfp4));
  CHECK_FALSE(supports(d, Precision::mxfp8));
  CHECK(format_on(d, Precision::nvfp4) == Precision::fp8);
  CHECK(format_on(d, Precision::mxfp8) == Precision::fp8_block);
  d.fp8_flops_per_s = 0;
  d.tf32_flops_per_s = 0;
  CHECK(format_on(d, Precision::nvfp4) == Precision::bf16);
  CHECK(peak_flops_per_s(d, Precision::fp8) == d.bf16_flops_per_s);
  CHECK(peak_flops_per_s(d, Precision::tf32) == d.fp32_flops_per_s);
  d.fp32_flops_per_s = 0;  // six BF16 passes
  CHECK(peak_flops_per_s(d, Precision::fp32) == doctest::Approx(d.bf16_flops_per_s / 6));
}

TEST_CASE("closed-form limits of a matrix product") {
  const Accelerator d = unlimited();
  const Architecture& family = d.architecture;
  SUBCASE("deep and large: the pipe's share of the peak") {
    // Fill of a tile: 3,000 clocks of 65,536 * 16 / 0.9; everything else is arithmetic.
    CHECK(rate(huge, gemm(d, Precision::bf16, huge)) ==
          doctest::Approx(family.tensor_efficiency_fraction * d.bf16_flops_per_s).epsilon(0.005));
  }
  SUBCASE("tiny: a launch and one tile") {
    const double one_tile_s = family.tile_overhead_clocks / d.tensor_clock_hz;
    CHECK(gemm(d, Precision::bf16, {1, 1, 1, 1, 0}).seconds ==
          doctest::Approx(family.kernel_launch_s + one_tile_s).epsilon(0.02));
  }
  SUBCASE("one row: the weights pass through memory once") {
    const double bytes = 2.0 * (65536.0 * 16384 + 16384 + 65536);
    CHECK(gemm(d, Precision::bf16, {1, 65536, 16384, 1, 0}).seconds ==
          doctest::Approx(family.kernel_launch_s + bytes / memory_rate(d)).epsilon(1e-9));
  }
  SUBCASE("FP8 doubles the rate and halves the operands") {
    const double bf16 = gemm(d, Precision::bf16, huge).seconds;
    CHECK(bf16 / gemm(d, Precision::fp8, huge).seconds == doctest::Approx(2).epsilon(0.01));
  }
  SUBCASE("accumulation adds six bytes per element of the result") {
    const GemmShape thin{65536, 65536, 32, 1, 0};
    GemmShape adding = thin;
    adding.accumulator_bytes = 4;
    CHECK(gemm(d, Precision::bf16, adding).seconds - gemm(d, Precision::bf16, thin).seconds ==
          doctest::Approx(6.0 * 65536 * 65536 / memory_rate(d)).epsilon(1e-6));
  }
  SUBCASE("of which two fifths show where arithmetic sets the time, a third of that with 16-bit gradients") {
    GemmShape adding{8192, 8192, 8192, 1, 0};
    const double plain_s = gemm(d, Precision::bf16, adding).seconds;
    const double byte_s = 8192.0 * 8192.0 / memory_rate(d);
    for (const double bytes : {2.0, 4.0}) {
      adding.accumulator_bytes = bytes;
      CHECK(gemm(d, Precision::bf16, adding).seconds - plain_s ==
            doctest::Approx(0.4 * (2 * bytes - 2) * byte_s).epsilon(1e-6));
    }
  }
}

TEST_CASE("waves: a few tiles more than the SMs hold cost most of a wave") {
  const Accelerator d = unlimited();
  const auto seconds = [&](double rows) { return gemm(d, Precision::bf16, {rows * 128, 1024, 8192, 1, 0}).seconds; };
  const double full = seconds(33);  // 33 x 4 tiles of 128 x 256: each SM has one
  // 3 % more work: a second wave of the wide tile would cost 2, the best smaller tile still pays 5 quarter waves.
  CHECK(seconds(34) / full > 1.25);
  CHECK(seconds(34) / full < 1.5);
  CHECK(seconds(66) / full == doctest::Approx(2).epsilon(0.02));
}

TEST_CASE("split along k: few tiles and a deep product use all SMs") {
  const Accelerator d = unlimited();
  const GemmShape deep{256, 256, 262144, 1, 0};
  // 2 wide tiles without a split would reach 2 / 132 of the peak.
  CHECK(rate(deep, gemm(d, Precision::bf16, deep)) > 0.15 * d.bf16_flops_per_s);
}

TEST_CASE("twice the batch takes about twice the time and energy") {
  const Accelerator d = h100();
  const GemmShape one{4096, 4096, 4096, 4, 0};
  GemmShape two = one;
  two.batch = 8;
  const KernelCost a = gemm(d, Precision::bf16, one);
  const KernelCost b = gemm(d, Precision::bf16, two);
  CHECK(b.seconds / a.seconds == doctest::Approx(2).epsilon(0.05));
  CHECK(b.joules / a.joules == doctest::Approx(2).epsilon(0.05));
}

TEST_CASE("the power limit sets the rate of large products") {
  const Accelerator d = h100();
  const KernelCost cost = gemm(d, Precision::bf16, huge);
  // H200 draws 691 of 700 W and large BF16 products reach 60-79 % of the peak (aiconfigurator database).
  CHECK(watts(cost) == doctest::Approx(0.98 * 700).epsilon(1e-3));
  CHECK(rate(huge, cost) / d.bf16_flops_per_s > 0.60);
  CHECK(rate(huge, cost) / d.bf16_flops_per_s < 0.85);
  CHECK(busiest_w(d) == doctest::Approx(0.98 * 700).epsilon(1e-3));

  SUBCASE("P = P_fixed + V^2 (P_clock f + E rate) + E_memory bytes holds at the clock found") {
    const Architecture& family = d.architecture;
    const double at_clock = rate(huge, cost) / (family.tensor_efficiency_fraction * d.bf16_flops_per_s);
    const double bytes = 2.0 * ((huge.m + huge.n) * huge.k + huge.m * huge.n);
    const ActivePower active = active_power(d);
    const double volts = 1 + family.voltage_slope * (at_clock - 1);
    const double memory_w = family.memory_j_per_byte * bytes / cost.seconds;
    const double on_chip_w = family.on_chip_memory_energy_fraction * memory_w;
    const double switching_w = active.clock_w * at_clock + family.energy_j_per_flop * rate(huge, cost) + on_chip_w;
    const double expected = active.fixed_w + volts * volts * switching_w + memory_w - on_chip_w;
    CHECK(expected == doctest::Approx(watts(cost)).epsilon(0.01));
  }
  SUBCASE("more watts, more speed, between cube root and square root") {
    Accelerator more = d;
    more.tdp_w = 900;
    const double gain = cost.seconds / gemm(more, Precision::bf16, huge).seconds;
    CHECK(gain > 1.03);
    CHECK(gain < std::sqrt(900.0 / 700));
  }
  SUBCASE("FP8 draws the same at saturation and computes 1.4 to 2 times as much") {
    // H200: 661.7 against 662.8 W, +68 % (public benchmark).
    const KernelCost fp8 = gemm(d, Precision::fp8, huge);
    CHECK(watts(fp8) == doctest::Approx(watts(cost)).epsilon(0.01));
    CHECK(cost.seconds / fp8.seconds > 1.4);
    CHECK(cost.seconds / fp8.seconds < 2.0);
  }
}

TEST_CASE("the clock solves the power balance, also below the voltage floor and when memory sets the time") {
  Accelerator d = h100();
  const ActivePower active = active_power(d);
  const double budget_w = 0.98 * d.tdp_w - active.fixed_w;
  const double on_chip = d.architecture.on_chip_memory_energy_fraction;
  const double launch_s = d.architecture.kernel_launch_s;
  const Demand demands[] = {{1e-3, 1e-4, 0.8, 0.02},  {1e-3, 1e-4, 4.0, 0.02}, {1e-3, 1.3e-3, 1.2, 0.1},
                            {1e-3, 1.3e-3, 3.0, 0.1}, {1e-3, 1e-3, 1.0, 1.0},  {1e-6, 1e-7, 1e-3, 1e-5}};
  for (const Demand& demand : demands) {
    const KernelCost cost = run_under_power_limit(d, demand);
    // Bisection on the clock, the definition of what is wanted.
    double low = 1e-3;
    double high = d.boost_clock_hz / d.tensor_clock_hz;
    const auto over = [&](double x) {
      const double seconds = std::max(demand.math_s / x, demand.memory_s) + launch_s;
      const double v = 1 + d.architecture.voltage_slope * (std::max(x, d.architecture.voltage_floor_fraction) - 1);
      const double switching_j = demand.math_j + on_chip * demand.memory_j + active.clock_w * x * seconds;
      return switching_j * v * v + (1 - on_chip) * demand.memory_j > budget_w * seconds;
    };
    if (!over(high)) low = high;
    for (int i = 0; i < 60; ++i) (over(0.5 * (low + high)) ? high : low) = 0.5 * (low + high);
    CHECK(cost.seconds == doctest::Approx(std::max(demand.math_s / low, demand.memory_s) + launch_s).epsilon(5e-3));
  }
}

TEST_CASE("energy stays between rest and the power limit, everything finite and positive") {
  const Accelerator d = h100();
  for (const GemmShape& shape : shapes()) {
    for (const Precision p : {Precision::fp32, Precision::tf32, Precision::fp16, Precision::bf16, Precision::fp8,
                              Precision::fp8_block, Precision::mxfp8, Precision::nvfp4}) {
      const KernelCost cost = gemm(d, p, shape);
      CHECK(std::isfinite(cost.seconds));
      CHECK(cost.seconds >= d.architecture.kernel_launch_s);
      CHECK(watts(cost) >= d.idle_w);
      CHECK(watts(cost) <= d.tdp_w * (1 + 1e-9));
    }
  }
}

TEST_CASE("more bandwidth, FLOP/s, SMs or watts never make a product slower") {
  const Accelerator d = h100();
  for (const GemmShape& shape : shapes()) {
    const double before = gemm(d, Precision::bf16, shape).seconds * (1 + 1e-6);
    Accelerator better = d;
    better.memory_bytes_per_s *= 1.5;
    CHECK(gemm(better, Precision::bf16, shape).seconds <= before);
    better = d;
    better.bf16_flops_per_s *= 1.5;
    CHECK(gemm(better, Precision::bf16, shape).seconds <= before);
    better = d;
    better.tdp_w *= 1.2;
    CHECK(gemm(better, Precision::bf16, shape).seconds <= before);
    better = d;  // more SMs of the same kind
    better.sm_count = 144;
    better.bf16_flops_per_s *= 144.0 / 132;
    CHECK(gemm(better, Precision::bf16, shape).seconds <= before);
  }
}

TEST_CASE("flash attention") {
  const Accelerator d = h100();
  const AttentionShape causal{1, 8192, 8192, 32, 8, 128, 128, 0.5};
  AttentionShape full = causal;
  full.seen_fraction = 1;
  const KernelCost forward = flash_attention_forward(d, causal);
  const KernelCost backward = flash_attention_backward(d, causal);

  SUBCASE("a causal mask saves almost half") {
    const double ratio = flash_attention_forward(d, full).seconds / forward.seconds;
    CHECK(ratio > 1.75);
    CHECK(ratio < 2.0);
  }
  SUBCASE("backward does 2.5 times the products, less efficiently") {
    CHECK(backward.seconds / forward.seconds > 2.4);
    CHECK(backward.seconds / forward.seconds < 4.5);
  }
  SUBCASE("rate of FlashAttention-3 on H100: 500-650 TFLOP/s at head dimension 128") {
    const double flops = 4.0 * 32 * 8192 * 8192 * 128 * 0.5;
    CHECK(flops / forward.seconds > 450e12);
    CHECK(flops / forward.seconds < 680e12);
  }
  SUBCASE("watts within the limit") {
    for (const KernelCost& cost : {forward, backward}) {
      CHECK(watts(cost) > 400);
      CHECK(watts(cost) <= 700);
    }
  }
  SUBCASE("wide heads waste less on softmax") {
    AttentionShape narrow = causal;
    narrow.head_dim = narrow.value_dim = 64;
    CHECK(forward.seconds / flash_attention_forward(d, narrow).seconds < 1.9);
  }
  SUBCASE("batch doubles it") {
    AttentionShape twice = causal;
    twice.batch = 2;
    CHECK(flash_attention_forward(d, twice).seconds / forward.seconds == doctest::Approx(2).epsilon(0.1));
  }
  SUBCASE("a short sequence costs at least a launch") {
    CHECK(flash_attention_forward(d, {1, 1, 1, 1, 1, 128, 128, 1}).seconds >= d.architecture.kernel_launch_s);
  }
}

TEST_CASE("streaming: bytes over reachable bandwidth, plus launches") {
  const Accelerator d = h100();
  const double bytes = 3.35e9;
  const KernelCost cost = streaming(d, bytes, 2);
  CHECK(cost.seconds ==
        doctest::Approx(1e-3 / d.architecture.memory_efficiency_fraction + 2 * d.architecture.kernel_launch_s));
  // An H100 draws about 400 W in memory-bound phases.
  CHECK(watts(cost) > 300);
  CHECK(watts(cost) < 450);
  CHECK(streaming(d, 0, 1).seconds == doctest::Approx(d.architecture.kernel_launch_s));
  CHECK(streaming(d, 0, 0).seconds == 0);
}

TEST_CASE("watts of the other phases: idle < stalled < communicating < busiest <= limit") {
  const Accelerator d = h100();
  CHECK(stalled_w(d) == doctest::Approx(110).epsilon(0.05));
  CHECK(communicating_w(d) == doctest::Approx(260).epsilon(0.05));
  CHECK(d.idle_w < stalled_w(d));
  CHECK(stalled_w(d) < communicating_w(d));
  CHECK(communicating_w(d) < busiest_w(d));
  CHECK(busiest_w(d) <= d.tdp_w);
  // 16,384 GPUs between products and stall swing by 9.95 MW at 580 W each, and by no more than 17 MW.
  CHECK(16384 * (busiest_w(d) - stalled_w(d)) == doctest::Approx(9.5e6).epsilon(0.06));
}
