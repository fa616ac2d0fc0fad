#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "ampacity/load.hpp"
#include "load/check.hpp"
#include "load/filters.hpp"
#include "load/source.hpp"

namespace ampacity {
namespace {

enum Column : std::size_t {
  start,
  accelerators,
  hosts,
  network,
  it,
  plant,
  facility,
  storage,
  storage_loss,
  grid,
  grid_lowest,
  grid_highest,
  stored,
  throughput,
  columns
};
constexpr std::array<ColumnInfo, columns> infos{{
    {"start_s", "start of the row (s)"},
    {"accelerators_w", "all accelerators of the jobs (W)"},
    {"hosts_w", "their hosts, fans and power supplies (W)"},
    {"network_w", "their share of switches, optics and storage systems (W)"},
    {"it_w", "all IT equipment: the three before (W)"},
    {"plant_w", "cooling and conversion of the site (W)"},
    {"facility_w", "IT equipment and plant (W)"},
    {"storage_w", "into batteries and capacitors; negative: out of them (W)"},
    {"storage_loss_w", "lost in batteries and capacitors (W)"},
    {"grid_w", "at the meter: facility, storage and its losses (W)"},
    {"grid_lowest_w", "least at the meter within the row, of samples of the resolution inside (W)"},
    {"grid_highest_w", "most at the meter within the row (W)"},
    {"stored_j", "charge of batteries and capacitors at the end of the row (J)"},
    {"throughput_fraction",
     "training in the row over that of undisturbed jobs; what a failure takes back counts "
     "negative in its row"},
}};

}  // namespace

struct SiteLoad::State {
  SiteLoadOptions options;
  std::vector<load::JobSource> sources;
  std::vector<double> supply_loss;  // of each job
  std::vector<load::StorageFilter> storages;
  std::vector<load::RampLimit> ramps;  // of each job and floor
  std::vector<double> shares;          // of each job, by accelerators
  std::vector<double> stalled_w;       // of each job
  load::Lag plant_lag{0, 1};
  double hosts_w = 0;
  double network_w = 0;
  double plant_per_it = 0;
  std::int64_t samples = 1;  // in a row
  std::int64_t rows = 0;

  State(std::vector<LoadJob>&& jobs, std::vector<Mitigation>&& mitigations, SiteLoadOptions the_options);
  void fill(std::vector<std::vector<double>>& out, std::size_t row);
  [[nodiscard]] double sample(std::array<double, columns>& sums);
};

SiteLoad::State::State(std::vector<LoadJob>&& jobs, std::vector<Mitigation>&& mitigations, SiteLoadOptions the_options)
    : options(the_options), plant_lag(the_options.plant_s, the_options.resolution_s) {
  load::check(jobs, mitigations, options);
  samples = std::llround(options.output_s / options.resolution_s);
  double devices = 0;
  for (const LoadJob& job : jobs) devices += static_cast<double>(job.shape.accelerators);

  load::DeviceRules rules;
  std::vector<Curtailment> curtailments;
  std::vector<Storage> units;
  std::vector<PowerFloor> floors;
  for (const Mitigation& mitigation : mitigations) {
    if (const auto* floor = std::get_if<PowerFloor>(&mitigation)) {
      rules.floor_fraction = std::max(rules.floor_fraction, floor->floor_fraction);
      if (floor->ramp_up_w_per_s > 0 || floor->ramp_down_w_per_s > 0) floors.push_back(*floor);
    } else if (const auto* filler = std::get_if<Filler>(&mitigation)) {
      rules.filler_fraction = std::max(rules.filler_fraction, filler->level_fraction);
      rules.speed_fraction *= 1 - filler->overhead_fraction;
    } else if (const auto* unit = std::get_if<Storage>(&mitigation)) {
      units.push_back(*unit);
    } else if (const auto* hours = std::get_if<Curtailment>(&mitigation)) {
      curtailments.push_back(*hours);
    }
  }
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const LoadShape& shape = jobs[i].shape;
    const auto used = static_cast<double>(shape.accelerators);
    sources.emplace_back(jobs[i], curtailments, rules, options.seed, i);
    supply_loss.push_back(shape.chain.supply_loss);
    shares.push_back(used / devices);
    stalled_w.push_back(used * shape.phase_w[static_cast<std::size_t>(LoadPhase::stall)]);
    hosts_w += shape.chain.hosts_w;
    network_w += shape.chain.network_w;
    plant_per_it += shape.chain.plant_per_it * used / devices;
    for (const PowerFloor& floor : floors) {
      ramps.emplace_back(used * floor.ramp_up_w_per_s, used * floor.ramp_down_w_per_s, options.resolution_s);
    }
  }
  std::stable_sort(units.begin(), units.end(), [](const Storage& a, const Storage& b) { return a.level < b.level; });
  for (const Storage& unit : units) {
    storages.emplace_back(unit, load::size_of(unit, devices), options.resolution_s);
  }
}

