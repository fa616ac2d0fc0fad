// Matrix products by tile and wave quantisation. Tiles of C are spread over the SMs in waves; a tile runs along k at a
// rate that grows with its size and pays a fixed fill and epilogue (NVIDIA, "Matrix Multiplication Background User's
// Guide": tile and wave quantisation; CUTLASS documentation, "Efficient GEMM": split-k).
#include <algorithm>
#include <array>

#include "compute/device.hpp"
#include "compute/kernels.hpp"

namespace ampacity::compute {

namespace {

// Work of one thread block in units of 64 rows and 64 columns: the shapes that cuBLAS and CUTLASS use most.
struct Tile {
  int rows;
  int columns;
};
constexpr std::array<Tile, 5> tiles{{{2, 4}, {4, 2}, {2, 2}, {1, 2}, {2, 1}}};
constexpr double unit = 64;
// Operand elements to load per multiply-add: (rows + columns) / (rows * columns).
constexpr double loads(Tile tile) {
  return (tile.rows + tile.columns) / (unit * tile.rows * tile.columns);
}

// Shallowest slice worth a split along k, and the rate at which partial sums pass through the last-level cache,
// relative to memory (Hopper: 5.5-7 TB/s against 3.35, Chips and Cheese microbenchmarks).
constexpr double split_depth = 512;
constexpr double cache_speedup = 2.5;
constexpr double partial_sum_bytes = 8;  // written and read once, FP32

constexpr double plain_result_bytes = 2;
// Share of what an accumulating product moves more that its arithmetic does not hide, at the end of each tile: brings
// 61 products of weight gradients with 32-bit accumulation to the error of the 122 without (SimuMax,
// configs/system/a100_pcie, 4.7 % slower at like shapes).
constexpr double exposed_accumulation = 0.4;
// The same of equal products side by side (experts), whose loops are short: brings 24 products of weight gradients of
// 20 to 64 experts to the error of the 48 without (SimuMax, configs/system/b200_bf16_ceperm; Transformer Engine 2.11).
constexpr double exposed_grouped_accumulation = 0.85;

// Parts along the m or n axis for tiles of 1, 2 or 4 units.
struct Parts {
  double ones, twos, fours;
  explicit Parts(double extent) : ones(round_up(extent / unit)), twos(round_up(ones / 2)), fours(round_up(twos / 2)) {}
  [[nodiscard]] double of(int units) const { return units == 1 ? ones : units == 2 ? twos : fours; }
};

// Seconds of arithmetic at the data-sheet clock with the best tile.
double tiled_math_s(const Accelerator& device, const Format& format, const GemmShape& shape) {
  const Architecture& family = device.architecture;
  const double sms = static_cast<double>(device.sm_count);
  // A little low, so that a full wave stays one whole wave whatever the rounding of the product.
  const double waves_per_tile = (1 - 1e-12) / sms;
  const double fill_s = family.tile_overhead_clocks / device.tensor_clock_hz;
  const double half = family.tile_half_depth;
  // One k step of one unit of a tile of endless size, on one SM.
  const double endless = format.efficiency * (1 + half * loads(tiles[0]));
  const double unit_step_s = 2 * unit * unit * sms / (format.flops_per_s * endless);
  const double deepest_split = shape.k / split_depth;
  const double reduction_s =
      partial_sum_bytes * shape.m * shape.n * shape.batch / (cache_speedup * device.memory_bytes_per_s);
  const Parts rows(shape.m);
  const Parts columns(shape.n);

  double best_s = 1e300;
  for (const Tile tile : tiles) {
    const double step_s = unit_step_s * tile.rows * tile.columns * (1 + half * loads(tile));
    const double count = rows.of(tile.rows) * columns.of(tile.columns) * shape.batch;
    best_s = std::min(best_s, round_up(count * waves_per_tile) * (step_s * shape.k + fill_s));
    if (2 * count <= sms && deepest_split >= 2) {
      const double parts = static_cast<double>(static_cast<std::int64_t>(std::min(sms / count, deepest_split)));
      best_s = std::min(best_s, step_s * shape.k / parts + fill_s + family.split_k_overhead_s + parts * reduction_s);
    }
  }
  return best_s;
}

}  // namespace

KernelCost gemm(const Accelerator& device, Precision precision, const GemmShape& shape) {
  const Format format = format_of(device, precision);
  const double outputs = shape.m * shape.n * shape.batch;
  const double result_bytes = shape.accumulator_bytes > 0 ? 2 * shape.accumulator_bytes : plain_result_bytes;
  const double moved = (shape.m + shape.n) * shape.k * shape.batch * format.operand_bytes + outputs * result_bytes;
  const double added_s = (result_bytes - plain_result_bytes) * outputs / memory_rate(device);
  const double exposed = shape.batch > 1 ? exposed_grouped_accumulation : exposed_accumulation;
  const KernelCost cost = run_under_power_limit(
      device, {tiled_math_s(device, format, shape) + exposed * added_s, moved / memory_rate(device),
               2 * outputs * shape.k * format.joules_per_flop, moved * device.architecture.memory_j_per_byte});
  if (device.measured == nullptr || shape.batch != 1) return cost;
  return corrected(device, MeasuredKernel::gemm, format_on(device, precision), {shape.m, shape.n, shape.k}, cost);
}

}  // namespace ampacity::compute
