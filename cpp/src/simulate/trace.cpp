// The power of the job over the step.
#include <algorithm>
#include <thread>

#include "simulate/run.hpp"

namespace ampacity::simulation {
namespace {

constexpr std::size_t most_blocks = 16;
constexpr std::size_t questions_of_block = 16;
constexpr std::size_t most_bins = std::size_t{1} << 23U;  // of all blocks: 64 MiB

}  // namespace

/// Above `stalled_w`, until the pipelines are done. Blocks of sets have bins of their own, as many whatever the number
/// of threads, so that sums are always taken in the same order.
WattBins Run::pipelines_w(double resolution_s) const {
  WattBins bins(step_time_s, resolution_s);
  const std::size_t sets = places.sets();
  const std::size_t blocks = std::min(sets, std::clamp<std::size_t>(most_bins / bins.count(), 1, most_blocks));
  std::vector<WattBins> block_bins(blocks - 1, bins);
  // A block may take long: the calling thread also asks within it.
  const std::thread::id caller = std::this_thread::get_id();
  const std::size_t portion = 1 + sets / (blocks * questions_of_block);
  share(blocks, 1, [&, solver = this->solver()](std::size_t from, std::size_t to) mutable {
    solver.keep_sums();
    for (std::size_t block = from; block < to; ++block) {
      for (std::size_t set = sets * block / blocks; set < sets * (block + 1) / blocks; ++set) {
        const bool asks = set % portion == 0 && options.proceed && std::this_thread::get_id() == caller;
        if (asks && !options.proceed()) throw Cancelled("the trace of the power was stopped");
        const CrewRun& crew = crew_of(set);
        solver.use(crew.plan);
        solver.solve(set, column(Key::speed));
        add_set(solver, crew.plan, places, crew.watts, block == 0 ? bins : block_bins[block - 1]);
      }
    }
  });
  for (const WattBins& block : block_bins) bins += block;
  return bins;
}

/// What crowded links add to the reductions of a stage of a crew.
void Run::add_slow_ends(WattBins& bins, std::size_t crew, std::size_t rank, double start_s) const {
  if (slowed.longest_end_s() <= 0) return;
  const Watts& w = crews[crew].watts[rank];
  const std::size_t first = places.first_device(crews[crew].first_set, static_cast<std::int64_t>(rank));
  const std::size_t end = first + static_cast<std::size_t>(devices_of_stage(crew));
  for (std::size_t d = first; d < end; ++d) {
    const double longer_s = slowed.end_s(d);
    if (longer_s > 0) bins.add(start_s, longer_s, w.communicating_w - w.stalled_w);
  }
}

PowerTrace Run::trace(double resolution_s) const {
  WattBins bins = pipelines_w(resolution_s);
  const double last_s = latest_s();
  double supplies = 0;
  for (std::size_t c = 0; c < crews.size(); ++c) {
    const double devices = devices_of_stage(c);
    for (std::size_t rank = 0; rank < crews[c].plan.ranks.size(); ++rank) {
      const RankSums& sums = crews[c].plan.ranks[rank];
      const Watts& w = crews[c].watts[rank];
      bins.add(0, step_time_s, devices * w.stalled_w);
      // Behind the slowest pipeline: reductions, optimizer, host.
      const step::StepEnd& end = crews[c].plan.end_of(sums);
      const double start_s = last_s + (longest_tail_s - crews[c].plan.tail_s(sums));
      const double exposed_s = end.replicas.exposed_s + end.norm_s;
      bins.add(start_s, exposed_s, devices * (w.communicating_w - w.stalled_w));
      add_slow_ends(bins, c, rank, start_s + exposed_s);
      const double optimizer_s = start_s + exposed_s + slowed.longest_end_s();
      bins.add(optimizer_s, end.optimizer.seconds, devices * (w.optimizer_w - w.stalled_w));
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
