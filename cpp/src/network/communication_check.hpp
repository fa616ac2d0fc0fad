// What makes a collective.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ampacity/communication.hpp"

namespace ampacity::network {

/// Lengths of the levels of every collective. \throws InvalidSpec naming everything that makes none.
[[nodiscard]] std::vector<std::vector<std::int64_t>> checked_levels(const Network& network,
                                                                    std::span<const Collective> collectives,
                                                                    const FlowRules& rules);

}  // namespace ampacity::network
