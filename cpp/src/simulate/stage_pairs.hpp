// Who sends to whom between the stages of a pipeline.
#pragma once

#include <cstddef>
#include <span>

#include "simulate/traffic.hpp"

namespace ampacity::simulation {

/// Fills pairs of pipeline ranks and, for every crew, which messages of its slots belong to which: from what every task
/// waits for.
void find_pairs(std::span<const TrafficCrew> crews, std::size_t ranks, Traffic& traffic);

}  // namespace ampacity::simulation
