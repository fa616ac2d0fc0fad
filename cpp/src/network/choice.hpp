// Which algorithms and protocols NCCL has for which collective. `visit(algorithm, protocol, cost)` is called for each;
// the hot path keeps the least sum, `collective` keeps them all, so that the two cannot differ.
#pragma once

#include <limits>

#include "network/formulas.hpp"

namespace ampacity::network {

template <class Visit>
void each_protocol(const Visit& visit) {
  visit(kLl);
  visit(kLl128);
  visit(kSimple);
}

/// A scale-up torus has no ring through all of its devices, but rings along its sides.
inline Algorithm ring_or_bucket(const Links& links, const Shape& shape) {
  const bool torus = links.scaleup_topology == ScaleupTopology::torus && shape.members > 1;
  return torus ? Algorithm::bucket : Algorithm::ring;
}

template <class Visit>
void each_ring(const Links& links, const Shape& shape, double rounds, double bytes, const Visit& visit) {
  each_protocol([&](const ProtocolCost& protocol) {
    visit(ring_or_bucket(links, shape), protocol.protocol, ring(links, shape, protocol, rounds, bytes));
  });
}

/// Whether the switches of a domain can reduce for this group.
inline bool has_multicast(const Links& links, const Shape& shape) {
  return links.scaleup_multicast_bytes_per_s > 0 && shape.members > 2;
}

/// Whether NCCL takes the tree over two domains. It reckons with the line rate of NICs, whatever they reach: where the
/// chains inside cannot keep up with that (8 x 200 Gb/s of A100 nodes; 4 x 100 Gb/s can), it keeps to the ring.
inline bool weighs_tree(const Links& links, const Shape& shape, double bytes) {
  if (shape.domains > 2 || shape.members <= 1) return true;
  Shape nominal = shape;
  nominal.scaleout_s_per_byte = shape.uplink_slowdown / (shape.members * kNominalNic * links.scaleout_line_bytes_per_s);
  double best_ring = std::numeric_limits<double>::infinity();
  double best_tree = best_ring;
  each_protocol([&](const ProtocolCost& protocol) {
    best_ring = std::min(best_ring, ring(links, nominal, protocol, 2, bytes).total_s());
    best_tree = std::min(best_tree, tree(links, nominal, protocol, bytes).total_s());
  });
  return best_tree <= best_ring;
}

template <class Visit>
void each_all_reduce(const Links& links, const Shape& shape, double bytes, const Visit& visit) {
  each_ring(links, shape, 2, bytes, visit);
  if (has_multicast(links, shape)) {
    const Algorithm algorithm = shape.domains > 1 ? Algorithm::nvls_tree : Algorithm::nvls;
    visit(algorithm, Protocol::simple, multicast(links, shape, bytes));
  }
  if (shape.domains <= 1) return;
  if (weighs_tree(links, shape, bytes)) {
    each_protocol([&](const ProtocolCost& protocol) {
      visit(Algorithm::tree, protocol.protocol, tree(links, shape, protocol, bytes));
    });
  }
  if (links.in_network_reduction) visit(Algorithm::collnet, Protocol::simple, in_network(links, shape, bytes));
}

/// Reduce-scatter and all-gather differ in direction only.
template <class Visit>
void each_one_round(const Links& links, const Shape& shape, double bytes, const Visit& visit) {
  each_ring(links, shape, 1, bytes, visit);
  if (shape.domains <= 1) {
    if (has_multicast(links, shape)) {
      visit(Algorithm::nvls, Protocol::simple, multicast(links, shape, bytes));
    }
  } else if (shape.members <= 1) {
    visit(Algorithm::pat, Protocol::simple, pat(links, shape, bytes));
  }
}

template <class Visit>
void each_broadcast(const Links& links, const Shape& shape, double bytes, const Visit& visit) {
  each_protocol([&](const ProtocolCost& protocol) {
    visit(ring_or_bucket(links, shape), protocol.protocol, ring_broadcast(links, shape, protocol, bytes));
  });
}

/// Whether devices of a domain can hand messages on to the NIC of another.
inline bool has_forwarding(const Links& links, const Shape& shape) {
  return shape.domains > 1 && shape.members > 1 && links.scaleup_topology == ScaleupTopology::switched;
}

/// Point-to-point kernels have no LL128.
template <class Visit>
void each_all_to_all(const Links& links, const Group& group, const Shape& shape, double bytes, const Visit& visit) {
  const double slowdown =
      shape.domains > 1 ? exchange_slowdown(links.paths, group, static_cast<double>(links.scaleup_domain)) : 1;
  for (const ProtocolCost* protocol : {&kLl, &kSimple}) {
    visit(Algorithm::pairwise, protocol->protocol, exchange(links, shape, *protocol, slowdown, bytes, false));
    if (has_forwarding(links, shape)) {
      visit(Algorithm::pxn, protocol->protocol, exchange(links, shape, *protocol, slowdown, bytes, true));
    }
  }
}

template <class Visit>
void each_message(const Links& links, const Shape& pair, double bytes, const Visit& visit) {
  visit(Algorithm::direct, Protocol::ll, message(links, pair, kLl, bytes));
  visit(Algorithm::direct, Protocol::simple, message(links, pair, kSimple, bytes));
}

}  // namespace ampacity::network
