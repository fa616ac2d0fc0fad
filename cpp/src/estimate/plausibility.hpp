// Values that are possible but unlike any product, model or run that we know of: most likely a slip of units.
#pragma once

#include <string>
#include <vector>

#include "ampacity/estimate.hpp"

namespace ampacity {

/// Adds a warning for each such value of the job, of what the layout does to it and of the cluster.
void add_implausible(const Training& job, const Cluster& cluster, const Layout& layout, std::vector<Warning>& warnings);

/// Such a warning in words: field, value, what is known, what may be meant.
[[nodiscard]] std::string implausible_text(const Warning& warning);

}  // namespace ampacity
