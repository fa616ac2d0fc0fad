// How unevenly a router spreads tokens over experts, and over the devices that hold them.
#pragma once

#include "ampacity/layout.hpp"
#include "ampacity/training.hpp"

namespace ampacity::workload {

/// Tokens that the busiest device of an expert-parallel group receives in one layer and micro-batch, over their mean
/// (expected value). Shares of experts follow a symmetric Dirichlet distribution (normalised gamma variables), whose
/// deviation is the router's own and that of drawing so many tokens at random; the share of a device sums those of its
/// experts and is of the same kind. Shares are independent of the total, so that the expected maximum is that of gamma
/// variables of mean 1. Tokens of one text resemble each other: what that adds must be part of the router's deviation.
/// With a capacity factor every expert takes the same number: 1.
[[nodiscard]] double busiest_load(const Training& job, const Layout& layout);

/// Token slots that an expert works on, over the mean of its tokens: the capacity factor, or 1 without one.
[[nodiscard]] double expert_slots(const Training& job);

/// Share of routed tokens that find no place within the capacity factor, which holds for the tokens of each device
/// (Megatron-Core; GShard's groups, arXiv:2006.16668, section 2.2).
[[nodiscard]] double dropped_fraction(const Training& job, const Layout& layout);

/// Devices of `devices` equal shares of the experts that the experts of one token lie on (expected value, drawn
/// without repetition).
[[nodiscard]] double distinct_devices(const Model& model, double devices);

/// Node-limited routing (DeepSeek-V3, arXiv:2412.19437, section 2.1.2): how many of `domains` hold the groups of
/// experts that a token may choose from (expected value, groups equally likely).
[[nodiscard]] double reachable_domains(const Model& model, double domains);

}  // namespace ampacity::workload
