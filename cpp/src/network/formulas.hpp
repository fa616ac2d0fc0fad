// Closed forms of collectives, NCCL's way: the time of every algorithm and protocol is the latency of its dependent
// steps + bytes / bandwidth. Inline: `estimate` takes only the sums of what `collective` shows by its parts. The names
// in brackets are explained in protocol.hpp.
#pragma once

#include <algorithm>
#include <cmath>

#include "network/protocol.hpp"
#include "network/shape.hpp"

namespace ampacity::network {

/// Seconds of one algorithm under one protocol, by what they are spent on.
struct Cost {
  double launch_s = 0;           ///< start of the kernels
  double scaleup_latency_s = 0;  ///< hops inside the domains
  double scaleout_latency_s = 0;
  double proxy_s = 0;          ///< of the latencies, what waits for the host to send messages
  double scaleup_s = 0;        ///< bytes inside a device and over its links
  double scaleout_s = 0;       ///< bytes over the NICs, at the same time
  double serial_s = 0;         ///< bytes inside the domains before and after those of the NICs
  double steps = 0;            ///< dependent ones
  double uplink_slowdown = 1;  ///< of an exchange; others have that of their shape

  [[nodiscard]] double latency_s() const { return scaleup_latency_s + scaleout_latency_s; }
  [[nodiscard]] double bandwidth_s() const { return serial_s + std::max(scaleup_s, scaleout_s); }
  [[nodiscard]] double total_s() const { return launch_s + latency_s() + bandwidth_s(); }
};

inline double ramp_bytes(double bytes) {
  return kRamp_bytes * bytes / (bytes + kRampHalf_bytes);
}

/// Light on the WAN links of a tree over sites, one way.
inline double tree_wan_s(const Shape& shape) {
  return shape.sites > 1 ? log2_ceil(static_cast<std::int64_t>(shape.sites)) * shape.wan_s : 0;
}

/// Ring [R]: `rounds` = 1 for reduce-scatter and all-gather, 2 for an all-reduce. Every device sends
/// rounds * (n - 1) / n of the buffer, in rounds * (n - 1) dependent steps; the ring enters and leaves every domain
/// once per channel, so that all NICs of a domain together carry what one device carries inside.
inline Cost ring(const Links& links, const Shape& shape, const ProtocolCost& protocol, double rounds, double bytes) {
  const double sent = bytes * rounds * (shape.ranks - 1) / shape.ranks;
  const double hop = protocol.hop * links.scaleup_latency_s;
  Cost cost;
  cost.launch_s = links.launch_s + protocol.start_s;
  cost.scaleup_s =
      (sent * shape.scaleup_s_per_byte + bytes / shape.ranks * protocol.own_fraction * shape.own_s_per_byte) /
      protocol.scaleup_fraction;
  cost.scaleout_s = sent / protocol.scaleout_fraction * shape.scaleout_s_per_byte;
  if (shape.domains > 1) {
    const double network_steps = rounds * (shape.domains - 1);
    const double network_hop = shape.members > 1 ? protocol.ring_net_hop : protocol.tree_net_hop;
    const double plateau = protocol.chunked && rounds > 1 ? kPlateau : 1;
    cost.steps = rounds * (shape.ranks - 1);
    cost.scaleup_latency_s = (cost.steps - network_steps) * std::max(hop, protocol.proxy_s) * plateau;
    // Going round, data pass every border between sites once.
    cost.scaleout_latency_s =
        network_steps * network_hop * links.scaleout_latency_s * plateau + rounds * shape.sites * shape.wan_s;
    if (protocol.proxy_s > hop) cost.proxy_s = cost.scaleup_latency_s;
  } else {
    cost.steps = rounds * shape.inside_hops;
    cost.scaleup_latency_s = cost.steps * hop;
    if (protocol.chunked) cost.scaleup_s += ramp_bytes(bytes) * shape.own_s_per_byte;
  }
  return cost;
}

/// Share of their bandwidth that trees have at that size, between the sizes of the table.
inline double tree_correction(const TreeCorrection& table, double bytes) {
  const double place = std::clamp(std::log2(bytes / 64), 0.0, static_cast<double>(table.size() - 1));
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, table.size() - 1);
  return table[below] + (place - static_cast<double>(below)) * (table[above] - table[below]);
}

