// A network of its own in every dimension: rings, switches, or everybody joined to everybody (HyperX: Ahn et al., SC
// 2009). Messages go dimension by dimension; the endpoints between forward them.
#include <cstddef>

#include "network/wiring.hpp"

namespace ampacity::network {
namespace {

using Kind = Dimension::Kind;

class DimensionsWiring final : public Wiring {
 public:
  explicit DimensionsWiring(std::span<const Dimension> shape) {
    for (const Dimension& one : shape) {
      Side side{one, static_cast<std::uint32_t>(one.endpoints), endpoints_, 0, 0, 0};
      endpoints_ *= side.length;
      sides_.push_back(side);
    }
    for (Side& side : sides_) {
      side.each = side.of.kind == Kind::all_joined ? side.length : 2;
      side.first = cables_;
      side.first_switch = switches_;
      cables_ += endpoints_ * side.each;
      if (side.of.kind == Kind::switched) switches_ += endpoints_ / side.length;
    }
  }

  [[nodiscard]] std::uint32_t endpoints() const override { return endpoints_; }
  [[nodiscard]] std::uint32_t cables() const override { return cables_; }
  [[nodiscard]] double bytes_per_s(std::uint32_t link) const override { return sides_[tier(link)].of.link_bytes_per_s; }
  [[nodiscard]] bool long_cables() const override { return true; }
  [[nodiscard]] double flight_s(std::uint32_t link) const override { return sides_[tier(link)].of.hop_latency_s; }

  [[nodiscard]] std::string name(std::uint32_t link) const override {
    const std::size_t d = tier(link);
    const Side& side = sides_[d];
    const std::uint32_t way = (link - side.first) % side.each;
    const std::string to = side.of.kind == Kind::all_joined ? "to place " + std::to_string(way)
                           : side.of.kind == Kind::switched ? (way == 0 ? "up" : "down")
                                                            : (way == 0 ? "forward" : "backward");
    return "endpoint " + std::to_string((link - side.first) / side.each) + ", dimension " + std::to_string(d) + ' ' +
           to;
  }

  [[nodiscard]] std::vector<NetworkTier> tiers() const override {
    std::vector<NetworkTier> found;
    for (std::size_t d = 0; d < sides_.size(); ++d) {
      const Side& side = sides_[d];
      const std::int64_t length = side.length;
      const std::int64_t groups = endpoints_ / side.length;
      const bool switched = side.of.kind == Kind::switched;
      const std::int64_t cables = switched                                        ? length
                                  : side.of.kind == Kind::ring && side.length > 2 ? length
                                                                                  : length * (length - 1) / 2;
      found.push_back(
          {"dimension " + std::to_string(d), switched ? groups : 0, groups * cables, side.of.link_bytes_per_s});
    }
    return found;
  }

  [[nodiscard]] double bisection_bytes_per_s() const override {
    // Cut across the dimension that gives least; one of a single endpoint cannot be cut.
    double least = 0;
    for (const Side& side : sides_) {
      if (side.length == 1) continue;
      const std::uint32_t low = side.length / 2;
      const std::uint32_t links = side.of.kind == Kind::switched ? low
                                  : side.of.kind == Kind::ring   ? (side.length == 2 ? 1 : 2)
                                                                 : low * (side.length - low);
      const std::uint32_t groups = endpoints_ / side.length;
      const double all = static_cast<double>(groups) * links * side.of.link_bytes_per_s;
      if (least == 0 || all < least) least = all;
    }
    return least;
  }

