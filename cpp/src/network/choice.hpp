// Which algorithms and protocols NCCL has for which collective. `visit(algorithm, protocol, cost)` is called for each;
// the hot path keeps the least sum, `collective` keeps them all, so that the two cannot differ.
#pragma once

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

template <class Visit>
void each_all_reduce(const Links& links, const Shape& shape, double bytes, const Visit& visit) {
  each_ring(links, shape, 2, bytes, visit);
  if (has_multicast(links, shape)) {
    const Algorithm algorithm = shape.domains > 1 ? Algorithm::nvls_tree : Algorithm::nvls;
    visit(algorithm, Protocol::simple, multicast(links, shape, bytes));
  }
  if (shape.domains <= 1) return;
  each_protocol([&](const ProtocolCost& protocol) {
    if (!reckons_tree(links, shape, protocol, bytes)) return;
    visit(Algorithm::tree, protocol.protocol, tree(links, shape, protocol, bytes));
  });
  if (links.in_network_reduction) visit(Algorithm::collnet, Protocol::simple, in_network(links, shape, bytes));
}

/// Whether they also scatter and gather for it; they reduce for larger domains.
inline bool has_multicast_round(const Links& links, const Shape& shape) {
  return has_multicast(links, shape) && shape.domains <= 1 && shape.members <= kMulticastHeads;
}

/// Reduce-scatter and all-gather differ in direction only.
template <class Visit>
void each_one_round(const Links& links, const Shape& shape, double bytes, const Visit& visit) {
  each_ring(links, shape, 1, bytes, visit);
  if (has_multicast_round(links, shape)) {
    visit(Algorithm::nvls, Protocol::simple, multicast(links, shape, bytes));
  } else if (shape.domains > 1 && shape.members <= 1) {
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
