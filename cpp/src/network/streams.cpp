#include "network/streams.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "ampacity/error.hpp"
#include "base/random.hpp"
#include "base/team.hpp"
#include "network/parts.hpp"
#include "network/phase_run.hpp"

namespace ampacity::network {
namespace {

// A link limits nobody up to this share more than its capacity: sums of parts are rounded.
constexpr float full = 1 + 1e-4F;
// Streams on crowded links from which on the first round of filling must do.
constexpr std::size_t most_shares = 300'000;
// Streams that one thread routes at a time.
constexpr std::size_t block_streams = 4096;
// Links that one thread looks at at a time.
constexpr std::size_t portion_links = 65536;
// So many kinds of groups that ends within a thousandth of the time count as one.
constexpr std::size_t many_kinds = 1000;

}  // namespace

StreamMemory::StreamMemory(const Network::Plan& plan, std::size_t threads) {
  base::assign(link_bytes, plan.all_links(), 0.0, threads);
  if (!plan.share.empty()) return;
  for (const NetworkTier& tier : plan.wiring->tiers()) {
    const bool first = slowest_bytes_per_s_ == 0;
    slowest_bytes_per_s_ = first ? tier.bytes_per_s : std::min(slowest_bytes_per_s_, tier.bytes_per_s);
  }
  slowest_bytes_per_s_ /= plan.planes();
}

Streams::Streams(const Network::Plan& plan, const StreamRules& rules, std::size_t groups, StreamMemory& memory)
    : plan_(plan), rules_(rules), groups_(groups), memory_(memory) {
  // Sprayed streams use all paths of a plane at once, hashed ones one path for every queue pair; both use all planes.
  const std::uint32_t planes = plan.planes();
  const std::uint32_t hashed = rules.routing == Routing::d_mod_k ? 1 : rules.queue_pairs;
  parts_ = rules.routing == Routing::spray ? planes : (hashed + planes - 1) / planes * planes;
  if (plan.wiring->ways() > 0) parts_ = plan.wiring->ways();
  const bool adapts = rules.routing == Routing::spray || rules.routing == Routing::adaptive;
  if (adapts) adaptive_ = adaptive_for(plan, rules.bytes_per_s);
  if (adaptive_) parts_ = Adaptive::parts;
  const std::size_t limits = adaptive_ ? adaptive_->limits() : 0;
  base::assign(memory_.load_, plan.all_links() + limits, 0.0F, rules_.threads);
  memory_.streams_.clear();
}

void Streams::throw_stopped() {
  throw Cancelled("the simulation of flows was stopped");
}

/// What all streams together leave of direct ways.
void Streams::settle_adaptive() {
  for (const Stream& one : memory_.streams_) adaptive_->add_between_groups(one.source, one.destination, one.demand);
  adaptive_->settle_groups();
  for (const Stream& one : memory_.streams_) adaptive_->add_within_groups(one.source, one.destination, one.demand);
  adaptive_->settle_switches();
}

template <class Work>
void Streams::each_block(const Work& work) {
  const std::size_t blocks = memory_.blocks_.size();
  const base::Team team(rules_.proceed, 1);
  const bool done = team.run(blocks, base::threads_for(rules_.threads, blocks), [&] {
    return [&](std::size_t from, std::size_t to) {
      for (std::size_t block = from; block < to; ++block) work(block);
    };
  });
  if (!done) throw_stopped();
}

void Streams::Loader::routed(std::size_t block) {
  routed_[block].store(true, std::memory_order_release);
  const std::unique_lock lock(loading_, std::try_to_lock);
  if (lock) load_routed();
}

void Streams::Loader::load_routed() {
  for (; next_ < routed_.size() && routed_[next_].load(std::memory_order_acquire); ++next_) streams_.load(next_);
}

void Streams::route_and_load() {
  Loader loader(*this);
  each_block([&](std::size_t block) {
    route(block);
    loader.routed(block);
  });
  loader.finish();
}

void Streams::route(std::size_t index) {
  Block& block = memory_.blocks_[index];
  block.links.clear();
  block.end.clear();
  block.whole.clear();
  block.cut_off.clear();
  const std::size_t last = std::min(memory_.streams_.size(), (index + 1) * block_streams);
  for (std::size_t i = index * block_streams; i < last; ++i) {
    const Stream& stream = memory_.streams_[i];
    std::uint32_t whole = 0;
    const bool found = (stream.back && !adaptive_ && add_back(stream, block, whole)) ||
                       add_links(stream.source, stream.destination, block, whole);
    if (!found) block.cut_off.push_back({stream.source, stream.destination, stream.group});
    block.end.push_back(static_cast<std::uint32_t>(block.links.size()));
    block.whole.push_back(whole);
  }
  if (!plan_.wiring->evens_out()) return;
  for (std::uint32_t& link : block.links) link = plan_.evened(link);
}

/// The same cables the other way; false where one of them has failed that way.
bool Streams::add_back(const Stream& stream, Block& block, std::uint32_t& whole) const {
  const std::size_t first = block.links.size();
  bool works = add_links(stream.destination, stream.source, block, whole);
  for (std::size_t i = first; i < block.links.size() && works; ++i) {
    block.links[i] = back_of(plan_, block.links[i]);
    works = plan_.bytes_per_s(block.links[i]) > 0;
  }
  if (!works) block.links.resize(first);
  return works;
}

/// The links of all parts; `whole` of them first that all parts have in common. The connection is what is hashed.
bool Streams::add_links(std::uint32_t source, std::uint32_t destination, Block& block, std::uint32_t& whole) const {
  std::vector<std::uint32_t>& links = block.links;
  const std::size_t first = links.size();
  const std::uint64_t connection = std::uint64_t{source} << 32U | destination;
  const std::uint64_t flow = base::mixed(base::mixed(rules_.seed) ^ connection);
  if (adaptive_) return adaptive_->route(source, destination, flow, links, whole);
  if (plan_.wiring->ways() > 0) return add_ways(source, destination, block, whole);
  whole = 2;
  if (add_hashed(source, destination, flow, block)) return true;
  whole = 0;
  double latency_s = 0;
  for (std::uint32_t part = 0; part < parts_; ++part) {
    const std::size_t before = links.size();
    const FlowChoice choice{rules_.routing, base::mixed(flow ^ part), part % plan_.planes(), nullptr};
    if (!plan_.route(source, destination, choice, links, latency_s)) {
      links.resize(first);
      return false;
    }
    if (parts_ == 1) whole = static_cast<std::uint32_t>(links.size() - first);
    // The cables of the two endpoints carry all parts where there is one plane.
    if (part == 0 && parts_ > 1 && plan_.planes() == 1) whole = 2;
    if (part > 0 && whole == 2) {
      links.erase(links.begin() + static_cast<std::ptrdiff_t>(before),
                  links.begin() + static_cast<std::ptrdiff_t>(before) + 2);
    }
  }
  return true;
}

/// One part each way; where there is one way only, all of the stream.
bool Streams::add_ways(std::uint32_t source, std::uint32_t destination, Block& block, std::uint32_t& whole) const {
  std::vector<std::uint32_t>& links = block.links;
  const auto first = static_cast<std::ptrdiff_t>(links.size());
  std::ptrdiff_t length = 0;
  double latency_s = 0;
  bool alike = true;
  for (std::uint32_t way = 0; way < parts_; ++way) {
    const auto begin = static_cast<std::ptrdiff_t>(links.size());
    if (!plan_.route(source, destination, {rules_.routing, way, 0, nullptr}, links, latency_s)) {
      links.resize(static_cast<std::size_t>(first));
      return false;
    }
    if (way == 0) length = links.end() - links.begin() - first;
    alike =
        alike && std::equal(links.begin() + begin, links.end(), links.begin() + first, links.begin() + first + length);
  }
  whole = 0;
  if (!alike) return true;
  links.resize(static_cast<std::size_t>(first + length));
  whole = static_cast<std::uint32_t>(length);
  return true;
}

/// All parts at once, where nothing has failed.
bool Streams::add_hashed(std::uint32_t source, std::uint32_t destination, std::uint64_t flow, Block& block) const {
  if (rules_.routing != Routing::ecmp || plan_.planes() > 1 || !plan_.share.empty()) return false;
  if (!plan_.wiring->joined(source, destination)) return false;
  block.hashes.resize(parts_);
  for (std::uint32_t part = 0; part < parts_; ++part) block.hashes[part] = base::mixed(flow ^ part);
  return plan_.wiring->route_hashed(source, destination, block.hashes, block.links);
}

template <class Visit>
void Streams::each_link(std::size_t index, const Visit& visit) const {
  const Block& block = memory_.blocks_[index];
  const double part = 1.0 / parts_;
  std::uint32_t at = 0;
  for (std::size_t i = 0; i < block.end.size(); ++i) {
    const Stream& stream = memory_.streams_[index * block_streams + i];
    for (const std::uint32_t whole = at + block.whole[i]; at < block.end[i]; ++at) {
      visit(stream, block.links[at], at < whole ? 1 : part);
    }
  }
}

/// Streams fill the links of endpoints and their limits; on other links are their bytes only.
void Streams::load_adaptive(std::size_t index) {
  each_link(index, [&](const Stream& stream, std::uint32_t link, double share) {
    const bool limit = adaptive_->is_limit(link);
    if (limit || adaptive_->is_endpoint(link)) memory_.load_[link] += static_cast<float>(share) * stream.demand;
    if (!limit) memory_.link_bytes[link] += share * stream.bytes;
  });
}

void Streams::load(std::size_t index) {
  if (adaptive_) {
    load_adaptive(index);
    return;
  }
  each_link(index, [&](const Stream& stream, std::uint32_t link, double share) {
    memory_.load_[link] += static_cast<float>(share) * stream.demand;
    memory_.link_bytes[link] += share * stream.bytes;
  });
}

/// From here on a link's load is over what it can carry; 0 where that is certainly enough. Whether any is too full.
bool Streams::find_full_links() {
  const std::size_t links = memory_.load_.size();
  std::atomic<bool> any = false;
  const base::Team team({}, portion_links);
  static_cast<void>(team.run(links, base::threads_for(rules_.threads, links / portion_links), [&] {
    return [&](std::size_t from, std::size_t to) {
      if (find_full_links(from, to)) any = true;
    };
  }));
  return any;
}

bool Streams::find_full_links(std::size_t from, std::size_t to) {
  const auto never_crowded = adaptive_ ? 0 : static_cast<float>(memory_.slowest_bytes_per_s_ / rules_.bytes_per_s);
  bool any = false;
  for (std::size_t link = from; link < to; ++link) {
    float& load = memory_.load_[link];
    if (load <= 0) continue;
    if (load <= never_crowded) {
      load = 0;
      continue;
    }
    load = static_cast<float>(load * rules_.bytes_per_s / bytes_per_s(static_cast<std::uint32_t>(link)));
    any = any || load > full;
  }
  return any;
}

void Streams::find_fullest(std::size_t index) {
  Block& block = memory_.blocks_[index];
  block.fullest.clear();
  block.crowded = 0;
  each_link(index, [&](const Stream& stream, std::uint32_t link, double) {
    const float load = memory_.load_[link];
    if (load <= full) return;
    ++block.crowded;
    if (block.fullest.empty() || block.fullest.back().group != stream.group) {
      block.fullest.push_back({stream.group, link, load});
    } else if (load > block.fullest.back().load) {
      block.fullest.back() = {stream.group, link, load};
    }
  });
}

void Streams::find_shares(std::size_t index) {
  std::vector<Share>& shares = memory_.blocks_[index].shares;
  shares.clear();
  each_link(index, [&](const Stream& stream, std::uint32_t link, double share) {
    if (memory_.load_[link] <= full) return;
    shares.push_back({stream.group, link, static_cast<float>(share) * stream.demand});
  });
}

/// What groups have on crowded links.
std::vector<Streams::Share> Streams::crowded() {
  each_block([&](std::size_t block) { find_shares(block); });
  std::vector<Share> shares;
  for (const Block& block : memory_.blocks_) shares.insert(shares.end(), block.shares.begin(), block.shares.end());
  return shares;
}

/// Groups that load the same links equally are one kind, and one flow that loads them as often as all of its kind.
void Streams::run(std::vector<Share> shares, GroupPaces& paces) const {
  std::sort(shares.begin(), shares.end(), [](const Share& a, const Share& b) {
    return std::tie(a.group, a.link, a.demand) < std::tie(b.group, b.link, b.demand);
  });
  Run run;
  std::vector<std::uint32_t> kind_of(groups_, GroupPaces::no_link);
  std::vector<std::size_t> members;
  std::unordered_map<std::uint64_t, std::uint32_t> kinds;
  std::unordered_map<std::uint32_t, std::uint32_t> number;
  std::vector<std::uint32_t> known;  // links, as the network numbers them
  std::vector<Share> own;
  for (std::size_t at = 0; at < shares.size();) {
    const std::uint32_t group = shares[at].group;
    own.clear();
    std::uint64_t colour = 0;
    for (; at < shares.size() && shares[at].group == group; ++at) {
      if (own.empty() || own.back().link != shares[at].link) {
        own.push_back(shares[at]);
      } else {
        own.back().demand += shares[at].demand;
      }
    }
    for (const Share& one : own) {
      colour = base::mixed(colour ^ one.link);
      colour = base::mixed(colour ^ std::bit_cast<std::uint32_t>(one.demand));
    }
    const auto [found, is_new] = kinds.try_emplace(colour, static_cast<std::uint32_t>(members.size()));
    kind_of[group] = found->second;
    if (!is_new) {
      ++members[found->second];
      continue;
    }
    members.push_back(1);
    for (const Share& one : own) {
      const auto [place, unknown] = number.try_emplace(one.link, static_cast<std::uint32_t>(known.size()));
      if (unknown) known.push_back(one.link);
      run.paths.links.push_back(place->second);
      run.paths.times.push_back(one.demand);
    }
    run.paths.links.push_back(GroupPaces::no_link);  // its own pace, numbered behind the links
    run.paths.times.push_back(1);
    run.paths.offset.push_back(static_cast<std::uint32_t>(run.paths.links.size()));
  }
  const auto flows = static_cast<std::uint32_t>(members.size());
  for (const std::uint32_t link : known) run.capacity.push_back(bytes_per_s(link) / rules_.bytes_per_s);
  for (std::uint32_t flow = 0; flow < flows; ++flow) {
    for (std::uint32_t i = run.paths.offset[flow]; i + 1 < run.paths.offset[flow + 1]; ++i) {
      run.paths.times[i] *= static_cast<double>(members[flow]);
    }
    run.paths.links[run.paths.offset[flow + 1] - 1] = static_cast<std::uint32_t>(run.capacity.size());
    run.capacity.push_back(1);
    RunPhase phase;
    phase.first = flow;
    phase.count = 1;
    run.chains.push_back({flow, 0, {phase}});
  }
  run.groups = flows;
  run.bytes.assign(flows, 1);
  run.latency_s.assign(flows, 0);
  run.weight.assign(flows, 1);
  run.reachable.assign(flows, 1);
  run.batch_fraction = flows > many_kinds ? 1e-3 : 0;
  run_phases(run);
  for (std::uint32_t group = 0; group < groups_; ++group) {
    const std::uint32_t kind = kind_of[group];
    if (kind == GroupPaces::no_link) continue;
    const RunPhase& phase = run.chains[kind].phases.front();
    const auto slowdown = static_cast<float>(run.end_s[kind]);
    if (std::isinf(slowdown)) continue;  // its fullest link, which has no rate left, is known already
    // (A group that others on its crowded links leave room for is as fast as alone.)
    paces.slowdown[group] = slowdown > full ? slowdown : 1;
    if (slowdown <= full) {
      paces.link[group] = GroupPaces::no_link;
    } else if (phase.bottleneck < known.size()) {
      paces.link[group] = known[phase.bottleneck];
    }
  }
}

GroupPaces Streams::solve() {
  GroupPaces paces;
  base::assign(paces.slowdown, groups_, 1.0F, rules_.threads);
  base::assign(paces.link, groups_, GroupPaces::no_link, rules_.threads);
  memory_.blocks_.resize((memory_.streams_.size() + block_streams - 1) / block_streams);
  if (adaptive_) settle_adaptive();
  route_and_load();
  if (find_full_links()) {
    each_block([&](std::size_t block) { find_fullest(block); });
    std::size_t count = 0;
    for (const Block& block : memory_.blocks_) {
      count += block.crowded;
      for (const StreamMemory::Fullest& one : block.fullest) {
        if (one.load <= paces.slowdown[one.group]) continue;
        paces.slowdown[one.group] = one.load;
        paces.link[one.group] = one.link;
      }
    }
    paces.exact = count <= most_shares;
    if (paces.exact) run(crowded(), paces);
  }
  for (std::uint32_t& link : paces.link) {
    if (adaptive_ && link != GroupPaces::no_link && adaptive_->is_limit(link)) link = adaptive_->cable_of(link);
  }
  for (const Block& block : memory_.blocks_) {
    paces.cut_off.insert(paces.cut_off.end(), block.cut_off.begin(), block.cut_off.end());
  }
  for (const CutOff& stream : paces.cut_off) paces.slowdown[stream.group] = std::numeric_limits<float>::infinity();
  return paces;
}

std::uint32_t back_of(const Network::Plan& plan, std::uint32_t link) {
  return link < plan.visible_links() ? plan.reverse(link) : plan.reverse_trunk(link);
}

// Both directions are written where the lower one is looked at.
void add_way_back(const Network::Plan& plan, const base::Large<double>& before, std::size_t threads,
                  base::Large<double>& link_bytes) {
  const std::size_t links = link_bytes.size();
  const base::Team team({}, portion_links);
  static_cast<void>(team.run(links, base::threads_for(threads, links / portion_links), [&] {
    return [&](std::size_t from, std::size_t to) {
      for (std::size_t link = from; link < to; ++link) {
        const std::size_t back = back_of(plan, static_cast<std::uint32_t>(link));
        if (back < link) continue;
        const double both = link_bytes[link] + link_bytes[back];
        link_bytes[link] = both + (before.empty() ? 0 : before[link]);
        link_bytes[back] = both + (before.empty() ? 0 : before[back]);
      }
    };
  }));
}

std::vector<double> spread_over_cables(const Network::Plan& plan, const base::Large<double>& link_bytes) {
  std::vector<double> spread(link_bytes.begin(), link_bytes.end());
  spread_trunks(plan, spread);
  return spread;
}

}  // namespace ampacity::network
