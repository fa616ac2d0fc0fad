// Networks of links and switches, and flows on them: who gets how much, and when each transfer is over.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ampacity/cluster.hpp"
#include "ampacity/field.hpp"

namespace ampacity {

/// A fat tree: `down[i]` children of a switch of tier i + 1 and `up[i]` cables from a node of tier i to tier i + 1
/// (an extended generalised fat tree, Ohring et al. 1995; `up[0]` above 1 is a multi-homed endpoint). Full bisection
/// has up[i] = down[i - 1]; fewer are oversubscribed. With `rails`, device r of every node hangs on leaves of its own
/// (rail-optimised); with `rail_only` there is nothing above that joins rails.
struct FatTree {
  std::vector<std::int64_t> down;
  std::vector<std::int64_t> up;
  std::vector<double> link_bytes_per_s;  ///< one per tier, or one for all
  std::int64_t rails = 1;
  bool rail_only = false;
  /// Lengths of cables, one per tier, or one for all; none: negligible.
  std::vector<double> cable_m = {};  // NOLINT(readability-redundant-member-init): may be left out of a list
  bool joins_sites = false;          ///< the highest tier is an exchange of WAN links, where no switches are counted
};

/// A torus of any number of dimensions, dimension-ordered routing; `link_bytes_per_s` per link and direction.
struct Torus {
  std::vector<std::int64_t> shape;
  double link_bytes_per_s = 0;
};

/// A dragonfly: groups of fully connected switches, `global_links` cables from every group to every other; minimal
/// routing (Kim et al. 2008).
struct Dragonfly {
  std::int64_t groups = 0;
  std::int64_t switches_per_group = 0;
  std::int64_t endpoints_per_switch = 0;
  std::int64_t global_links = 1;
  double endpoint_bytes_per_s = 0;
  double local_bytes_per_s = 0;
  double global_bytes_per_s = 0;
};

/// One digit of the endpoints' numbers, the lowest first: endpoints that differ in no other digit are joined by a ring
/// (two links each, dimension-ordered routes), by a switch (one link up, one down), or each with each.
struct Dimension {
  enum class Kind { ring, switched, all_joined };

  Kind kind = Kind::ring;
  std::int64_t endpoints = 0;
  double link_bytes_per_s = 0;
  double hop_latency_s = 0;
};
template <>
struct EnumNames<Dimension::Kind> {
  static constexpr std::array<std::string_view, 3> names{"ring", "switch", "all-joined"};
};

/// A dragonfly+ (Shpiner et al., HiPINEB 2017): groups of `leaves` and `spines`, each leaf joined to each spine of its
/// group, and `global_links` cables between the spines of every two groups; minimal routing. Sites that are joined in
/// pairs are groups with long cables.
struct DragonflyPlus {
  std::int64_t groups = 0;
  std::int64_t leaves = 0;
  std::int64_t spines = 0;
  std::int64_t endpoints_per_leaf = 0;
  std::int64_t global_links = 1;
  double endpoint_bytes_per_s = 0;
  double local_bytes_per_s = 0;
  double global_bytes_per_s = 0;
  double global_m = 0;  ///< length of the cables between groups
};

/// What all networks may have besides their switches.
struct NetworkOptions {
  double hop_latency_s = 1e-6;       ///< of one link and the switch behind it
  std::int64_t planes = 1;           ///< equal copies of the network, each with its share of the bandwidth
  std::int64_t domain = 1;           ///< endpoints joined by a scale-up switch (NVLink); 1 = none
  double domain_bytes_per_s = 0;     ///< of an endpoint to that switch, per direction
  double domain_latency_s = 0.5e-6;  ///< of one hop there
};

/// Transfers from endpoints to endpoints; all arrays have the same length.
struct Flows {
  std::span<const std::int64_t> source;
  std::span<const std::int64_t> destination;
  std::span<const double> bytes;
  std::span<const double> start_s;
  std::span<const double> weight;           ///< share of a flow's parts against those of others; none: all alike
  std::span<const double> max_bytes_per_s;  ///< of all parts together: of a card or a bus; none, or infinite: no limit
};

/// How flows find their way and share links.
struct FlowRules {
  Routing routing = Routing::ecmp;
  std::uint64_t seed = 0;          ///< of the hash
  std::int64_t queue_pairs = 1;    ///< equal parts of every flow, each with a hash of its own
  bool latency_weighted = false;   ///< shares are inversely proportional to path latency (SimGrid's CM02, TCP-like)
  double batch_fraction = 0;       ///< completions within this share of the elapsed time count as simultaneous
  double flowlet_bytes = 1048576;  ///< with `flowlet`, about what a path carries before the next hash
};

/// What happens to a part of the network while flows run: from `at_s` on it works at a share of its rate.
struct NetworkEvent {
  enum class Part { link, network_switch };

