// What groups of a step look like, by what they communicate for.
#pragma once

#include "ampacity/layout.hpp"
#include "ampacity/training.hpp"
#include "network/collectives.hpp"
#include "simulate/traffic.hpp"

namespace ampacity::simulation {

/// Members of a group, and which of them sends to which.
struct Pattern {
  network::Group group;
  enum class Kind { ring, neighbours, exchange } kind = Kind::ring;
};
[[nodiscard]] Pattern pattern_of(const Training& job, const Layout& layout, Exchange kind);

}  // namespace ampacity::simulation
