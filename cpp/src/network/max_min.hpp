// Max-min fair rates of flows that come and go.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace ampacity::network {

/// Paths of flows: links of flow f are `links[offset[f]] ... links[offset[f + 1]]`.
struct Paths {
  std::vector<std::uint32_t> offset{0};
  std::vector<std::uint32_t> links;
  std::vector<double> times;  ///< how often its rate loads each of them; empty: once

  [[nodiscard]] std::uint32_t flows() const { return static_cast<std::uint32_t>(offset.size() - 1); }
  [[nodiscard]] std::span<const std::uint32_t> of(std::uint32_t flow) const {
    return std::span(links).subspan(offset[flow], offset[flow + 1] - offset[flow]);
  }
  [[nodiscard]] double load(std::uint32_t at) const { return times.empty() ? 1.0 : times[at]; }
};

/// Weighted max-min fairness (Bertsekas and Gallager, Data Networks, 6.5.2): a flow gets its weight times the lowest
/// level among its links, and the level of a link is where the flows that it limits fill it. That fixed point is unique
/// (Charny 1994), so after a change only links whose level moves are visited, lowest first; when much changes at once,
/// all levels are filled anew. A "flow" may stand for many that are alike and load a link several times.
/// Memory: 12 bytes per flow and link of its path, 45 per link.
class MaxMin {
 public:
  MaxMin(const Paths& paths, std::vector<double> link_bytes_per_s, std::vector<double> weights);

  void start(std::uint32_t flow);
  void stop(std::uint32_t flow);
  void set_capacity(std::uint32_t link, double bytes_per_s);

  /// Solves again; returns the running flows whose rate may have changed since the last call.
  std::span<const std::uint32_t> solve();
  void forget_changes();

  [[nodiscard]] double rate(std::uint32_t flow) const { return rate_[flow]; }
  /// The link whose level is the flow's.
  [[nodiscard]] std::uint32_t bottleneck(std::uint32_t flow) const;

 private:
  void move_entry(std::uint32_t link, std::uint32_t from, std::uint32_t to);
  void set_position(std::uint32_t flow, std::uint32_t link, std::uint32_t position);
  [[nodiscard]] double entry_weight(std::uint32_t place) const {
    return entry_times_.empty() ? weight_[entry_[place]] : weight_[entry_[place]] * entry_times_[place];
  }
  [[nodiscard]] double level_of(std::uint32_t link);
  [[nodiscard]] double level_without(std::uint32_t flow, std::uint32_t link) const;
  [[nodiscard]] bool limits_nobody(std::uint32_t link) const;
  void touch(std::uint32_t link);
  void change_rate(std::uint32_t flow, double rate, std::uint32_t from);
  void mark(std::uint32_t flow);
  void propagate();
  void rate_started();
  void fill_all();

  const Paths& paths_;
  std::vector<double> capacity_;
  std::vector<double> weight_;
  std::vector<double> level_;                            // of every link; infinite where it limits nobody
  std::vector<double> used_;                             // sum of the rates on every link
  std::vector<double> rate_;                             // of every running flow
  std::vector<std::uint32_t> entry_first_;               // where the flows of a link begin
  std::vector<std::uint32_t> entry_;                     // flows by link: the running ones first
  std::vector<double> entry_times_;                      // how often each of these loads the link; empty: once
  std::vector<std::uint32_t> running_;                   // how many of a link's flows run
  std::vector<std::uint32_t> position_;                  // of a flow in each of its links' lists
  std::vector<std::pair<double, std::uint32_t>> queue_;  // links to look at, lowest level first
  std::vector<std::uint8_t> queued_;
  std::vector<std::uint32_t> started_;  // since the last solution
  std::vector<std::uint32_t> changed_;
  std::vector<std::uint8_t> is_changed_;
  std::vector<double> limit_;         // scratch of level_of
  std::vector<double> limit_weight_;  // scratch of level_of
};

}  // namespace ampacity::network
