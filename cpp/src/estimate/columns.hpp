// Which numbers of an estimate become columns of a batch. A new number of `Estimate` needs a line here.
#pragma once

#include <tuple>

#include "ampacity/batch.hpp"

namespace ampacity::batch {

template <class Get>
struct Entry {
  ColumnInfo info;
  Get get;
};
template <class Get>
Entry(ColumnInfo, Get) -> Entry<Get>;

/// Entry of a member of a part of the estimate.
template <class Part>
constexpr auto member(Part Estimate::* part, double Part::* value, std::string_view key, std::string_view doc) {
  return Entry{ColumnInfo{key, doc}, [part, value](const Estimate& e) { return e.*part.*value; }};
}
constexpr auto member(double Estimate::* value, std::string_view key, std::string_view doc) {
  return Entry{ColumnInfo{key, doc}, [value](const Estimate& e) { return e.*value; }};
}

constexpr auto speed_columns() {
  using E = Estimate;
  return std::tuple{
      Entry{ColumnInfo{"accelerators", "accelerators that the job runs on"},
            [](const E& e) { return static_cast<double>(e.accelerators); }},
      member(&E::step_time_s, "step_time_s", "time of one training step (s)"),
      member(&E::tokens_per_s, "tokens_per_s", "tokens per second of the whole job, without interruptions"),
      member(&E::model_flops_per_step, "model_flops_per_step", "FLOPs of the algorithm in one step"),
      member(&E::flops_per_s_per_accelerator, "flops_per_s_per_accelerator", "those FLOPs per second and accelerator"),
      member(&E::mfu_fraction, "mfu_fraction", "model FLOPs utilisation, against the dense peak")};
}

constexpr auto breakdown_columns() {
  using B = Breakdown;
  const auto term = [](double B::* value, std::string_view key, std::string_view doc) {
    return member(&Estimate::breakdown, value, key, doc);
  };
  return std::tuple{term(&B::gemm_s, "gemm_s", "matrix products (s)"),
                    term(&B::attention_s, "attention_s", "attention core (s)"),
                    term(&B::memory_bound_s, "memory_bound_s", "norms, activations, embedding, loss, casts (s)"),
                    term(&B::recompute_s, "recompute_s", "forward work done again in the backward pass (s)"),
                    term(&B::launch_s, "launch_s", "the device waits for the host to launch kernels (s)"),
                    term(&B::tp_comm_s, "tp_comm_s", "exposed tensor-parallel communication (s)"),
                    term(&B::cp_comm_s, "cp_comm_s", "exposed context-parallel communication (s)"),
                    term(&B::ep_comm_s, "ep_comm_s", "exposed expert-parallel communication (s)"),
                    term(&B::pp_comm_s, "pp_comm_s", "exposed stage-to-stage transfers (s)"),
                    term(&B::dp_comm_s, "dp_comm_s", "exposed gradient reduction and weight gathering (s)"),
                    term(&B::imbalance_s, "imbalance_s", "waiting for the rank of a group with most work (s)"),
                    term(&B::offload_s, "offload_s", "exposed transfers to the host, optimizer there (s)"),
                    term(&B::bubble_s, "bubble_s", "pipeline fill and drain, and waiting for the slowest stage (s)"),
                    term(&B::optimizer_s, "optimizer_s", "optimizer step and gradient clipping (s)"),
                    term(&B::straggler_s, "straggler_s", "waiting for the slowest of the synchronous devices (s)"),
                    term(&B::overhead_s, "overhead_s", "fixed cost of a step in the software (s)")};
}

constexpr auto memory_columns() {
  using M = Memory;
  const auto part = [](double M::* value, std::string_view key, std::string_view doc) {
    return member(&Estimate::memory, value, key, doc);
  };
  return std::tuple{
      part(&M::weights_bytes, "weights_bytes", "weights (bytes)"),
      part(&M::gradients_bytes, "gradients_bytes", "gradients (bytes)"),
      part(&M::optimizer_bytes, "optimizer_bytes", "optimizer state and master weights (bytes)"),
      part(&M::activations_bytes, "activations_bytes", "activations kept by all micro-batches in flight (bytes)"),
      part(&M::other_bytes, "other_bytes", "buffers, workspace, context, fragmentation (bytes)"),
      part(&M::workspace_bytes, "workspace_bytes", "logits, gradients of activations (bytes)"),
      part(&M::communication_bytes, "communication_bytes", "gathered weights, buffers (bytes)"),
      part(&M::context_bytes, "context_bytes", "outside the framework's allocator (bytes)"),
      part(&M::fragmentation_bytes, "fragmentation_bytes", "held by the allocator and of no use (bytes)"),
      part(&M::capacity_bytes, "capacity_bytes", "what the device has (bytes)"),
      Entry{ColumnInfo{"allocated_bytes", "tensors of the fullest device (bytes)"},
            [](const Estimate& e) { return e.memory.allocated_bytes(); }},
      Entry{ColumnInfo{"reserved_bytes", "those with fragmentation (bytes)"},
            [](const Estimate& e) { return e.memory.reserved_bytes(); }},
      Entry{ColumnInfo{"memory_bytes", "memory of the fullest device (bytes)"},
            [](const Estimate& e) { return e.memory.total_bytes(); }}};
}

constexpr auto power_columns() {
  using P = Power;
  const auto watts = [](double P::* value, std::string_view key, std::string_view doc) {
    return member(&Estimate::power, value, key, doc);
  };
  return std::tuple{watts(&P::gpu_mean_w, "gpu_mean_w", "one accelerator, mean over a step (W)"),
                    watts(&P::gpu_peak_w, "gpu_peak_w", "one accelerator in its hungriest phase (W)"),
                    watts(&P::gpu_min_w, "gpu_min_w", "one accelerator stalled (W)"),
                    watts(&P::it_mean_w, "it_mean_w", "all IT equipment of the job during training (W)"),
                    watts(&P::it_peak_w, "it_peak_w", "all IT equipment, every device at its power limit (W)"),
                    watts(&P::it_nameplate_w, "it_nameplate_w", "sum of the ratings of all IT equipment (W)"),
                    watts(&P::facility_mean_w, "facility_mean_w", "at the meter, yearly mean cooling (W)"),
                    watts(&P::facility_peak_w, "facility_peak_w", "at the meter, hottest day (W)"),
                    watts(&P::swing_w, "swing_w", "IT power between all devices busy and all stalled (W)"),
                    Entry{ColumnInfo{"facility_energy_per_step_j", "energy at the meter of one step (J)"},
                          [](const Estimate& e) { return e.power.facility_mean_w * e.step_time_s; }}};
}

constexpr auto run_columns() {
  using R = Run;
  const auto figure = [](double R::* value, std::string_view key, std::string_view doc) {
    return member(&Estimate::run, value, key, doc);
  };
  return std::tuple{figure(&R::tokens, "tokens", "tokens of the run"),
                    figure(&R::steps, "steps", "optimizer steps of the run"),
                    figure(&R::mtbf_s, "mtbf_s", "mean time between interruptions of the job (s)"),
                    figure(&R::checkpoint_interval_s, "checkpoint_interval_s", "best time between checkpoints (s)"),
                    figure(&R::goodput_fraction, "goodput_fraction", "share of the run spent on steps that count"),
                    figure(&R::duration_s, "duration_s", "wall time of the run (s)"),
                    figure(&R::energy_j, "energy_j", "energy of the run at the meter (J)"),
                    figure(&R::carbon_kg, "carbon_kg", "greenhouse gases of that energy (kg CO2e)"),
                    figure(&R::water_l, "water_l", "water evaporated for cooling (litres)"),
                    figure(&R::energy_cost_usd, "energy_cost_usd", "price of the energy (USD)"),
                    figure(&R::capex_usd, "capex_usd", "price of hardware and plant that the job uses (USD)"),
                    figure(&R::homes_equivalent, "homes_equivalent", "average US homes with the same mean power")};
}

inline constexpr auto columns =
    std::tuple_cat(speed_columns(), breakdown_columns(), memory_columns(), power_columns(), run_columns());
inline constexpr std::size_t column_count = std::tuple_size_v<decltype(columns)>;

}  // namespace ampacity::batch
