// Tori: every endpoint is a router with one link in each direction of each dimension; messages go dimension by
// dimension the shorter way round (Dally and Towles 2004, chapter 5).
#include <cstddef>

#include "network/wiring.hpp"

namespace ampacity::network {
namespace {

class TorusWiring final : public Wiring {
 public:
  explicit TorusWiring(const Torus& shape) : rate_(shape.link_bytes_per_s) {
    for (const std::int64_t side : shape.shape) {
      side_.push_back(static_cast<std::uint32_t>(side));
      stride_.push_back(endpoints_);
      endpoints_ *= static_cast<std::uint32_t>(side);
    }
  }

  [[nodiscard]] std::uint32_t endpoints() const override { return endpoints_; }
  [[nodiscard]] std::uint32_t cables() const override {
    return endpoints_ * 2 * static_cast<std::uint32_t>(side_.size());
  }
  [[nodiscard]] double bytes_per_s(std::uint32_t) const override { return rate_; }
  [[nodiscard]] std::uint32_t ways() const override { return 2; }

  [[nodiscard]] std::string name(std::uint32_t link) const override {
    const auto dimensions = static_cast<std::uint32_t>(side_.size());
    const std::uint32_t way = link % (2 * dimensions);
    return "endpoint " + std::to_string(link / (2 * dimensions)) + ", dimension " + std::to_string(way / 2) +
           (way % 2 == 0 ? " forward" : " backward");
  }

  [[nodiscard]] std::vector<NetworkTier> tiers() const override {
    std::vector<NetworkTier> found;
    for (std::size_t d = 0; d < side_.size(); ++d) {
      const std::uint32_t cables = side_[d] == 1 ? 0 : side_[d] == 2 ? endpoints_ / 2 : endpoints_;
      found.push_back({"dimension " + std::to_string(d), 0, cables, rate_});
    }
    return found;
  }

  [[nodiscard]] std::size_t tier(std::uint32_t link) const override { return link / 2 % side_.size(); }
  [[nodiscard]] LinkEnds ends(std::uint32_t link) const override {
    const auto dimensions = static_cast<std::uint32_t>(side_.size());
    const std::uint32_t at = link / (2 * dimensions);
    return {at, neighbour(at, tier(link), link % 2 == 0)};
  }
  [[nodiscard]] std::uint32_t reverse(std::uint32_t link) const override {
    const auto dimensions = static_cast<std::uint32_t>(side_.size());
    return ends(link).to * 2 * dimensions + link % (2 * dimensions) / 2 * 2 + (link % 2 == 0 ? 1 : 0);
  }

  [[nodiscard]] double bisection_bytes_per_s() const override {
    // Cut across the longest side: two layers of links (one where the ring is a pair).
    std::uint32_t longest = 1;
    for (const std::uint32_t side : side_) longest = side > longest ? side : longest;
    const double layer = static_cast<double>(endpoints_) / longest * rate_;
    return longest == 1 ? 0 : longest == 2 ? layer : 2 * layer;
  }

  /// Boustrophedon: forth in one row, back in the next.
  [[nodiscard]] std::uint32_t along(std::uint32_t endpoint) const override {
    std::uint32_t place = 0;
    for (std::size_t d = side_.size(); d-- > 0;) {
      const std::uint32_t at = endpoint / stride_[d] % side_[d];
      place = place * side_[d] + (place % 2 == 0 ? at : side_[d] - 1 - at);
    }
    return place;
  }

  bool route(std::uint32_t source, std::uint32_t destination, const PathChoice& choice,
             std::vector<std::uint32_t>& links) const override {
    const std::size_t before = links.size();
    std::uint32_t at = source;
    for (std::size_t d = 0; d < side_.size(); ++d) {
      const std::uint32_t from = at / stride_[d] % side_[d];
      const std::uint32_t to = destination / stride_[d] % side_[d];
      const std::uint32_t forward = (to + side_[d] - from) % side_[d];
      // Half way round both ways are as short: the hash decides; a failed link on one way sends the flow the other.
      // A side of two has one cable, forward from the first and back from the second.
      const bool half_way = 2 * forward == side_[d];
      bool ahead = 2 * forward < side_[d] || (half_way && (side_[d] == 2 ? from == 0 : choice.hash % 2 == 0));
      if (!walk(at, d, ahead, ahead ? forward : side_[d] - forward, choice, links)) {
        ahead = !ahead;
        if (side_[d] == 2 || !walk(at, d, ahead, ahead ? forward : side_[d] - forward, choice, links)) {
          links.resize(before);
          return false;
        }
      }
      at += (to - from) * stride_[d];
    }
    return true;
  }

 private:
  [[nodiscard]] std::uint32_t neighbour(std::uint32_t at, std::size_t dimension, bool ahead) const {
    const std::uint32_t side = side_[dimension];
    const std::uint32_t place = at / stride_[dimension] % side;
    const std::uint32_t next = ahead ? (place + 1) % side : (place + side - 1) % side;
    return at + (next - place) * stride_[dimension];
  }

  bool walk(std::uint32_t at, std::size_t dimension, bool ahead, std::uint32_t steps, const PathChoice& choice,
            std::vector<std::uint32_t>& links) const {
    const std::size_t before = links.size();
    const std::uint32_t side = side_[dimension];
    const auto dimensions = static_cast<std::uint32_t>(side_.size());
    for (std::uint32_t i = 0; steps < side && i < steps; ++i) {
      const std::uint32_t link = (at * dimensions + static_cast<std::uint32_t>(dimension)) * 2 + (ahead ? 0 : 1);
      if (!choice.alive(link)) {
        links.resize(before);
        return false;
      }
      links.push_back(link);
      at = neighbour(at, dimension, ahead);
    }
    return true;
  }

  std::vector<std::uint32_t> side_;
  std::vector<std::uint32_t> stride_;
  std::uint32_t endpoints_ = 1;
  double rate_;
};

}  // namespace

std::shared_ptr<const Wiring> make_torus(const Torus& shape) {
  return std::make_shared<TorusWiring>(shape);
}

}  // namespace ampacity::network
