#include "load/check.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "ampacity/error.hpp"
#include "base/text.hpp"
#include "spec/ranges.hpp"

namespace ampacity::load {
namespace {

using base::number_text;

/// Bins of a step, and samples that a row is made of: beyond, a unit has slipped.
constexpr double most_bins = 1e8;
constexpr double most_samples = 1e7;
/// Steps, or failures, within a sample: beyond, nobody sees them and everybody waits for them.
constexpr double most_steps_in_sample = 1e5;

class Problems {
 public:
  void note(std::string path, double value, std::string rule, std::string hint = {}) {
    list_.push_back({std::move(path), number_text(value), std::move(rule), std::move(hint)});
  }
  void between(const std::string& path, double value, double low, double high) {
    if (value >= low && value <= high) return;
    note(path, value, "must be between " + number_text(low) + " and " + number_text(high));
  }
  template <class Spec>
  void ranges(const Spec& spec, const std::string& path) {
    const std::size_t before = list_.size();
    spec::check_ranges(spec, list_);
    for (std::size_t i = before; i < list_.size(); ++i) {
      list_[i].path = path + list_[i].path.substr(std::string(Spec::kind).size());
    }
  }
  void report() {
    if (!list_.empty()) throw InvalidSpec(std::move(list_));
  }

 private:
  std::vector<Problem> list_;
};

void check_shape(const LoadShape& shape, const std::string& path, Problems& problems) {
  problems.between(path + ".resolution_s", shape.resolution_s, 1e-6, 1e9);
  problems.between(path + ".step_time_s", shape.step_time_s, 1e-6, 1e9);
  problems.between(path + ".accelerators", static_cast<double>(shape.accelerators), 1, 1e8);
  const double bins = std::ceil(shape.step_time_s / shape.resolution_s - 1e-9);
  const auto values = static_cast<double>(shape.accelerators_w.size());
  const bool last = (values - 1) * shape.resolution_s <= shape.step_time_s * (1 + 1e-9);
  if (!(bins <= most_bins) || std::fabs(values - bins) > 1 || !last) {
    problems.note(path + ".accelerators_w", values,
                  "must have one value for each bin of the step (" + number_text(bins) + ")");
    return;
  }
  for (std::size_t i = 0; i < shape.accelerators_w.size(); ++i) {
    const double w = shape.accelerators_w[i];
    if (std::isfinite(w) && w >= 0) continue;
    problems.note(path + ".accelerators_w[" + std::to_string(i) + "]", w, "must be a finite number of 0 or more");
    return;
  }
}

void check_pace(const LoadJob& job, const std::string& path, double resolution_s, Problems& problems) {
  const double shortest_s = resolution_s / most_steps_in_sample;
  if (job.shape.step_time_s < shortest_s) {
    problems.note(path + ".shape.step_time_s", job.shape.step_time_s,
                  "must be at least " + number_text(shortest_s) + " for that resolution_s");
  }
  if (job.events.mtbf_s > 0 && job.events.mtbf_s < resolution_s) {
    problems.note(path + ".events.mtbf_s", job.events.mtbf_s,
                  "must be 0 (it never fails) or at least resolution_s (" + number_text(resolution_s) + ")");
  }
}

void check_mitigation(const PowerFloor& floor, const std::string& path, const std::vector<LoadJob>& jobs,
                      Problems& problems) {
  problems.ranges(floor, path);
  for (const LoadJob& job : jobs) {
    if (floor.floor_fraction > 0 && !(job.shape.limit_w > 0)) {
      problems.note(path + ".floor_fraction", floor.floor_fraction, "needs jobs whose accelerators have a power limit");
      return;
    }
  }
}
void check_mitigation(const Filler& filler, const std::string& path, const std::vector<LoadJob>&, Problems& problems) {
  problems.ranges(filler, path);
}
void check_mitigation(const Storage& storage, const std::string& path, const std::vector<LoadJob>&,
                      Problems& problems) {
  const auto one = [&](const char* key, double whole, double each) {
    if ((whole > 0) != (each > 0)) return;
    problems.note(path + "." + key, std::max(whole, each),
                  std::string("must be given once and above 0: for the whole site or per accelerator"),
                  std::string(key) + " or " + key + "_per_accelerator");
  };
  one("energy_j", storage.energy_j, storage.energy_j_per_accelerator);
  one("power_w", storage.power_w, storage.power_w_per_accelerator);
  problems.ranges(storage, path);
}
void check_mitigation(const Curtailment& hours, const std::string& path, const std::vector<LoadJob>& jobs,
                      Problems& problems) {
  problems.ranges(hours, path);
  for (const LoadJob& job : jobs) {
    const double limit_w = job.shape.limit_w;
    if (hours.cap_w > job.shape.idle_w && (limit_w <= 0 || hours.cap_w <= limit_w)) continue;
    problems.note(path + ".cap_w", hours.cap_w,
                  "must be above what an idle accelerator draws (" + number_text(job.shape.idle_w) +
                      " W) and no more than its limit (" + number_text(limit_w) + " W)");
  }
}

}  // namespace

void check(const std::vector<LoadJob>& jobs, const std::vector<Mitigation>& mitigations,
           const SiteLoadOptions& options) {
  Problems problems;
  if (jobs.empty()) problems.note("jobs", 0, "must be at least one");
  std::size_t curtailments = 0;
  for (const Mitigation& mitigation : mitigations) curtailments += std::holds_alternative<Curtailment>(mitigation);
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const std::string path = "jobs[" + std::to_string(i) + "]";
    check_shape(jobs[i].shape, path + ".shape", problems);
    problems.ranges(jobs[i].events, path + ".events");
    problems.between(path + ".offset_s", jobs[i].offset_s, 0, 1e9);
    check_pace(jobs[i], path, options.resolution_s, problems);
    if (jobs[i].curtailed.size() != curtailments) {
      problems.note(path + ".curtailed", static_cast<double>(jobs[i].curtailed.size()),
                    "must be one shape for each curtailment (" + number_text(static_cast<double>(curtailments)) + ")");
    }
    for (const LoadShape& shape : jobs[i].curtailed) check_shape(shape, path + ".curtailed", problems);
  }
  for (std::size_t i = 0; i < mitigations.size(); ++i) {
    const std::string path = "mitigations[" + std::to_string(i) + "]";
    std::visit([&](const auto& one) { check_mitigation(one, path, jobs, problems); }, mitigations[i]);
  }
  problems.between("resolution_s", options.resolution_s, 1e-6, 3600);
  problems.between("plant_s", options.plant_s, 0, 1e6);
  const double samples = options.output_s / options.resolution_s;
  if (!(samples >= 1 && samples <= most_samples) || std::fabs(samples - std::round(samples)) > 1e-6 * samples) {
    problems.note("output_s", options.output_s,
                  "must be a whole multiple of resolution_s (" + number_text(options.resolution_s) + ")");
  }
  problems.report();
}

}  // namespace ampacity::load
