#include "simulate/traffic.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/random.hpp"
#include "base/team.hpp"
#include "simulate/network_health.hpp"
#include "simulate/volumes.hpp"
#include "workload/attention_mask.hpp"
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

/// Members of a group, and which of them sends to which.
struct Pattern {
  network::Group group;
  enum class Kind { ring, neighbours, exchange } kind = Kind::ring;
};

class Builder {
 public:
  explicit Builder(const TrafficQuestion& question)
      : q_(question),
        volumes_(volumes_of(q_.job, q_.layout, q_.device, q_.links, q_.plan)),
        domain_(std::max<std::int64_t>(1, q_.links.scaleup_domain)),
        stage_devices_(q_.places.peers * q_.places.replicas),
        card_bytes_per_s_(q_.links.scaleout_bytes_per_s / q_.cluster.fabric.efficiency_fraction),
        network_(network_of(q_.cluster, q_.options, card_bytes_per_s_ / q_.cluster.fabric.bytes_per_s_per_accelerator)),
        memory_(network_.plan(), q_.options.threads) {
    const Fabric& fabric = q_.cluster.fabric;
    rules_ = {
        fabric.routing,    0, static_cast<std::uint32_t>(fabric.queue_pairs), card_bytes_per_s_, q_.options.threads,
        q_.options.proceed};
    found_.sent_bytes.resize(q_.places.devices());
    found_.received_bytes.resize(q_.places.devices());
    base::fill(found_.sent_bytes, 0.0, rules_.threads);
    base::fill(found_.received_bytes, 0.0, rules_.threads);
  }

  Traffic build() {
    add_within(Exchange::tensor, {{q_.layout.tp, 1}});
    add_within(Exchange::context, {{q_.layout.cp, q_.layout.tp}, context_kind()});
    add_within(Exchange::experts, {{q_.layout.ep, q_.layout.etp}, Pattern::Kind::exchange});
    if (q_.layout.zero_stage >= 3) {
      add_within(Exchange::shards, {{workload::state_shards(q_.layout), q_.layout.tp}});
    }
    find_pairs();
    add_between();
    add_ends();
    found_.network = network_;
    found_.link_bytes = std::move(memory_.link_bytes);
    return std::move(found_);
  }

 private:
  [[nodiscard]] const Network::Plan& plan() const { return network_.plan(); }
  [[nodiscard]] std::size_t ranks() const { return static_cast<std::size_t>(q_.places.stages); }

  /// Streams of one kind of communication, hashed by themselves.
  [[nodiscard]] Streams streams(std::uint64_t kind, std::size_t groups) {
    rules_.seed = base::random_bits(q_.options.seed, kind, 0x6e6574);
    return {plan(), rules_, groups, memory_};
  }

  /// No two threads send from or to one device at a time: groups of one kind have no device in common.
  template <class Add>
  void send(Add& add, std::int64_t from, std::int64_t to, std::size_t group, double demand, double bytes,
            bool is_back = false) {
    add(from, to, group, demand, bytes, is_back);
    if constexpr (Add::writes) {
      found_.sent_bytes[static_cast<std::size_t>(from)] += bytes;
      found_.received_bytes[static_cast<std::size_t>(to)] += bytes;
    }
  }

  [[nodiscard]] Pattern::Kind context_kind() const {
    switch (workload::context_parallel(q_.job, q_.layout)) {
      case ContextParallel::ulysses:
        return Pattern::Kind::exchange;
      case ContextParallel::all_gather:
        return Pattern::Kind::ring;
      case ContextParallel::software:
      case ContextParallel::ring:
      case ContextParallel::ring_unbalanced:
        break;
    }
    return Pattern::Kind::neighbours;
  }

  /// Members of a group whose ranks lie in one domain.
  [[nodiscard]] std::int64_t members(const network::Group& group) const {
    return std::clamp<std::int64_t>(domain_ / std::max<std::int64_t>(1, group.stride), 1, group.ranks);
  }
  [[nodiscard]] bool crosses(const network::Group& group) const {
    return group.ranks > 1 && group.ranks > members(group);
  }
  /// Groups of one pipeline rank; what does not divide stays out.
  [[nodiscard]] std::int64_t groups_of(const network::Group& group) const {
    return stage_devices_ / (group.ranks * group.stride) * group.stride;
  }
  [[nodiscard]] static std::int64_t first_of(const network::Group& group, std::int64_t index) {
    return index / group.stride * group.stride * group.ranks + index % group.stride;
  }