/// One sample: adds to the sums of its row and returns watts at the meter.
double SiteLoad::State::sample(std::array<double, columns>& sums) {
  const double per_s = 1 / options.resolution_s;
  const std::size_t floors = ramps.size() / sources.size();
  double devices_w = 0;
  double supplies_w = hosts_w;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const load::JobSource::Progress progress = sources[i].advance(options.resolution_s);
    const double wanted_w = progress.joules * per_s;
    double job_w = wanted_w;
    for (std::size_t ramp = i * floors; ramp < (i + 1) * floors; ++ramp) job_w = ramps[ramp].next(job_w);
    double speed = progress.training_s * per_s;
    // Below what it wants a device computes that much less; above it the rest is heat.
    if (job_w < wanted_w) speed *= std::max(job_w - stalled_w[i], 0.0) / std::max(wanted_w - stalled_w[i], 1e-9);
    devices_w += job_w;
    supplies_w += supply_loss[i] * job_w;
    sums[throughput] += speed * shares[i];
  }
  const double it_w = devices_w + supplies_w + network_w;
  const double plant_w = plant_per_it * plant_lag.next(it_w);
  double grid_w = it_w + plant_w;
  sums[accelerators] += devices_w;
  sums[hosts] += supplies_w;
  sums[plant] += plant_w;
  for (load::StorageFilter& unit : storages) {
    grid_w = unit.next(grid_w);
    sums[storage] += unit.change_w();
    sums[storage_loss] += unit.lost_w();
  }
  sums[grid] += grid_w;
  return grid_w;
}

void SiteLoad::State::fill(std::vector<std::vector<double>>& out, std::size_t row) {
  std::array<double, columns> sums{};
  double lowest_w = std::numeric_limits<double>::infinity();
  double highest_w = -lowest_w;
  for (std::int64_t i = 0; i < samples; ++i) {
    const double now_w = sample(sums);
    lowest_w = std::min(lowest_w, now_w);
    highest_w = std::max(highest_w, now_w);
  }
  for (double& sum : sums) sum /= static_cast<double>(samples);
  sums[start] = static_cast<double>(rows++) * options.output_s;
  sums[network] = network_w;
  sums[it] = sums[accelerators] + sums[hosts] + sums[network];
  sums[facility] = sums[it] + sums[plant];
  sums[grid_lowest] = lowest_w;
  sums[grid_highest] = highest_w;
  for (const load::StorageFilter& unit : storages) sums[stored] += unit.stored_j();
  for (std::size_t column = 0; column < columns; ++column) out[column][row] = sums[column];
}

SiteLoad::SiteLoad(std::vector<LoadJob> jobs, std::vector<Mitigation> mitigations, SiteLoadOptions options)
    : state_(std::make_unique<State>(std::move(jobs), std::move(mitigations), options)) {}
SiteLoad::~SiteLoad() = default;
SiteLoad::SiteLoad(SiteLoad&&) noexcept = default;
SiteLoad& SiteLoad::operator=(SiteLoad&&) noexcept = default;

std::span<const ColumnInfo> SiteLoad::info() {
  return infos;
}

std::vector<std::vector<double>> SiteLoad::next(std::size_t rows) {
  std::vector<std::vector<double>> out(columns, std::vector<double>(rows));
  for (std::size_t row = 0; row < rows; ++row) state_->fill(out, row);
  return out;
}

std::int64_t SiteLoad::failures() const {
  std::int64_t sum = 0;
  for (const load::JobSource& source : state_->sources) sum += source.failures();
  return sum;
}

std::size_t SiteLoad::bytes() const {
  std::size_t sum = sizeof(State);
  for (const load::JobSource& source : state_->sources) sum += source.bytes();
  return sum + state_->storages.size() * sizeof(load::StorageFilter);
}

namespace load {

StorageSize size_of(const Storage& storage, double accelerators) {
  StorageSize size;
  size.energy_j = storage.energy_j + accelerators * storage.energy_j_per_accelerator;
  size.power_w = storage.power_w + accelerators * storage.power_w_per_accelerator;
  size.smoothing_s = storage.smoothing_s > 0 ? storage.smoothing_s : size.energy_j / size.power_w;
  return size;
}

}  // namespace load
}  // namespace ampacity
