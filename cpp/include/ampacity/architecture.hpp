// Device families: how close kernels of a family of accelerators come to the data sheet, and where its watts go.
#pragma once

#include <string>
#include <tuple>

#include "ampacity/field.hpp"

namespace ampacity {

/// Parameters that all devices of one family (Ampere, Hopper, Blackwell, CDNA 3, ...) share. They are fitted to
/// kernels of that family only (`tools/fit_architectures.py`), never to whole training steps. "On" means with a
/// context and clocks up; the reference clock is the one at which `energy_j_per_flop` is stated.
struct Architecture {
  std::string name;
  std::string title;
  double kernel_launch_s = 2e-6;
  double memory_efficiency_fraction = 0.84;
  // Matrix products.
  double tensor_efficiency_fraction = 0.9;
  double block_scale_efficiency_fraction = 0.95;
  double fp4_efficiency_fraction = 0.85;
  double fp8_backward_efficiency_fraction = 1;
  bool fp8_any_layout = false;
  double tile_overhead_clocks = 3000;
  double tile_half_depth = 5;
  double split_k_overhead_s = 4e-6;
  // Attention.
  double attention_efficiency_fraction = 0.85;
  double attention_softmax_clocks = 0.06;
  double attention_tile_overhead = 200;
  double attention_backward_efficiency_fraction = 0.67;
  double attention_backward_softmax_clocks = 0.15;
  double attention_energy_ratio = 1.1;
  // Power.
  double reference_clock_hz = 1.8e9;
  double voltage_floor_fraction = 0.6;
  double voltage_slope = 0.7;
  double energy_j_per_flop = 0.8e-12;
  double fp8_energy_fraction = 0.6;
  double block_scale_energy_fraction = 0.7;
  double fp4_energy_fraction = 0.45;
  double memory_j_per_byte = 70e-12;
  double on_chip_memory_energy_fraction = 0.5;
  double active_fraction = 0.13;
  double clock_power_fraction = 0.5;
  double fp64_energy_j_per_flop = 10e-12;
  double fp64_sustained_flops_fraction = 0.65;
  double communicating_fraction = 0.3;
  double stalled_fraction = 0.07;
  // Whole steps.
  double sustained_fraction = 0.83;
  double synchronous_attention_fraction = 1;

