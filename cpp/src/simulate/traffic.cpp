#include "simulate/traffic.hpp"

#include <algorithm>
#include <utility>

#include "base/random.hpp"
#include "base/team.hpp"
#include "network/shape.hpp"
#include "simulate/cards.hpp"
#include "simulate/exchanges.hpp"
#include "simulate/network_health.hpp"
#include "simulate/rings.hpp"
#include "simulate/sites.hpp"
#include "simulate/stage_pairs.hpp"
#include "simulate/torus.hpp"
#include "simulate/volumes.hpp"
#include "workload/stages.hpp"

namespace ampacity::simulation {
namespace {

using network::GroupPaces;
using network::Streams;

// Partners of an exchange that stand for all of them where paths are not hashed.
constexpr std::int64_t most_partners = 64;
// Hashed parts of an exchange beyond which its expected collisions are taken for drawn ones.
constexpr double most_parts = 8e6;

// Kinds of communication beside those within tasks, as hashes see them.
constexpr std::uint64_t stage_messages = kExchanges;
constexpr std::uint64_t shared_ends = kExchanges + 1;
constexpr std::uint64_t expert_ends = kExchanges + 2;

class Builder {
 public:
  explicit Builder(const TrafficQuestion& question)
      : q_(question),
        stage_devices_(q_.places.peers * q_.places.replicas),
        torus_(q_.cluster, q_.crews.front().rest(), q_.places.devices()),
        cards_(q_, torus_),
        sites_(q_.cluster),
        network_(network_of(torus_.any() ? torus_.network() : Network::of(q_.cluster), q_.options, cards_.unwell())),
        memory_(network_.plan(), q_.options.threads) {
    for (const TrafficCrew& crew : q_.crews) {
      const auto on = [&](const LinkedDevice& kind) {
        return volumes_of(crew.job, q_.layout, kind.device, kind.links, crew.plan);
      };
      const Volumes rest = on(crew.rest());
      volumes_.push_back({&crew.front() == &crew.rest() ? rest : on(crew.front()), rest});
    }
    const Fabric& fabric = q_.cluster.fabric;
    rules_ = {torus_.any() ? Routing::spray : fabric.routing,
              0,
              static_cast<std::uint32_t>(fabric.queue_pairs),
              cards_.bytes_per_s(),
              q_.options.threads,
              q_.options.proceed};
    base::assign(found_.sent_bytes, q_.places.devices(), 0.0, rules_.threads);
    base::assign(found_.received_bytes, q_.places.devices(), 0.0, rules_.threads);
  }

  Traffic build() {
    for (const Exchange kind : {Exchange::tensor, Exchange::context, Exchange::experts, Exchange::shards}) {
      add_within(kind);
    }
    find_pairs(q_.crews, ranks(), found_);
    add_between();
    add_ends();
    found_.network = network_;
    found_.link_bytes = std::move(memory_.link_bytes);
    for (Paces& paces : found_.within) paces.find_most();
    found_.between.find_most();
    found_.ends.find_most();
    return std::move(found_);
  }

 private:
  [[nodiscard]] const Network::Plan& plan() const { return network_.plan(); }
  [[nodiscard]] std::size_t ranks() const { return static_cast<std::size_t>(q_.places.stages); }

  [[nodiscard]] const Volumes& volumes(std::size_t crew, std::size_t rank) const {
    return volumes_[crew][q_.crews[crew].plan.ranks[rank].front ? 0 : 1];
  }

  /// Streams of one kind of communication, hashed by themselves.
  [[nodiscard]] Streams streams(std::uint64_t kind, std::size_t groups) {
    rules_.seed = base::random_bits(q_.options.seed, kind, 0x6e6574);
    return {plan(), rules_, groups, memory_};
  }

  /// No two threads send from or to one device at a time: groups of one kind have no device in common.
  template <class Add>
  void send(Add& add, std::int64_t from, std::int64_t to, std::size_t group, double demand, double bytes,
            bool is_back = false) {
    add(cards_.endpoint(from), cards_.endpoint(to), group, demand, bytes, is_back);
    if constexpr (Add::writes) {
      found_.sent_bytes[static_cast<std::size_t>(from)] += bytes;
      found_.received_bytes[static_cast<std::size_t>(to)] += bytes;
    }
  }

