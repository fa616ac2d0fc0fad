// Accelerators: what a data sheet says of one device. What a family of devices shares is in architecture.hpp.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <tuple>

#include "ampacity/architecture.hpp"
#include "ampacity/field.hpp"
#include "ampacity/measured_kernels.hpp"

namespace ampacity {

/// One accelerator (a GPU, TPU chip or APU package). Peaks are dense (no 2:4 sparsity).
struct Accelerator {
  std::string name;
  std::string title;
  std::string vendor;
  std::int64_t year = 2020;
  Architecture architecture;
  double fp64_flops_per_s = 0;
  double fp32_flops_per_s = 0;
  double tf32_flops_per_s = 0;
  double bf16_flops_per_s = 0;
  double fp8_flops_per_s = 0;
  double fp4_flops_per_s = 0;
  double memory_bytes = 0;
  double memory_bytes_per_s = 0;
  double l2_bytes = 0;
  std::int64_t sm_count = 1;
  double tensor_clock_hz = 0;
  double boost_clock_hz = 0;
  double scaleup_bytes_per_s = 0;
  double tdp_w = 0;
  double base_tdp_w = 0;
  double idle_w = 0;
  double power_cap_w = 0;
  double locked_clock_hz = 0;
  double peak_excursion_ratio = 1.5;
  double cap_response_s = 0.02;
  double speed_spread_fraction = 0.01;
  // Silicon and heat: estimates for large devices. Leakage of an H100 is 0.45 x 158 W, a tenth of its limit, at design
  // temperature. Growth: dies of a 205 W processor (14 nm) 17 to 22 degrees cooler drew 11 W less (Jalili et al., ISCA
  // 2021; recalled), 0.27 % of the limit a degree; subthreshold current at a threshold of 0.25 V grows by 2.3 % at 65
  // degrees (V / n k T^2, n = 1.1), and more as the threshold falls. No measurement of 4 to 5 nm was found. An A100 may
  // work at up to 85 degrees (nvidia-smi).
  double power_spread_fraction = 0.04;
  double leakage_fraction = 0.45;
  double leakage_per_c = 0.027;
  double throttle_c = 85;
  double price_usd = 0;
  std::shared_ptr<const MeasuredKernels> measured;  ///< corrects kernels near measured shapes; no field of documents

