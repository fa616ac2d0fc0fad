// What is wrong with jobs, mitigations and options of a site's load.
#pragma once

#include <vector>

#include "ampacity/load.hpp"

namespace ampacity::load {

/// \throws InvalidSpec naming all problems
void check(const std::vector<LoadJob>& jobs, const std::vector<Mitigation>& mitigations,
           const SiteLoadOptions& options);

}  // namespace ampacity::load