/// Double binary tree over domains, a chain through the members of each [T]: every link of the chain, and every NIC for
/// its share, carries the buffer once up and once down.
inline Cost tree(const Links& links, const Shape& shape, const ProtocolCost& protocol, double bytes) {
  const double sent = 2 * bytes / kTreeEfficiency;
  // Two domains are the roots of one tree each, without inner nodes: NICs send half of what they do in a deep tree.
  const bool two = shape.domains <= 2;
  const double outside = two ? sent / 2 : sent;
  Cost cost;
  cost.launch_s = links.launch_s + protocol.start_s;
  cost.scaleup_latency_s = 2 * shape.inside_hops * protocol.tree_hop_s;
  cost.scaleout_latency_s =
      2 * (shape.tree_depth * protocol.tree_net_hop * links.scaleout_latency_s + tree_wan_s(shape));
  cost.scaleup_s = sent / protocol.scaleup_fraction * shape.scaleup_s_per_byte;
  if (two && links.scaleup_multicast_bytes_per_s <= 0) {
    const double channels = std::max(1.0, shape.members * links.nics_per_device);
    cost.scaleup_s = std::max(cost.scaleup_s, 2 * bytes / (channels * protocol.tree_channel_bytes_per_s));
  }
  cost.scaleup_s /= tree_correction(protocol.tree, bytes);
  cost.scaleout_s = outside / protocol.scaleout_fraction * shape.scaleout_s_per_byte;
  cost.steps = 2 * (shape.inside_hops + shape.tree_depth);
  return cost;
}

/// Whether NCCL reckons that such a tree over two domains is faster than a ring of large chunks: it takes NICs at their
/// line rate, whatever the fabric makes of it.
inline bool reckons_tree(const Links& links, const Shape& shape, const ProtocolCost& protocol, double bytes) {
  if (shape.domains > 2 || links.scaleup_multicast_bytes_per_s > 0) return true;
  Shape line = shape;
  line.scaleout_s_per_byte = links.scaleout_fraction / (shape.members * links.scaleout_bytes_per_s);
  return tree(links, line, protocol, bytes).total_s() <= ring(links, line, kSimple, 2, bytes).total_s();
}

/// All-reduce inside the switches of a domain (NVLS), and a tree over domains (NVLS-tree) [T]: every device sends its
/// buffer once and receives the result once, at the same time. Gathering or scattering alone takes as long. A pipeline
/// fills with a chunk of every member, and again on every level of the tree, up and down.
inline Cost multicast(const Links& links, const Shape& shape, double bytes) {
  Cost cost;
  cost.launch_s = links.launch_s + kMulticast_s;
  cost.scaleout_latency_s = 2 * (shape.tree_depth * kMulticastTreeHop * links.scaleout_latency_s + tree_wan_s(shape));
  const double fills = std::max(1.0, 2 * shape.tree_depth) * shape.members / kRampMembers;
  const double share = shape.domains > 1 ? kMulticastTree : 1;
  cost.scaleup_s = bytes / (share * links.scaleup_multicast_bytes_per_s);
  cost.serial_s = fills * ramp_bytes(bytes) / links.scaleup_multicast_bytes_per_s;
  // As in a tree without reduction in the switches, NICs of two domains send half of what those of many do. NCCL
  // reckons with all of their bandwidth [T].
  cost.scaleout_s = (shape.domains <= 2 ? 1 : 2) * bytes * shape.scaleout_s_per_byte;
  cost.steps = 2 + 2 * shape.tree_depth;
  return cost;
}

