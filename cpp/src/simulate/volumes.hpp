// Bytes that a device's network card sends in a step, by what they are for.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "simulate/plan.hpp"
#include "simulate/traffic.hpp"

namespace ampacity::simulation {

struct Volumes {
  std::array<std::vector<double>, kExchanges> within;  ///< of every rank, all micro-batches
  double message = 0;                                  ///< between stages: one message
  std::vector<double> ends;                            ///< of every rank: gradients and weights but those of experts
  std::vector<double> expert_ends;                     ///< of every rank: those of routed experts
};

/// Asks the closed forms, so that the bytes are those that they price: on a network of one byte a second, where
/// nothing else takes time and nothing hides, seconds are bytes.
[[nodiscard]] Volumes volumes_of(const Training& job, const Layout& layout, const Accelerator& device,
                                 const network::Links& links, const Plan& plan);

}  // namespace ampacity::simulation