  /// Members of a group whose ranks lie in one domain.
  [[nodiscard]] std::int64_t members(const network::Group& group, std::size_t crew, std::size_t rank) const {
    return network::members_in_domain(group, q_.crews[crew].of(rank).links.scaleup_domain);
  }
  [[nodiscard]] bool crosses(const network::Group& group) const {
    if (torus_.any()) return group.ranks > 1;
    return std::any_of(q_.crews.begin(), q_.crews.end(), [&](const TrafficCrew& crew) {
      return std::any_of(crew.tasks.begin(), crew.tasks.end(), [&](const LinkedDevice& kind) {
        return group.ranks > network::members_in_domain(group, kind.links.scaleup_domain);
      });
    });
  }
  /// Groups of one pipeline rank; what does not divide stays out.
  [[nodiscard]] std::int64_t groups_of(const network::Group& group) const {
    return stage_devices_ / (group.ranks * group.stride) * group.stride;
  }
  [[nodiscard]] static std::int64_t first_of(const network::Group& group, std::int64_t index) {
    return index / group.stride * group.stride * group.ranks + index % group.stride;
  }

  /// Of a group that stays in one.
  [[nodiscard]] std::size_t set_of(const network::Group& group, std::int64_t index) const {
    return static_cast<std::size_t>(first_of(group, index)) / q_.places.group();
  }

  /// What each member of a group sends, and how fast; `partners` is memory of the thread that lists it.
  struct Load {
    std::size_t number = 0;
    double demand = 1;
    double bytes = 0;
    std::int64_t members = 1;  ///< in one domain
    std::vector<std::int64_t>& partners;
  };

  /// All messages of one group. A ring of collectives enters and leaves each domain over every card of its members
  /// there (NCCL has a channel for each); messages between neighbours go from the last of a domain to the first of the
  /// next.
  template <class Add>
  void add_group(Add& add, const Pattern& pattern, std::int64_t first, const Load& load) {
    if (torus_.any() && pattern.kind == Pattern::Kind::ring) {
      torus_.each_of_ring(pattern.group, first, [&](std::int64_t from, std::int64_t to, double demand, double share) {
        send(add, from, to, load.number, load.demand * demand, load.bytes * share);
      });
      return;
    }
    const std::int64_t n = pattern.group.ranks;
    const std::int64_t hop = pattern.kind == Pattern::Kind::ring ? load.members : 1;
    for (std::int64_t i = 0; i < n; ++i) {
      const std::int64_t from = first + i * pattern.group.stride;
      if (pattern.kind == Pattern::Kind::exchange) {
        add_exchange(add, pattern.group, first, i, load);
        continue;
      }
      const std::int64_t to = first + (i + hop) % n * pattern.group.stride;
      if (!cards_.in_one_domain(from, to)) send(add, from, to, load.number, load.demand, load.bytes);
    }
  }

  template <class Add>
  void add_exchange(Add& add, const network::Group& group, std::int64_t first, std::int64_t member, const Load& load) {
    const std::int64_t from = first + member * group.stride;
    const std::int64_t step =
        rules_.routing == Routing::spray ? std::max<std::int64_t>(1, group.ranks / most_partners) : 1;
    std::vector<std::int64_t>& partners = load.partners;
    partners.clear();
    for (std::int64_t k = 1 + member % step; k < group.ranks; k += step) {
      const std::int64_t to = first + (member + k) % group.ranks * group.stride;
      if (!cards_.in_one_domain(from, to)) partners.push_back(to);
    }
    const double share = 1 / static_cast<double>(partners.size());
    for (const std::int64_t to : partners) send(add, from, to, load.number, share * load.demand, share * load.bytes);
  }

