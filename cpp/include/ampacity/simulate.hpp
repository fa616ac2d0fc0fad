// `simulate`: every accelerator of a training step an individual, with its own speed and its own jitter.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ampacity/batch.hpp"
#include "ampacity/cluster.hpp"
#include "ampacity/estimate.hpp"
#include "ampacity/layout.hpp"
#include "ampacity/network.hpp"
#include "ampacity/pipeline.hpp"
#include "ampacity/simulation_views.hpp"
#include "ampacity/training.hpp"

namespace ampacity {

/// How devices differ from one another and from task to task.
struct Variability {
  /// Standard deviation of sustained speed among equal devices; negative: the accelerator's (`speed_spread_fraction`).
  /// What power and temperature do not cause of it is drawn by itself, so that nothing counts twice.
  double device_spread_fraction = -1;
  /// Standard deviation of one task's compute (a pass of one micro-batch through one stage) on one device, over its
  /// mean. An assumption: no distribution measured at scale is published.
  double task_jitter_fraction = 0.005;
  double fail_slow_fraction = 0;  ///< share of devices that run at `fail_slow_speed_fraction` of their speed
  /// SC22 (Sinha et al., "Not all GPUs are created equal") saw outliers that took 1.5 times as long.
  double fail_slow_speed_fraction = 1 / 1.5;
  /// Standard deviation of power at the same clock among equal devices; negative: the accelerator's
  /// (`power_spread_fraction`), or none where `device_spread_fraction` is given.
  double power_spread_fraction = -1;
  /// Standard deviation of inlet temperature between racks (degrees Celsius); negative: the site's, with the gradient
  /// inside of nodes, or none where `device_spread_fraction` is given. 0: no gradient at all.
  double inlet_spread_c = -1;

  [[nodiscard]] static Variability typical() { return {}; }
  [[nodiscard]] static Variability none() { return {0, 0, 0, 1}; }
};

/// State of the network while a step runs. Failed cables are gone around where routing can.
struct NetworkHealth {
  double failed_fraction = 0;  ///< share of the cables of `tier` that have failed in both directions, drawn by the seed
  std::int64_t tier = -1;      ///< place in `Network::tiers()`; negative: the highest
  std::vector<std::int64_t> links;    ///< links (one direction of a cable) that run at `link_fraction` of their rate
  std::vector<double> link_fraction;  ///< 0: failed
  std::vector<std::int64_t> nics;     ///< accelerators whose network cards run at `nic_fraction` of their rate
  std::vector<double> nic_fraction;

  [[nodiscard]] bool whole() const { return failed_fraction == 0 && links.empty() && nics.empty(); }
};

/// How to run a simulation.
struct SimulateOptions {
  std::uint64_t seed = 0;
  Variability variability;
  NetworkHealth network;
  /// Columns of the devices in rank order; empty: drawn, or the same for all.
  std::vector<double> speed_fraction;  ///< speed over the mean under the common limit, whatever causes it: power and
                                       ///< inlets are not drawn then
  std::vector<double> power_fraction;  ///< power at a clock over that of the mean device
  std::vector<double> inlet_c;         ///< temperature of the air or liquid that reaches the device (degrees Celsius)
  std::vector<double> temperature_c;   ///< of the die, measured at work: the inlet follows (where it is not given)
  std::vector<double> cap_w;           ///< power limit; one value stands for all devices
  /// Mean devices, whatever was drawn or given: as warm as the hall, at the common limit.
  std::vector<std::int64_t> exclude;
  /// How many steps, one after the other: dies warm up or cool down, jitter is new in each. All but `Simulation::steps`
  /// describes the last one.
  std::int64_t steps = 1;
  bool warm_up = false;     ///< start with idle dies, not with the temperatures of endless such steps
  std::size_t threads = 1;  ///< 0: as many as the machine has; results do not depend on it
  /// Called now and then by the calling thread; false stops the simulation (`Cancelled` is thrown).
  std::function<bool()> proceed;
  /// Called by the calling thread before each such question: which share of the step is solved, rising to 1.
  std::function<void(double done_fraction)> progress;
};

/// The device that holds up the step most: of those on the critical path of the slowest replica the one whose lead over
/// a device of mean speed is longest.
struct CriticalDevice {
  std::int64_t device = 0;
  std::int64_t replica = 0;  ///< data-parallel rank
  std::int64_t stage = 0;    ///< pipeline rank
  double speed_fraction = 1;
  double on_path_s = 0;            ///< compute on the critical path in which the others of its group wait for it
  double step_time_without_s = 0;  ///< step time if it ran at the mean speed, all other draws the same
  /// The link that holds up the step most: of those that limit communication on the critical path the one that adds
  /// most to it beyond what it takes with the network to itself; -1: none.
  std::int64_t link = -1;
  double link_wait_s = 0;  ///< what it adds
};

/// What the links of the network carried in a step, by their numbers in `Simulation::network()`. Switches are numbered
/// behind the endpoints, which are the accelerators of the cluster.
struct LinkColumns {
  std::vector<std::int64_t> tier;  ///< place in `Network::tiers()`
  std::vector<std::int64_t> from;
  std::vector<std::int64_t> to;
  std::vector<double> bytes;
  std::vector<double> utilisation_fraction;  ///< of its rate over the step
  std::vector<double> bytes_per_s;           ///< its rate, failures included
};

/// Steps one after the other, in columns.
struct StepColumns {
  std::vector<double> step_time_s;
  std::vector<double> joules;                 ///< of all accelerators
  std::vector<double> mean_temperature_c;     ///< of the dies, during the step
  std::vector<double> hottest_temperature_c;  ///< of the hottest die
};

/// Watts over a step, means of equal bins of time; the last bin ends with the step and is shorter.
struct PowerTrace {
  double resolution_s = 0;
  std::vector<double> seconds;         ///< length of each bin
  std::vector<double> accelerators_w;  ///< all accelerators
  std::vector<double> it_w;            ///< with hosts, network and storage
  std::vector<double> facility_w;      ///< at the meter
};

/// One step, device by device. Ranks are in the order tensor (fastest), context, data, pipeline parallelism. Immutable.
class Simulation {
 public:
  /// \throws InvalidSpec naming every conflict of job, cluster, layout and options
  Simulation(Training job, Cluster cluster, const Layout& layout, SimulateOptions options);
  ~Simulation();
  Simulation(Simulation&&) noexcept;
  Simulation& operator=(Simulation&&) noexcept;
  Simulation(const Simulation&) = delete;
  Simulation& operator=(const Simulation&) = delete;

