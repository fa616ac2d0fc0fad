// Scale-out fabrics: switches, optics and how they are wired.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>

#include "ampacity/field.hpp"
#include "ampacity/line_system.hpp"

namespace ampacity {

/// A network switch (a box, or a line card of a chassis).
struct Switch {
  std::string name;
  std::string title;
  std::int64_t ports = 0;
  double port_bytes_per_s = 0;
  double typical_w = 0;
  double max_w = 0;
  double latency_s = 0;
  double price_usd = 0;

  static constexpr std::string_view kind = "switch";
  template <class S = Switch>
  static constexpr auto fields() {
    return std::tuple{
        required("name", &S::name, "catalogue name"),
        optional("title", &S::title, "full product name"),
        required("ports", &S::ports, Range{1, 1e5}, "ports"),
        required("port_bytes_per_s", &S::port_bytes_per_s, Range{1e8, 1e13}, "line rate of a port, per direction"),
        required("typical_w", &S::typical_w, Range{0, 1e6}, "typical power without optics"),
        required("max_w", &S::max_w, Range{0, 1e6}, "maximum power with optics"),
        optional("latency_s", &S::latency_s, Range{0, 1e-3}, "port-to-port latency"),
        optional("price_usd", &S::price_usd, Range{0, 1e8}, "price; 0 = unknown")};
  }
  friend bool operator==(const Switch&, const Switch&) = default;
};

/// A pluggable transceiver or cable end.
struct Optic {
  std::string name;
  std::string title;
  double bytes_per_s = 0;
  double typical_w = 0;
  double max_w = 0;
  double price_usd = 0;

  static constexpr std::string_view kind = "optic";
  template <class S = Optic>
  static constexpr auto fields() {
    return std::tuple{required("name", &S::name, "catalogue name"),
                      optional("title", &S::title, "full product name"),
                      required("bytes_per_s", &S::bytes_per_s, Range{1e8, 1e13}, "line rate per direction, all ports"),
                      required("typical_w", &S::typical_w, Range{0, 1e3}, "typical power of one end"),
                      required("max_w", &S::max_w, Range{0, 1e3}, "maximum power of one end"),
                      optional("price_usd", &S::price_usd, Range{0, 1e6}, "price of one end; 0 = unknown")};
  }
  friend bool operator==(const Optic&, const Optic&) = default;
};

enum class Topology { fat_tree, rail_optimised, rail_only, dragonfly, torus, dragonfly_plus };
template <>
struct EnumNames<Topology> {
  static constexpr std::array<std::string_view, 6> names{"fat-tree",  "rail-optimised", "rail-only",
                                                         "dragonfly", "torus",          "dragonfly-plus"};
};
/// Fat trees, with rails or without.
[[nodiscard]] constexpr bool is_tree(Topology topology) {
  return topology == Topology::fat_tree || topology == Topology::rail_optimised || topology == Topology::rail_only;
}

/// How a flow picks one of several shortest paths. `d_mod_k`: by the digits of its destination, as InfiniBand subnet
/// managers and SimGrid do. `ecmp`: by a hash of the flow at every switch (RoCE). `spray`: over all of them at once
/// (packet spraying, adaptive routing at its best). `flowlet`: by a hash that changes with every batch of bytes.
/// `adaptive`: at every switch by the cable that fewest flows use when this one starts.
enum class Routing { d_mod_k, ecmp, spray, flowlet, adaptive };
template <>
struct EnumNames<Routing> {
  static constexpr std::array<std::string_view, 5> names{"d-mod-k", "ecmp", "spray", "flowlet", "adaptive"};
};

/// A scale-out network that joins scale-up domains.
struct Fabric {
  std::string name;
  std::string title;
  Topology topology = Topology::fat_tree;
  std::int64_t tiers = 3;
  double bytes_per_s_per_accelerator = 0;
  double efficiency_fraction = 0.9;
  double oversubscription = 1;
  std::int64_t pod_accelerators = 0;
  std::int64_t planes = 1;
  std::int64_t leaf_accelerators = 0;
  std::int64_t leaf_uplinks = 0;
  std::int64_t global_links = 0;
  std::int64_t torus_x = 0;
  std::int64_t torus_y = 0;
  std::int64_t torus_z = 0;
  std::int64_t sites = 1;
  double wan_bytes_per_s = 0;
  double wan_m = 0;
  LineSystem wan;
  std::int64_t copper_tiers = 0;
  Routing routing = Routing::spray;
  std::int64_t queue_pairs = 1;
  Switch network_switch;
  Switch leaf_switch;
  Optic optic;
  double switches_per_accelerator = 0;
  double optic_ends_per_accelerator = 0;
  double message_latency_s = 14e-6;
  bool in_network_reduction = false;
  double price_usd_per_accelerator = 0;

