// Time of collectives and of point-to-point messages, closed form.
#pragma once

#include <cstdint>
#include <span>

#include "ampacity/cluster.hpp"
#include "network/contention.hpp"
#include "network/torus_places.hpp"

namespace ampacity::network {

/// The two networks of a partition as the closed forms need them, prepared once per cluster.
/// A latency is that of one step of a ring: of the LL protocol inside a domain, of Simple between domains, because
/// these two are what small messages in a node and large messages between nodes show.
struct Links {
  double scaleup_bytes_per_s = 0;            ///< one device, per direction, that large ring collectives reach
  double scaleup_latency_s = 0;              ///< one hop of a small message
  double scaleup_multicast_bytes_per_s = 0;  ///< of an all-reduce inside the switches; 0 = they cannot
  double launch_s = 0;                       ///< shortest collective kernel
  double scaleout_bytes_per_s = 0;           ///< one device's share of the NICs, per direction, that collectives reach
  double scaleout_fraction = 1;              ///< of the NICs' line rate that this is
  double nics_per_device = 1;
  double scaleout_latency_s = 0;    ///< one hop, software included
  std::int64_t scaleup_domain = 8;  ///< devices on one scale-up network
  Paths paths;                      ///< where scale-out traffic squeezes through
  ScaleupTopology scaleup_topology = ScaleupTopology::switched;
  std::int64_t scaleup_dimensions = 3;  ///< of a torus
  TorusPlaces torus;                    ///< where the job's ranks stand on it
  bool in_network_reduction = false;    ///< the job lets the network's switches reduce, and they can
  double host_bytes_per_s = 0;          ///< one device to host memory, per direction
  double host_updates_per_s = 0;        ///< one device's share of what the host processors update with Adam
  double host_relative_speed = 1;       ///< of one host core at launching kernels
};
[[nodiscard]] Links links_of(const Cluster& cluster, const Partition& partition);
/// Where so many devices of a job, in order, stand on the scale-up torus of a partition: all of a pod, or a slice of it
/// that is a torus of its own. Not placed elsewhere.
[[nodiscard]] TorusPlaces places_on_torus(const Cluster& cluster, const Partition& partition, std::int64_t devices,
                                          std::span<const std::int64_t> boundaries);

/// Members of one communicator, and how they lie: `stride` is the distance in global rank between neighbours in the
/// group (tp groups 1, cp groups tp, dp groups tp * cp, ...); ranks fill scale-up domains in order.
struct Group {
  std::int64_t ranks = 1;
  std::int64_t stride = 1;
};

/// Seconds of one collective. `bytes` is the size of the whole (gathered, unreduced) buffer of one rank: what an
/// all-reduce reduces, what an all-gather ends with, what a reduce-scatter starts with, what one rank of an
/// all-to-all sends in total (its own part included). One rank or no bytes: 0.
[[nodiscard]] double all_reduce_s(const Links& links, const Group& group, double bytes);
[[nodiscard]] double all_gather_s(const Links& links, const Group& group, double bytes);
[[nodiscard]] double reduce_scatter_s(const Links& links, const Group& group, double bytes);
[[nodiscard]] double all_to_all_s(const Links& links, const Group& group, double bytes);
/// An exchange in which a token goes to several ranks. Seconds of one way (all tokens out, or all partial sums back).
struct Multicast {
  double bytes = 0;    ///< of one rank's tokens, each counted once
  double devices = 0;  ///< ranks that an average token goes to, the own one included
  double domains = 0;  ///< scale-up domains that these lie in, the own one included
};
/// Each token travels once to each scale-up domain that it goes to, over the NICs of its own rank's peer there, and is
/// forwarded inside (DeepEP; DeepSeek-V3, arXiv:2412.19437, section 3.2.2).
[[nodiscard]] double multicast_exchange_s(const Links& links, const Group& group, const Multicast& tokens);
/// Scale-up domains that a group spans.
[[nodiscard]] double domains_of(const Links& links, const Group& group);
/// One message of `bytes` to the rank `stride` away.
[[nodiscard]] double send_s(const Links& links, std::int64_t stride, double bytes);
/// One message of every member of a group to the next; the slowest of them.
[[nodiscard]] double neighbours_s(const Links& links, const Group& group, double bytes);

}  // namespace ampacity::network
