// `estimate`: one representative device per role, closed form, microseconds.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ampacity/cluster.hpp"
#include "ampacity/layout.hpp"
#include "ampacity/memory.hpp"
#include "ampacity/training.hpp"

namespace ampacity {

/// Where the seconds of a step go on the critical path; the terms sum to the step time.
struct Breakdown {
  double gemm_s = 0;          ///< matrix products, forward and backward
  double attention_s = 0;     ///< attention core, forward and backward
  double memory_bound_s = 0;  ///< norms, activations, embedding, loss, casts
  double recompute_s = 0;     ///< forward work done again in the backward pass
  double launch_s = 0;        ///< device waits for the host to launch kernels
  double tp_comm_s = 0;       ///< exposed tensor-parallel communication
  double cp_comm_s = 0;       ///< exposed context-parallel communication
  double ep_comm_s = 0;       ///< exposed expert-parallel communication
  double pp_comm_s = 0;       ///< exposed stage-to-stage transfers
  double dp_comm_s = 0;       ///< exposed gradient reduction and weight gathering
  double imbalance_s = 0;     ///< waiting for the device with most tokens of its experts, or most of a causal mask
  double offload_s = 0;       ///< exposed transfers to and from host memory, and the optimizer on the host
  double bubble_s = 0;        ///< pipeline fill and drain, and waiting for the slowest stage
  double optimizer_s = 0;     ///< optimizer step, clipping
  double straggler_s = 0;     ///< waiting for the slowest of the synchronous devices
  double overhead_s = 0;      ///< fixed cost of a step in the software

  [[nodiscard]] double total_s() const {
    return gemm_s + attention_s + memory_bound_s + recompute_s + launch_s + tp_comm_s + cp_comm_s + ep_comm_s +
           pp_comm_s + dp_comm_s + imbalance_s + offload_s + bubble_s + optimizer_s + straggler_s + overhead_s;
  }
};

/// Where the measured step time of such a run lies with 50 and 90 % probability, by how far off predictions of the
/// scoreboard's sources have been when that source was not fitted to (tools/fit_intervals.py). Wider where no measured
/// run resembles this one: device family and format, software, or number of devices.
struct Interval {
  double low_50_s = 0;
  double high_50_s = 0;
  double low_90_s = 0;
  double high_90_s = 0;
};

/// Power of the accelerators that the job uses, with their share of hosts, network, storage and plant.
struct Power {
  double gpu_mean_w = 0;       ///< one accelerator over a step
  double gpu_peak_w = 0;       ///< one accelerator in its hungriest phase
  double gpu_min_w = 0;        ///< one accelerator stalled
  double it_mean_w = 0;        ///< all IT equipment during training
  double it_peak_w = 0;        ///< all devices at their power limit
  double it_nameplate_w = 0;   ///< sum of the ratings
  double facility_mean_w = 0;  ///< at the meter, yearly mean cooling
  double facility_peak_w = 0;  ///< at the meter, hottest day
  double swing_w = 0;          ///< IT power between all devices busy and all stalled
};

/// The whole training run.
struct Run {
  double tokens = 0;
  double steps = 0;
  double mtbf_s = 0;
  double checkpoint_interval_s = 0;
  double goodput_fraction = 0;
  double duration_s = 0;
  double energy_j = 0;
  double carbon_kg = 0;
  double water_l = 0;
  double energy_cost_usd = 0;
  double capex_usd = 0;
  double homes_equivalent = 0;
};

/// What a prediction does not model or is less sure of.
enum class Caveat {
  accelerators_unused,    ///< value: how many of the requested stay idle, limit: how many were requested
  mixed_generations,      ///< value: partitions of different nodes in one job, the slowest sets the pace
  precision_fallback,     ///< value: the job's format, limit: the one that the device uses instead (`Precision`)
  no_tokens,              ///< neither job nor model says how many tokens; one step is reported as the run
  power_limit_exceeded,   ///< value: peak facility power, limit: what the grid grants (W)
  does_not_fit,           ///< value: bytes needed, limit: bytes there
  uneven_batch,           ///< value: batch used, limit: batch asked for
  failures_dominate,      ///< value: seconds between failures, limit: seconds to recover from one
  balanced_experts,       ///< mixture of experts: the router is forced to spread tokens evenly
  tokens_dropped,         ///< `value` of the routed tokens exceed a capacity factor of `limit`
  extrapolated_scale,     ///< value: devices in the job, limit: largest job the scoreboard checks
  implausible,            ///< value of `field`, limit: what known ones reach; most likely a slip of units
  border_between_stages,  ///< value: seconds of WAN that pipeline messages take a step, left out; limit: the step time
  frozen_weights,         ///< value: rank of the adapters that are trained, limit: bytes of a frozen weight
};

template <>
struct EnumNames<Caveat> {
  static constexpr std::array<std::string_view, 14> names{
      "accelerators-unused", "mixed-generations", "precision-fallback",    "no-tokens",        "power-limit-exceeded",
      "does-not-fit",        "uneven-batch",      "failures-dominate",     "balanced-experts", "tokens-dropped",
      "extrapolated-scale",  "implausible",       "border-between-stages", "frozen-weights"};
};

/// A caveat with the numbers that belong to it.
struct Warning {
  Caveat caveat;
  double value = 0;
  double limit = 0;
  std::string field{};  // NOLINT(readability-redundant-member-init): GCC warns of {caveat, value, limit} without it

  /// The warning in words.
  [[nodiscard]] std::string text() const;
};

/// Answer of `estimate`.
struct Estimate {
  std::string model;
  std::string cluster;
  std::int64_t accelerators = 0;
  std::int64_t global_batch = 0;
  std::int64_t seq_len = 0;
  Precision precision = Precision::bf16;
  Layout layout;
  double step_time_s = 0;
  Interval interval;  ///< about the step time
  double tokens_per_s = 0;
  double model_flops_per_step = 0;  ///< of the algorithm: no recompute, causal attention counted once
  double flops_per_s_per_accelerator = 0;
  double mfu_fraction = 0;  ///< against the dense peak of the job's precision
  Breakdown breakdown;
  Memory memory;            ///< of the fullest pipeline stage
  StageKinds memory_kinds;  ///< what `memory_stages` is made of
  Power power;
  Run run;
  std::vector<Warning> warnings;

  /// Memory of every pipeline stage, the one with the embedding first.
  [[nodiscard]] std::vector<StageMemory> memory_stages() const;
};

/// Predicts one training step and the run made of it.
/// \throws InvalidSpec naming every conflict of job, cluster and layout (a layout that does not fit in memory
///         is not an error: see `Estimate::memory`).
[[nodiscard]] Estimate estimate(const Training& job, const Cluster& cluster, const Layout& layout);

/// The same for many layouts of one job, in their order.
/// \throws InvalidSpec for the first layout that cannot run.
[[nodiscard]] std::vector<Estimate> estimate_all(const Training& job, const Cluster& cluster,
                                                 std::span<const Layout> layouts);

}  // namespace ampacity