  /// Groups of every pipeline rank, numbered rank by rank: `list(add, rank, g, number, partners)` has the streams of
  /// one.
  template <class List>
  void add_groups(Streams& streams, const network::Group& group, const List& list) {
    const auto each = static_cast<std::size_t>(groups_of(group));
    streams.add(ranks() * each, [&] {
      return [&, each, partners = std::vector<std::int64_t>()](std::size_t number, auto& add) mutable {
        list(add, number / each, static_cast<std::int64_t>(number % each), number, partners);
      };
    });
  }
  [[nodiscard]] std::int64_t first_device(const network::Group& group, std::size_t rank, std::int64_t index) const {
    return static_cast<std::int64_t>(rank) * stage_devices_ + first_of(group, index);
  }

  /// Groups that meet in each task: a rank of a set goes at the pace of the slowest of its groups.
  void add_within(Exchange kind) {
    const auto index = static_cast<std::size_t>(kind);
    const Pattern pattern = pattern_of(q_.crews.front().job, q_.layout, kind);
    if (!crosses(pattern.group) || groups_of(pattern.group) == 0) return;
    const Routing routing = rules_.routing;
    const double expected = expected_slowdown(pattern);
    if (expected > 0) rules_.routing = Routing::spray;
    const std::int64_t each = groups_of(pattern.group);
    const double demand = torus_.any() ? torus_.demand_of(pattern) : 1;
    Streams streams = this->streams(index, ranks() * static_cast<std::size_t>(each));
    add_groups(streams, pattern.group,
               [&](auto& add, std::size_t rank, std::int64_t g, std::size_t number, auto& memory) {
                 const std::size_t crew = q_.crew_of(set_of(pattern.group, g));
                 const double bytes = volumes(crew, rank).within[index][rank];
                 if (bytes <= 0) return;
                 const std::int64_t here = members(pattern.group, crew, rank);
                 add_group(add, pattern, first_device(pattern.group, rank, g),
                           {number, demand * cards_.of_rank(crew, rank), bytes, here, memory});
               });
    rules_.routing = routing;
    const GroupPaces paces = solved(streams);
    Paces& slowest = found_.within[index];
    slowest.slowdown.assign(q_.places.sets() * ranks(), 1);
    slowest.link.assign(q_.places.sets() * ranks(), GroupPaces::no_link);
    sites_.start(slowest.sites, slowest.slowdown.size());
    for (std::size_t rank = 0; rank < ranks(); ++rank) {
      for (std::int64_t g = 0; g < each; ++g) {
        const std::size_t group = rank * static_cast<std::size_t>(each) + static_cast<std::size_t>(g);
        const std::size_t at = set_of(pattern.group, g) * ranks() + rank;
        if (sites_.several()) note_sites(slowest.sites[at], pattern.group, first_device(pattern.group, rank, g));
        const float slowdown = std::max(paces.slowdown[group], static_cast<float>(expected));
        float& here = slowest.slowdown[at];
        if (slowdown <= here) continue;
        here = slowdown;
        slowest.link[at] = paces.link[group];
      }
    }
  }

  void note_sites(std::uint8_t& most, const network::Group& group, std::int64_t first) const {
    const std::int64_t last = first + (group.ranks - 1) * group.stride;
    most = std::max(most, sites_.spanned(cards_.endpoint(first), cards_.endpoint(last)));
  }

  /// Of an exchange with too many hashed parts to draw them all; 0 where they are drawn.
  [[nodiscard]] double expected_slowdown(const Pattern& pattern) const {
    if (pattern.kind != Pattern::Kind::exchange || rules_.routing == Routing::spray) return 0;
    const double parts = static_cast<double>(q_.places.devices()) * static_cast<double>(pattern.group.ranks) *
                         static_cast<double>(rules_.queue_pairs);
    if (parts <= most_parts) return 0;
    const network::Paths paths = network::paths_of(q_.cluster, partition_node());
    return network::exchange_slowdown(paths, pattern.group, static_cast<double>(partition_node().scaleup_domain));
  }
  [[nodiscard]] const Node& partition_node() const { return q_.cluster.partitions.front().node; }

