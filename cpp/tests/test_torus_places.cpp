// Where ranks stand on tori, and what groups of them make of its links: closed forms against loads counted link by
// link.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <memory>
#include <set>
#include <vector>

#include "network/collectives.hpp"
#include "network/shape.hpp"
#include "network/torus_places.hpp"
#include "network/wiring.hpp"

namespace ampacity::network {
namespace {

using Sides = std::array<std::int64_t, 3>;

/// Loads of the links of a torus.
class Loads {
 public:
  explicit Loads(const Sides& sides)
      : sides_(sides), wiring_(make_torus({{sides[0], sides[1], sides[2]}, 1})), bytes_(wiring_->cables(), 0.0) {}

  /// Half of it each way where both ways round are as short.
  void send(std::int64_t from, std::int64_t to, double bytes) {
    for (const std::uint64_t way : {0U, 1U}) {
      PathChoice choice;
      choice.hash = way;
      std::vector<std::uint32_t> links;
      REQUIRE(wiring_->route(static_cast<std::uint32_t>(from), static_cast<std::uint32_t>(to), choice, links));
      for (const std::uint32_t link : links) bytes_[link] += bytes / 2;
    }
  }
  [[nodiscard]] double most() const { return *std::max_element(bytes_.begin(), bytes_.end()); }
  [[nodiscard]] double sum() const {
    double all = 0;
    for (const double bytes : bytes_) all += bytes;
    return all;
  }
  [[nodiscard]] std::int64_t beside(std::int64_t endpoint, std::size_t d, std::int64_t hop, std::int64_t extent,
                                    std::int64_t step) const {
    const std::int64_t pitch = d == 0 ? 1 : d == 1 ? sides_[0] : sides_[0] * sides_[1];
    const std::int64_t here = endpoint / pitch % sides_[d] / hop % extent;
    return endpoint + ((here + step + extent) % extent - here) * hop * pitch;
  }

