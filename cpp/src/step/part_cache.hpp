// Times of parts that many layouts of one job have in common.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "step/stage_time.hpp"

namespace ampacity::step {

/// What `part_times` reads of job and layout, the job's other fields being the same: the layout with what its parts do
/// not depend on set to its default. A field that is new in `Layout` counts as read.
struct PartKey {
  Layout layout;
  std::int64_t global_batch = 0;
  std::int64_t seq_len = 0;

  [[nodiscard]] std::uint64_t hash() const;
  friend bool operator==(const PartKey&, const PartKey&) = default;
};
[[nodiscard]] PartKey part_key(const Training& job, const Layout& layout);

/// `part_times` on one kind of device, each computed once. Not for use by several threads; one cache is for one job
/// (of which batch and sequence length may change) and one kind of device.
class PartCache {
 public:
  /// Valid until the next call.
  const PartTimes& get(const Training& job, const Layout& layout, const Accelerator& device,
                       const network::Links& links);

 private:
  void grow();
  [[nodiscard]] std::size_t slot_of(const PartKey& key, std::uint64_t hash) const;

  struct Entry {
    PartKey key;
    std::uint64_t hash = 0;
    PartTimes times;
  };
  std::vector<Entry> entries_;
  std::vector<std::uint32_t> slots_;  // open addressing: index of the entry + 1; 0 = free
};

}  // namespace ampacity::step