  double at_s = 0;
  Part part = Part::link;
  std::int64_t id = 0;  ///< of the link (one direction of a cable) or switch
  double fraction = 0;  ///< 0: failed; 0.5: a flapping optic, say; 1: whole again
};

/// Max-min fair rates of flows that all run at once.
struct FlowRates {
  std::vector<double> bytes_per_s;            ///< of every flow
  std::vector<std::int64_t> bottleneck_link;  ///< that limits it (its slowest part); -1 for a flow to itself
  std::vector<double> utilisation_fraction;   ///< of every link
};

/// What became of transfers.
struct Transfer {
  std::vector<double> completion_s;    ///< of every flow; infinite where failures cut it off
  std::vector<double> link_bytes;      ///< carried by every link
  double end_s = 0;                    ///< of the last one that ends
  std::int64_t events = 0;             ///< times at which rates were solved again
  std::vector<std::int64_t> reroutes;  ///< of every flow: how often failures or recoveries gave it another path
  std::vector<double> stalled_s;       ///< of every flow: how long it had no path that works, or one at rate 0
};

/// Flows that a change of the network does something to, the hardest hit first.
struct AffectedFlows {
  std::vector<std::int64_t> flow;
  std::vector<double> before_bytes_per_s;
  std::vector<double> after_bytes_per_s;
  std::vector<std::uint8_t> rerouted;  ///< whether any part of it takes another path
};

/// One kind of cable: between which tiers, how many, how fast.
struct NetworkTier {
  std::string name;
  std::int64_t switches = 0;  ///< at the upper end
  std::int64_t cables = 0;
  double bytes_per_s = 0;  ///< of one cable, per direction
};

/// A network, computed and not stored: links are numbers, routes are arithmetic. Copies are cheap and immutable.
class Network {
 public:
  /// \throws InvalidSpec naming everything that does not make a network.
  static Network fat_tree(const FatTree& shape, const NetworkOptions& options = {});
  static Network torus(const Torus& shape, const NetworkOptions& options = {});
  static Network dragonfly(const Dragonfly& shape, const NetworkOptions& options = {});
  /// A network of its own in every dimension (multi-dimensional switches and rings, HyperX, ASTRA-sim's topologies);
  /// endpoints forward from one to the next.
  static Network dimensions(std::span<const Dimension> shape);
  static Network dragonfly_plus(const DragonflyPlus& shape, const NetworkOptions& options = {});

  /// The network of a cluster, as its fabric's tiers, switch, rate and oversubscription imply it; at least as many
  /// endpoints as accelerators. \throws Infeasible where the cluster has no scale-out switches.
  static Network of(const Cluster& cluster);
  /// The network of a job of so many of its accelerators: on a torus a slice, which is a torus of its own (Jouppi et
  /// al., arXiv:2304.01433, section 2: optical switches join the cubes of a slice), elsewhere that of the cluster.
  static Network slice_of(const Cluster& cluster, std::int64_t accelerators);

  [[nodiscard]] std::int64_t endpoints() const;
  [[nodiscard]] std::int64_t links() const;
  [[nodiscard]] double link_bytes_per_s(std::int64_t link) const;
  /// Where a link runs: `tier 1 up, switch 3 port 7`.
  [[nodiscard]] std::string link_name(std::int64_t link) const;
  [[nodiscard]] std::vector<NetworkTier> tiers() const;
  /// Bandwidth between the two halves of the endpoints, one direction.
  [[nodiscard]] double bisection_bytes_per_s() const;
  /// Links of one flow's path, in order.
  [[nodiscard]] std::vector<std::int64_t> route(std::int64_t source, std::int64_t destination,
                                                const FlowRules& rules = {}) const;

  /// The same network with some links at a share of their rate (0: failed; flows are routed around where they can;
  /// 1: whole again).
  [[nodiscard]] Network with_links_at(std::span<const std::int64_t> links, double fraction) const;
  /// The same with switches: all their links are at that share, or less where they are less by themselves.
  [[nodiscard]] Network with_switches_at(std::span<const std::int64_t> switches, double fraction) const;

  /// Switches of the tiers, then those of the scale-up domains.
  [[nodiscard]] std::int64_t switches() const;
  [[nodiscard]] std::string switch_name(std::int64_t id) const;
  /// Place in `tiers()` of a link.
  [[nodiscard]] std::int64_t tier_of_link(std::int64_t link) const;
  /// The other direction of a link's cable.
  [[nodiscard]] std::int64_t reverse_link(std::int64_t link) const;
  /// Both directions of that share of a tier's cables, drawn by the seed.
  [[nodiscard]] std::vector<std::int64_t> random_cables(std::int64_t tier, double fraction, std::uint64_t seed) const;
  /// Endpoints that failures part from most others.
  [[nodiscard]] std::vector<std::int64_t> cut_off() const;

  [[nodiscard]] FlowRates rates(const Flows& flows, const FlowRules& rules = {}) const;
  /// Runs flows to completion, through what happens to the network meanwhile. A flow whose path fails goes on with what
  /// is left of it on the path that routing then gives, at once; without one it waits.
  [[nodiscard]] Transfer transfer(const Flows& flows, const FlowRules& rules = {},
                                  std::span<const NetworkEvent> events = {}) const;
  /// Which flows suffer, or gain, when this network becomes that one (of the same shape).
  [[nodiscard]] AffectedFlows affected(const Network& then, const Flows& flows, const FlowRules& rules = {}) const;

  struct Plan;  ///< what only the library knows
  explicit Network(std::shared_ptr<const Plan> plan) : plan_(std::move(plan)) {}
  [[nodiscard]] const Plan& plan() const { return *plan_; }

 private:
  std::shared_ptr<const Plan> plan_;
};

}  // namespace ampacity
