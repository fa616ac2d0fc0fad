// Seconds and joules of one direction of some work, term by term.
#pragma once

namespace ampacity::step {

/// One direction (forward or backward) of some work for one micro-batch. The terms add up along the critical path.
struct PassTime {
  double gemm_s = 0;
  double attention_s = 0;
  double memory_bound_s = 0;
  double recompute_s = 0;
  double launch_s = 0;
  double tp_comm_s = 0;
  double cp_comm_s = 0;
  double ep_comm_s = 0;
  double imbalance_s = 0;        ///< waiting for the busiest device of a context- or expert-parallel group
  double dp_comm_s = 0;          ///< exposed gathering and scattering of sharded weights
  double offload_s = 0;          ///< exposed transfers to and from host memory
  double joules = 0;             ///< of the device while it computes; waiting is priced by the caller
  double held_back_j = 0;        ///< what the power limit kept single kernels from drawing
  double hidden_comm_s = 0;      ///< communication behind compute (its watts count)
  double weight_gradient_s = 0;  ///< part of `gemm_s`: nothing on the way back waits for these products

  [[nodiscard]] double compute_s() const { return gemm_s + attention_s + memory_bound_s + recompute_s; }
  /// Time behind which traffic of other groups can hide: also while the device waits for its host or for the slices of
  /// its ring, which both grow as compute shrinks.
  [[nodiscard]] double window_s() const { return compute_s() + launch_s + cp_comm_s; }
  [[nodiscard]] double total_s() const {
    return compute_s() + launch_s + imbalance_s + tp_comm_s + cp_comm_s + ep_comm_s + dp_comm_s + offload_s;
  }
  PassTime& operator+=(const PassTime& other);
};
[[nodiscard]] PassTime operator+(PassTime a, const PassTime& b);
[[nodiscard]] PassTime operator*(double times, PassTime pass);

/// Forward and backward pass of one layer.
struct LayerTime {
  PassTime forward;
  PassTime backward;  ///< recomputation included
};

}  // namespace ampacity::step