  static constexpr std::string_view kind = "accelerator";
  template <class S = Accelerator>
  static constexpr auto fields() {
    constexpr Range flops{0, 1e18};
    return std::tuple{
        required("name", &S::name, "catalogue name"),
        optional("title", &S::title, "full product name"),
        optional("vendor", &S::vendor, "manufacturer"),
        optional("year", &S::year, Range{2010, 2100}, "year of introduction"),
        required("architecture", &S::architecture, "device family: kernel efficiency and power parameters"),
        optional("fp64_flops_per_s", &S::fp64_flops_per_s, flops, "dense FP64 peak; 0 = unsupported or unknown"),
        optional("fp32_flops_per_s", &S::fp32_flops_per_s, flops, "dense FP32 (vector) peak"),
        optional("tf32_flops_per_s", &S::tf32_flops_per_s, flops, "dense TF32 peak; 0 = unsupported"),
        required("bf16_flops_per_s", &S::bf16_flops_per_s, Range{1e9, 1e18}, "dense BF16/FP16 matrix peak"),
        optional("fp8_flops_per_s", &S::fp8_flops_per_s, flops, "dense FP8 matrix peak; 0 = unsupported"),
        optional("fp4_flops_per_s", &S::fp4_flops_per_s, flops, "dense FP4 matrix peak; 0 = unsupported"),
        required("memory_bytes", &S::memory_bytes, Range{1e8, 1e14}, "device memory that software can use"),
        required("memory_bytes_per_s", &S::memory_bytes_per_s, Range{1e9, 1e15}, "device memory bandwidth"),
        optional("l2_bytes", &S::l2_bytes, Range{0, 1e11}, "last-level on-chip cache"),
        required("sm_count", &S::sm_count, Range{1, 1e5}, "SMs, compute units or cores that share a wave of tiles"),
        required("tensor_clock_hz", &S::tensor_clock_hz, Range{1e8, 1e10},
                 "clock at which the matrix peaks are stated"),
        optional("boost_clock_hz", &S::boost_clock_hz, Range{1e8, 1e10}, "highest clock"),
        required("scaleup_bytes_per_s", &S::scaleup_bytes_per_s, Range{1e8, 1e14},
                 "scale-up link bandwidth of one device, per direction"),
        required("tdp_w", &S::tdp_w, Range{1, 1e5}, "power limit of the device"),
        optional("base_tdp_w", &S::base_tdp_w, Range{0, 1e5},
                 "power limit of the lowest product with the same silicon, of which the family states its power before "
                 "work (active, communicating, stalled) as shares; 0 = tdp_w"),
        required("idle_w", &S::idle_w, Range{0, 1e5}, "power at rest"),
        optional("power_cap_w", &S::power_cap_w, Range{0, 1e5},
                 "power limit that the operator sets below tdp_w; 0 = none, the device runs up to tdp_w"),
        optional("locked_clock_hz", &S::locked_clock_hz, Range{0, 1e10},
                 "highest clock that the operator allows; 0 = none, the device runs up to boost_clock_hz"),
        optional("peak_excursion_ratio", &S::peak_excursion_ratio, Range{1, 5},
                 "highest power over tdp_w, for the milliseconds until the limit's controller acts"),
        optional("cap_response_s", &S::cap_response_s, Range{0, 10},
                 "time in which the controller brings power back to the limit"),
        optional("speed_spread_fraction", &S::speed_spread_fraction, Range{0, 0.5},
                 "standard deviation of sustained speed among equal devices"),
        optional("power_spread_fraction", &S::power_spread_fraction, Range{0, 0.3},
                 "standard deviation of power at the same clock among equal devices; drawn no wider than "
                 "speed_spread_fraction allows at the power limit"),
        optional("leakage_fraction", &S::leakage_fraction, Range{0, 1},
                 "share of the power with clocks up, before arithmetic and data, that leaks at design temperature"),
        optional("leakage_per_c", &S::leakage_per_c, Range{0, 0.1},
                 "relative growth of leakage with each degree Celsius of the die"),
        optional("throttle_c", &S::throttle_c, Range{40, 150},
                 "die temperature (degrees Celsius) above which the device lowers its clock"),
        optional("price_usd", &S::price_usd, Range{0, 1e7}, "price of one device; 0 = unknown")};
  }
  /// Clocks of data-centre GPUs go down to 210-345 MHz of about 2 GHz (nvidia-smi -q -d SUPPORTED_CLOCKS).
  static constexpr double lowest_clock_fraction = 0.15;

  /// What the device may draw for longer than its controller needs: its own limit, or the operator's below it.
  [[nodiscard]] double limit_w() const { return power_cap_w > 0 && power_cap_w < tdp_w ? power_cap_w : tdp_w; }
  /// The limit of which the family's shares of power before work are stated. A higher limit on the same silicon leaves
  /// more for work; clock tree, links and leakage draw what they drew.
  [[nodiscard]] double base_w() const { return base_tdp_w > 0 ? base_tdp_w : tdp_w; }
  /// The same silicon under another limit.
  void set_tdp_w(double limit_w) {
    base_tdp_w = base_w();
    tdp_w = limit_w;
  }
  /// Highest clock.
  [[nodiscard]] double top_clock_hz() const {
    const double boost_hz = boost_clock_hz > tensor_clock_hz ? boost_clock_hz : tensor_clock_hz;
    return locked_clock_hz > 0 && locked_clock_hz < boost_hz ? locked_clock_hz : boost_hz;
  }

  friend bool operator==(const Accelerator&, const Accelerator&) = default;
};

}  // namespace ampacity
