#include "network/max_min.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace ampacity::network {
namespace {

constexpr double endless = std::numeric_limits<double>::infinity();
// Levels closer than this are the same: far below the 1e-9 that results promise, far above rounding.
constexpr double same_level = 1e-13;
// Share of the links to look at from which on filling all of them anew is cheaper than following the changes.
constexpr std::size_t refill_divisor = 8;
// A link with more than this share of its capacity free limits nobody, whatever rounding its sum of rates has seen.
constexpr double certainly_free = 1e-9;

}  // namespace

MaxMin::MaxMin(const Paths& paths, std::vector<double> link_bytes_per_s, std::vector<double> weights)
    : paths_(paths), capacity_(std::move(link_bytes_per_s)), weight_(std::move(weights)) {
  const std::size_t links = capacity_.size();
  level_.assign(links, endless);
  running_.assign(links, 0);
  queued_.assign(links, 0);
  used_.assign(links, 0);
  rate_.assign(paths_.flows(), 0);
  is_changed_.assign(paths_.flows(), 0);
  entry_first_.assign(links + 1, 0);
  for (const std::uint32_t link : paths_.links) ++entry_first_[link + 1];
  for (std::size_t link = 0; link < links; ++link) entry_first_[link + 1] += entry_first_[link];
  entry_.resize(paths_.links.size());
  position_.resize(paths_.links.size());
  entry_times_.resize(paths_.times.size());
  std::vector<std::uint32_t> next(entry_first_.begin(), entry_first_.end() - 1);
  for (std::uint32_t flow = 0; flow < paths_.flows(); ++flow) {
    for (std::uint32_t at = paths_.offset[flow]; at < paths_.offset[flow + 1]; ++at) {
      const std::uint32_t link = paths_.links[at];
      position_[at] = next[link];
      if (!entry_times_.empty()) entry_times_[next[link]] = paths_.times[at];
      entry_[next[link]++] = flow;
    }
  }
}

void MaxMin::set_position(std::uint32_t flow, std::uint32_t link, std::uint32_t position) {
  std::uint32_t at = paths_.offset[flow];
  while (paths_.links[at] != link) ++at;
  position_[at] = position;
}

void MaxMin::move_entry(std::uint32_t link, std::uint32_t from, std::uint32_t to) {
  if (from == to) return;
  std::swap(entry_[from], entry_[to]);
  if (!entry_times_.empty()) std::swap(entry_times_[from], entry_times_[to]);
  set_position(entry_[from], link, from);
  set_position(entry_[to], link, to);
}

void MaxMin::start(std::uint32_t flow) {
  for (std::uint32_t at = paths_.offset[flow]; at < paths_.offset[flow + 1]; ++at) {
    const std::uint32_t link = paths_.links[at];
    move_entry(link, position_[at], entry_first_[link] + running_[link]++);
    touch(link);
  }
  started_.push_back(flow);
  mark(flow);
}

void MaxMin::stop(std::uint32_t flow) {
  for (std::uint32_t at = paths_.offset[flow]; at < paths_.offset[flow + 1]; ++at) {
    const std::uint32_t link = paths_.links[at];
    move_entry(link, position_[at], entry_first_[link] + --running_[link]);
    used_[link] -= rate_[flow] * paths_.load(at);
    if (level_[link] < endless) touch(link);
  }
  rate_[flow] = 0;
}

void MaxMin::set_capacity(std::uint32_t link, double bytes_per_s) {
  capacity_[link] = bytes_per_s;
  touch(link);
}

void MaxMin::touch(std::uint32_t link) {
  if (queued_[link] != 0) return;
  queued_[link] = 1;
  const double known = level_[link];
  const double key = known < endless ? known : capacity_[link] / std::max(1U, running_[link]);
  queue_.emplace_back(-key, link);
  std::push_heap(queue_.begin(), queue_.end());
}

bool MaxMin::limits_nobody(std::uint32_t link) const {
  return level_[link] == endless && used_[link] < (1 - certainly_free) * capacity_[link];
}

/// Sets the rate of a running flow and looks again at the links, but `from`, that may care.
void MaxMin::change_rate(std::uint32_t flow, double rate, std::uint32_t from) {
  const double more = rate - rate_[flow];
  rate_[flow] = rate;
  for (std::uint32_t at = paths_.offset[flow]; at < paths_.offset[flow + 1]; ++at) {
    const std::uint32_t link = paths_.links[at];
    used_[link] += more * paths_.load(at);
    if (link != from && !limits_nobody(link)) touch(link);
  }
}

void MaxMin::mark(std::uint32_t flow) {
  if (is_changed_[flow] != 0) return;
  is_changed_[flow] = 1;
  changed_.push_back(flow);
}

double MaxMin::level_without(std::uint32_t flow, std::uint32_t link) const {
  double lowest = endless;
  for (const std::uint32_t other : paths_.of(flow)) {
    if (other != link) lowest = std::min(lowest, level_[other]);
  }
  return lowest;
}

