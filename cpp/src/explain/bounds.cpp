#include "explain/bounds.hpp"

#include <algorithm>
#include <cmath>

#include "explain/sensitivity.hpp"

namespace ampacity::explain_detail {
namespace {

constexpr double smallest_share = 0.005;
// A product at the power limit goes with the power of it to -1/3: time t with energy E / t^2 within a budget P t. Half
// of that over all compute of a step says that most of it runs there.
constexpr double power_bound_elasticity = 1.0 / 6;
// Share of a step's compute that has to follow a resource for its name to be given.
constexpr double named_share = 0.5;

std::string compute_bound(double compute_share, const std::vector<Sensitivity>& all) {
  const double power = -elasticity(all, Lever::power_limit) / compute_share;
  const double memory = -elasticity(all, Lever::memory_bandwidth) / compute_share;
  if (memory > named_share) return ", mostly at memory bandwidth";
  if (power > power_bound_elasticity) return " at the power limit";
  return " at the arithmetic rate";
}

std::string data_parallel(const Layout& layout) {
  return layout.zero_stage >= 3 ? "exposed gathering of sharded weights and scattering of gradients (data parallel)"
                                : "exposed data-parallel reduction and gathering";
}

}  // namespace

std::vector<Bound> bounds(const Breakdown& b, const std::vector<Sensitivity>& sensitivities, const Layout& layout) {
  const double total = b.total_s();
  const double compute_share = (b.gemm_s + b.attention_s + b.memory_bound_s + b.recompute_s) / total;
  std::vector<Bound> all;
  const auto add = [&](std::string text, double seconds) {
    if (seconds >= smallest_share * total) all.push_back({std::move(text), seconds, seconds / total});
  };
  add("matrix products" + compute_bound(compute_share, sensitivities), b.gemm_s);
  add("attention core", b.attention_s);
  add("memory-bound operators (norms, activation, casts, embedding, loss)", b.memory_bound_s);
  add("recomputation of the forward pass", b.recompute_s);
  add("the host, which launches kernels more slowly than the device runs them", b.launch_s);
  add("exposed tensor-parallel communication", b.tp_comm_s);
  add("exposed context-parallel communication", b.cp_comm_s);
  add("exposed expert-parallel exchange", b.ep_comm_s);
  add("exposed transfers between pipeline stages", b.pp_comm_s);
  add(data_parallel(layout), b.dp_comm_s);
  add("imbalance: waiting for the device with most tokens or most of the mask", b.imbalance_s);
  add("pipeline bubble (fill and drain)", b.bubble_s);
  add("optimizer and gradient clipping", b.optimizer_s);
  add("offload: host memory, its link and its processors", b.offload_s);
  add("stragglers: waiting for the slowest device", b.straggler_s);
  add("fixed overhead of a step in the software", b.overhead_s);
  std::stable_sort(all.begin(), all.end(), [](const Bound& x, const Bound& y) { return x.seconds > y.seconds; });
  return all;
}

}  // namespace ampacity::explain_detail
