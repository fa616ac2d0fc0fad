// Notes, on request, what the seconds of a part are made of, while the part is priced: one walk for time and
// explanation.
#pragma once

#include <array>
#include <cstddef>

#include "ampacity/operator.hpp"
#include "step/pass_time.hpp"

namespace ampacity::step {

/// Communication that can hide behind compute.
enum class Comm { tensor, context, expert, sharding };
inline constexpr std::size_t comm_count = 4;

/// Seconds of each term of a pass by class of operator.
using ByOperator = std::array<double, operator_count>;

/// Seconds of one part (a layer, the embedding, the head) for one micro-batch. Kernel seconds sum to `compute_s` of the
/// part's passes.
struct Ledger {
  /// gemm_s, attention_s and memory_bound_s of a pass.
  struct Kernels {
    ByOperator gemm_s{};
    ByOperator attention_s{};
    ByOperator memory_bound_s{};
  };
  Kernels forward;
  Kernels backward;
  ByOperator recompute_s{};
  std::array<double, comm_count> hidden_s{};

  /// A new pass starts from nothing.
  void begin(bool backward_pass) {
    seen_ = {};
    backward_ = backward_pass;
    if (backward_) forward_hidden_s_ = hidden_s;
  }
  /// The backward half of a part whose directions are one pass begins.
  void turn() { backward_ = true; }
  /// Whatever `pass` has gained since the last note belongs to that class of operator.
  void note(Operator kind, const PassTime& pass) {
    Kernels& kernels = backward_ ? backward : forward;
    const auto index = static_cast<std::size_t>(kind);
    kernels.gemm_s[index] += pass.gemm_s - seen_.gemm_s;
    kernels.attention_s[index] += pass.attention_s - seen_.attention_s;
    kernels.memory_bound_s[index] += pass.memory_bound_s - seen_.memory_bound_s;
    recompute_s[index] += pass.recompute_s - seen_.recompute_s;
    seen_ = pass;
  }
  /// Memory-bound kernels that belong to a pass whose notes are over.
  void add_streams(Operator kind, double forward_s, double backward_s) {
    forward.memory_bound_s[static_cast<std::size_t>(kind)] += forward_s;
    backward.memory_bound_s[static_cast<std::size_t>(kind)] += backward_s;
  }
  /// What has been hidden since the last note is communication of that kind.
  void note(Comm kind, const PassTime& pass) {
    hide(kind, pass.hidden_comm_s - seen_.hidden_comm_s);
    seen_ = pass;
  }
  void hide(Comm kind, double seconds) { hidden_s[static_cast<std::size_t>(kind)] += seconds; }
  /// What has been recomputed since the last note is that share of each kind of kernel of the forward pass.
  void repeat(double gemm, double attention, double memory_bound, const PassTime& pass) {
    for (std::size_t i = 0; i < operator_count; ++i) {
      recompute_s[i] +=
          gemm * forward.gemm_s[i] + attention * forward.attention_s[i] + memory_bound * forward.memory_bound_s[i];
    }
    seen_ = pass;
  }
  /// Of what was just repeated, so much of that class is not.
  void spare(Operator kind, double seconds) { recompute_s[static_cast<std::size_t>(kind)] -= seconds; }
  /// A share of the communication of the forward pass is done again, hidden as it was.
  void repeat_hidden(double share) {
    for (std::size_t i = 0; i < comm_count; ++i) hidden_s[i] += share * forward_hidden_s_[i];
  }

 private:
  PassTime seen_;
  bool backward_ = false;
  std::array<double, comm_count> forward_hidden_s_{};
};

}  // namespace ampacity::step