 private:
  Sides sides_;
  std::shared_ptr<const Wiring> wiring_;
  std::vector<double> bytes_;
};

struct Question {
  Sides sides;
  std::vector<std::int64_t> boundaries;
  std::int64_t ranks;
  std::int64_t stride;
};

std::vector<Question> questions() {
  return {
      {{1, 1, 16}, {2}, 8, 2},       {{1, 1, 16}, {4, 8}, 2, 4},    {{1, 16, 16}, {4}, 64, 4},
      {{8, 8, 8}, {8}, 64, 8},       {{8, 8, 8}, {16}, 32, 16},     {{8, 8, 8}, {2, 16}, 8, 2},
      {{4, 4, 8}, {4}, 32, 4},       {{8, 8, 8}, {4, 32}, 8, 4},    {{8, 8, 8}, {}, 512, 1},
      {{12, 12, 12}, {8}, 216, 8},   {{8, 12, 20}, {8}, 240, 8},    {{8, 12, 20}, {6, 48}, 8, 6},
      {{16, 16, 16}, {16}, 256, 16}, {{4, 8, 16}, {8, 128}, 16, 8},
  };
}

}  // namespace

TEST_CASE(
    "every rank of a job has an endpoint of its own, and ranks of a level that follow each other are neighbours") {
  for (const Question& q : questions()) {
    const std::int64_t devices = q.sides[0] * q.sides[1] * q.sides[2];
    const TorusPlaces places = places_on_torus(q.sides, devices, q.boundaries);
    REQUIRE(places.placed());
    std::set<std::int64_t> taken;
    for (std::int64_t rank = 0; rank < devices; ++rank) taken.insert(places.endpoint_of(rank));
    CHECK(taken.size() == static_cast<std::size_t>(devices));
    CHECK(*taken.rbegin() == devices - 1);
  }
  const TorusPlaces places = places_on_torus({8, 8, 8}, 512, {});
  const auto wiring = make_torus({{8, 8, 8}, 1});
  for (std::uint32_t rank = 1; rank < 512; ++rank) {
    std::vector<std::uint32_t> links;
    const auto from = static_cast<std::uint32_t>(places.endpoint_of(rank - 1));
    const auto to = static_cast<std::uint32_t>(places.endpoint_of(rank));
    REQUIRE(wiring->route(from, to, {}, links));
    CHECK(links.size() <= 4);  // digits of one dimension lie 1, 2 and 4 apart
  }
}

TEST_CASE("sides that do not make the devices place nobody") {
  CHECK_FALSE(places_on_torus({4, 4, 4}, 63, {}).placed());
  CHECK_FALSE(places_on_torus({1, 1, 1}, 1, {}).placed());
}

TEST_CASE("a whole torus runs at all of its links, a line at one of two") {
  const TorusPlaces cube = places_on_torus({16, 16, 16}, 4096, {});
  CHECK(bucket_s_per_byte(group_on_torus(cube, 3, 4096, 1)) == doctest::Approx(1.0 / 6));
  CHECK(bucket_s_per_byte(group_on_torus(cube, 3, 8, 1)) == doctest::Approx(1.0 / 3));  // 2 x 2 x 2 lines
  CHECK(bucket_s_per_byte(group_on_torus(cube, 3, 2, 1)) == doctest::Approx(1));
  // All to all: half the ring's ranks send half of what they have past its middle, over two links: 16 / 8 of it.
  CHECK(exchange_s_per_byte(group_on_torus(cube, 3, 4096, 1)) == doctest::Approx(2.0 * 4096 / 4095));
}

TEST_CASE("groups of a stride on a ring share each link that many ways") {
  for (const std::int64_t stride : {1, 2, 4, 8}) {
    const TorusPlaces ring = places_on_torus({1, 1, 16}, 16, std::array{stride});
    const TorusGroup group = group_on_torus(ring, 1, 16 / stride, stride);
    CHECK(bucket_s_per_byte(group) == doctest::Approx(0.5 * static_cast<double>(stride)));
  }
}

TEST_CASE("the closed form of collectives is the load of the fullest link when all groups of a kind run") {
  for (const Question& q : questions()) {
    const std::int64_t devices = q.sides[0] * q.sides[1] * q.sides[2];
    const TorusPlaces places = places_on_torus(q.sides, devices, q.boundaries);
    const std::int64_t dimensions = q.sides[1] == 1 ? 1 : q.sides[0] == 1 ? 2 : 3;
    const TorusGroup group = group_on_torus(places, dimensions, q.ranks, q.stride);
    REQUIRE(group.is_block);
    CHECK(group.members() == q.ranks);
    const auto shares = bucket_shares(group);
    CHECK(shares[0] + shares[1] + shares[2] == doctest::Approx(1));
    Loads loads(q.sides);
    Loads all_to_all(q.sides);
    double hops = 0;
    for (std::int64_t rank = 0; rank < devices; ++rank) {
      const std::int64_t from = places.endpoint_of(rank);
      for (std::size_t d = 0; d < 3; ++d) {
        if (group.extent[d] <= 1) continue;
        for (const std::int64_t step : {1, -1}) {
          loads.send(from, loads.beside(from, d, group.hop[d], group.extent[d], step), shares[d] / 2);
        }
        // A line's end sends back over all of it: 2 (n - 1) hops for n members, as many as messages in a ring have.
        const double members = static_cast<double>(group.extent[d]);
        const double length = group.links[d] == 2 ? 1 : 2 * (members - 1) / members;
        hops += shares[d] * length * static_cast<double>(group.hop[d]);
      }
      const std::int64_t first = rank - rank / q.stride % q.ranks * q.stride;
      for (std::int64_t other = 0; other < q.ranks; ++other) {
        const std::int64_t to = first + other * q.stride;
        if (to == rank) continue;
        all_to_all.send(from, places.endpoint_of(to), 1 / (static_cast<double>(q.ranks) - 1));
      }
    }
    CAPTURE(q.ranks);
    CAPTURE(q.stride);
    CHECK(loads.most() == doctest::Approx(bucket_s_per_byte(group)));
    CHECK(loads.sum() == doctest::Approx(hops));  // what is sent, as often as it takes links
    CHECK(all_to_all.most() == doctest::Approx(exchange_s_per_byte(group)));
  }
}

TEST_CASE("chunks take a slow side last, so that it carries least") {
  // 16 devices in rows of 2 x 8: of a byte that each sends, 1/15 must cross the side of two at least.
  TorusGroup group;
  group.extent = {1, 2, 8};
  group.hop = {1, 2, 1};
  group.links = {0, 1, 2};
  CHECK(bucket_shares(group)[1] == doctest::Approx(0.5 / 2.5));  // as its links, both sides end together
  CHECK(bucket_s_per_byte(group) == doctest::Approx(1 / 2.5));
  group.hop[1] = 80;  // so slow that it sets the pace with the least that it can have
  CHECK(bucket_shares(group)[1] == doctest::Approx(1.0 / 15));
  CHECK(bucket_s_per_byte(group) == doctest::Approx(80.0 / 15));
}

}  // namespace ampacity::network