  static constexpr std::string_view kind = "fabric";
  template <class S = Fabric>
  static constexpr auto fields() {
    return std::tuple{
        required("name", &S::name, "catalogue name"),
        optional("title", &S::title, "full name"),
        required("topology", &S::topology, "how the switches are wired"),
        required("tiers", &S::tiers, Range{0, 6}, "switch tiers; 0 = direct network"),
        required("bytes_per_s_per_accelerator", &S::bytes_per_s_per_accelerator, Range{1e8, 1e13},
                 "scale-out line rate of one accelerator, per direction"),
        required(
            "efficiency_fraction", &S::efficiency_fraction, Range{0.05, 1},
            "share of the line rate that large collectives reach (protocol, congestion control; with a routing that "
            "is not hashed, also what uneven paths cost)"),
        optional("oversubscription", &S::oversubscription, Range{1, 1e3}, "bandwidth ratio above a pod (7 = 7:1)"),
        optional("pod_accelerators", &S::pod_accelerators, Range{0, 1e8},
                 "accelerators with full bandwidth among them (dragonflies: a group); 0 = all"),
        optional("planes", &S::planes, Range{1, 64}, "equal networks, each with its share of an accelerator's rate"),
        optional("leaf_accelerators", &S::leaf_accelerators, Range{0, 1e5},
                 "accelerators below one leaf switch; 0 = as many as half of its ports serve"),
        optional("leaf_uplinks", &S::leaf_uplinks, Range{0, 1e5},
                 "cables from a leaf switch to the tier above (dragonfly-plus: spines of a group); 0 = as many as "
                 "accelerators below it"),
        optional("global_links", &S::global_links, Range{0, 1e5},
                 "dragonflies: cables between every two groups; 0 = as oversubscription says"),
        optional("torus_x", &S::torus_x, Range{0, 1e6}, "torus: its sides; all 0 = as equal as they can be"),
        optional("torus_y", &S::torus_y, Range{0, 1e6}, "torus: second side"),
        optional("torus_z", &S::torus_z, Range{0, 1e6}, "torus: third side; 1 = none, so that four links are left"),
        optional("sites", &S::sites, Range{1, 64},
                 "sites with as many accelerators each, their switches joined by WAN links"),
        optional("wan_bytes_per_s", &S::wan_bytes_per_s, Range{0, 1e16},
                 "of several sites: from one to all others together, per direction"),
        optional("wan_m", &S::wan_m, Range{0, 2e7}, "of several sites: length of fibre between two of them"),
        optional("wan", &S::wan,
                 "of several sites: the line system that joins every two of them; without one, 400zr-plus"),
        optional("copper_tiers", &S::copper_tiers, Range{0, 6},
                 "kinds of cables that are passive copper, from the accelerators upwards"),
        optional("routing", &S::routing,
                 "how flows find their way; ecmp: hash collisions cost what is expected of them"),
        optional("queue_pairs", &S::queue_pairs, Range{1, 1e4},
                 "parts of the traffic between two accelerators that are hashed by themselves"),
        required("switch", &S::network_switch, "the switch"),
        optional("leaf_switch", &S::leaf_switch, "the switch of the lowest tier, where it is another one"),
        required("optic", &S::optic, "the transceiver"),
        optional("switches_per_accelerator", &S::switches_per_accelerator, Range{0, 10},
                 "bill of materials, where it is known; 0 = counted from the topology"),
        optional("optic_ends_per_accelerator", &S::optic_ends_per_accelerator, Range{0, 100},
                 "bill of materials, where it is known; 0 = counted from the topology"),
        optional("message_latency_s", &S::message_latency_s, Range{0, 1e-2},
                 "time of one inter-node hop of a collective, software included"),
        optional("in_network_reduction", &S::in_network_reduction,
                 "whether its switches can reduce (SHARP); a job uses that only where it says so"),
        optional("price_usd_per_accelerator", &S::price_usd_per_accelerator, Range{0, 1e6},
                 "switches, optics and cables per accelerator; 0 = unknown")};
  }
  friend bool operator==(const Fabric&, const Fabric&) = default;
};

}  // namespace ampacity
