// Nodes: the unit that is bought, cabled and powered as one: an 8-GPU server, or a 72-GPU rack.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>

#include "ampacity/accelerator.hpp"
#include "ampacity/field.hpp"
#include "ampacity/plant.hpp"

namespace ampacity {

/// A network interface card.
struct Nic {
  std::string name;
  std::string title;
  double bytes_per_s = 0;
  double typical_w = 0;
  double max_w = 0;

  static constexpr std::string_view kind = "nic";
  template <class S = Nic>
  static constexpr auto fields() {
    return std::tuple{required("name", &S::name, "catalogue name"), optional("title", &S::title, "full product name"),
                      required("bytes_per_s", &S::bytes_per_s, Range{1e8, 1e13}, "line rate per direction, all ports"),
                      required("typical_w", &S::typical_w, Range{0, 1e4}, "typical power without optics"),
                      required("max_w", &S::max_w, Range{0, 1e4}, "maximum power without optics")};
  }
  friend bool operator==(const Nic&, const Nic&) = default;
};

enum class Cooling { air, liquid, immersion };
template <>
struct EnumNames<Cooling> {
  static constexpr std::array<std::string_view, 3> names{"air", "liquid", "immersion"};
};

/// How accelerators of one scale-up domain reach each other: through switches that give any pair the full bandwidth
/// (NVSwitch), by one link to every other (xGMI), or along the rings of a torus (ICI).
enum class ScaleupTopology { switched, mesh, torus };
template <>
struct EnumNames<ScaleupTopology> {
  static constexpr std::array<std::string_view, 3> names{"switched", "mesh", "torus"};
};

/// A server or an integrated rack. All counts and watts are per node.
struct Node {
  std::string name;
  std::string title;
  Accelerator accelerator;
  std::int64_t accelerators = 8;
  std::int64_t hosts = 1;
  std::int64_t scaleup_domain = 8;
  ScaleupTopology scaleup_topology = ScaleupTopology::switched;
  std::int64_t scaleup_dimensions = 3;
  double scaleup_efficiency_fraction = 0.78;
  double scaleup_multicast_fraction = 0;
  double host_link_bytes_per_s = 50e9;
  double host_updates_per_s = 2e9;
  double host_relative_speed = 1;
  double scaleup_latency_s = 1.2e-6;
  double collective_launch_s = 6e-6;
  Nic nic;
  std::int64_t nics = 8;
  std::int64_t cpus = 2;
  double cpu_w = 0;
  double cpu_load_fraction = 0.6;
  double dram_w = 0;
  double scaleup_switch_w = 0;
  double misc_w = 0;
  double fan_w = 0;
  double psu_efficiency_fraction = 0.94;
  Supply supply;
  double supply_capacity_w = 0;
  double nameplate_w = 0;
  double nodes_per_rack = 1;
  Cooling cooling = Cooling::air;
  double thermal_resistance_c_per_w = 0;
  double thermal_time_constant_s = 0;
  double price_usd = 0;

  static constexpr std::string_view kind = "node";
  template <class S = Node>
  static constexpr auto fields() {
    constexpr Range watts{0, 1e6};
    return std::tuple{
        required("name", &S::name, "catalogue name"),
        optional("title", &S::title, "full product name"),
        required("accelerator", &S::accelerator, "the accelerator it carries"),
        required("accelerators", &S::accelerators, Range{1, 1e5}, "accelerators per node"),
        optional("hosts", &S::hosts, Range{1, 1e5}, "host computers (operating systems) per node"),
        required("scaleup_domain", &S::scaleup_domain, Range{1, 1e6}, "accelerators that share one scale-up network"),
        optional("scaleup_topology", &S::scaleup_topology, "how accelerators of a scale-up domain reach each other"),
        optional("scaleup_dimensions", &S::scaleup_dimensions, Range{1, 3}, "dimensions of a scale-up torus"),
        optional("scaleup_efficiency_fraction", &S::scaleup_efficiency_fraction, Range{0.05, 1},
                 "share of the scale-up line rate that large ring collectives reach"),
        optional("scaleup_multicast_fraction", &S::scaleup_multicast_fraction, Range{0, 1},
                 "share of the scale-up line rate at which the switches reduce and multicast; 0 = they cannot"),
        optional("host_link_bytes_per_s", &S::host_link_bytes_per_s, Range{1e8, 1e13},
                 "one accelerator to host memory, per direction, as reached (default: 80 % of PCIe Gen5 x16)"),
        optional("host_updates_per_s", &S::host_updates_per_s, Range{1e6, 1e13},
                 "parameters that one host processor updates a second with Adam"),
        optional("host_relative_speed", &S::host_relative_speed, Range{0.1, 10},
                 "speed of one host core at launching kernels over that of an x86 server core (Xeon 8480C), for which "
                 "software states its host_gap_s"),
        optional("scaleup_latency_s", &S::scaleup_latency_s, Range{0, 1e-3},
                 "one hop of a small message of a collective within the scale-up domain"),
        optional("collective_launch_s", &S::collective_launch_s, Range{0, 1e-3},
                 "time of the smallest collective, its hops aside"),
        required("nic", &S::nic, "the scale-out network card"),
        required("nics", &S::nics, Range{0, 1e5}, "scale-out and storage network cards per node"),
        optional("cpus", &S::cpus, Range{0, 1e4}, "host processors per node"),
        optional("cpu_w", &S::cpu_w, watts, "TDP of one host processor"),
        optional("cpu_load_fraction", &S::cpu_load_fraction, Range{0, 1},
                 "share of its TDP that a host processor draws while the accelerators work"),
        optional("dram_w", &S::dram_w, watts, "host memory power per node"),
        optional("scaleup_switch_w", &S::scaleup_switch_w, watts, "scale-up switches, all of the node"),
        optional("misc_w", &S::misc_w, watts, "drives, board, management, all of the node"),
        optional("fan_w", &S::fan_w, watts, "fans at full heat, all of the node"),
        optional("psu_efficiency_fraction", &S::psu_efficiency_fraction, Range{0.5, 1},
                 "AC to DC conversion at full load"),
        optional("supply", &S::supply, "how that efficiency follows the load; none = not at all"),
        optional("supply_capacity_w", &S::supply_capacity_w, watts,
                 "output of all its supplies or shelves; 0 = twice its power at full load"),
        optional("nameplate_w", &S::nameplate_w, Range{0, 1e7}, "rated maximum power; 0 = unknown"),
        optional("nodes_per_rack", &S::nodes_per_rack, Range{0.01, 1e3}, "nodes in one rack"),
        optional("cooling", &S::cooling, "how the heat leaves the node"),
        optional(
            "thermal_resistance_c_per_w", &S::thermal_resistance_c_per_w, Range{0, 10},
            "die of an accelerator over the air or liquid that enters the node, degrees Celsius a watt; 0 = that of "
            "its cooling"),
        optional("thermal_time_constant_s", &S::thermal_time_constant_s, Range{0, 1e5},
                 "time constant of an accelerator's heat sink or cold plate; 0 = that of its cooling"),
        optional("price_usd", &S::price_usd, Range{0, 1e9}, "price of one node without network; 0 = unknown")};
  }
  friend bool operator==(const Node&, const Node&) = default;
};

}  // namespace ampacity
