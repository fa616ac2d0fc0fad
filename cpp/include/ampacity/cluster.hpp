// Clusters: nodes of one or several kinds on one fabric at one site.
#pragma once

#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "ampacity/fabric.hpp"
#include "ampacity/field.hpp"
#include "ampacity/node.hpp"
#include "ampacity/site.hpp"

namespace ampacity {

/// Equal nodes within a cluster.
struct Partition {
  Node node;
  std::int64_t accelerators = 0;

  static constexpr std::string_view kind = "partition";
  template <class S = Partition>
  static constexpr auto fields() {
    return std::tuple{required("node", &S::node, "the node"),
                      required("accelerators", &S::accelerators, Range{1, 1e8}, "accelerators in nodes of this kind")};
  }
  friend bool operator==(const Partition&, const Partition&) = default;
};

/// A cluster: what `estimate` runs a job on.
struct Cluster {
  std::string name;
  std::string title;
  std::vector<Partition> partitions;
  Fabric fabric;
  Site site;
  Reliability reliability;

  [[nodiscard]] std::int64_t accelerators() const {
    std::int64_t sum = 0;
    for (const Partition& partition : partitions) sum += partition.accelerators;
    return sum;
  }

  static constexpr std::string_view kind = "cluster";
  template <class S = Cluster>
  static constexpr auto fields() {
    return std::tuple{required("name", &S::name, "catalogue name"),
                      optional("title", &S::title, "full name"),
                      required("partitions", &S::partitions, "equal nodes, one entry per kind of node"),
                      required("fabric", &S::fabric, "the scale-out network"),
                      required("site", &S::site, "where it stands"),
                      required("reliability", &S::reliability, "failures and restarts")};
  }
  friend bool operator==(const Cluster&, const Cluster&) = default;
};

}  // namespace ampacity