  /// All messages of one group. A ring of collectives enters and leaves each domain over every card of its members
  /// there (NCCL has a channel for each); messages between neighbours go from the last of a domain to the first of the
  /// next.
  template <class Add>
  void add_group(Add& add, const Pattern& pattern, std::int64_t first, std::size_t index, double bytes,
                 std::vector<std::int64_t>& partners) {
    const std::int64_t n = pattern.group.ranks;
    const std::int64_t hop = pattern.kind == Pattern::Kind::ring ? members(pattern.group) : 1;
    for (std::int64_t i = 0; i < n; ++i) {
      const std::int64_t from = first + i * pattern.group.stride;
      if (pattern.kind == Pattern::Kind::exchange) {
        add_exchange(add, pattern.group, first, i, index, bytes, partners);
        continue;
      }
      const std::int64_t to = first + (i + hop) % n * pattern.group.stride;
      if (from / domain_ != to / domain_) send(add, from, to, index, 1, bytes);
    }
  }

  template <class Add>
  void add_exchange(Add& add, const network::Group& group, std::int64_t first, std::int64_t member, std::size_t index,
                    double bytes, std::vector<std::int64_t>& partners) {
    const std::int64_t from = first + member * group.stride;
    const std::int64_t step =
        rules_.routing == Routing::spray ? std::max<std::int64_t>(1, group.ranks / most_partners) : 1;
    partners.clear();
    for (std::int64_t k = 1 + member % step; k < group.ranks; k += step) {
      const std::int64_t to = first + (member + k) % group.ranks * group.stride;
      if (from / domain_ != to / domain_) partners.push_back(to);
    }
    const double share = 1 / static_cast<double>(partners.size());
    for (const std::int64_t to : partners) send(add, from, to, index, share, share * bytes);
  }

  /// Groups of every pipeline rank, numbered rank by rank.
  void add_groups(Streams& streams, const Pattern& pattern, const std::vector<double>& bytes) {
    const auto each = static_cast<std::size_t>(groups_of(pattern.group));
    streams.add(ranks() * each, [&] {
      return [&, each, partners = std::vector<std::int64_t>()](std::size_t number, auto& add) mutable {
        const std::size_t rank = number / each;
        if (bytes[rank] <= 0) return;
        const auto g = static_cast<std::int64_t>(number % each);
        const std::int64_t first = static_cast<std::int64_t>(rank) * stage_devices_ + first_of(pattern.group, g);
        add_group(add, pattern, first, number, bytes[rank], partners);
      };
    });
  }

  /// Groups that meet in each task: a rank of a set goes at the pace of the slowest of its groups.
  void add_within(Exchange kind, const Pattern& pattern) {
    const auto index = static_cast<std::size_t>(kind);
    if (!crosses(pattern.group) || groups_of(pattern.group) == 0) return;
    const std::vector<double>& bytes = volumes_.within[index];
    const Routing routing = rules_.routing;
    const double expected = expected_slowdown(pattern);
    if (expected > 0) rules_.routing = Routing::spray;
    const std::int64_t each = groups_of(pattern.group);
    Streams streams = this->streams(index, ranks() * static_cast<std::size_t>(each));
    add_groups(streams, pattern, bytes);
    rules_.routing = routing;
    const GroupPaces paces = solved(streams);
    Paces& slowest = found_.within[index];
    slowest.slowdown.assign(q_.places.sets() * ranks(), 1);
    slowest.link.assign(q_.places.sets() * ranks(), GroupPaces::no_link);
    for (std::size_t rank = 0; rank < ranks(); ++rank) {
      for (std::int64_t g = 0; g < each; ++g) {
        const std::size_t group = rank * static_cast<std::size_t>(each) + static_cast<std::size_t>(g);
        const std::size_t set = static_cast<std::size_t>(first_of(pattern.group, g)) / q_.places.group();
        const float slowdown = std::max(paces.slowdown[group], static_cast<float>(expected));
        float& here = slowest.slowdown[set * ranks() + rank];
        if (slowdown <= here) continue;
        here = slowdown;
        slowest.link[set * ranks() + rank] = paces.link[group];
      }
    }
  }