  /// The pair of which this one is the way back, where as many messages go both ways; itself where there is none. Both
  /// directions of a connection are taken to use the same cables.
  [[nodiscard]] std::size_t partner(std::size_t pair) const {
    const StagePair& there = found_.pairs[pair];
    for (std::size_t i = 0; i < found_.pairs.size(); ++i) {
      const StagePair& back = found_.pairs[i];
      const bool same = back.from == there.to && back.to == there.from && as_many(i, pair);
      if (same && back.round < there.round) return i;
    }
    return pair;
  }

  [[nodiscard]] bool as_many(std::size_t pair, std::size_t other) const {
    return std::all_of(found_.crews.begin(), found_.crews.end(),
                       [&](const CrewMessages& crew) { return crew.messages[pair] == crew.messages[other]; });
  }
  /// What a device of a crew sends to the next stage of a pair. Where domains of one kind hold both, the other's send.
  [[nodiscard]] double message_bytes(std::size_t crew, std::size_t pair) const {
    const double message = std::max(volumes_[crew][0].message, volumes_[crew][1].message);
    return static_cast<double>(found_.crews[crew].messages[pair]) * message;
  }

  void add_between() {
    if (found_.pairs.empty() || message_bytes(0, 0) <= 0) return;
    const std::size_t count = found_.pairs.size();
    std::vector<std::pair<std::size_t, std::size_t>> mirrors;  // pair, and the one that it mirrors
    std::vector<bool> is_mirror(count, false);
    is_back_.resize(count);
    for (std::size_t p = 0; p < count; ++p) {
      is_back_[p] = partner(p) != p;
      const std::size_t other = plan().share.empty() ? partner(p) : p;  // what failed need not be alike both ways
      if (other != p) mirrors.emplace_back(p, other);
      is_mirror[p] = other != p;
    }
    if (2 * mirrors.size() != count) {
      mirrors.clear();
      is_mirror.assign(count, false);
    }
    std::vector<std::vector<std::size_t>> rounds;
    for (std::size_t p = 0; p < count; ++p) {
      const auto round = static_cast<std::size_t>(found_.pairs[p].round);
      rounds.resize(std::max(rounds.size(), round + 1));
      if (!is_mirror[p]) rounds[round].push_back(p);
    }
    for (const std::vector<std::size_t>& pairs : rounds) {
      if (!pairs.empty()) add_round(pairs, !mirrors.empty());
    }
    if (sites_.several()) note_sites_of_pairs();
    if (mirrors.empty()) return;
    // Set by set, so that the paces of a set are in the cache for all of its pairs.
    constexpr std::size_t sets_at_once = 256;
    const std::size_t sets = q_.places.sets();
    const base::Team team({}, sets_at_once);
    const auto worker = [&] {
      return [&](std::size_t from, std::size_t to) {
        for (std::size_t set = from; set < to; ++set) {
          for (const auto& [pair, other] : mirrors) mirror(set, pair, other);
        }
      };
    };
    (void)team.run(sets, base::threads_for(rules_.threads, sets / sets_at_once), worker);
  }

  void note_sites_of_pairs() {
    const std::size_t count = found_.pairs.size();
    sites_.start(found_.between.sites, q_.places.sets() * count);
    for (std::size_t at = 0; at < found_.between.sites.size(); ++at) {
      const StagePair& pair = found_.pairs[at % count];
      for (const std::size_t beyond : {std::size_t{0}, q_.places.group() - 1}) {
        const auto from = static_cast<std::int64_t>(q_.places.first_device(at / count, pair.from) + beyond);
        const auto to = static_cast<std::int64_t>(q_.places.first_device(at / count, pair.to) + beyond);
        std::uint8_t& most = found_.between.sites[at];
        most = std::max(most, sites_.spanned(cards_.endpoint(from), cards_.endpoint(to)));
      }
    }
  }

