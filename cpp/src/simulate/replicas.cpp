#include "simulate/replicas.hpp"

#include <algorithm>
#include <numeric>

#include "simulate/slowed.hpp"
#include "workload/stages.hpp"

namespace ampacity::simulation {

Places places_of(const Layout& layout) {
  return {layout.tp * layout.cp, layout.dp, layout.pp, workload::replicas_together(layout), {}};
}

void Places::fill_kinds(std::span<const step::Crew> crews, const Cluster& cluster) {
  std::int64_t first = 0;
  for (std::size_t i = 0; i < crews.size(); ++i) {
    if (i == 0 || crews[i].kind != crews[i - 1].kind) {
      const std::int64_t domain = std::max<std::int64_t>(1, cluster.partitions[crews[i].kind].node.scaleup_domain);
      kinds.push_back({first, std::lcm(peers, domain) / peers});
    }
    first += crews[i].replicas;
  }
}

/// Kind by kind, block by block, stage by stage, replica by replica. The last block of a kind may be smaller.
std::size_t Places::stands_on_kind(std::size_t device) const {
  const auto d = static_cast<std::int64_t>(device);
  const std::int64_t stage = d / peers / replicas;
  const std::int64_t replica = d / peers % replicas;
  std::size_t kind = 0;
  while (kind + 1 < kinds.size() && replica >= kinds[kind + 1].first) ++kind;
  const auto [first, block] = kinds[kind];
  const std::int64_t end = kind + 1 < kinds.size() ? kinds[kind + 1].first : replicas;
  const std::int64_t before = first + (replica - first) / block * block;
  const std::int64_t width = std::min(block, end - before);
  return static_cast<std::size_t>((before * stages + stage * width + replica - before) * peers + d % peers);
}

SetSolver::SetSolver(const Plan& plan, const Places& places, const Draws& draws, const Slowed* slowed)
    : places_(&places), draws_(draws), slowed_(slowed) {
  use(plan);
}

void SetSolver::use(const Plan& plan) {
  if (plan_ == &plan) return;
  plan_ = &plan;
  network_s_.assign(plan.slots.size(), 0);
  network_delay_s_.assign(plan.slots.size(), {});
  crowded_ = false;
  mean_s_.clear();
  for (const Slot& slot : plan.slots) mean_s_.push_back(slot.compute_s);
  compute_s_.assign(plan.slots.size(), 0);
  ends_s_.assign(plan.slots.size(), 0);
  rank_s_.assign(plan.ranks.size(), 0);
  if (keeps_sums_) sums_.assign(plan.slots.size(), 0);
}

void SetSolver::solve(std::size_t set, std::span<const double> speeds, std::span<double> busy_s) {
  slow_down(set);
  for (std::int64_t rank = 0; rank < places_->stages; ++rank) solve_rank(set, rank, speeds, busy_s);
  solve_pipeline();
}

void SetSolver::slow_down(std::size_t set) {
  const bool crowded = slowed_ != nullptr && slowed_->any_in(set);
  if (crowded) {
    slowed_->fill(set, network_s_, network_delay_s_);
  } else if (crowded_) {
    std::fill(network_s_.begin(), network_s_.end(), 0.0);
    std::fill(network_delay_s_.begin(), network_delay_s_.end(), std::array<double, 2>{});
  }
  crowded_ = crowded;
}

double SetSolver::rank_network_s(std::int64_t rank) const {
  const auto index = static_cast<std::size_t>(rank);
  return std::accumulate(network_s_.begin() + plan_->begin[index], network_s_.begin() + plan_->begin[index + 1], 0.0);
}

void SetSolver::solve_rank(std::size_t set, std::int64_t rank, std::span<const double> speeds,
                           std::span<double> busy_s) {
  const auto index = static_cast<std::size_t>(rank);
  const auto begin = compute_s_.begin() + plan_->begin[index];
  const auto end = compute_s_.begin() + plan_->begin[index + 1];
  std::fill(begin, end, 0.0);
  const std::size_t first = places_->first_device(set, rank);
  if (!sums_.empty()) std::fill(sums_.begin() + plan_->begin[index], sums_.begin() + plan_->begin[index + 1], 0.0);
  for (std::size_t d = first; d < first + places_->group(); ++d) {
    const double sum_s = add_device(d, rank, speeds[d]);
    if (!busy_s.empty()) busy_s[d] = sum_s;
  }
  rank_s_[index] = std::accumulate(begin, end, 0.0);
}

void SetSolver::solve_mean() {
  compute_s_ = mean_s_;
  for (std::size_t rank = 0; rank < rank_s_.size(); ++rank) {
    const auto begin = mean_s_.begin() + plan_->begin[rank];
    rank_s_[rank] = std::accumulate(begin, mean_s_.begin() + plan_->begin[rank + 1], 0.0);
  }
  solve_pipeline();
}

/// Calls `take(slot, seconds)` for each task of a device, in order.
template <class Take>
void SetSolver::draw_device(std::size_t device, std::int64_t rank, double speed, const Take& take) const {
  const auto begin = static_cast<std::size_t>(plan_->begin[static_cast<std::size_t>(rank)]);
  const std::size_t tasks = static_cast<std::size_t>(plan_->begin[static_cast<std::size_t>(rank) + 1]) - begin;
  const double* const mean_s = mean_s_.data() + begin;
  const double slowness = 1 / speed;
  if (draws_.jitter_fraction > 0) {
    const double deviation = slowness * draws_.jitter_fraction;
    for_each_deviation(*draws_.table, draws_.seed, device, tasks, [&](std::size_t task, double normal) {
      take(begin + task, mean_s[task] * (slowness + deviation * normal));
    });
  } else {
    for (std::size_t task = 0; task < tasks; ++task) take(begin + task, mean_s[task] * slowness);
  }
}

double SetSolver::add_device(std::size_t device, std::int64_t rank, double speed) {
  double* const slowest = compute_s_.data();
  double* const sums = sums_.data();
  double sum = 0;
  const auto take = [&](std::size_t slot, double seconds) {
    sum += seconds;
    slowest[slot] = std::max(slowest[slot], seconds);
  };
  if (sums_.empty()) {
    draw_device(device, rank, speed, take);
  } else {
    const double weight = weights_[device];
    draw_device(device, rank, speed, [&](std::size_t slot, double seconds) {
      take(slot, seconds);
      sums[slot] += weight * seconds;
    });
  }
  return sum;
}

std::vector<double> SetSolver::device_compute_s(std::size_t device, std::int64_t rank, double speed) const {
  std::vector<double> seconds;
  const auto index = static_cast<std::size_t>(rank);
  seconds.reserve(static_cast<std::size_t>(plan_->begin[index + 1] - plan_->begin[index]));
  draw_device(device, rank, speed, [&](std::size_t, double slot_s) { seconds.push_back(slot_s); });
  return seconds;
}

void SetSolver::solve_pipeline() {
  const Slot* const slots = plan_->slots.data();
  double* const ends = ends_s_.data();
  end_s_ = 0;
  for (const std::int32_t at : plan_->sequence) {
    const Slot& slot = slots[at];
    const double free_s = slot.first_of_rank ? 0 : ends[at - 1];
    const auto index = static_cast<std::size_t>(at);
    const std::array<double, 2>& later_s = network_delay_s_[index];
    const double first_s = ends[slot.needs[0]] + slot.delay_s[0] + later_s[0];
    const double second_s = ends[slot.needs[1]] + slot.delay_s[1] + later_s[1];
    ends[at] = std::max({free_s, first_s, second_s}) + compute_s_[index] + slot.fixed_s + network_s_[index];
    end_s_ = std::max(end_s_, ends[at]);
  }
}

}  // namespace ampacity::simulation
