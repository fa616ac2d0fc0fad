// Flows, links and groups that cannot be told apart.
#pragma once

#include <cstdint>
#include <vector>

#include "network/max_min.hpp"

namespace ampacity::network {

/// An equitable partition: flows of one class cross equally many links of every class, and links of one class carry
/// equally many flows of every class; groups of one class have equally many flows of every class. Max-min fair rates
/// are unique, so the average over a class of any of them is the same solution: flows of one class have equal rates,
/// and those of the quotient are exact.
struct Classes {
  std::vector<std::uint32_t> flow;   ///< class of every flow; numbered by first appearance
  std::vector<std::uint32_t> link;   ///< class of every link
  std::vector<std::uint32_t> group;  ///< class of every group
  std::uint32_t flows = 0;           ///< number of classes
  std::uint32_t links = 0;
  std::uint32_t groups = 0;
};

/// What tells flows, links and groups apart to begin with: their colours. Flow f belongs to group `group_of[f]`.
struct Colours {
  std::vector<std::uint64_t> flow;
  std::vector<std::uint64_t> link;
  std::vector<std::uint64_t> group;
};

/// The coarsest such partition, by colour refinement (Weisfeiler, Leman 1968) with 64-bit hashes: of n things two that
/// differ are taken for one with probability n^2 / 2^65, 1e-8 for a million. Where most flows differ anyway, all are
/// classes of their own.
[[nodiscard]] Classes classes_of(const Paths& paths, const std::vector<std::uint32_t>& group_of, Colours colours);
/// Everything a class of its own.
[[nodiscard]] Classes all_apart(const Paths& paths, const Colours& colours);

/// One flow for each class, on one link for each class.
struct Quotient {
  Paths paths;
  std::vector<std::uint32_t> first_flow;  ///< the first of every class
  std::vector<std::uint32_t> first_link;
};
[[nodiscard]] Quotient quotient_of(const Paths& paths, const Classes& classes);

}  // namespace ampacity::network