/// Logarithmic all-gather and reduce-scatter [P], which NCCL has for one member per domain only.
inline Cost pat(const Links& links, const Shape& shape, double bytes) {
  Cost cost;
  cost.launch_s = links.launch_s + kSimple.start_s;
  cost.scaleout_latency_s =
      shape.tree_depth * kPatHop * links.scaleout_latency_s + shape.ranks * kPatRank_s + tree_wan_s(shape);
  cost.scaleout_s = bytes * (shape.ranks - 1) / shape.ranks / kPatEfficiency * shape.scaleout_s_per_byte;
  cost.steps = shape.tree_depth;
  return cost;
}

/// The network's switches reduce (SHARP, NCCL's CollNet direct) [T]: a domain scatters and reduces inside, sends what
/// is left once, and gathers the result: half of what NICs carry in a ring. Scale-up switches that reduce do it inside.
inline Cost in_network(const Links& links, const Shape& shape, double bytes) {
  const double sent = 2 * bytes * (shape.members - 1) / shape.members;
  Cost cost;
  cost.launch_s = links.launch_s + kSimple.start_s;
  cost.scaleup_latency_s = (shape.members > 1 ? 2 * kSimple.hop : 0) * links.scaleup_latency_s;
  cost.scaleout_latency_s = kInNetworkHop * links.scaleout_latency_s + 2 * tree_wan_s(shape);
  cost.scaleup_s = sent / kInNetworkEfficiency * shape.scaleup_s_per_byte;
  if (links.scaleup_multicast_bytes_per_s > 0 && shape.members > 2) {
    cost.scaleup_s = std::min(cost.scaleup_s, bytes / links.scaleup_multicast_bytes_per_s);
  }
  cost.scaleout_s = bytes / kInNetworkEfficiency * shape.scaleout_s_per_byte;
  cost.steps = shape.members > 1 ? 4 : 2;
  return cost;
}

/// Broadcast down a ring, cut into chunks that follow each other [R]: every device but the last sends the buffer once.
inline Cost ring_broadcast(const Links& links, const Shape& shape, const ProtocolCost& protocol, double bytes) {
  const double hop = protocol.hop * links.scaleup_latency_s;
  const double network_hop = shape.members > 1 ? protocol.ring_net_hop : protocol.tree_net_hop;
  const double network_steps = shape.domains - 1;
  Cost cost;
  cost.steps = shape.domains > 1 ? shape.ranks - 1 : shape.inside_hops;
  cost.launch_s = links.launch_s + protocol.start_s;
  cost.scaleup_latency_s = (cost.steps - network_steps) * (shape.domains > 1 ? std::max(hop, protocol.proxy_s) : hop);
  cost.scaleout_latency_s = network_steps * network_hop * links.scaleout_latency_s + (shape.sites - 1) * shape.wan_s;
  if (shape.domains > 1 && protocol.proxy_s > hop) cost.proxy_s = cost.scaleup_latency_s;
  cost.scaleup_s = bytes / protocol.scaleup_fraction * shape.scaleup_s_per_byte;
  if (protocol.chunked) cost.scaleup_s += ramp_bytes(bytes) * shape.own_s_per_byte;
  cost.scaleout_s = bytes / protocol.scaleout_fraction * shape.scaleout_s_per_byte;
  return cost;
}

/// Broadcast down two binary trees, half of the buffer each [S]: every device sends the buffer once.
inline Cost tree_broadcast(const Links& links, const Shape& shape, const ProtocolCost& protocol, double bytes) {
  const double depth = log2_ceil(static_cast<std::int64_t>(shape.members));
  Cost cost;
  cost.launch_s = links.launch_s + protocol.start_s;
  cost.scaleup_latency_s = depth * protocol.tree_hop_s;
  cost.scaleout_latency_s = shape.tree_depth * protocol.tree_net_hop * links.scaleout_latency_s + tree_wan_s(shape);
  cost.scaleup_s = bytes / kTreeEfficiency / protocol.scaleup_fraction * shape.scaleup_s_per_byte;
  cost.scaleout_s = bytes / kTreeEfficiency / protocol.scaleout_fraction * shape.scaleout_s_per_byte;
  cost.steps = depth + shape.tree_depth;
  return cost;
}