  /// Pairs that send at once. `and_back`: the other direction of every link carries as much.
  void add_round(const std::vector<std::size_t>& pairs, bool and_back) {
    const std::size_t count = found_.pairs.size();
    base::Large<double> before;  // stays empty while nothing has been sent
    if (and_back && sent_any_) {
      before.assign(memory_.link_bytes.size(), 0);
      before.swap(memory_.link_bytes);
    }
    Streams streams = this->streams(stage_messages, q_.places.sets() * count);
    streams.add(pairs.size() * q_.places.sets(), [&] {
      return
          [&](std::size_t item, auto& add) { add_pair(add, pairs[item / q_.places.sets()], item % q_.places.sets()); };
    });
    found_.between.keep_slowest(solved(streams));
    if (!and_back) return;
    network::add_way_back(plan(), before, rules_.threads, memory_.link_bytes);
  }

  template <class Add>
  void add_pair(Add& add, std::size_t index, std::size_t set) {
    const StagePair& pair = found_.pairs[index];
    const std::size_t crew = q_.crew_of(set);
    const double bytes = message_bytes(crew, index);
    const double demand =
        torus_.any() ? torus_.demand_of({{2, stage_devices_}, Pattern::Kind::neighbours}) : cards_.of_crew(crew);
    const auto group = static_cast<std::int64_t>(q_.places.group());
    const auto from = static_cast<std::int64_t>(q_.places.first_device(set, pair.from));
    const auto to = static_cast<std::int64_t>(q_.places.first_device(set, pair.to));
    for (std::int64_t i = 0; i < group; ++i) {
      if (cards_.in_one_domain(from + i, to + i)) continue;
      send(add, from + i, to + i, set * found_.pairs.size() + index, demand, bytes, is_back_[index]);
    }
  }

  /// What goes one way between two stages of a set of peers, for the way back.
  void mirror(std::size_t set, std::size_t pair, std::size_t other) {
    const std::size_t count = found_.pairs.size();
    const StagePair& there = found_.pairs[pair];
    const double bytes = message_bytes(q_.crew_of(set), pair);
    found_.between.slowdown[set * count + pair] = found_.between.slowdown[set * count + other];
    const std::uint32_t link = found_.between.link[set * count + other];
    found_.between.link[set * count + pair] = link == GroupPaces::no_link ? link : network::back_of(plan(), link);
    const std::size_t from = q_.places.first_device(set, there.from);
    const std::size_t to = q_.places.first_device(set, there.to);
    for (std::size_t i = 0; i < q_.places.group(); ++i) {
      if (cards_.in_one_domain(static_cast<std::int64_t>(from + i), static_cast<std::int64_t>(to + i))) continue;
      found_.sent_bytes[from + i] += bytes;
      found_.received_bytes[to + i] += bytes;
    }
  }

  /// Gradients and weights once a step: first those that all replicas have, then those of routed experts.
  void add_ends() {
    const Layout& layout = q_.layout;
    const std::int64_t copies = layout.zero_stage >= 3 ? workload::state_shards(layout) : layout.dp * layout.cp;
    const network::Group shared{std::min(copies, layout.dp * layout.cp), layout.tp};
    const network::Group experts{layout.tp * layout.cp * layout.dp / (layout.ep * layout.etp), layout.ep * layout.etp};
    std::vector<double> bytes(ranks(), 0);
    add_end(shared_ends, shared, &Volumes::ends, bytes);
    add_end(expert_ends, experts, &Volumes::expert_ends, bytes);
  }

  /// A ring of replicas of all crews.
  template <class Add>
  void add_end_ring(Add& add, const network::Group& group, std::int64_t first, std::vector<double> Volumes::* ends,
                    std::size_t number, std::vector<std::int64_t>& partners) {
    const std::size_t rank = q_.places.rank_of(static_cast<std::size_t>(first));
    const double pace = cards_.of_domains(rank, group);
    if (cards_.one_size()) {
      const std::int64_t here = members(group, 0, rank);
      const double bytes = (volumes(0, rank).*ends)[rank];
      add_group(add, {group}, first, {number, pace / static_cast<double>(here), bytes, here, partners});
      return;
    }
    std::vector<RingRun> runs;
    for (std::int64_t i = 0; i < group.ranks; ++i) {
      const std::size_t crew = q_.crew_of(q_.places.set_of(static_cast<std::size_t>(first + i * group.stride)));
      const std::int64_t here = members(group, crew, rank);
      if (runs.empty() || runs.back().members != here) runs.push_back({i, 0, here, (volumes(crew, rank).*ends)[rank]});
      ++runs.back().length;
    }
    for (const RingStream& one : ring_streams(runs)) {
      const std::int64_t from = first + one.from * group.stride;
      const std::int64_t to = first + one.to * group.stride;
      if (!cards_.in_one_domain(from, to)) send(add, from, to, number, pace * one.share, one.bytes);
    }
  }