// Where the link is full if its flows are limited elsewhere as the levels of their other links say.
double MaxMin::level_of(std::uint32_t link) {
  const std::uint32_t count = running_[link];
  if (count == 0) return endless;
  limit_.resize(count);
  limit_weight_.resize(count);
  double weights = 0;
  double wanted = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint32_t place = entry_first_[link] + i;
    limit_[i] = level_without(entry_[place], link);
    limit_weight_[i] = entry_weight(place);
    weights += limit_weight_[i];
    wanted += limit_weight_[i] * limit_[i];
  }
  double left = capacity_[link];
  if (wanted <= left) return endless;
  double level = left / weights;
  std::uint32_t kept = count;
  for (bool moved = true; moved && kept > 0;) {
    moved = false;
    std::uint32_t next = 0;
    for (std::uint32_t i = 0; i < kept; ++i) {
      if (limit_[i] < level) {
        left -= limit_[i] * limit_weight_[i];
        weights -= limit_weight_[i];
        moved = true;
      } else {
        limit_[next] = limit_[i];
        limit_weight_[next++] = limit_weight_[i];
      }
    }
    kept = next;
    if (moved && kept > 0) level = std::max(left, 0.0) / weights;
  }
  return level;
}

void MaxMin::propagate() {
  while (!queue_.empty()) {
    std::pop_heap(queue_.begin(), queue_.end());
    const std::uint32_t link = queue_.back().second;
    queue_.pop_back();
    queued_[link] = 0;
    const double before = level_[link];
    const double after = level_of(link);
    // (Both finite: the difference to an endless level would be endless, and no less than a share of it.)
    if (after == before || (std::max(after, before) < endless && std::abs(after - before) <= same_level * before))
      continue;
    level_[link] = after;
    for (std::uint32_t i = 0; i < running_[link]; ++i) {
      const std::uint32_t flow = entry_[entry_first_[link] + i];
      const double elsewhere = level_without(flow, link);
      if (std::min(elsewhere, before) == std::min(elsewhere, after)) continue;
      mark(flow);
      change_rate(flow, weight_[flow] * std::min(elsewhere, after), link);
    }
  }
}

// A flow that took the place of one that stopped meanwhile may have moved no level: nobody has told it its rate.
void MaxMin::rate_started() {
  for (const std::uint32_t flow : started_) {
    const std::span<const std::uint32_t> path = paths_.of(flow);
    if (path.empty()) continue;
    const std::uint32_t first = path.front();
    if (position_[paths_.offset[flow]] >= entry_first_[first] + running_[first]) continue;  // has stopped again
    const double rate = weight_[flow] * level_[bottleneck(flow)];
    if (rate == endless) continue;
    for (const std::uint32_t link : path) used_[link] += rate - rate_[flow];
    rate_[flow] = rate;
  }
  started_.clear();
}

// Progressive filling with a heap of links whose keys only rise.
void MaxMin::fill_all() {
  for (const auto& item : queue_) queued_[item.second] = 0;
  queue_.clear();
  const auto links = static_cast<std::uint32_t>(capacity_.size());
  std::vector<double> left(capacity_);
  std::vector<double> weights(links, 0);
  std::vector<std::uint32_t> open(running_);
  std::vector<std::uint8_t> fixed(paths_.flows(), 0);
  std::vector<std::pair<double, std::uint32_t>> heap;
  for (std::uint32_t link = 0; link < links; ++link) {
    level_[link] = endless;
    used_[link] = 0;
    if (open[link] == 0) continue;
    for (std::uint32_t i = 0; i < open[link]; ++i) weights[link] += entry_weight(entry_first_[link] + i);
    heap.emplace_back(-left[link] / weights[link], link);
  }
  std::make_heap(heap.begin(), heap.end());
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end());
    const auto [key, link] = heap.back();
    heap.pop_back();
    if (open[link] == 0) continue;
    const double level = left[link] / weights[link];
    if (level > -key * (1 + 1e-12)) {
      heap.emplace_back(-level, link);
      std::push_heap(heap.begin(), heap.end());
      continue;
    }
    level_[link] = level;
    for (std::uint32_t i = 0; i < running_[link]; ++i) {
      const std::uint32_t flow = entry_[entry_first_[link] + i];
      if (fixed[flow] != 0) continue;
      fixed[flow] = 1;
      mark(flow);
      rate_[flow] = level * weight_[flow];
      for (std::uint32_t at = paths_.offset[flow]; at < paths_.offset[flow + 1]; ++at) {
        const std::uint32_t other = paths_.links[at];
        const double load = paths_.load(at);
        used_[other] += rate_[flow] * load;
        left[other] = std::max(0.0, left[other] - rate_[flow] * load);
        weights[other] -= weight_[flow] * load;
        --open[other];
      }
    }
  }
}

std::span<const std::uint32_t> MaxMin::solve() {
  if (queue_.size() > capacity_.size() / refill_divisor) {
    fill_all();
    started_.clear();
  } else {
    propagate();
    rate_started();
  }
  return changed_;
}

void MaxMin::forget_changes() {
  for (const std::uint32_t flow : changed_) is_changed_[flow] = 0;
  changed_.clear();
}

std::uint32_t MaxMin::bottleneck(std::uint32_t flow) const {
  const std::span<const std::uint32_t> path = paths_.of(flow);
  return *std::min_element(path.begin(), path.end(),
                           [&](std::uint32_t a, std::uint32_t b) { return level_[a] < level_[b]; });
}

}  // namespace ampacity::network