  /// Of an exchange with too many hashed parts to draw them all; 0 where they are drawn.
  [[nodiscard]] double expected_slowdown(const Pattern& pattern) const {
    if (pattern.kind != Pattern::Kind::exchange || rules_.routing == Routing::spray) return 0;
    const double parts = static_cast<double>(q_.places.devices()) * static_cast<double>(pattern.group.ranks) *
                         static_cast<double>(rules_.queue_pairs);
    if (parts <= most_parts) return 0;
    const network::Paths paths = network::paths_of(q_.cluster, partition_node());
    return network::exchange_slowdown(paths, pattern.group, static_cast<double>(domain_));
  }
  [[nodiscard]] const Node& partition_node() const { return q_.cluster.partitions.front().node; }

  /// Who sends to whom between pipeline ranks, and how often, from what every task waits for.
  void find_pairs() {
    const std::vector<Slot>& slots = q_.plan.slots;
    found_.needs.assign(slots.size(), {-1, -1});
    std::vector<std::int32_t> known(ranks() * ranks(), -1);
    for (std::size_t at = 1; at < slots.size(); ++at) {
      for (std::size_t place = 0; place < 2; ++place) {
        const std::int32_t sender = slots[at].needs[place];
        if (sender == 0) continue;
        const std::int32_t from = slots[static_cast<std::size_t>(sender)].rank;
        if (from == slots[at].rank) continue;
        std::int32_t& pair = known[static_cast<std::size_t>(from) * ranks() + static_cast<std::size_t>(slots[at].rank)];
        if (pair < 0) {
          pair = static_cast<std::int32_t>(found_.pairs.size());
          found_.pairs.push_back({from, slots[at].rank, 0, -1});
        }
        ++found_.pairs[static_cast<std::size_t>(pair)].messages;
        found_.needs[at][place] = pair;
      }
    }
    found_.pace = found_.needs;
    for (std::size_t at = 1; at < slots.size(); ++at) {
      for (std::size_t place = 0; place < 2; ++place) {
        if (found_.needs[at][place] < 0) continue;
        const auto sender = static_cast<std::size_t>(slots[at].needs[place]);
        const bool waits = found_.needs[sender][0] >= 0 || found_.needs[sender][1] >= 0;
        if (!waits) found_.pace[sender][0] = found_.needs[at][place];
      }
    }
    // Those of one direction first, so that they share a round.
    std::vector<std::size_t> order(found_.pairs.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_partition(order.begin(), order.end(),
                          [&](std::size_t i) { return found_.pairs[i].to > found_.pairs[i].from; });
    std::vector<std::vector<bool>> sends;
    std::vector<std::vector<bool>> receives;
    for (const std::size_t i : order) {
      StagePair& pair = found_.pairs[i];
      const auto from = static_cast<std::size_t>(pair.from);
      const auto to = static_cast<std::size_t>(pair.to);
      std::size_t round = 0;
      while (round < sends.size() && (sends[round][from] || receives[round][to])) ++round;
      if (round == sends.size()) {
        sends.emplace_back(ranks(), false);
        receives.emplace_back(ranks(), false);
      }
      sends[round][from] = receives[round][to] = true;
      pair.round = static_cast<std::int32_t>(round);
      rounds_ = std::max(rounds_, round + 1);
    }
  }

  /// The pair of which this one is the way back, where as many messages go both ways; itself where there is none. Both
  /// directions of a connection are taken to use the same cables.
  [[nodiscard]] std::size_t partner(std::size_t pair) const {
    const StagePair& there = found_.pairs[pair];
    for (std::size_t i = 0; i < found_.pairs.size(); ++i) {
      const StagePair& back = found_.pairs[i];
      const bool same = back.from == there.to && back.to == there.from && back.messages == there.messages;
      if (same && back.round < there.round) return i;
    }
    return pair;
  }

  void add_between() {
    if (found_.pairs.empty() || volumes_.message <= 0) return;
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
    std::vector<std::vector<std::size_t>> rounds(rounds_);
    for (std::size_t p = 0; p < count; ++p) {
      if (!is_mirror[p]) rounds[static_cast<std::size_t>(found_.pairs[p].round)].push_back(p);
    }
    for (const std::vector<std::size_t>& pairs : rounds) {
      if (!pairs.empty()) add_round(pairs, !mirrors.empty());
    }
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
    keep_slowest(solved(streams), found_.between);
    if (!and_back) return;
    network::add_way_back(plan(), before, rules_.threads, memory_.link_bytes);
  }

  static void keep_slowest(GroupPaces paces, Paces& slowest) {
    if (slowest.slowdown.empty()) {
      slowest = {std::move(paces.slowdown), std::move(paces.link)};
      return;
    }
    for (std::size_t g = 0; g < paces.slowdown.size(); ++g) {
      if (paces.slowdown[g] <= slowest.slowdown[g]) continue;
      slowest.slowdown[g] = paces.slowdown[g];
      slowest.link[g] = paces.link[g];
    }
  }

  template <class Add>
  void add_pair(Add& add, std::size_t index, std::size_t set) {
    const StagePair& pair = found_.pairs[index];
    const double bytes = static_cast<double>(pair.messages) * volumes_.message;
    const auto group = static_cast<std::int64_t>(q_.places.group());
    const auto from = static_cast<std::int64_t>(q_.places.first_device(set, pair.from));
    const auto to = static_cast<std::int64_t>(q_.places.first_device(set, pair.to));
    for (std::int64_t i = 0; i < group; ++i) {
      if ((from + i) / domain_ == (to + i) / domain_) continue;
      send(add, from + i, to + i, set * found_.pairs.size() + index, 1, bytes, is_back_[index]);
    }
  }

  /// What goes one way between two stages of a set of peers, for the way back.
  void mirror(std::size_t set, std::size_t pair, std::size_t other) {
    const std::size_t count = found_.pairs.size();
    const StagePair& there = found_.pairs[pair];
    const double bytes = static_cast<double>(there.messages) * volumes_.message;
    found_.between.slowdown[set * count + pair] = found_.between.slowdown[set * count + other];
    const std::uint32_t link = found_.between.link[set * count + other];
    found_.between.link[set * count + pair] = link == GroupPaces::no_link ? link : network::back_of(plan(), link);
    const std::size_t from = q_.places.first_device(set, there.from);
    const std::size_t to = q_.places.first_device(set, there.to);
    for (std::size_t i = 0; i < q_.places.group(); ++i) {
      if (static_cast<std::int64_t>(from + i) / domain_ == static_cast<std::int64_t>(to + i) / domain_) continue;
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
    add_end(shared_ends, shared, volumes_.ends, bytes);
    add_end(expert_ends, experts, volumes_.expert_ends, bytes);
  }

  /// The two follow each other: together they take as much longer as their bytes say.
  void add_end(std::uint64_t kind, const network::Group& group, const std::vector<double>& bytes,
               std::vector<double>& before) {
    if (!crosses(group) || *std::max_element(bytes.begin(), bytes.end()) <= 0) return;
    const auto each = static_cast<std::size_t>(groups_of(group));
    Streams streams = this->streams(kind, ranks() * each);
    add_groups(streams, {group}, bytes);
    const GroupPaces paces = solved(streams);
    if (found_.ends.slowdown.empty()) {
      found_.ends.slowdown.resize(q_.places.devices());
      found_.ends.link.resize(q_.places.devices());
      base::fill(found_.ends.slowdown, 1.0F, rules_.threads);
      base::fill(found_.ends.link, GroupPaces::no_link, rules_.threads);
    }
    const auto worker = [&] {
      return [&](std::size_t from, std::size_t to) {
        for (std::size_t number = from; number < to; ++number) {
          const std::size_t rank = number / each;
          if (bytes[rank] <= 0) continue;
          const double share = bytes[rank] / (bytes[rank] + before[rank]);
          const auto g = static_cast<std::int64_t>(number % each);
          const std::int64_t first = static_cast<std::int64_t>(rank) * stage_devices_ + first_of(group, g);
          for (std::int64_t i = 0; i < group.ranks; ++i) {
            slow_end(static_cast<std::size_t>(first + i * group.stride), share, paces.slowdown[number],
                     paces.link[number]);
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
  Volumes volumes_;
  std::int64_t domain_;
  std::int64_t stage_devices_;  // of one pipeline rank
  double card_bytes_per_s_;
  Network network_;
  network::StreamMemory memory_;
  network::StreamRules rules_;
  std::size_t rounds_ = 0;
  bool sent_any_ = false;
  std::vector<bool> is_back_;  // of every pair: whether it takes the cables of another one the other way
  Traffic found_;
};

}  // namespace

float Paces::largest() const {
  return slowdown.empty() ? 1 : *std::max_element(slowdown.begin(), slowdown.end());
}

bool has_links(const Cluster& cluster) {
  return cluster.fabric.tiers > 0 && is_tree(cluster.fabric.topology);
}

Traffic traffic_of(const TrafficQuestion& question) {
  return Builder(question).build();
}

}  // namespace ampacity::simulation
