// A whole training run in closed form: steps, goodput, days, energy, carbon, water, money.
#pragma once

#include <cstdint>

#include "ampacity/cluster.hpp"
#include "ampacity/estimate.hpp"

namespace ampacity::campaign {

/// Run of `tokens` tokens made of equal steps on `accelerators` accelerators of `cluster`.
///
/// Energy counts steps (repeated ones too) at the mean power and checkpoints and recovery at the power of stalled
/// accelerators. `mtbf_s` and `checkpoint_interval_s` are infinite where nothing fails.
[[nodiscard]] Run training_run(const Cluster& cluster, std::int64_t accelerators, double tokens, double tokens_per_step,
                               double step_time_s, const Power& power);

/// Average US homes that draw as much as `facility_w`, all year round.
[[nodiscard]] double homes_equivalent(double facility_w);

/// What the accelerators' nodes, their network and their share of shell and plant cost.
[[nodiscard]] double capital_cost_usd(const Cluster& cluster, std::int64_t accelerators, double it_nameplate_w);

}  // namespace ampacity::campaign
