// Constants of the closed forms of collectives: what protocols and algorithms cost beside bandwidth and latency.
//
// Where formulas and constants come from:
//  [T] NVIDIA/nccl (Apache-2.0), src/graph/tuning.cc, June 2026: the model by which NCCL itself chooses
//  [D] "Demystifying NCCL", arXiv 2507.04786: what the protocols do
//  [P] "PAT: a new algorithm for all-gather and reduce-scatter operations at scale", arXiv 2506.20252
//  [R] Thakur, Rabenseifner, Gropp, "Optimization of collective communication operations in MPICH", 2005: ring costs
//  [S] Sanders, Speck, Traeff, "Two-tree algorithms for full bandwidth broadcast, reduction and scan", 2009
//  [X] NVIDIA, "Doubling all2all performance with NVIDIA Collective Communication Library 2.12", 2022: PXN
//  [J] Jouppi et al., "TPU v4", ISCA 2023, arXiv 2304.01433: tori of 4 x 4 x 4 cubes
//  [F] fitted with tools/fit_collectives.py to nccl-tests: 2-8 GPUs of A100, H100, B200 and GB200 (aiconfigurator,
//      Apache-2.0), 2-128 A100 on Azure ND A100 v4 (Echo repository, MIT)
#pragma once

#include <array>

#include "ampacity/collective.hpp"

