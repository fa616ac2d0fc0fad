#include "step/part_cache.hpp"

#include <tuple>
#include <type_traits>

namespace ampacity::step {
namespace {

constexpr std::size_t first_slots = 256;
// Beyond this many layouts without common parts the cache starts anew, so that its memory stays bounded (10 MB).
constexpr std::size_t most_entries = 8192;

}  // namespace

PartKey part_key(const Training& job, const Layout& layout) {
  PartKey key{layout, 0, job.seq_len};
  const Layout standard;
  // How many of its layers a stage recomputes depends on how many it has.
  if (layout.recompute_layers == 0) key.layout.pp = standard.pp;
  key.layout.vp = standard.vp;
  key.layout.first_stage_layers = standard.first_stage_layers;
  key.layout.last_stage_layers = standard.last_stage_layers;
  key.layout.uneven_stages = standard.uneven_stages;
  key.layout.balance = standard.balance;
  if (layout.recompute_layers == 0) {
    key.layout.front_stages = standard.front_stages;
    key.layout.front_layers = standard.front_layers;
  }
  if (layout.zero_stage < 3) {
    key.layout.dp = standard.dp;
    key.layout.zero_stage = standard.zero_stage;
    key.layout.shard_group = standard.shard_group;
    key.layout.schedule = standard.schedule;  // its copies of a stage only matter for sharded weights
  } else {
    // Sharded weights: a scatter per step is spread over its micro-batches (sharding_times in layer_comm.cpp).
    key.global_batch = job.global_batch;
  }
  return key;
}

std::uint64_t PartKey::hash() const {
  auto sum = static_cast<std::uint64_t>(global_batch) * 31 + static_cast<std::uint64_t>(seq_len);
  const auto mix = [&sum](std::uint64_t value) {
    sum = (sum ^ value) * 0x9e3779b97f4a7c15U;
    sum ^= sum >> 29U;
  };
  const auto add = [&]<class T>(const Field<Layout, T>& field) {
    if constexpr (std::is_enum_v<T> || std::is_arithmetic_v<T>) mix(static_cast<std::uint64_t>(layout.*field.member));
    if constexpr (requires(T set) { set.bits; }) mix((layout.*field.member).bits);
  };
  std::apply([&](const auto&... field) { (add(field), ...); }, Layout::fields());
  return sum;
}

std::size_t PartCache::slot_of(const PartKey& key, std::uint64_t hash) const {
  const std::size_t mask = slots_.size() - 1;
  std::size_t slot = hash & mask;
  while (slots_[slot] != 0) {
    const Entry& entry = entries_[slots_[slot] - 1];
    if (entry.hash == hash && entry.key == key) break;
    slot = (slot + 1) & mask;
  }
  return slot;
}

void PartCache::grow() {
  if (entries_.size() >= most_entries) entries_.clear();
  slots_.assign(entries_.empty() ? first_slots : 2 * slots_.size(), 0);
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    slots_[slot_of(entries_[i].key, entries_[i].hash)] = static_cast<std::uint32_t>(i + 1);
  }
}

const PartTimes& PartCache::get(const Training& job, const Layout& layout, const Accelerator& device,
                                const network::Links& links) {
  if (2 * entries_.size() >= slots_.size()) grow();
  PartKey key = part_key(job, layout);
  if (links.torus.placed()) key.layout = layout;  // every degree of parallelism has its place on a torus
  const std::uint64_t hash = key.hash();
  const std::size_t slot = slot_of(key, hash);
  if (slots_[slot] == 0) {
    entries_.push_back({key, hash, part_times(job, layout, device, links)});
    slots_[slot] = static_cast<std::uint32_t>(entries_.size());
  }
  return entries_[slots_[slot] - 1].times;
}

}  // namespace ampacity::step
