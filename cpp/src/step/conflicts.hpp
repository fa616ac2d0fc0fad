// Rules between job, cluster and layout.
#pragma once

#include <vector>

#include "ampacity/cluster.hpp"
#include "ampacity/error.hpp"
#include "ampacity/layout.hpp"
#include "ampacity/training.hpp"

namespace ampacity::step {

/// Everything that keeps the layout from running the job on the cluster; empty where it can run.
[[nodiscard]] std::vector<Problem> conflicts(const Training& job, const Cluster& cluster, const Layout& layout);

/// The same question without the words, for searches.
[[nodiscard]] bool can_run(const Training& job, const Layout& layout);

/// The path of the first field that `conflicts` would name; nullptr where the layout can run. Makes no text.
[[nodiscard]] const char* first_conflict(const Training& job, const Cluster& cluster, const Layout& layout);

/// Whether the number of accelerators is small enough (1e9) for products of degrees to be exact.
[[nodiscard]] bool exact_product(const Layout& layout);

/// Numbers out of range in specifications that were filled by hand and not read from a document.
[[nodiscard]] std::vector<Problem> out_of_range(const Training& job, const Cluster& cluster, const Layout& layout);

}  // namespace ampacity::step