/// Every rank sends 1 / n of its buffer to each other rank: over its links inside the domain and, at the same time, by
/// its share of the NICs to other domains. With `forwarded` (PXN) what leaves the domain first goes to the device whose
/// NIC is on the rail of the receiver, which sends several messages as one [X].
inline Cost exchange(const Links& links, const Shape& shape, const ProtocolCost& protocol, double uplink_slowdown,
                     double bytes, bool forwarded) {
  const double part = bytes / shape.ranks;
  const double outside = shape.ranks - shape.members;
  const double relayed = forwarded ? outside * (shape.members - 1) / shape.members : 0;
  Cost cost;
  cost.launch_s = links.launch_s + kPeersStart_s + protocol.start_s;
  cost.scaleup_latency_s = (forwarded ? 2 : 1) * protocol.hop * links.scaleup_latency_s;
  cost.scaleup_s = part *
                   ((shape.members - 1) * shape.exchange_factor * shape.scaleup_s_per_byte +
                    relayed * shape.scaleup_s_per_byte + protocol.own_fraction * shape.own_s_per_byte) /
                   (kPeersEfficiency * protocol.scaleup_fraction);
  cost.steps = shape.ranks - 1;
  if (outside > 0) {
    const double messages = outside / (forwarded ? std::min(shape.members, kAggregatedMessages) : 1);
    cost.proxy_s = messages * protocol.proxy_s;
    cost.scaleout_latency_s = protocol.tree_net_hop * links.scaleout_latency_s + cost.proxy_s + shape.wan_s;
    cost.uplink_slowdown = uplink_slowdown;
    cost.scaleout_s = part * outside * uplink_slowdown / links.scaleout_bytes_per_s / protocol.scaleout_fraction;
  } else if (protocol.chunked) {
    cost.scaleup_s += ramp_bytes(bytes) * shape.own_s_per_byte;
  }
  return cost;
}

/// One message to another rank.
inline Cost message(const Links& links, const Shape& pair, const ProtocolCost& protocol, double bytes) {
  Cost cost;
  cost.launch_s = links.launch_s + kPeersStart_s + protocol.start_s;
  cost.steps = 1;
  if (pair.domains <= 1) {
    cost.scaleup_latency_s = protocol.hop * links.scaleup_latency_s;
    cost.scaleup_s = bytes / protocol.scaleup_fraction * pair.scaleup_s_per_byte;
  } else {
    cost.scaleout_latency_s = protocol.tree_net_hop * links.scaleout_latency_s + pair.wan_s;
    cost.scaleout_s = bytes / protocol.scaleout_fraction * pair.scaleout_s_per_byte;
  }
  return cost;
}

/// Each token travels once to each domain that it goes to and is forwarded inside. A forwarder keeps what is for
/// itself.
inline Cost token_exchange(const Links& links, const Shape& shape, const Multicast& tokens) {
  Cost cost;
  cost.launch_s = links.launch_s + kPeersStart_s;
  cost.scaleup_latency_s = links.scaleup_latency_s * (shape.members > 1 ? kSimple.hop : 0);
  cost.scaleout_latency_s = shape.domains > 1 ? links.scaleout_latency_s + shape.wan_s : 0;
  cost.scaleup_s = tokens.bytes * tokens.devices * (1 - 1 / shape.members) * shape.exchange_factor *
                   shape.scaleup_s_per_byte / kForwardInside;
  cost.scaleout_s = shape.domains > 1 ? tokens.bytes * tokens.domains * (1 - 1 / shape.domains) *
                                            shape.scaleout_s_per_byte * shape.members / kForwardOutside
                                      : 0;
  cost.steps = shape.domains > 1 ? 2 : 1;
  return cost;
}

}  // namespace ampacity::network
