// What every topology answers by arithmetic: how many links, how fast, and which ones join two endpoints.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "ampacity/network.hpp"

namespace ampacity::network {

struct DragonflyPlaces;
struct DragonflyPlusPlaces;

/// Both ends of a link, in its direction: endpoints come first, then switches.
struct LinkEnds {
  std::uint32_t from = 0;
  std::uint32_t to = 0;
};

/// How one flow chooses among equal paths, and which links it must avoid.
struct PathChoice {
  Routing routing = Routing::ecmp;
  std::uint64_t hash = 0;                                ///< of the flow
  const std::vector<float>* link_share = nullptr;        ///< rate of each link over its full rate; null: all 1
  std::uint32_t first_link = 0;                          ///< where this network's links begin in those lists
  const std::vector<std::uint32_t>* flows_on = nullptr;  ///< how many use each link already; null: nobody asks

  [[nodiscard]] bool alive(std::uint32_t link) const {
    return link_share == nullptr || (*link_share)[first_link + link] > 0;
  }
  /// The port to try as number `i` of `count` + 1: the wanted one; then all from a second draw on, so that what a
  /// failed cable leaves is spread over the others (resilient hashing) and not heaped on its neighbour.
  [[nodiscard]] static std::uint32_t attempt(std::uint32_t i, std::uint32_t wanted, std::uint32_t second,
                                             std::uint32_t count) {
    return i == 0 ? wanted : (second + i - 1) % count;
  }
  /// The one of `count` links from `first` on that is used least; of equal ones the first after a hashed one.
  [[nodiscard]] std::uint32_t least_used(std::uint32_t first, std::uint32_t count, std::uint32_t from) const {
    std::uint32_t best = from;
    for (std::uint32_t i = 0; i < count; ++i) {
      const std::uint32_t port = (from + i) % count;
      const bool better = alive(first + port) && (!alive(first + best) || (*flows_on)[first_link + first + port] <
                                                                              (*flows_on)[first_link + first + best]);
      if (better) best = port;
    }
    return best;
  }
};

/// The switches of one plane. Links are numbered from 0; behind the cables come the trunks, which stand for all
/// parallel cables between two places and are what sprayed flows use.
class Wiring {
 public:
  Wiring() = default;
  Wiring(const Wiring&) = delete;
  Wiring& operator=(const Wiring&) = delete;
  virtual ~Wiring() = default;

  [[nodiscard]] virtual std::uint32_t endpoints() const = 0;
  [[nodiscard]] virtual std::uint32_t cables() const = 0;  ///< directed
  [[nodiscard]] virtual std::uint32_t trunks() const { return 0; }
  [[nodiscard]] virtual double bytes_per_s(std::uint32_t link) const = 0;
  /// Where everything is, if this is a dragonfly.
  [[nodiscard]] virtual const DragonflyPlaces* dragonfly() const { return nullptr; }
  [[nodiscard]] virtual const DragonflyPlusPlaces* dragonfly_plus() const { return nullptr; }
  /// Whether hashed flows, too, spread over all cables of a trunk somewhere (WAN links between sites, which carry many
  /// flows on many wavelengths each), and the trunk of such a cable; of others the cable.
  [[nodiscard]] virtual bool evens_out() const { return false; }
  [[nodiscard]] virtual std::uint32_t evened(std::uint32_t link) const { return link; }
  /// Equally short ways that every flow spreads over, whatever its routing: both ways round a torus. 0: none such.
  [[nodiscard]] virtual std::uint32_t ways() const { return 0; }
  /// Cables that a trunk bundles; never asked where there are no trunks.
  [[nodiscard]] virtual std::vector<std::uint32_t> cables_of(std::uint32_t /*trunk*/) const { return {}; }
  [[nodiscard]] virtual std::string name(std::uint32_t link) const = 0;
  [[nodiscard]] virtual std::vector<NetworkTier> tiers() const = 0;
  [[nodiscard]] virtual double bisection_bytes_per_s() const = 0;
  [[nodiscard]] virtual std::uint32_t switches() const { return 0; }  ///< none where endpoints forward themselves
  [[nodiscard]] virtual std::string switch_name(std::uint32_t /*box*/) const { return {}; }
  [[nodiscard]] virtual LinkEnds ends(std::uint32_t link) const = 0;
  /// Time of light in a link (or trunk), beside the latency of a hop.
  [[nodiscard]] virtual double flight_s(std::uint32_t /*link*/) const { return 0; }
  [[nodiscard]] virtual bool long_cables() const { return false; }
  /// The other direction of the same cable.
  [[nodiscard]] virtual std::uint32_t reverse(std::uint32_t link) const = 0;
  /// Place in `tiers()`.
  [[nodiscard]] virtual std::size_t tier(std::uint32_t link) const = 0;
  /// Whether endpoints `a` and `b` can reach each other without scale-up links.
  [[nodiscard]] virtual bool joined(std::uint32_t, std::uint32_t) const { return true; }
  /// Neighbourhoods that an endpoint lies in (below one switch, in one pod, in one group), the smallest first.
  [[nodiscard]] virtual std::uint32_t neighbourhoods() const { return 0; }
  [[nodiscard]] virtual std::uint32_t neighbourhood(std::uint32_t, std::uint32_t) const { return 0; }
  /// Place of an endpoint on a walk along which neighbours are as near as the wiring lets them be.
  [[nodiscard]] virtual std::uint32_t along(std::uint32_t endpoint) const { return endpoint; }
  /// Appends the links between two different endpoints; false where failed links cut them off.
  virtual bool route(std::uint32_t source, std::uint32_t destination, const PathChoice& choice,
                     std::vector<std::uint32_t>& links) const = 0;
  /// The links of hashed flows between the same endpoints (`route` with `Routing::ecmp`) where nothing has failed:
  /// first the two that all have in common, then those of each, equally many. False where that cannot be said so.
  virtual bool route_hashed(std::uint32_t /*source*/, std::uint32_t /*destination*/,
                            std::span<const std::uint64_t> /*hashes*/, std::vector<std::uint32_t>& /*links*/) const {
    return false;
  }
};

[[nodiscard]] std::shared_ptr<const Wiring> make_fat_tree(const FatTree& shape);
[[nodiscard]] std::shared_ptr<const Wiring> make_torus(const Torus& shape);
[[nodiscard]] std::shared_ptr<const Wiring> make_dragonfly(const Dragonfly& shape);
[[nodiscard]] std::shared_ptr<const Wiring> make_dimensions(std::span<const Dimension> shape);
[[nodiscard]] std::shared_ptr<const Wiring> make_dragonfly_plus(const DragonflyPlus& shape);

/// Light in fibre of refractive index 1.468 (ITU-T G.652) takes 4.9 us/km, 4.5-5 with what data sheets of cables say.
inline constexpr double kFibreSPerM = 5e-9;

}  // namespace ampacity::network
