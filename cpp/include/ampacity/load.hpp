// Load over time: what a step of a job draws from phase to phase, and what jobs draw over hours to years.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "ampacity/batch.hpp"
#include "ampacity/cluster.hpp"
#include "ampacity/field.hpp"
#include "ampacity/layout.hpp"
#include "ampacity/mitigation.hpp"
#include "ampacity/simulate.hpp"
#include "ampacity/training.hpp"

namespace ampacity {

/// What accelerators do in a step.
enum class LoadPhase { forward, backward, communication, bubble, optimizer, stall };
template <>
struct EnumNames<LoadPhase> {
  static constexpr std::array<std::string_view, 6> names{"forward", "backward",  "communication",
                                                         "bubble",  "optimizer", "stall"};
};
inline constexpr std::size_t load_phases = EnumNames<LoadPhase>::names.size();

/// From the watts of accelerators to those of all IT equipment and the plant, as they follow one another from second to
/// second: supplies lose a share of what passes, hosts, fans and network keep what they draw.
struct LoadChain {
  double supply_loss = 0;   ///< of power supplies, per watt of accelerators
  double hosts_w = 0;       ///< hosts, fans and their supplies
  double network_w = 0;     ///< switches, optics, storage
  double plant_per_it = 0;  ///< power usage effectiveness less 1
};

/// One step of a job, in equal bins of time; the last one ends with the step and is shorter.
struct LoadShape {
  double resolution_s = 0;
  double step_time_s = 0;
  std::int64_t accelerators = 0;
  std::vector<double> accelerators_w;                  ///< all of them
  std::array<std::vector<double>, load_phases> share;  ///< of the accelerators, by phase; empty where not known
  std::array<double, load_phases> phase_w{};           ///< one accelerator
  double limit_w = 0;                                  ///< power limit of one accelerator
  double idle_w = 0;                                   ///< of one accelerator without a job
  LoadChain chain;

  [[nodiscard]] double joules() const;  ///< of the accelerators over the step
  [[nodiscard]] double mean_w() const { return joules() / step_time_s; }
};

/// The shape of a simulated step: watts are those of its power trace; phases are those of its first replica.
/// \throws InvalidSpec for a resolution as in `Simulation::power_trace`
[[nodiscard]] LoadShape load_shape(const Simulation& simulation, double resolution_s = 1e-3);

/// The shape of the closed form: the schedule's recurrences with devices that are all alike.
/// \throws InvalidSpec naming every conflict of job, cluster and layout
[[nodiscard]] LoadShape load_shape(const Training& job, const Cluster& cluster, const Layout& layout,
                                   double resolution_s = 1e-3);

/// Watts of one accelerator of each pipeline rank over a simulated step, rank by rank.
[[nodiscard]] std::vector<std::vector<double>> stage_watts(const Simulation& simulation, double resolution_s = 1e-2);

/// What comes between the steps of a job.
struct LoadEvents {
  double checkpoint_interval_s = 0;
  double checkpoint_s = 0;
  double evaluation_interval_s = 0;
  double evaluation_s = 0;
  double mtbf_s = 0;
  double detection_s = 0;
  double restart_s = 0;
  double step_spread_fraction = 0.01;

  static constexpr std::string_view kind = "events";
  template <class S = LoadEvents>
  static constexpr auto fields() {
    constexpr Range seconds{0, 1e9};
    return std::tuple{
        optional("checkpoint_interval_s", &S::checkpoint_interval_s, seconds, "training between checkpoints; 0 = none"),
        optional("checkpoint_s", &S::checkpoint_s, seconds, "that training stands still for a checkpoint"),
        optional("evaluation_interval_s", &S::evaluation_interval_s, seconds, "training between evaluations; 0 = none"),
        optional("evaluation_s", &S::evaluation_s, seconds, "length of an evaluation: forward passes only"),
        optional("mtbf_s", &S::mtbf_s, seconds, "mean time between failures of the running job; 0 = it never fails"),
        optional("detection_s", &S::detection_s, seconds, "stall from a failure to the restart"),
        optional("restart_s", &S::restart_s, seconds, "accelerators idle until the next step"),
        optional("step_spread_fraction", &S::step_spread_fraction, Range{0, 0.25},
                 "standard deviation of the time of a step over its mean (default: 0.01, what runs of published "
                 "benchmarks show)")};
  }
  friend bool operator==(const LoadEvents&, const LoadEvents&) = default;
};

/// Checkpoints and failures as the closed form of the run has them (`Estimate::run`, `Reliability`). No evaluation.
[[nodiscard]] LoadEvents load_events(const Estimate& estimate, const Cluster& cluster);

/// A job of a site.
struct LoadJob {
  LoadShape shape;
  LoadEvents events;
  double offset_s = 0;               ///< into its step at the start
  std::vector<LoadShape> curtailed;  ///< its step in each `Curtailment`, in their order
};

struct SiteLoadOptions {
  std::uint64_t seed = 0;
  double resolution_s = 1e-2;  ///< of everything inside
  double output_s = 1;         ///< of rows
  /// With which cooling follows the heat: loops and halls take minutes. An assumption.
  double plant_s = 300;
};

/// Jobs side by side behind one connection to the grid. Rows come in time order, as many as asked for; what is kept is
/// one step of each job and the state of each filter, however long it runs.
class SiteLoad {
 public:
  /// \throws InvalidSpec naming all that is wrong with jobs, mitigations and options
  SiteLoad(std::vector<LoadJob> jobs, std::vector<Mitigation> mitigations, SiteLoadOptions options = {});
  ~SiteLoad();
  SiteLoad(SiteLoad&&) noexcept;
  SiteLoad& operator=(SiteLoad&&) noexcept;
  SiteLoad(const SiteLoad&) = delete;
  SiteLoad& operator=(const SiteLoad&) = delete;

  /// Columns in their order; `doc` has meaning and unit.
  [[nodiscard]] static std::span<const ColumnInfo> info();
  /// The next rows: one vector for each column.
  [[nodiscard]] std::vector<std::vector<double>> next(std::size_t rows);
  /// Jobs' failures so far.
  [[nodiscard]] std::int64_t failures() const;
  /// Memory that it holds, whatever time has passed.
  [[nodiscard]] std::size_t bytes() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Rows of comma-separated values, nine significant digits, one line each.
[[nodiscard]] std::string csv_rows(std::span<const std::span<const double>> columns);

}  // namespace ampacity