  /// The two follow each other: together they take as much longer as their bytes say.
  void add_end(std::uint64_t kind, const network::Group& group, std::vector<double> Volumes::* ends,
               std::vector<double>& before) {
    std::vector<double> bytes(ranks());
    for (std::size_t rank = 0; rank < ranks(); ++rank) bytes[rank] = (volumes(0, rank).*ends)[rank];
    if (!crosses(group) || *std::max_element(bytes.begin(), bytes.end()) <= 0) return;
    const auto each = static_cast<std::size_t>(groups_of(group));
    Streams streams = this->streams(kind, ranks() * each);
    add_groups(streams, group, [&](auto& add, std::size_t rank, std::int64_t g, std::size_t number, auto& memory) {
      if (bytes[rank] > 0) add_end_ring(add, group, first_device(group, rank, g), ends, number, memory);
    });
    const GroupPaces paces = solved(streams);
    if (found_.ends.slowdown.empty()) {
      base::assign(found_.ends.slowdown, q_.places.devices(), 1.0F, rules_.threads);
      base::assign(found_.ends.link, q_.places.devices(), GroupPaces::no_link, rules_.threads);
      sites_.start(found_.ends.sites, q_.places.devices());
    }
    const auto worker = [&] {
      return [&](std::size_t from, std::size_t to) {
        for (std::size_t number = from; number < to; ++number) {
          const std::size_t rank = number / each;
          if (bytes[rank] <= 0) continue;
          const double share = bytes[rank] / (bytes[rank] + before[rank]);
          const auto g = static_cast<std::int64_t>(number % each);
          const std::int64_t first = first_device(group, rank, g);
          for (std::int64_t i = 0; i < group.ranks; ++i) {
            const auto device = static_cast<std::size_t>(first + i * group.stride);
            slow_end(device, share, paces.slowdown[number], paces.link[number]);
            if (sites_.several()) note_sites(found_.ends.sites[device], group, first);
          }
        }
      };
    };
    constexpr std::size_t groups_at_once = 16;
    const base::Team team({}, groups_at_once);
    (void)team.run(ranks() * each, base::threads_for(rules_.threads, ranks() * each / groups_at_once), worker);
    for (std::size_t rank = 0; rank < ranks(); ++rank) before[rank] += bytes[rank];
  }

  /// `share` of what a device sends at the end goes at this pace, the rest at that known before.
  void slow_end(std::size_t device, double share, float slowdown, std::uint32_t link) {
    float& here = found_.ends.slowdown[device];
    if (slowdown > here) found_.ends.link[device] = link;
    here = static_cast<float>(share * slowdown + (1 - share) * here);
  }

  [[nodiscard]] GroupPaces solved(Streams& streams) {
    GroupPaces paces = streams.solve();
    sent_any_ = true;
    found_.exact = found_.exact && paces.exact;
    check_cut_off(network_, paces);
    return paces;
  }

  const TrafficQuestion& q_;
  std::vector<std::array<Volumes, 2>> volumes_;  // of every crew, on its front stages' devices and on the others
  std::int64_t stage_devices_;                   // of one pipeline rank
  TorusStreams torus_;
  Cards cards_;
  Sites sites_;
  Network network_;
  network::StreamMemory memory_;
  network::StreamRules rules_;
  bool sent_any_ = false;
  std::vector<bool> is_back_;  // of every pair: whether it takes the cables of another one the other way
  Traffic found_;
};

}  // namespace

Traffic traffic_of(const TrafficQuestion& question) {
  return Builder(question).build();
}

}  // namespace ampacity::simulation
