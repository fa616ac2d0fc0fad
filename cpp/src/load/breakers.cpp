#include "ampacity/breakers.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "ampacity/error.hpp"
#include "ampacity/load.hpp"
#include "base/text.hpp"
#include "power/distribution.hpp"
#include "power/node_power.hpp"
#include "spec/ranges.hpp"
#include "step/pace.hpp"

namespace ampacity {
namespace {

constexpr double sample_s = 0.1;
constexpr double longest_s = 1e6;

/// One rack of the job's nodes.
struct Rack {
  double accelerators = 0;
  double hosts_w = 0;
  double supply_loss = 0;
  double rating_w = 0;
};

double rack_nameplate_w(const Node& node) {
  const auto accelerators = static_cast<double>(power::rack_accelerators(node));
  return accelerators / static_cast<double>(node.accelerators) * power::node_nameplate_w(node);
}

Rack rack_of(const Simulation& simulation) {
  const Cluster& cluster = simulation.cluster();
  const Accelerator* device = step::pace_of(simulation.job(), cluster, simulation.layout()).device;
  const Node* node = &cluster.partitions.front().node;
  for (const Partition& partition : cluster.partitions) {
    if (&partition.node.accelerator == device) node = &partition.node;
  }
  Rack rack;
  rack.accelerators = static_cast<double>(power::rack_accelerators(*node));
  const double nodes = rack.accelerators / static_cast<double>(node->accelerators);
  const double mean_w = simulation.power().gpu_mean_w;
  rack.supply_loss = 1 / node->psu_efficiency_fraction - 1;
  rack.hosts_w = nodes * power::node_w(*node, mean_w) - rack.accelerators * mean_w * (1 + rack.supply_loss);
  rack.rating_w = rack_nameplate_w(*node);
  return rack;
}

/// Heats as the square of its load and cools, as a thermal trip does.
class Trip {
 public:
  Trip(const BreakerLevel& level, double rating_w)
      : rating_w_(rating_w), gain_(-std::expm1(-sample_s / level.thermal_s)), trip_(level.trip_heat) {}
  void next(double load_w, double now_s) {
    const double ratio = load_w / rating_w_;
    heat_ += gain_ * (ratio * ratio - heat_);
    if (at_s_ < 0 && heat_ >= trip_) at_s_ = now_s;
  }
  [[nodiscard]] double at_s() const { return at_s_; }

 private:
  double rating_w_;
  double gain_;
  double trip_;
  double heat_ = 1;  // at its rating until now
  double at_s_ = -1;
};

/// Largest mean of a second.
class Highest {
 public:
  void next(double load_w, double now_s) {
    sum_ += load_w;
    if (++count_ < samples) return;
    if (sum_ / samples > best_w) {
      best_w = sum_ / samples;
      at_s = now_s;
    }
    count_ = 0;
    sum_ = 0;
  }
  double best_w = 0;
  double at_s = 0;

 private:
  static constexpr int samples = 10;
  int count_ = 0;
  double sum_ = 0;
};

/// The controller of one breaker: a limit on what is behind it, from the means that it reads.
class Controller {
 public:
  Controller(const BreakerControl& control, double rating_w)
      : control_(control), rating_w_(rating_w), samples_(std::max(1.0, std::round(control.period_s / sample_s))) {}

  double limited(double load_w) const { return capped_ ? std::min(load_w, control_.cap_to * rating_w_) : load_w; }
  /// `wanted_w`: without this controller, which a capped breaker has to know to be let go.
  void next(double wanted_w) {
    if (!control_.on) return;
    sum_ += wanted_w;
    if (++count_ < samples_) return;
    const double read_w = sum_ / count_;
    if (read_w > control_.cap_above * rating_w_) {
      capped_ = true;
    } else if (read_w < control_.release_below * rating_w_) {
      capped_ = false;
    }
    count_ = 0;
    sum_ = 0;
  }

