// Where the parameters of a prediction come from.
#pragma once

#include <string>
#include <vector>

#include "ampacity/explain.hpp"

namespace ampacity::explain_detail {

/// The parameters that matter most: of the device in the job's format, its family, its node and the network.
[[nodiscard]] std::vector<Provenance> provenance(const Training& job, const Cluster& cluster, const Node& node,
                                                 const Catalogue& catalogue);

/// Terms of the step that rest on no measurement of this device's family, or reach beyond what was measured.
[[nodiscard]] std::vector<std::string> doubts(const Training& job, const Node& node, const Layout& layout,
                                              const std::vector<Provenance>& provenance);

/// What makes the interval of the step time wider than that of a run like those measured.
[[nodiscard]] std::vector<std::string> widenings(const Training& job, const Accelerator& device,
                                                 std::int64_t accelerators, double waiting);

}  // namespace ampacity::explain_detail
