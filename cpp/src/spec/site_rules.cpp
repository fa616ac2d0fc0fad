// Rules between the fields of sites and of what they are made of.
#include <string>

#include "base/text.hpp"
#include "spec/rules.hpp"

namespace ampacity::spec {
namespace {

using base::number_text;

void note(std::vector<Problem>& problems, std::string path, std::string value, std::string rule,
          std::string hint = {}) {
  problems.push_back({std::move(path), std::move(value), std::move(rule), std::move(hint)});
}

/// Loads must rise, and a converter that delivers more does not lose less.
void check_points(const std::vector<LoadPoint>& points, const std::string& path, std::vector<Problem>& problems) {
  double load = 0;
  double loss = 0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const LoadPoint& point = points[i];
    const std::string at = path + "[" + std::to_string(i) + "]";
    if (point.load_fraction <= load) {
      note(problems, at + ".load_fraction", number_text(point.load_fraction), "must be above that of the point before");
    }
    const double lost = point.load_fraction * (1 / point.efficiency_fraction - 1);
    if (lost < loss * (1 - 1e-9)) {
      note(problems, at + ".efficiency_fraction", number_text(point.efficiency_fraction),
           "must not be so high that more load loses less watts than the point before");
    }
    load = point.load_fraction;
    loss = lost;
  }
}

}  // namespace

void complete(Supply& supply, const std::string& path, const Catalogue&, std::vector<Problem>& problems) {
  check_points(supply.points, path + ".points", problems);
}

void complete(Plant& plant, const std::string& path, const Catalogue&, std::vector<Problem>& problems) {
  check_points(plant.ups, path + ".ups", problems);
  if (plant.switchboard_w < plant.row_breaker_w) {
    note(problems, path + ".switchboard_w", number_text(plant.switchboard_w),
         "must not be below row_breaker_w (" + number_text(plant.row_breaker_w) + ")");
  }
  if (plant.main_board_w < plant.switchboard_w) {
    note(problems, path + ".main_board_w", number_text(plant.main_board_w),
         "must not be below switchboard_w (" + number_text(plant.switchboard_w) + ")");
  }
}

void complete(Climate& climate, const std::string& path, const Catalogue&, std::vector<Problem>& problems) {
  if (climate.months.size() != 12) {
    note(problems, path + ".months", std::to_string(climate.months.size()), "must be twelve months, January first");
  }
  for (std::size_t i = 0; i < climate.months.size(); ++i) {
    const ClimateMonth& month = climate.months[i];
    if (month.dew_point_c > month.dry_bulb_c) {
      note(problems, path + ".months[" + std::to_string(i) + "].dew_point_c", number_text(month.dew_point_c),
           "must not be above dry_bulb_c (" + number_text(month.dry_bulb_c) + ")");
    }
  }
}

void complete(Generation& generation, const std::string& path, const Catalogue&, std::vector<Problem>& problems) {
  if (generation.battery_w > 0 && generation.battery_j <= 0) {
    note(problems, path + ".battery_j", number_text(generation.battery_j), "must be above 0 where battery_w is given",
         "energy in joules: 1 MWh is 3.6e9");
  }
  if (generation.battery_j > 0 && generation.battery_w <= 0) {
    note(problems, path + ".battery_w", number_text(generation.battery_w), "must be above 0 where battery_j is given",
         "watts");
  }
}

void complete(Site& site, const std::string& path, const Catalogue&, std::vector<Problem>& problems) {
  const bool modelled = !site.plant.name.empty() && !site.climate.months.empty();
  if (site.pue_from_plant && !modelled) {
    note(problems, path + ".pue_from_plant", "true", "needs plant and climate");
  }
  const bool published = site.pue_mean > 0 || site.pue_peak > 0;
  if (published || !modelled) {
    const std::string instead = modelled ? "" : ", or plant and climate, which say it";
    if (site.pue_mean == 0) {
      note(problems, path + ".pue_mean", "", "is missing", "facility power over IT power, yearly mean" + instead);
    }
    if (site.pue_peak == 0) {
      note(problems, path + ".pue_peak", "", "is missing", "facility power over IT power on the hottest day" + instead);
    }
  }
  if (site.pue_peak > 0 && site.pue_peak < site.pue_mean) {
    note(problems, path + ".pue_peak", number_text(site.pue_peak),
         "must not be below pue_mean (" + number_text(site.pue_mean) + ")");
  }
}

}  // namespace ampacity::spec
