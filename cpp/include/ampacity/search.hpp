// The fastest layout of a job on a cluster that fits in memory.
#pragma once

#include <cstdint>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "ampacity/cluster.hpp"
#include "ampacity/estimate.hpp"
#include "ampacity/layout.hpp"
#include "ampacity/training.hpp"

namespace ampacity {

/// What the user has decided already; fields without a value are searched.
struct LayoutChoice {
  std::optional<std::int64_t>
      accelerators;  ///< how many to use (default: tp * pp * cp * dp where all are given, else all)
  std::optional<std::int64_t> tp;
  std::optional<std::int64_t> pp;
  std::optional<std::int64_t> vp;
  std::optional<std::int64_t> cp;
  std::optional<ContextParallel> cp_kind;
  std::optional<std::int64_t> ep;
  std::optional<std::int64_t> etp;
  std::optional<std::int64_t> dp;
  std::optional<std::int64_t> micro_batch;
  std::optional<std::int64_t> zero_stage;
  std::optional<std::int64_t> shard_group;
  std::optional<bool> reshard_after_forward;
  std::optional<std::int64_t> global_batch;
  std::optional<std::int64_t> first_stage_layers;
  std::optional<std::int64_t> last_stage_layers;
  std::optional<bool> uneven_stages;
  std::optional<std::int64_t> front_stages;
  std::optional<std::int64_t> front_layers;
  std::optional<Balance> balance;
  std::optional<Schedule> schedule;
  std::optional<Recompute> recompute;
  std::optional<RecomputeModules> recompute_modules;
  std::optional<std::int64_t> recompute_layers;
  std::optional<double> offload_optimizer_fraction;
  std::optional<double> offload_activations_fraction;
  std::optional<double> offload_weights_fraction;
  std::optional<bool> sequence_parallel;

 private:
  static constexpr auto pairs() {
    using C = LayoutChoice;
    return std::tuple{std::pair{&Layout::tp, &C::tp},
                      std::pair{&Layout::pp, &C::pp},
                      std::pair{&Layout::vp, &C::vp},
                      std::pair{&Layout::cp, &C::cp},
                      std::pair{&Layout::cp_kind, &C::cp_kind},
                      std::pair{&Layout::ep, &C::ep},
                      std::pair{&Layout::etp, &C::etp},
                      std::pair{&Layout::dp, &C::dp},
                      std::pair{&Layout::micro_batch, &C::micro_batch},
                      std::pair{&Layout::zero_stage, &C::zero_stage},
                      std::pair{&Layout::shard_group, &C::shard_group},
                      std::pair{&Layout::reshard_after_forward, &C::reshard_after_forward},
                      std::pair{&Layout::first_stage_layers, &C::first_stage_layers},
                      std::pair{&Layout::last_stage_layers, &C::last_stage_layers},
                      std::pair{&Layout::uneven_stages, &C::uneven_stages},
                      std::pair{&Layout::front_stages, &C::front_stages},
                      std::pair{&Layout::front_layers, &C::front_layers},
                      std::pair{&Layout::balance, &C::balance},
                      std::pair{&Layout::schedule, &C::schedule},
                      std::pair{&Layout::recompute, &C::recompute},
                      std::pair{&Layout::recompute_modules, &C::recompute_modules},
                      std::pair{&Layout::recompute_layers, &C::recompute_layers},
                      std::pair{&Layout::offload_optimizer_fraction, &C::offload_optimizer_fraction},
                      std::pair{&Layout::offload_activations_fraction, &C::offload_activations_fraction},
                      std::pair{&Layout::offload_weights_fraction, &C::offload_weights_fraction},
                      std::pair{&Layout::sequence_parallel, &C::sequence_parallel}};
  }

 public:
  /// What is decided about that field of the layout.
  template <class T>
  [[nodiscard]] std::optional<T>& of(T Layout::* field) {
    static_assert(std::tuple_size_v<decltype(pairs())> == std::tuple_size_v<decltype(Layout::fields())>);
    std::optional<T> LayoutChoice::* found = nullptr;
    const auto look = [&]<class Other>(const std::pair<Other Layout::*, std::optional<Other> LayoutChoice::*>& pair) {
      if constexpr (std::is_same_v<Other, T>) {
        if (pair.first == field) found = pair.second;
      }
    };
    std::apply([&](const auto&... pair) { (look(pair), ...); }, pairs());
    return this->*found;
  }
  template <class T>
  [[nodiscard]] const std::optional<T>& of(T Layout::* field) const {
    return const_cast<LayoutChoice&>(*this).of(field);  // NOLINT(cppcoreguidelines-pro-type-const-cast)
  }
};

/// A layout with what it achieves.
struct Candidate {
  Layout layout;
  std::int64_t global_batch = 0;
  double step_time_s = 0;
  double tokens_per_s = 0;
  double memory_bytes = 0;
};

/// Result of a search.
struct SearchResult {
  Layout best;
  std::int64_t global_batch = 0;      ///< of the best layout; differs from the job's only where that cannot be split
  std::vector<Candidate> candidates;  ///< the fastest ones that fit, fastest first
  std::int64_t evaluated = 0;
  std::int64_t fitting = 0;
};

/// Searches the layouts that `choice` leaves open for the one with most tokens a second.
/// \param keep how many candidates to return
/// \throws InvalidSpec for contradictory choices (all named at once), Infeasible when nothing fits (with the nearest
///         miss and which part of its memory is largest).
[[nodiscard]] SearchResult search(const Training& job, const Cluster& cluster, const LayoutChoice& choice = {},
                                  std::size_t keep = 10);

/// Estimate of the best layout of `search`, with warnings where it uses fewer accelerators or another batch than asked
/// for.
/// \throws as `search`
[[nodiscard]] Estimate estimate_fastest(const Training& job, const Cluster& cluster, const LayoutChoice& choice = {});

}  // namespace ampacity