  static constexpr std::string_view kind = "architecture";
  template <class S = Architecture>
  static constexpr auto fields() {
    constexpr Range share{0.05, 1};
    constexpr Range ratio{0.05, 4};
    return std::tuple{
        required("name", &S::name, "catalogue name"),
        optional("title", &S::title, "full name"),
        optional("kernel_launch_s", &S::kernel_launch_s, Range{0, 1e-2}, "shortest time of a kernel in a stream"),
        optional("memory_efficiency_fraction", &S::memory_efficiency_fraction, share,
                 "share of the data-sheet memory bandwidth that streaming kernels reach"),
        optional("tensor_efficiency_fraction", &S::tensor_efficiency_fraction, share,
                 "share of the matrix peak at the actual clock that the widest tile reaches on deep products"),
        optional("block_scale_efficiency_fraction", &S::block_scale_efficiency_fraction, share,
                 "matrix rate of block-scaled FP8 over that of FP8 with one scale per tensor"),
        optional("fp4_efficiency_fraction", &S::fp4_efficiency_fraction, share,
                 "share of peak of FP4 products over that of BF16 products"),
        optional("fp8_backward_efficiency_fraction", &S::fp8_backward_efficiency_fraction, share,
                 "rate of FP8 products with full accumulation (gradients) over that of forward products: below 1 where "
                 "tensor cores keep too few bits and partial sums are promoted outside them"),
        optional(
            "fp8_any_layout", &S::fp8_any_layout,
            "FP8 products with a scale per tensor take operands in any order: weights have one copy in 8 bits; else "
            "a transposed one is kept beside it"),
        optional("tile_overhead_clocks", &S::tile_overhead_clocks, Range{0, 1e6},
                 "clocks that a tile spends outside its main loop: pipeline fill, epilogue"),
        optional("tile_half_depth", &S::tile_half_depth, Range{0, 1e3},
                 "tile size rows*columns/(rows+columns) at which loading operands costs as much as multiplying them"),
        optional("split_k_overhead_s", &S::split_k_overhead_s, Range{0, 1e-3},
                 "fixed cost of splitting a product along k and adding the parts"),
        optional("attention_efficiency_fraction", &S::attention_efficiency_fraction, share,
                 "share of the BF16 peak that the products inside the forward flash-attention kernel reach"),
        optional("attention_softmax_clocks", &S::attention_softmax_clocks, Range{0, 10},
                 "clocks per attention score and SM of softmax work that products do not hide, forward"),
        optional("attention_tile_overhead", &S::attention_tile_overhead, Range{0, 1e4},
                 "fill and epilogue of one tile of queries, in key positions"),
        optional("attention_backward_efficiency_fraction", &S::attention_backward_efficiency_fraction, share,
                 "share of the BF16 peak that the products inside the backward flash-attention kernel reach"),
        optional("attention_backward_softmax_clocks", &S::attention_backward_softmax_clocks, Range{0, 10},
                 "clocks per attention score and SM of softmax work that products do not hide, backward"),
        optional("attention_energy_ratio", &S::attention_energy_ratio, ratio,
                 "energy per FLOP of attention, softmax included, over that of a matrix product"),
        optional("reference_clock_hz", &S::reference_clock_hz, Range{1e8, 1e10},
                 "clock at which energy_j_per_flop is stated"),
        optional("voltage_floor_fraction", &S::voltage_floor_fraction, Range{0, 1},
                 "share of the reference clock below which the voltage falls no further"),
        optional(
            "voltage_slope", &S::voltage_slope, Range{0, 1},
            "relative change of the voltage over that of the clock, at the reference clock and down to the floor; 1 "
            "= proportional"),
        optional("energy_j_per_flop", &S::energy_j_per_flop, Range{1e-14, 1e-9},
                 "energy of a BF16 FLOP at the reference clock, operand delivery included, random data"),
        optional("fp8_energy_fraction", &S::fp8_energy_fraction, ratio, "energy of an FP8 FLOP over a BF16 FLOP"),
        optional("block_scale_energy_fraction", &S::block_scale_energy_fraction, ratio,
                 "energy of a block-scaled FP8 FLOP over a BF16 FLOP"),
        optional("fp4_energy_fraction", &S::fp4_energy_fraction, ratio, "energy of an FP4 FLOP over a BF16 FLOP"),
        optional("memory_j_per_byte", &S::memory_j_per_byte, Range{0, 1e-9},
                 "energy of a byte to or from device memory, caches and on-chip paths included"),
        optional("on_chip_memory_energy_fraction", &S::on_chip_memory_energy_fraction, Range{0, 1},
                 "share of memory_j_per_byte spent in caches and on-chip paths, which goes with the square of the "
                 "voltage; the rest is spent in the memory itself"),
        optional("active_fraction", &S::active_fraction, Range{0, 1},
                 "share of (power limit - idle) drawn while kernels run, before arithmetic and data"),
        optional("clock_power_fraction", &S::clock_power_fraction, Range{0, 1},
                 "share of the power of active_fraction that goes with clock and square of the voltage (clock tree); "
                 "the rest is leakage and fixed"),
        optional("fp64_energy_j_per_flop", &S::fp64_energy_j_per_flop, Range{1e-13, 1e-9},
                 "energy of an FP64 FLOP of matrix products at the clock that the power limit leaves them"),
        optional("fp64_sustained_flops_fraction", &S::fp64_sustained_flops_fraction, Range{0.05, 2},
                 "FP64 rate of whole machines in HPL over fp64_flops_per_s"),
        optional("communicating_fraction", &S::communicating_fraction, Range{0, 1},
                 "share of (power limit - idle) drawn inside a collective"),
        optional("stalled_fraction", &S::stalled_fraction, Range{0, 1},
                 "share of (power limit - idle) drawn while waiting, clocks up"),
        optional("sustained_fraction", &S::sustained_fraction, share,
                 "speed of a kernel inside a training step over that in a loop of its own: cold caches, hot device, "
                 "memory shared with transfers"),
        optional("synchronous_attention_fraction", &S::synchronous_attention_fraction, share,
                 "speed of the products inside attention kernels written for older devices (FlashAttention-2) over "
                 "that inside the device's own")};
  }
  friend bool operator==(const Architecture&, const Architecture&) = default;
};

}  // namespace ampacity
