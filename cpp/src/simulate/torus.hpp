// Jobs on a scale-up torus: which of its links the groups of a step use. There is no network beside it, and nothing of
// a group stays inside a switch.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "ampacity/layout.hpp"
#include "ampacity/network.hpp"
#include "network/collectives.hpp"
#include "simulate/plan.hpp"

namespace ampacity::simulation {

/// Whether a job's network is one torus with all of its ranks in their places: a pod, or a slice of it that is a torus
/// of its own.
[[nodiscard]] bool is_on_torus(const Cluster& cluster, const Layout& layout);

struct Pattern;

class TorusStreams {
 public:
  /// Of a crew's devices; without links that have flows (`TorusPlaces::has_flows`) there are none. Demands are those at
  /// the pace that the closed form expects, with all groups of a kind at work.
  TorusStreams(const Cluster& cluster, const LinkedDevice& kind, std::size_t devices);

  [[nodiscard]] bool any() const { return !endpoint_.empty(); }
  /// Of one link, which a stream of demand 1 fills.
  [[nodiscard]] double link_bytes_per_s() const { return network_->link_bytes_per_s(0); }
  [[nodiscard]] const std::vector<std::int64_t>& endpoints() const { return endpoint_; }
  [[nodiscard]] const Network& network() const { return *network_; }

  /// What a member of a group sends in a collective: `send(from, to, demand, share)`, with the share of its bytes, for
  /// every neighbour in every direction.
  template <class Send>
  void each_of_ring(const network::Group& group, std::int64_t first, const Send& send) const;
  /// Demand of a member's messages to all others, or of one to the next; 1 of collectives, whose streams know theirs.
  [[nodiscard]] double demand_of(const Pattern& pattern) const;

 private:
  [[nodiscard]] network::TorusGroup on_torus(const network::Group& group) const {
    return network::group_on_torus(places_, dimensions_, group.ranks, group.stride);
  }
  /// The device that many members on in a dimension.
  [[nodiscard]] std::int64_t neighbour(const network::TorusGroup& group, std::int64_t device, std::size_t dimension,
                                       std::int64_t step) const;

  network::TorusPlaces places_;
  std::int64_t dimensions_ = 3;
  std::unique_ptr<const Network> network_;
  std::vector<std::int64_t> endpoint_;  ///< of every device
  std::vector<std::int64_t> device_;    ///< at every endpoint
};

template <class Send>
void TorusStreams::each_of_ring(const network::Group& group, std::int64_t first, const Send& send) const {
  const network::TorusGroup here = on_torus(group);
  const double pace = 1 / network::bucket_s_per_byte(here);
  const std::array<double, network::kTorusDimensions> shares = network::bucket_shares(here);
  for (std::int64_t i = 0; i < group.ranks; ++i) {
    const std::int64_t from = first + i * group.stride;
    if (!here.is_block) {  // in the order of ranks, both ways
      for (const std::int64_t next : {i + 1, i + group.ranks - 1}) {
        send(from, first + next % group.ranks * group.stride, 0.5 * pace, 0.5);
      }
      continue;
    }
    for (std::size_t d = 0; d < network::kTorusDimensions; ++d) {
      if (shares[d] <= 0) continue;
      const double half = 0.5 * shares[d];
      for (const std::int64_t step : {1, -1}) send(from, neighbour(here, from, d, step), half * pace, half);
    }
  }
}

}  // namespace ampacity::simulation
