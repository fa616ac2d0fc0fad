// The power of the job over the step.
#include <algorithm>

#include "simulate/run.hpp"

namespace ampacity::simulation {

PowerTrace Run::trace(double resolution_s) const {
  WattBins bins(step_time_s, resolution_s);
  const auto devices = static_cast<double>(places.devices());
  const Watts& any = watts.front();
  bins.add(0, step_time_s, devices * any.stalled_w);
  SetSolver solver(plan, places, draws);
  solver.keep_sums();
  for (std::size_t set = 0; set < places.sets(); ++set) {
    solver.solve(set, column(Key::speed));
    add_set(solver, plan, places, watts, bins);
  }
  // Behind the slowest pipeline: reductions, optimizer, host.
  const double last_end_s = *std::max_element(replica_end_s.begin(), replica_end_s.end());
  const double network_s = plan.end.replicas.exposed_s + plan.end.norm_s;
  bins.add(last_end_s, network_s, devices * (any.communicating_w - any.stalled_w));
  bins.add(last_end_s + network_s, plan.end.optimizer.seconds, devices * (any.optimizer_w - any.stalled_w));

  PowerTrace trace;
  trace.resolution_s = resolution_s;
  trace.accelerators_w = bins.mean_w();
  const std::size_t count = trace.accelerators_w.size();
  trace.seconds.assign(count, resolution_s);
  trace.seconds.back() = step_time_s - static_cast<double>(count - 1) * resolution_s;
  const double supplies = partition_of(cluster, device).node.psu_efficiency_fraction;
  for (const double watts_now : trace.accelerators_w) {
    trace.it_w.push_back(power.it_mean_w + (watts_now - joules / step_time_s) / supplies);
    trace.facility_w.push_back(trace.it_w.back() + power.facility_mean_w - power.it_mean_w);
  }
  return trace;
}

}  // namespace ampacity::simulation