  [[nodiscard]] const Training& job() const;
  [[nodiscard]] const Cluster& cluster() const;
  [[nodiscard]] const Layout& layout() const;
  [[nodiscard]] const SimulateOptions& options() const;

  [[nodiscard]] double step_time_s() const;
  [[nodiscard]] double tokens_per_s() const;
  /// Of all accelerators over the step.
  [[nodiscard]] double joules() const;
  /// Accelerators, hosts, network and plant at the mean watts of the accelerators; peak and nameplate as `estimate`'s.
  [[nodiscard]] const Power& power() const;
  /// The closed form of the same question.
  [[nodiscard]] const Estimate& estimate() const;
  [[nodiscard]] const CriticalDevice& critical() const;
  /// Memory of the devices of each pipeline stage, at its fullest moment in the order of its tasks.
  [[nodiscard]] const std::vector<StageMemory>& memory_stages() const;
  /// What the simulation does not model or assumes, and the estimate's warnings.
  [[nodiscard]] const std::vector<std::string>& warnings() const;

  /// All steps; one row unless more were asked for.
  [[nodiscard]] const StepColumns& steps() const;

  [[nodiscard]] std::size_t devices() const;
  /// Columns of the devices in their order; `doc` has meaning and unit.
  [[nodiscard]] static std::span<const ColumnInfo> info();
  /// \throws UnknownName
  [[nodiscard]] std::span<const double> column(std::string_view key) const;
  /// When the pipeline of each replica is done, seconds from the start of the step.
  [[nodiscard]] std::span<const double> replica_end_s() const;
  /// The network as it was during the step; none where the links of the fabric are not simulated one by one
  /// (tori between nodes, single nodes).
  [[nodiscard]] const Network* network() const;
  /// What its links carried; made when asked for, empty without a network. Traffic inside scale-up domains is not
  /// counted.
  [[nodiscard]] LinkColumns links() const;

  /// Joules by level; their sum is the integral of the watts at the meter.
  [[nodiscard]] StepEnergy energy() const;
  /// The group of each device, counted from 0.
  [[nodiscard]] std::vector<std::int32_t> group_of(GroupKind kind) const;
  /// Sums, means and extremes of all columns by group.
  [[nodiscard]] GroupColumns by(GroupKind kind) const;
  /// What devices did one after the other; the slices of an activity add up to its column.
  /// \throws InvalidSpec
  [[nodiscard]] std::vector<DeviceSlices> slices(std::span<const std::int64_t> devices) const;

  /// Power of the job over the step. Accelerators change what they draw from task to task; fans, network and cooling do
  /// not follow within a step. The integral of `accelerators_w` is `joules`. Takes as long as the simulation.
  /// \throws InvalidSpec for a resolution outside of 1 microsecond to 1e9 seconds, or of more than 1e8 bins
  [[nodiscard]] PowerTrace power_trace(double resolution_s = 1e-3) const;

  /// Start and end of every task of one replica (computed again, bit for bit).
  /// \throws InvalidSpec
  [[nodiscard]] PipelineTimeline timeline(std::int64_t replica) const;
  /// Compute seconds of each task of one device in the order in which its rank works them off; two passes that run into
  /// one another (DualPipe) are one task.
  /// \throws InvalidSpec
  [[nodiscard]] std::vector<double> task_compute_s(std::int64_t device) const;
  /// Seconds of each of the same tasks of one replica that do not depend on the device: communication, host, imbalance.
  /// \throws InvalidSpec
  [[nodiscard]] std::vector<double> task_fixed_s(std::int64_t stage, std::int64_t replica = 0) const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

/// Simulates one training step with every accelerator an individual.
/// \throws InvalidSpec naming every conflict of job, cluster, layout and options
[[nodiscard]] Simulation simulate(Training job, Cluster cluster, const Layout& layout, SimulateOptions options = {});

}  // namespace ampacity
