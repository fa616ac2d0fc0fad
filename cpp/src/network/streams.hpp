// Streams of messages that run at once, in groups that wait for their slowest: how much longer each group takes than
// with the network to itself.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <numeric>
#include <vector>

#include "base/large.hpp"
#include "base/team.hpp"
#include "network/adaptive.hpp"
#include "network/plan.hpp"

namespace ampacity::network {

/// How streams find their way, and what one of them carries where nothing is in its way.
struct StreamRules {
  Routing routing = Routing::ecmp;
  std::uint64_t seed = 0;
  std::uint32_t queue_pairs = 1;  ///< equal parts of every stream that are hashed by themselves
  double bytes_per_s = 0;         ///< of a stream of demand 1
  std::size_t threads = 1;        ///< that share the work; results do not depend on it
  std::function<bool()> proceed;  ///< asked now and then (may be empty); false stops the work
};

/// A stream for which failures leave no way.
struct CutOff {
  std::uint32_t source;
  std::uint32_t destination;
  std::uint32_t group;
};

/// What became of groups of streams.
struct GroupPaces {
  static constexpr std::uint32_t no_link = std::numeric_limits<std::uint32_t>::max();

  base::Large<float> slowdown;      ///< time over that without others; infinite where failures cut a stream off
  base::Large<std::uint32_t> link;  ///< that limits the group; `no_link` where none does
  bool exact = true;                ///< false: see `Streams::solve`
  std::vector<CutOff> cut_off;      ///< where `link` does not say why a group never ends
};

/// Memory that one kind of communication after the other uses.
class StreamMemory {
 public:
  StreamMemory(const Network::Plan& plan, std::size_t threads);

  base::Large<double> link_bytes;  ///< of every link, trunks included: what streams carried

 private:
  friend class Streams;
  struct Stream {
    std::uint32_t source;
    std::uint32_t destination;
    std::uint32_t group;
    float demand;
    double bytes;
    bool back;
  };
  /// The load of the fullest link of streams that follow each other in one group.
  struct Fullest {
    std::uint32_t group;
    std::uint32_t link;
    float load;
  };
  /// What a stream has on a crowded link.
  struct Share {
    std::uint32_t group;
    std::uint32_t link;
    float demand;
  };
  /// Streams that one thread routes.
  struct Block {
    std::vector<std::uint32_t> links;
    std::vector<std::uint32_t> end;  ///< of every stream, in `links`
    std::vector<std::uint32_t>
        whole;  ///< of every stream: its first links, which carry all of it; others one part each
    std::vector<CutOff> cut_off;
    std::vector<Fullest> fullest;
    std::size_t crowded = 0;  ///< links of streams that are too full
    std::vector<Share> shares;
    std::vector<std::uint64_t> hashes;
  };

  double slowest_bytes_per_s_ = 0;  // of all links; 0 where some are not whole
  base::Large<float> load_;         // of every link, in streams of demand 1
  base::Large<Stream> streams_;
  std::vector<Block> blocks_;
};

/// The streams of a group pass data on to one another (a ring, an exchange), so they all go at one pace: to the fluid
/// engine a group is one flow that loads each link as often as its streams cross it. Groups all start together.
class Streams {
 public:
  Streams(const Network::Plan& plan, const StreamRules& rules, std::size_t groups, StreamMemory& memory);

  /// Streams in the order of the `items` that have them, whichever threads they are asked. Each thread calls `make`
  /// once for an `emit(item, add)`, which is called twice for every item: with `Count`, then with `Write`, and calls
  /// `add(source, destination, group, demand, bytes, back)` for each stream. `demand` is the share of `bytes_per_s`
  /// that the stream would take alone, `bytes` what it carries in all. With `back` it is the way back of a stream from
  /// `destination` to `source`, over the same cables where they work.
  template <class MakeEmit>
  void add(std::size_t items, const MakeEmit& make);

  struct Count {
    static constexpr bool writes = false;
    std::size_t& streams;
    void operator()(std::int64_t /*source*/, std::int64_t /*destination*/, std::size_t /*group*/, double /*demand*/,
                    double /*bytes*/, bool /*back*/) const {
      ++streams;
    }
  };
  class Write;

  /// Only links that would carry more than they can limit anybody; max-min fair rates on those, solved again whenever a
  /// group ends. Where more than a few hundred thousand streams meet on such links (hashed routing on very large
  /// clusters), a group's slowdown is the load of the fullest of its links: the first round of progressive filling,
  /// exact for the slowest group and an upper bound for the others.
  /// To be asked once. \throws Cancelled
  [[nodiscard]] GroupPaces solve();

 private:
  using Block = StreamMemory::Block;
  using Share = StreamMemory::Share;
  using Stream = StreamMemory::Stream;

