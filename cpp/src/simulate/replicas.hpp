// The pipelines of replicas that wait for one another in each task, solved task by task.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "ampacity/layout.hpp"
#include "simulate/draws.hpp"
#include "simulate/plan.hpp"
#include "step/crews.hpp"

namespace ampacity::simulation {

class Slowed;

/// Where the devices of a step lie in its columns.
struct Places {
  std::int64_t peers = 1;     ///< devices of one stage of one replica (tensor and context parallelism)
  std::int64_t replicas = 1;  ///< data parallelism
  std::int64_t stages = 1;
  std::int64_t together = 1;  ///< replicas of one set
  /// Replicas on one kind of device; the same stages of `block` of them lie side by side, so that they fill scale-up
  /// domains.
  struct OnKind {
    std::int64_t first = 0;
    std::int64_t block = 1;
  };
  std::vector<OnKind> kinds;  ///< that replicas fill one by one; none: stages fill the cluster

  [[nodiscard]] std::size_t sets() const { return static_cast<std::size_t>(replicas / together); }
  [[nodiscard]] std::size_t devices() const { return static_cast<std::size_t>(peers * replicas * stages); }
  /// Devices of one stage of one set: they follow one another.
  [[nodiscard]] std::size_t group() const { return static_cast<std::size_t>(peers * together); }
  [[nodiscard]] std::size_t rank_of(std::size_t device) const {
    return device / static_cast<std::size_t>(peers * replicas);
  }
  [[nodiscard]] std::size_t set_of(std::size_t device) const {
    const auto replica = static_cast<std::int64_t>(device) / peers % replicas;
    return static_cast<std::size_t>(replica / together);
  }
  /// From now on crews, in order, fill the kinds of devices of a cluster.
  void fill_kinds(std::span<const step::Crew> crews, const Cluster& cluster);
  /// Where that device stands among those of the job.
  [[nodiscard]] std::size_t stands_at(std::size_t device) const {
    return kinds.empty() ? device : stands_on_kind(device);
  }
  [[nodiscard]] std::size_t first_device(std::size_t set, std::int64_t stage) const {
    return static_cast<std::size_t>(stage * replicas * peers) + set * group();
  }

 private:
  [[nodiscard]] std::size_t stands_on_kind(std::size_t device) const;
};
[[nodiscard]] Places places_of(const Layout& layout);

/// Which of the crews (each with its `first_set`, in rising order) a set belongs to, and where its sets end.
template <class Crews>
[[nodiscard]] std::size_t crew_of_set(const Crews& crews, std::size_t set) {
  std::size_t crew = 0;
  while (crew + 1 < crews.size() && set >= crews[crew + 1].first_set) ++crew;
  return crew;
}
template <class Crews>
[[nodiscard]] std::size_t end_set(const Crews& crews, std::size_t crew, const Places& places) {
  return crew + 1 < crews.size() ? crews[crew + 1].first_set : places.sets();
}

/// What makes devices differ.
struct Draws {
  std::uint64_t seed = 0;
  double jitter_fraction = 0;
  const JitterTable* table = nullptr;
};

/// Solves sets of replicas one after the other; belongs to one thread. Slots are those of the plan.
class SetSolver {
 public:
  /// `slowed`: what crowded links add; none: nothing.
  SetSolver(const Plan& plan, const Places& places, const Draws& draws, const Slowed* slowed = nullptr);

  /// From now on sets work by that plan.
  void use(const Plan& plan);
  [[nodiscard]] const Plan& plan() const { return *plan_; }

  /// Durations and ends of all slots of the set. `speeds` are those of all devices of the job; `busy_s`, of all devices
  /// too, gets the compute seconds of this set's (unless it is empty).
  void solve(std::size_t set, std::span<const double> speeds, std::span<double> busy_s = {});
  /// Durations of one rank only.
  void solve_rank(std::size_t set, std::int64_t rank, std::span<const double> speeds, std::span<double> busy_s = {});
  /// What crowded links add to the tasks of a set.
  void slow_down(std::size_t set);
  /// From now on also keeps, for each slot, the sum over the devices of its group of compute times the device's weight.
  void keep_sums(std::span<const double> weights) {
    keeps_sums_ = true;
    weights_ = weights;
    sums_.resize(compute_s_.size());
  }
  /// The set of mean devices without jitter.
  void solve_mean();
  /// Ends of all slots from their durations.
  void solve_pipeline();

  [[nodiscard]] double end_s() const { return end_s_; }
  /// Compute of the rank's slots, each as long as its slowest device takes.
  [[nodiscard]] double slowest_compute_s(std::int64_t rank) const { return rank_s_[static_cast<std::size_t>(rank)]; }
  [[nodiscard]] std::span<const double> compute_s() const { return compute_s_; }
  [[nodiscard]] std::span<const double> ends_s() const { return ends_s_; }
  /// What crowded links add to each slot, and to the messages that it waits for.
  [[nodiscard]] std::span<const double> network_s() const { return network_s_; }
  [[nodiscard]] std::span<const std::array<double, 2>> network_delay_s() const { return network_delay_s_; }
  /// The sum over the slots of a rank.
  [[nodiscard]] double rank_network_s(std::int64_t rank) const;
  /// Weighted compute of all devices of the group of a slot (`keep_sums`).
  [[nodiscard]] std::span<const double> sums() const { return sums_; }

  /// Compute seconds of each slot of one device, in the order of its rank.
  [[nodiscard]] std::vector<double> device_compute_s(std::size_t device, std::int64_t rank, double speed) const;

 private:
  /// Takes the tasks of one device into those of its group; returns their sum.
  template <class Take>
  void draw_device(std::size_t device, std::int64_t rank, double speed, const Take& take) const;
  double add_device(std::size_t device, std::int64_t rank, double speed);

  const Plan* plan_ = nullptr;
  const Places* places_;
  Draws draws_;
  const Slowed* slowed_;
  std::vector<double> network_s_;
  std::vector<std::array<double, 2>> network_delay_s_;
  bool crowded_ = false;
  std::vector<double> mean_s_;  // compute of each slot on a device of mean speed
  std::vector<double> compute_s_;
  std::span<const double> weights_;  // of all devices
  std::vector<double> sums_;
  std::vector<double> ends_s_;
  std::vector<double> rank_s_;
  double end_s_ = 0;
  bool keeps_sums_ = false;
};

}  // namespace ampacity::simulation