 private:
  BreakerControl control_;
  double rating_w_;
  double samples_;
  double count_ = 0;
  double sum_ = 0;
  bool capped_ = false;
};

/// Breakers of one level, fed with what one rack behind them draws.
struct Watched {
  double racks;
  double rating_w;
  Trip trip;
  Trip controlled_trip;
  Highest highest;
  Highest controlled;
  Controller controller;
  double sum_w = 0;
  double over = 0;
  double slowed = 0;
};

std::int64_t racks_behind(const BreakerLevel& level, const Rack& rack) {
  if (level.racks > 0) return level.racks;
  return level.rating_w > 0 ? static_cast<std::int64_t>(level.rating_w / rack.rating_w) : 1;
}

void check(std::span<const BreakerLevel> levels, const Rack& rack, const BreakerControl& control, double duration_s) {
  std::vector<Problem> problems;
  for (std::size_t i = 0; i < levels.size(); ++i) {
    const std::size_t before = problems.size();
    spec::check_ranges(levels[i], problems);
    const std::string path = "breakers[" + std::to_string(i) + "]";
    for (std::size_t p = before; p < problems.size(); ++p) {
      problems[p].path = path + problems[p].path.substr(BreakerLevel::kind.size());
    }
    if (problems.size() == before && racks_behind(levels[i], rack) < 1) {
      problems.push_back({path + ".rating_w", base::number_text(levels[i].rating_w),
                          "must carry at least one rack (" + base::number_text(std::round(rack.rating_w)) + " W)",
                          "give racks to overload it on purpose"});
    }
  }
  const auto between = [&](const char* path, double value, double low, double high) {
    if (value >= low && value <= high) return;
    problems.push_back({path,
                        base::number_text(value),
                        "must be between " + base::number_text(low) + " and " + base::number_text(high),
                        {}});
  };
  between("duration_s", duration_s, 1, longest_s);
  between("control.period_s", control.period_s, sample_s, 3600);
  between("control.cap_to", control.cap_to, 0.1, 1);
  between("control.cap_above", control.cap_above, control.cap_to, 2);
  between("control.release_below", control.release_below, 0, control.cap_above);
  if (!problems.empty()) throw InvalidSpec(std::move(problems));
}

Watched watched(const BreakerLevel& level, const Rack& rack, const BreakerControl& control) {
  const auto racks = static_cast<double>(racks_behind(level, rack));
  const double rating_w = level.rating_w > 0 ? level.rating_w : racks * rack.rating_w;
  return {racks, rating_w, Trip(level, rating_w), Trip(level, rating_w), {}, {}, Controller(control, rating_w)};
}

}  // namespace

std::vector<BreakerLevel> breaker_levels(const Cluster& cluster, double oversubscription_fraction) {
  if (!(oversubscription_fraction >= 0 && std::isfinite(oversubscription_fraction))) {
    throw InvalidSpec(
        {{"oversubscription_fraction", base::number_text(oversubscription_fraction), "must be 0 or more", {}}});
  }
  Plant plant = cluster.site.plant;
  plant.provision_fraction /= 1 + oversubscription_fraction;
  std::vector<BreakerLevel> levels;
  for (const power::Board& board : power::boards(plant, rack_nameplate_w(cluster.partitions.front().node))) {
    BreakerLevel level;
    level.name = board.name;
    level.rating_w = board.rating_w;
    level.racks = board.racks;
    levels.push_back(std::move(level));
  }
  return levels;
}

std::vector<DynamicBreakerLoad> breaker_loads(const Simulation& simulation, std::span<const BreakerLevel> levels,
                                              const BreakerControl& control, double duration_s) {
  const Rack rack = rack_of(simulation);
  check(levels, rack, control, duration_s);
  const std::vector<std::vector<double>> stages = stage_watts(simulation, sample_s);
  const double racks_of_stage =
      static_cast<double>(simulation.devices()) / static_cast<double>(stages.size()) / rack.accelerators;
  const auto samples = static_cast<std::size_t>(duration_s / sample_s);
  std::vector<DynamicBreakerLoad> loads;
  for (std::size_t stage = 0; stage < stages.size(); ++stage) {
    const std::vector<double>& device_w = stages[stage];
    const double waiting_w = *std::min_element(device_w.begin(), device_w.end());
    const double least_w = rack.hosts_w + rack.accelerators * waiting_w * (1 + rack.supply_loss);
    std::vector<Watched> all;
    all.reserve(levels.size());
    for (const BreakerLevel& level : levels) all.push_back(watched(level, rack, control));
    for (std::size_t at = 0; at < samples; ++at) {
      const double now_s = static_cast<double>(at + 1) * sample_s;
      const double free_w = rack.hosts_w + rack.accelerators * device_w[at % device_w.size()] * (1 + rack.supply_loss);
      double rack_w = free_w;  // with the controllers so far
      for (Watched& level : all) {
        level.sum_w += level.racks * free_w;
        if (level.racks * free_w > level.rating_w) level.over += 1;
        level.trip.next(level.racks * free_w, now_s);
        level.highest.next(level.racks * free_w, now_s);
        const double wanted_w = level.racks * rack_w;
        const double got_w = std::max(level.controller.limited(wanted_w), std::min(wanted_w, level.racks * least_w));
        level.controller.next(wanted_w);
        rack_w = got_w / level.racks;
        level.controlled.next(got_w, now_s);
        level.controlled_trip.next(got_w, now_s);
        if (free_w > least_w) level.slowed += (free_w - rack_w) / (free_w - least_w);
      }
    }
    for (std::size_t i = 0; i < levels.size(); ++i) {
      const Watched& level = all[i];
      DynamicBreakerLoad load;
      load.level = levels[i].name;
      load.stage = static_cast<std::int64_t>(stage);
      load.breakers = static_cast<std::int64_t>(std::ceil(racks_of_stage / level.racks - 1e-9));
      load.racks = static_cast<std::int64_t>(level.racks);
      load.rating_w = level.rating_w;
      load.mean_w = level.sum_w / static_cast<double>(samples);
      load.highest_w = level.highest.best_w;
      load.highest_at_s = level.highest.at_s;
      load.over_fraction = level.over / static_cast<double>(samples);
      load.trips_at_s = level.trip.at_s();
      load.controlled_w = level.controlled.best_w;
      load.controlled_trips_at_s = level.controlled_trip.at_s();
      load.slowed_fraction = level.slowed / static_cast<double>(samples);
      loads.push_back(std::move(load));
    }
  }
  return loads;
}

}  // namespace ampacity
