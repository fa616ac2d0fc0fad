// The values that a search tries for each field of a layout.
#pragma once

#include <cstdint>
#include <vector>

#include "ampacity/search.hpp"

namespace ampacity::search_detail {

/// Recomputation to try, in the order of what it costs.
struct RecomputeOption {
  Recompute recompute = Recompute::none;
  RecomputeModules modules;
};

/// Values to try, field by field. What the user chose has one value.
struct Options {
  std::vector<std::int64_t> tp;
  std::vector<std::int64_t> pp;
  std::vector<std::int64_t> cp;
  std::vector<std::int64_t> ep;
  std::vector<std::int64_t> micro_batch;
  std::vector<RecomputeOption> recompute;
};
[[nodiscard]] Options options_of(const Training& job, const Cluster& cluster, const LayoutChoice& choice,
                                 std::int64_t accelerators);

/// Virtual stages to try with that many pipeline stages.
[[nodiscard]] std::vector<std::int64_t> virtual_stages(const Model& model, const LayoutChoice& choice, std::int64_t pp);

/// The layout that the choice describes, with 1 for what is open and dp from the rest.
[[nodiscard]] Layout skeleton(const LayoutChoice& choice, std::int64_t accelerators);

/// What the number of micro-batches must be a multiple of.
[[nodiscard]] std::int64_t multiple_of_batches(const Layout& layout);

}  // namespace ampacity::search_detail
