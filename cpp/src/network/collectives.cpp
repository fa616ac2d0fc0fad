// Closed forms of collectives, NCCL's way: the time of every algorithm and protocol is estimated as the latency of its
// dependent steps + bytes / bandwidth, and the fastest is taken.
//
// Where formulas and constants come from:
//  [T] NVIDIA/nccl (Apache-2.0), src/graph/tuning.cc, June 2026: the model by which NCCL itself chooses
//  [D] "Demystifying NCCL", arXiv 2507.04786: what the protocols do
//  [P] "PAT: a new algorithm for all-gather and reduce-scatter operations at scale", arXiv 2506.20252
//  [R] Thakur, Rabenseifner, Gropp, "Optimization of collective communication operations in MPICH", 2005: ring costs
//  [F] fitted with tools/fit_collectives.py to nccl-tests: 2-8 GPUs of A100, H100, B200 and GB200 (aiconfigurator,
//      Apache-2.0), 2-32 A100 on Azure ND A100 v4 (Echo repository, MIT), 32 GPUs of the ML engineering open book
#include "network/collectives.hpp"

#include <algorithm>
#include <bit>

namespace ampacity::network {
namespace {

/// A protocol trades bandwidth for latency. LL writes a flag beside every 4 bytes and LL128 one beside every 120, so
/// that the receiver need not wait for a fence; Simple moves large chunks and fences [D].
struct Protocol {
  double hop;                ///< latency of a hop inside the domain, in hops of LL [F]
  double ring_net_hop;       ///< latency of a hop between domains, in hops of Simple; the ring hides part of it [T]
  double tree_net_hop;       ///< the same in a tree, and in rings of one member per domain [F]
  double start_s;            ///< what the kernel takes more than that of LL [F]
  double proxy_s;            ///< host time per network message, which also paces the hops inside [T: net overhead]
  double scaleup_fraction;   ///< bandwidth inside the domain, of that of Simple; few channels serve small messages [F]
  double scaleout_fraction;  ///< bandwidth between domains, of that of Simple [T]
  double own_fraction;       ///< cost of a byte that only moves within its device, in bytes sent [F]
  bool chunked;              ///< large chunks, whose pipeline fills slowly
};
// NCCL's own tables have 0.6 : 1.9 : 3.4 us inside, 2.7 : 4 : 14 us (ring) and 5 : 8.5 : 14 us (tree) between nodes
// [T]. Measured small all-reduces across nodes ask for more than its 5 and 8.5 us.
constexpr Protocol kLl{1.0, 2.7 / 14, 0.62, 0, 1e-6, 0.042, 0.5, 1.0, false};
constexpr Protocol kLl128{1.1, 4.0 / 14, 1.2, 0.8e-6, 1e-6, 0.55, 0.92, 1.0, false};
constexpr Protocol kSimple{2.0, 1.0, 1.1, 3.6e-6, 3e-6, 1.0, 1.0, 0.34, true};

constexpr double kPlateau = 1.4;          // latency of rings between nodes, large messages [T]
constexpr double kTreeEfficiency = 0.92;  // bandwidth of trees against rings [T]
constexpr double kTwoDomainTree = 0.5;    // of the links inside, where a tree spans two domains [F]
constexpr double kPatEfficiency = 0.75;   // [T]
constexpr double kPatHop = 1 / 3.5;       // PAT has several network messages under way [T]
constexpr double kPatRank_s = 2.8e-6;     // and a part that is linear in ranks [T]
constexpr double kMulticast_s = 40e-6;    // start and latency of an all-reduce in the switches [F]; [T] has 25 us
constexpr double kMulticastTreeHop = 20.9 / 14;  // network hop of a tree over domains that reduce in switches [T]
constexpr double kPeersStart_s = 1.4e-6;         // point-to-point kernels look their peers up first [F]
constexpr double kPeersEfficiency = 0.94;        // bandwidth of an all-to-all inside a domain against a ring [F]
// Bandwidth that forwarding kernels reach of what a ring gets. DeepEP prints received bytes a second, own tokens
// included: on 8 H800 153 and 158 GB/s of 160 (7/8 of that on the links), on 8 B200 643 to 740 of 900; between nodes
// 43 to 47 (first version) and 61 to 90 (second) over 50 GB/s NICs, of which 1/2 to 4/5 leave the node (README of
// deepseek-ai/DeepEP, February 2025 and June 2026).
constexpr double kForwardInside = 0.86;
constexpr double kForwardOutside = 0.85;
// NCCL's chunks grow with the message, and the first chunk of a pipeline overlaps with nothing: inside a domain a
// message seems longer by up to this many bytes, by half of them at kRampHalf_bytes [F].
constexpr double kRamp_bytes = 15e6;
constexpr double kRampHalf_bytes = 21e6;

/// Depth of a binary tree over n.
double log2_ceil(std::int64_t n) {
  return static_cast<double>(std::bit_width(static_cast<std::uint64_t>(n - 1)));
}

double ramp_bytes(double bytes) {
  return kRamp_bytes * bytes / (bytes + kRampHalf_bytes);
}

/// What the formulas need to know of a group.
struct Shape {
  double ranks;
  double members;  ///< in one scale-up domain
  double domains;
  double tree_depth;           ///< over the domains
  double inside_hops;          ///< of a ring through the members of one domain
  double own_s_per_byte;       ///< inside one device
  double scaleup_s_per_byte;   ///< of one device's links to the other members
  double scaleout_s_per_byte;  ///< of the NICs of all members in one domain together; 0 within one domain
};

Shape shape_of(const Links& links, const Group& group) {
  const std::int64_t domain = std::max<std::int64_t>(links.scaleup_domain, 1);
  const std::int64_t stride = std::max<std::int64_t>(group.stride, 1);
  // Groups lie aligned: their members fill a domain, or each sits in a domain of its own.
  const std::int64_t members = std::clamp<std::int64_t>(domain / stride, 1, group.ranks);
  const std::int64_t domains = (group.ranks + members - 1) / members;
  Shape shape{};
  shape.ranks = static_cast<double>(group.ranks);
  shape.members = static_cast<double>(members);
  shape.domains = static_cast<double>(domains);
  shape.tree_depth = log2_ceil(domains);
  if (members > 1) {
    shape.inside_hops = shape.members - 1;
    shape.own_s_per_byte = 1 / links.scaleup_bytes_per_s;
    shape.scaleup_s_per_byte = shape.own_s_per_byte;
    if (links.scaleup_topology == ScaleupTopology::mesh) {
      // Every pair has its own link: a device has as many links into a group as the group has other members.
      shape.scaleup_s_per_byte *= static_cast<double>(domain - 1) / shape.inside_hops;
    } else if (links.scaleup_topology == ScaleupTopology::torus) {
      // Rings along each side of a compact block, up to three at once (bucket algorithm), each as long as the side.
      const double depth = log2_ceil(members);
      const double dimensions = std::clamp(depth, 1.0, 3.0);
      const auto side_log2 = static_cast<int>((depth + dimensions - 1) / dimensions);
      shape.inside_hops = std::min(shape.inside_hops, dimensions * static_cast<double>((1LL << side_log2) - 1));
      shape.scaleup_s_per_byte *= 3 / dimensions;
    }
  }
  if (domains > 1) {
    shape.scaleout_s_per_byte = neighbours_slowdown(links.paths, group, static_cast<double>(domain)) /
                                (shape.members * links.scaleout_bytes_per_s);
  }
  return shape;
}

/// Ring [R]: `rounds` = 1 for reduce-scatter and all-gather, 2 for an all-reduce. Every device sends
/// rounds * (n - 1) / n of the buffer, in rounds * (n - 1) dependent steps; the ring enters and leaves every domain
/// once per channel, so that all NICs of a domain together carry what one device carries inside.
double ring_s(const Links& links, const Shape& shape, const Protocol& protocol, double rounds, double bytes) {
  const double sent = bytes * rounds * (shape.ranks - 1) / shape.ranks;
  double inside_s =
      (sent * shape.scaleup_s_per_byte + bytes / shape.ranks * protocol.own_fraction * shape.own_s_per_byte) /
      protocol.scaleup_fraction;
  double hop = protocol.hop * links.scaleup_latency_s;
  double latency = 0;
  if (shape.domains > 1) {
    const double network_steps = rounds * (shape.domains - 1);
    const double network_hop = shape.members > 1 ? protocol.ring_net_hop : protocol.tree_net_hop;
    latency = (rounds * (shape.ranks - 1) - network_steps) * std::max(hop, protocol.proxy_s) +
              network_steps * network_hop * links.scaleout_latency_s;
    if (protocol.chunked) latency *= kPlateau;
  } else {
    latency = rounds * shape.inside_hops * hop;
    if (protocol.chunked) inside_s += ramp_bytes(bytes) * shape.own_s_per_byte;
  }
  return links.launch_s + protocol.start_s + latency +
         std::max(inside_s, sent / protocol.scaleout_fraction * shape.scaleout_s_per_byte);
}

double best_ring_s(const Links& links, const Shape& shape, double rounds, double bytes) {
  return std::min({ring_s(links, shape, kLl, rounds, bytes), ring_s(links, shape, kLl128, rounds, bytes),
                   ring_s(links, shape, kSimple, rounds, bytes)});
}

/// Double binary tree over domains, a chain through the members of each [T]: every link of the chain, and every NIC for
/// its share, carries the buffer once up and once down.
double tree_s(const Links& links, const Shape& shape, const Protocol& protocol, double bytes) {
  const double latency = 2 * (shape.inside_hops * protocol.hop * links.scaleup_latency_s +
                              shape.tree_depth * protocol.tree_net_hop * links.scaleout_latency_s);
  const double sent = 2 * bytes / kTreeEfficiency;
  // Two domains are the roots of one tree each, without inner nodes: NICs send half of what they do in a deep tree,
  // but NCCL gets less out of the chains then (A100 nodes with 100 Gb/s x 4 go faster by this, 200 Gb/s x 8 do not).
  const bool two = shape.domains <= 2;
  const double inside = two ? sent / kTwoDomainTree : sent;
  const double outside = two ? sent / 2 : sent;
  return links.launch_s + protocol.start_s + latency +
         std::max(inside / protocol.scaleup_fraction * shape.scaleup_s_per_byte,
                  outside / protocol.scaleout_fraction * shape.scaleout_s_per_byte);
}

/// All-reduce inside the switches of a domain (NVLS), and a tree over domains (NVLS-tree) [T]: every device sends its
/// buffer once and receives the result once.
double multicast_s(const Links& links, const Shape& shape, double bytes) {
  return links.launch_s + kMulticast_s + 2 * shape.tree_depth * kMulticastTreeHop * links.scaleout_latency_s +
         std::max((bytes + ramp_bytes(bytes)) / links.scaleup_multicast_bytes_per_s,
                  2 * bytes / kTreeEfficiency * shape.scaleout_s_per_byte);
}

/// Logarithmic all-gather and reduce-scatter [P], which NCCL has for one member per domain only.
double pat_s(const Links& links, const Shape& shape, double bytes) {
  return links.launch_s + kSimple.start_s + shape.tree_depth * kPatHop * links.scaleout_latency_s +
         shape.ranks * kPatRank_s +
         bytes * (shape.ranks - 1) / shape.ranks / kPatEfficiency * shape.scaleout_s_per_byte;
}

/// Reduce-scatter and all-gather differ in direction only.
double one_round_s(const Links& links, const Group& group, double bytes) {
  if (group.ranks <= 1 || bytes <= 0) return 0;
  const Shape shape = shape_of(links, group);
  const double ring = best_ring_s(links, shape, 1, bytes);
  return shape.domains > 1 && shape.members <= 1 ? std::min(ring, pat_s(links, shape, bytes)) : ring;
}

}  // namespace

Links links_of(const Cluster& cluster, const Partition& partition) {
  const Node& node = partition.node;
  const Fabric& fabric = cluster.fabric;
  Links links;
  const double line = node.accelerator.scaleup_bytes_per_s;
  links.scaleup_bytes_per_s = line * node.scaleup_efficiency_fraction;
  links.scaleup_multicast_bytes_per_s = line * node.scaleup_multicast_fraction;
  links.scaleup_latency_s = node.scaleup_latency_s;
  links.scaleup_topology = node.scaleup_topology;
  links.launch_s = node.collective_launch_s;
  links.scaleup_domain = node.scaleup_domain;
  links.host_bytes_per_s = node.host_link_bytes_per_s;
  links.host_updates_per_s = node.host_updates_per_s * static_cast<double>(std::max<std::int64_t>(1, node.cpus)) /
                             static_cast<double>(node.accelerators);
  // A node on a fabric faster than its NICs is limited by the NICs.
  const double nics = node.nic.bytes_per_s * static_cast<double>(node.nics) / static_cast<double>(node.accelerators);
  const double line_rate = fabric.bytes_per_s_per_accelerator;
  links.scaleout_bytes_per_s = (nics > 0 ? std::min(nics, line_rate) : line_rate) * fabric.efficiency_fraction;
  // The message latency holds for one switch; the longest route over all tiers meets 2 (tiers - 1) more.
  links.scaleout_latency_s = fabric.message_latency_s;
  if (fabric.tiers > 1) {
    links.scaleout_latency_s += 2 * static_cast<double>(fabric.tiers - 1) * fabric.network_switch.latency_s;
  }
  links.paths = paths_of(cluster, node);
  return links;
}

double all_reduce_s(const Links& links, const Group& group, double bytes) {
  if (group.ranks <= 1 || bytes <= 0) return 0;
  const Shape shape = shape_of(links, group);
  double best = best_ring_s(links, shape, 2, bytes);
  if (links.scaleup_multicast_bytes_per_s > 0 && shape.members > 2) {
    best = std::min(best, multicast_s(links, shape, bytes));
  }
  if (shape.domains <= 1) return best;
  return std::min({best, tree_s(links, shape, kLl, bytes), tree_s(links, shape, kLl128, bytes),
                   tree_s(links, shape, kSimple, bytes)});
}

double all_gather_s(const Links& links, const Group& group, double bytes) {
  return one_round_s(links, group, bytes);
}

double reduce_scatter_s(const Links& links, const Group& group, double bytes) {
  return one_round_s(links, group, bytes);
}

/// Every rank sends 1 / n of its buffer to each other rank: over its links inside the domain and, at the same time, by
/// its share of the NICs to other domains (PXN forwards to the NIC of the right rail).
double all_to_all_s(const Links& links, const Group& group, double bytes) {
  if (group.ranks <= 1 || bytes <= 0) return 0;
  const Shape shape = shape_of(links, group);
  const double part = bytes / shape.ranks;
  const double outside = shape.ranks - shape.members;
  double network_s = 0;
  double network_hop = 0;
  if (outside > 0) {
    network_s = part * outside * exchange_slowdown(links.paths, group, static_cast<double>(links.scaleup_domain)) /
                links.scaleout_bytes_per_s;
    network_hop = links.scaleout_latency_s;
  }
  const auto time = [&](const Protocol& protocol) {
    double inside_s = part *
                      ((shape.members - 1) * shape.scaleup_s_per_byte + protocol.own_fraction * shape.own_s_per_byte) /
                      (kPeersEfficiency * protocol.scaleup_fraction);
    if (protocol.chunked && outside <= 0) inside_s += ramp_bytes(bytes) * shape.own_s_per_byte;
    return protocol.start_s + protocol.hop * links.scaleup_latency_s + protocol.tree_net_hop * network_hop +
           outside * protocol.proxy_s + std::max(inside_s, network_s / protocol.scaleout_fraction);
  };
  return links.launch_s + kPeersStart_s + std::min(time(kLl), time(kSimple));
}

double domains_of(const Links& links, const Group& group) {
  return group.ranks <= 1 ? 1 : shape_of(links, group).domains;
}

double multicast_exchange_s(const Links& links, const Group& group, const Multicast& tokens) {
  if (group.ranks <= 1 || tokens.bytes <= 0) return 0;
  const Shape shape = shape_of(links, group);
  // A forwarder keeps what is meant for itself.
  const double inside_s = tokens.bytes * tokens.devices * (1 - 1 / shape.members) * shape.scaleup_s_per_byte;
  const double outside_s = shape.domains > 1 ? tokens.bytes * tokens.domains * (1 - 1 / shape.domains) *
                                                   shape.scaleout_s_per_byte * shape.members
                                             : 0;
  const double hops = links.scaleup_latency_s * (shape.members > 1 ? kSimple.hop : 0) +
                      (shape.domains > 1 ? links.scaleout_latency_s : 0);
  return links.launch_s + kPeersStart_s + hops + std::max(inside_s / kForwardInside, outside_s / kForwardOutside);
}

double send_s(const Links& links, std::int64_t stride, double bytes) {
  if (bytes <= 0 || stride == 0) return 0;
  const Group pair{2, stride < 0 ? -stride : stride};
  const Shape shape = shape_of(links, pair);
  const bool inside = shape.domains <= 1;
  const double s_per_byte = inside ? shape.scaleup_s_per_byte : shape.scaleout_s_per_byte;
  const auto time = [&](const Protocol& protocol) {
    return protocol.start_s +
           (inside
                ? protocol.hop * links.scaleup_latency_s + bytes / protocol.scaleup_fraction * s_per_byte
                : protocol.tree_net_hop * links.scaleout_latency_s + bytes / protocol.scaleout_fraction * s_per_byte);
  };
  return links.launch_s + kPeersStart_s + std::min(time(kLl), time(kSimple));
}

}  // namespace ampacity::network