  /// Routed blocks, loaded one after the other while others are routed: sums are taken in the order of the streams,
  /// whoever has routed them.
  class Loader {
   public:
    explicit Loader(Streams& streams) : streams_(streams), routed_(streams.memory_.blocks_.size()) {}
    /// Says that the block is routed; loads what follows on the last one loaded unless somebody is at it.
    void routed(std::size_t block);
    /// What is left when all are routed.
    void finish() { load_routed(); }

   private:
    void load_routed();

    Streams& streams_;
    std::vector<std::atomic<bool>> routed_;
    std::mutex loading_;
    std::size_t next_ = 0;
  };

  [[noreturn]] static void throw_stopped();
  void settle_adaptive();
  [[nodiscard]] double bytes_per_s(std::uint32_t link) const {
    return adaptive_ && adaptive_->is_limit(link) ? adaptive_->limit_bytes_per_s(link) : plan_.bytes_per_s(link);
  }
  void load_adaptive(std::size_t block);
  void route_and_load();
  void route(std::size_t block);
  bool add_links(std::uint32_t source, std::uint32_t destination, Block& block, std::uint32_t& whole) const;
  bool add_back(const Stream& stream, Block& block, std::uint32_t& whole) const;
  bool add_ways(std::uint32_t source, std::uint32_t destination, Block& block, std::uint32_t& whole) const;
  bool add_hashed(std::uint32_t source, std::uint32_t destination, std::uint64_t flow, Block& block) const;
  void load(std::size_t block);
  [[nodiscard]] bool find_full_links();
  [[nodiscard]] bool find_full_links(std::size_t from, std::size_t to);
  void find_fullest(std::size_t block);
  void find_shares(std::size_t block);
  template <class Work>
  void each_block(const Work& work);
  /// Visits streams of a block with each of their links and the share of it that goes there.
  template <class Visit>
  void each_link(std::size_t block, const Visit& visit) const;
  [[nodiscard]] std::vector<Share> crowded();
  void run(std::vector<Share> shares, GroupPaces& paces) const;

  const Network::Plan& plan_;
  StreamRules rules_;
  std::uint32_t parts_;
  std::size_t groups_;
  StreamMemory& memory_;
  std::unique_ptr<Adaptive> adaptive_;  // sprayed streams of a dragonfly
};

class Streams::Write {
 public:
  static constexpr bool writes = true;
  explicit Write(Stream* next) : next_(next) {}
  void operator()(std::int64_t source, std::int64_t destination, std::size_t group, double demand, double bytes,
                  bool back) {
    *next_++ = {static_cast<std::uint32_t>(source),
                static_cast<std::uint32_t>(destination),
                static_cast<std::uint32_t>(group),
                static_cast<float>(demand),
                bytes,
                back};
  }

 private:
  Stream* next_;
};

template <class MakeEmit>
void Streams::add(std::size_t items, const MakeEmit& make) {
  const std::size_t items_at_once = std::clamp<std::size_t>(items / 256, 1, 256);  // few large groups, many small ones
  const std::size_t parts = (items + items_at_once - 1) / items_at_once;
  std::vector<std::size_t> ends(parts + 1, 0);  // of the streams of each part
  const auto each_part = [&](const auto& visit) {
    const auto worker = [&] {
      return [&, emit = make()](std::size_t from, std::size_t to) mutable {
        for (std::size_t part = from; part < to; ++part) {
          const std::size_t last = std::min(items, (part + 1) * items_at_once);
          visit(part, [&](auto& add) {
            for (std::size_t item = part * items_at_once; item < last; ++item) emit(item, add);
          });
        }
      };
    };
    const base::Team team(rules_.proceed, 1);
    if (!team.run(parts, base::threads_for(rules_.threads, parts), worker)) throw_stopped();
  };
  each_part([&](std::size_t part, const auto& emit_all) {
    Count count{ends[part + 1]};
    emit_all(count);
  });
  ends[0] = memory_.streams_.size();
  std::partial_sum(ends.begin(), ends.end(), ends.begin());
  memory_.streams_.resize(ends[parts]);
  each_part([&](std::size_t part, const auto& emit_all) {
    Write write(memory_.streams_.data() + ends[part]);
    emit_all(write);
  });
}

/// The other direction of a cable, or of a trunk of a fat tree.
[[nodiscard]] std::uint32_t back_of(const Network::Plan& plan, std::uint32_t link);
/// Gives every link what the other direction of its cable carries too, and what both carried `before` (none: nothing).
void add_way_back(const Network::Plan& plan, const base::Large<double>& before, std::size_t threads,
                  base::Large<double>& link_bytes);
/// What streams carry by the links that users know: that of trunks spread over the cables that are left of them.
[[nodiscard]] std::vector<double> spread_over_cables(const Network::Plan& plan, const base::Large<double>& link_bytes);

}  // namespace ampacity::network