  [[nodiscard]] std::uint32_t switches() const override { return switches_; }
  [[nodiscard]] std::string switch_name(std::uint32_t box) const override {
    std::size_t d = sides_.size() - 1;
    while (sides_[d].of.kind != Kind::switched || box < sides_[d].first_switch) --d;
    return "switch " + std::to_string(box - sides_[d].first_switch) + " of dimension " + std::to_string(d);
  }
  [[nodiscard]] std::size_t tier(std::uint32_t link) const override {
    std::size_t d = sides_.size() - 1;
    while (link < sides_[d].first) --d;
    return d;
  }
  [[nodiscard]] LinkEnds ends(std::uint32_t link) const override {
    const Side& side = sides_[tier(link)];
    const std::uint32_t at = (link - side.first) / side.each;
    const std::uint32_t way = (link - side.first) % side.each;
    if (side.of.kind == Kind::all_joined) return {at, moved(side, at, way)};
    if (side.of.kind == Kind::ring) {
      const std::uint32_t digit = side.digit(at);
      return {at, moved(side, at, (digit + (way == 0 ? 1 : side.length - 1)) % side.length)};
    }
    const std::uint32_t group = at / (side.stride * side.length) * side.stride + at % side.stride;
    const std::uint32_t box = endpoints_ + side.first_switch + group;
    return way == 0 ? LinkEnds{at, box} : LinkEnds{box, at};
  }
  [[nodiscard]] std::uint32_t reverse(std::uint32_t link) const override {
    const Side& side = sides_[tier(link)];
    const std::uint32_t at = (link - side.first) / side.each;
    const std::uint32_t way = (link - side.first) % side.each;
    if (side.of.kind == Kind::switched) return side.first + 2 * at + (1 - way);
    const std::uint32_t other = ends(link).to;
    return side.first + side.each * other + (side.of.kind == Kind::ring ? 1 - way : side.digit(at));
  }

  bool route(std::uint32_t source, std::uint32_t destination, const PathChoice& choice,
             std::vector<std::uint32_t>& links) const override {
    const std::size_t before = links.size();
    std::uint32_t at = source;
    for (const Side& side : sides_) {
      if (side.digit(at) == side.digit(destination)) continue;
      const std::uint32_t next = moved(side, at, side.digit(destination));
      if (!cross(side, at, next, choice, links)) {
        links.resize(before);
        return false;
      }
      at = next;
    }
    return true;
  }

 private:
  struct Side {
    Dimension of;
    std::uint32_t length;
    std::uint32_t stride;
    std::uint32_t each;  ///< links of an endpoint
    std::uint32_t first;
    std::uint32_t first_switch;

    [[nodiscard]] std::uint32_t digit(std::uint32_t endpoint) const { return endpoint / stride % length; }
  };

  /// The endpoint with another digit in that dimension.
  static std::uint32_t moved(const Side& side, std::uint32_t endpoint, std::uint32_t digit) {
    return endpoint - side.digit(endpoint) * side.stride + digit * side.stride;
  }

  static bool cross(const Side& side, std::uint32_t from, std::uint32_t to, const PathChoice& choice,
                    std::vector<std::uint32_t>& links) {
    const auto add = [&](std::uint32_t link) {
      links.push_back(link);
      return choice.alive(link);
    };
    if (side.of.kind == Kind::all_joined) return add(side.first + from * side.each + side.digit(to));
    if (side.of.kind == Kind::switched) return add(side.first + 2 * from) && add(side.first + 2 * to + 1);
    const std::uint32_t forward = (side.digit(to) + side.length - side.digit(from)) % side.length;
    // Half way round both ways are as short: the hash decides; a failed link on one way sends the flow the other.
    const bool ahead = 2 * forward < side.length || (2 * forward == side.length && choice.hash % 2 == 0);
    return walk(side, from, to, ahead, choice, links) || walk(side, from, to, !ahead, choice, links);
  }

  static bool walk(const Side& side, std::uint32_t from, std::uint32_t to, bool ahead, const PathChoice& choice,
                   std::vector<std::uint32_t>& links) {
    const std::size_t before = links.size();
    for (std::uint32_t at = from; at != to;) {
      const std::uint32_t link = side.first + 2 * at + (ahead ? 0 : 1);
      if (!choice.alive(link)) {
        links.resize(before);
        return false;
      }
      links.push_back(link);
      at = moved(side, at, (side.digit(at) + (ahead ? 1 : side.length - 1)) % side.length);
    }
    return true;
  }

  std::vector<Side> sides_;
  std::uint32_t endpoints_ = 1;
  std::uint32_t cables_ = 0;
  std::uint32_t switches_ = 0;
};

}  // namespace

std::shared_ptr<const Wiring> make_dimensions(std::span<const Dimension> shape) {
  return std::make_shared<DimensionsWiring>(shape);
}

}  // namespace ampacity::network