namespace ampacity::network {

/// Bandwidth of trees at sizes of 64 B x 2^i, of that at the largest: they fall behind at middle sizes [T].
using TreeCorrection = std::array<double, 24>;
inline constexpr TreeCorrection kTreeLl{1.0, 1.0, 1.0, 1.0, 0.9, 0.8, 0.7, 0.7, 0.7, 0.7, 0.6, 0.5,
                                        0.4, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.0, 1.0, 1.0, 1.0};
inline constexpr TreeCorrection kTreeLl128{1.0, 1.0, 1.0, 1.0, 1.0, 0.9, 0.8, 0.8, 0.8, 0.7, 0.6, 0.6,
                                           0.6, 0.6, 0.6, 0.6, 0.8, 0.9, 0.9, 0.9, 0.9, 1.0, 1.0, 1.0};
inline constexpr TreeCorrection kTreeSimple{0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.8, 0.7, 0.6, 0.6, 0.5,
                                            0.5, 0.5, 0.5, 0.6, 0.7, 0.8, 0.7, 0.7, 0.8, 0.9, 0.9, 0.9};

/// A protocol trades bandwidth for latency. LL writes a flag beside every 4 bytes and LL128 one beside every 120, so
/// that the receiver need not wait for a fence; Simple moves large chunks and fences [D].
struct ProtocolCost {
  Protocol protocol;
  double hop;                ///< latency of a hop of a ring inside the domain, in hops of LL [F]
  double tree_hop_s;         ///< latency of a hop of a tree inside the domain [T: NVLink]
  double ring_net_hop;       ///< latency of a hop between domains, in hops of Simple; the ring hides part of it [T]
  double tree_net_hop;       ///< the same in a tree, and in rings of one member per domain [T]
  double start_s;            ///< what the kernel takes more than that of LL [F]
  double proxy_s;            ///< host time per network message, which also paces the hops inside [T: net overhead]
  double scaleup_fraction;   ///< bandwidth inside the domain, of that of Simple; few channels serve small messages [F]
  double scaleout_fraction;  ///< bandwidth between domains, of that of Simple [T]
  double own_fraction;       ///< cost of a byte that only moves within its device, in bytes sent [F]
  bool chunked;              ///< large chunks, whose pipeline fills slowly
  /// Of a channel of a tree over two domains whose switches do not reduce, twice what it carries of the buffer; one for
  /// every NIC [T: Ampere]. LL has none.
  double tree_channel_bytes_per_s;
  const TreeCorrection& tree;
};
// NCCL's own hops: 0.6 : 1.9 : 3.4 us (ring) inside, 2.7 : 4 : 14 us (ring) and 5 : 8.5 : 14 us (tree) between nodes
// [T].
inline constexpr ProtocolCost kLl{Protocol::ll, 1.0, 0.6e-6, 2.7 / 14, 5.0 / 14, 0,      1e-6,
                                  0.042,        0.5, 1.0,    false,    1e12,     kTreeLl};
inline constexpr ProtocolCost kLl128{
    Protocol::ll128, 1.1, 1.25e-6, 4.0 / 14, 8.5 / 14, 0.8e-6, 1e-6, 0.55, 0.92, 1.0, false, 20e9, kTreeLl128};
inline constexpr ProtocolCost kSimple{Protocol::simple, 2.0,        4e-6, 1.0, 1.0, 3.6e-6, 3e-6, 1.0, 1.0, 0.34, true,
                                      23.6e9,           kTreeSimple};

inline constexpr double kPlateau = 1.4;          // latency of all-reducing rings between nodes, large messages [T]
inline constexpr double kTreeEfficiency = 0.92;  // bandwidth of trees against rings [T]
inline constexpr double kMulticast_s = 40e-6;  // start and latency of an all-reduce in the switches [F]; [T] has 25 us
// Of the switches' bandwidth in a tree over domains: 16 H100 print 470 GB/s where 8 print 480, 251 against 274 of the
// buffer (NVIDIA/nccl-tests issue 309); as much is missing on two racks of GB200 (coreweave/nccl-tests).
inline constexpr double kMulticastTree = 0.92;
inline constexpr double kPeersStart_s = 1.4e-6;   // point-to-point kernels look their peers up first [F]
inline constexpr double kPeersEfficiency = 0.94;  // bandwidth of an all-to-all inside a domain against a ring [F]
inline constexpr double kPatEfficiency = 0.75;    // [T]
inline constexpr double kPatHop = 1 / 3.5;        // PAT has several network messages under way [T]
inline constexpr double kPatRank_s = 2.8e-6;      // and a part that is linear in ranks [T]
inline constexpr double kMulticastTreeHop =
    20.9 / 14;                                        // network hop of a tree over domains that reduce in switches [T]
inline constexpr double kInNetworkHop = 31.0 / 14;    // to the reducing network switches and back (CollNet direct) [T]
inline constexpr double kInNetworkEfficiency = 0.85;  // of NICs and links under CollNet direct [T: Hopper]
inline constexpr double kAggregatedMessages = 8;      // that PXN sends as one to a rail; as many as NCCL groups [X]
// Bandwidth that forwarding kernels reach of what a ring gets. DeepEP prints received bytes a second, own tokens
// included: on 8 H800 153 and 158 GB/s of 160 (7/8 of that on the links), on 8 B200 643 to 740 of 900; between nodes
// 43 to 47 (first version) and 61 to 90 (second) over 50 GB/s NICs, of which 1/2 to 4/5 leave the node (README of
// deepseek-ai/DeepEP, February 2025 and June 2026).
inline constexpr double kForwardInside = 0.86;
inline constexpr double kForwardOutside = 0.85;
// NCCL's chunks grow with the message, and the first chunk of a pipeline overlaps with nothing: inside a domain a
// message seems longer by up to this many bytes, by half of them at kRampHalf_bytes [F].
inline constexpr double kRamp_bytes = 15e6;
inline constexpr double kRampHalf_bytes = 21e6;
// Switches reduce for a chunk of every member at a time (NCCL: channels x heads x chunk, 16 x 8 x 128 KiB = 17 MB on
// eight H100 [T]): ramps grow with the members of a domain beyond the eight that they were fitted to, and as many
// follow each other as there are levels in a tree over domains, up and down. All-reduces of 72, 144 and 1,440 GB200
// start 0.5, 1 and 5 ms late (coreweave/nccl-tests README, NCCL 2.26.2: linear part of 512 MiB to 16 GiB).
inline constexpr double kRampMembers = 8;
inline constexpr double kMulticastHeads = 32;  // members of a domain up to which NVLS gathers and scatters [T]
// A shorter side of a torus has no link that closes its ring: slices are made of cubes of 4 x 4 x 4 chips [J].
inline constexpr double kClosedSide = 4;

}  // namespace ampacity::network
