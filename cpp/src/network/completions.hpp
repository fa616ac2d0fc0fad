// Which part of which flow ends next.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace ampacity::network {

/// Parts by the time at which they end, earliest first: a heap of four children whose items can move.
class Completions {
 public:
  explicit Completions(std::size_t parts) : end_(parts, never), place_(parts, absent) {}

  [[nodiscard]] bool empty() const { return heap_.empty(); }
  [[nodiscard]] std::uint32_t first() const { return heap_[0]; }
  [[nodiscard]] double first_end() const { return heap_.empty() ? never : end_[heap_[0]]; }

  void set(std::uint32_t part, double end) {
    if (place_[part] == absent) {
      place_[part] = static_cast<std::uint32_t>(heap_.size());
      heap_.push_back(part);
      end_[part] = never;
    }
    const bool earlier = end < end_[part];
    end_[part] = end;
    earlier ? rise(place_[part]) : sink(place_[part]);
  }

  void pop() {
    place_[heap_[0]] = absent;
    const std::uint32_t last = heap_.back();
    heap_.pop_back();
    if (heap_.empty()) return;
    heap_[0] = last;
    place_[last] = 0;
    sink(0);
  }

 private:
  static constexpr double never = std::numeric_limits<double>::infinity();
  static constexpr std::uint32_t absent = std::numeric_limits<std::uint32_t>::max();

  /// Ties go by number, so that the order of events never depends on history.
  [[nodiscard]] bool before(std::uint32_t a, std::uint32_t b) const {
    return end_[a] < end_[b] || (end_[a] == end_[b] && a < b);
  }
  void put(std::uint32_t at, std::uint32_t part) {
    heap_[at] = part;
    place_[part] = at;
  }
  void rise(std::uint32_t at) {
    const std::uint32_t part = heap_[at];
    while (at > 0 && before(part, heap_[(at - 1) / 4])) {
      put(at, heap_[(at - 1) / 4]);
      at = (at - 1) / 4;
    }
    put(at, part);
  }
  void sink(std::uint32_t at) {
    const std::uint32_t part = heap_[at];
    const auto size = static_cast<std::uint32_t>(heap_.size());
    for (std::uint32_t child = 4 * at + 1; child < size; child = 4 * at + 1) {
      std::uint32_t least = child;
      for (std::uint32_t other = child + 1; other < std::min(child + 4, size); ++other) {
        if (before(heap_[other], heap_[least])) least = other;
      }
      if (!before(heap_[least], part)) break;
      put(at, heap_[least]);
      at = least;
    }
    put(at, part);
  }

  std::vector<double> end_;
  std::vector<std::uint32_t> place_;
  std::vector<std::uint32_t> heap_;
};

}  // namespace ampacity::network
