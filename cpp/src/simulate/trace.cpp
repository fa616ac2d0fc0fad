// The power of the job over the step.
#include <algorithm>
#include <numeric>
#include <thread>
#include <vector>

#include "simulate/run.hpp"

namespace ampacity::simulation {
namespace {

constexpr std::size_t most_blocks = 16;
constexpr std::size_t questions_of_block = 16;
constexpr std::size_t most_bins = std::size_t{1} << 23U;  // of all blocks: 64 MiB

}  // namespace

/// Above stalled devices, until the pipelines are done. Blocks of sets have bins of their own, as many whatever the
/// number of threads, so that sums are always taken in the same order. `busier_w` is what each device draws more while
/// kernels run.
WattBins Run::pipelines_w(double resolution_s, std::span<const double> busier_w) const {
  WattBins bins(step_time_s, resolution_s);
  const std::size_t sets = places.sets();
  const std::size_t blocks = std::min(sets, std::clamp<std::size_t>(most_bins / bins.count(), 1, most_blocks));
  std::vector<WattBins> block_bins(blocks - 1, bins);
  // A block may take long: the calling thread also asks within it.
  const std::thread::id caller = std::this_thread::get_id();
  const std::size_t portion = 1 + sets / (blocks * questions_of_block);
  share(blocks, 1, [&, solver = this->solver()](std::size_t from, std::size_t to) mutable {
    solver.keep_sums(busier_w);
    for (std::size_t block = from; block < to; ++block) {
      for (std::size_t set = sets * block / blocks; set < sets * (block + 1) / blocks; ++set) {
        const bool asks = set % portion == 0 && options.proceed && std::this_thread::get_id() == caller;
        if (asks && !options.proceed()) throw Cancelled("the trace of the power was stopped");
        const CrewRun& crew = crew_of(set);
        solver.use(crew.plan);
        solver.solve(set, column(Key::speed));
        add_set(solver, crew.plan, communicating_w(crew, set), block == 0 ? bins : block_bins[block - 1]);
      }
    }
  });
  for (const WattBins& block : block_bins) bins += block;
  return bins;
}

/// What the devices of each rank of a set together draw more while they communicate than stalled.
std::vector<double> Run::communicating_w(const CrewRun& crew, std::size_t set) const {
  std::vector<double> ranks_w;
  for (std::int64_t rank = 0; rank < places.stages; ++rank) {
    const Watts& w = crew.watts[static_cast<std::size_t>(rank)];
    const std::span<const double> group = column(Key::power).subspan(places.first_device(set, rank), places.group());
    ranks_w.push_back((w.communicating_w - w.stalled_w) * std::accumulate(group.begin(), group.end(), 0.0));
  }
  return ranks_w;
}

/// What crowded links add to the reductions of a stage of a crew.
void Run::add_slow_ends(WattBins& bins, std::size_t crew, std::size_t rank, double start_s) const {
  if (slowed.longest_end_s() <= 0) return;
  const Watts& w = crews[crew].watts[rank];
  const std::size_t first = places.first_device(crews[crew].first_set, static_cast<std::int64_t>(rank));
  const std::size_t end = first + static_cast<std::size_t>(devices_of_stage(crew));
  for (std::size_t d = first; d < end; ++d) {
    const double longer_s = slowed.end_s(d);
    if (longer_s > 0) bins.add(start_s, longer_s, column(Key::power)[d] * (w.communicating_w - w.stalled_w));
  }
}

PowerTrace Run::trace(double resolution_s) const {
  std::vector<double> stalled_w(places.devices());
  std::vector<double> busier_w(places.devices());
  for (std::size_t d = 0; d < places.devices(); ++d) {
    stalled_w[d] = device_watts(d).stalled_w;
    busier_w[d] = column(Key::busy_w)[d] - stalled_w[d];
  }
  WattBins bins = pipelines_w(resolution_s, busier_w);
  bins.add(0, step_time_s, std::accumulate(stalled_w.begin(), stalled_w.end(), 0.0));
  const double last_s = latest_s();
  double supplies = 0;
  for (std::size_t c = 0; c < crews.size(); ++c) {
    const double devices = devices_of_stage(c);
    const auto count = static_cast<std::size_t>(devices);
    for (std::size_t rank = 0; rank < crews[c].plan.ranks.size(); ++rank) {
      const RankSums& sums = crews[c].plan.ranks[rank];
      const Watts& w = crews[c].watts[rank];
      const std::size_t first = places.first_device(crews[c].first_set, static_cast<std::int64_t>(rank));
      const std::span<const double> power_fraction = column(Key::power).subspan(first, count);
      // So many mean devices draw as much.
      const double as_many = std::accumulate(power_fraction.begin(), power_fraction.end(), 0.0);
      // Behind the slowest pipeline: reductions, optimizer, host.
      const step::StepEnd& end = crews[c].plan.end_of(sums);
      const double start_s = last_s + (longest_tail_s - crews[c].plan.tail_s(sums));
      const double exposed_s = end.replicas.exposed_s + end.norm_s;
      bins.add(start_s, exposed_s, as_many * (w.communicating_w - w.stalled_w));
      add_slow_ends(bins, c, rank, start_s + exposed_s);
      const double optimizer_s = start_s + exposed_s + slowed.longest_end_s();
      bins.add(optimizer_s, end.optimizer.seconds, as_many * (w.optimizer_w - w.stalled_w));
      supplies += devices * cluster.partitions[crews[c].kind_of(sums)].node.psu_efficiency_fraction;
    }
  }
  supplies /= static_cast<double>(places.devices());

  PowerTrace trace;
  trace.resolution_s = resolution_s;
  trace.accelerators_w = bins.mean_w();
  const std::size_t count = trace.accelerators_w.size();
  trace.seconds.assign(count, resolution_s);
  trace.seconds.back() = step_time_s - static_cast<double>(count - 1) * resolution_s;
  for (const double watts_now : trace.accelerators_w) {
    trace.it_w.push_back(power.it_mean_w + (watts_now - joules / step_time_s) / supplies);
    trace.facility_w.push_back(trace.it_w.back() + power.facility_mean_w - power.it_mean_w);
  }
  return trace;
}

}  // namespace ampacity::simulation
