// Several sites: which groups of a step span them, and what that makes of their links.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "ampacity/cluster.hpp"
#include "network/collectives.hpp"

namespace ampacity::simulation {

/// Where endpoints of a cluster's network lie.
class Sites {
 public:
  explicit Sites(const Cluster& cluster);

  [[nodiscard]] bool several() const { return each_ > 0; }
  /// A place for what each of `count` groups spans; none in one site.
  void start(std::vector<std::uint8_t>& spanned, std::size_t count) const;
  /// From the first to the last of a group.
  [[nodiscard]] std::uint8_t spanned(std::int64_t first, std::int64_t last) const;

 private:
  std::int64_t each_ = 0;  // endpoints of a site; 0: there is one
};

/// What closed forms need to know to add the light between the sites that a job spans. Flows know the WAN's capacity.
[[nodiscard]] network::Paths distances_of(const Cluster& cluster);
/// The same for groups that span that many sites, however their extent would divide.
[[nodiscard]] network::Paths distances_of(const Cluster& cluster, const network::Group& group, std::int64_t sites);

}  // namespace ampacity::simulation
