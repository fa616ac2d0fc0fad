// Power of a site: options in, plain values and read-only columns out; the package makes its result of them.
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "arrays.hpp"

namespace ampacity::python {
namespace {

using TreeRow = py::typing::Tuple<py::str, py::str, std::int64_t, double, double, double, double>;
using BreakerRow =
    py::typing::Tuple<py::str, std::int64_t, double, double, double, double, std::int64_t, std::int64_t, std::int64_t>;
using Figures = py::typing::Dict<py::str, double>;
using HourColumns = py::typing::Tuple<py::array_t<double>, py::array_t<double>, py::array_t<double>,
                                      py::array_t<double>, py::array_t<double>>;
using SiteParts = py::typing::Tuple<Figures, Figures, py::typing::List<TreeRow>, py::typing::List<BreakerRow>,
                                    HourColumns, py::typing::List<py::str>>;
using WeatherColumns = py::typing::Tuple<py::array_t<double>, py::array_t<double>>;

WeatherColumns columns_of(Weather&& weather) {
  return WeatherColumns(
      py::make_tuple(read_only(std::move(weather.dry_bulb_c)), read_only(std::move(weather.wet_bulb_c))));
}

Figures figures_of(const SitePower& power) {
  Figures figures;
  const auto set = [&figures](const char* key, double value) { figures[key] = value; };
  set("it_mean_w", power.it_mean_w);
  set("it_peak_w", power.it_peak_w);
  set("it_nameplate_w", power.it_nameplate_w);
  set("facility_mean_w", power.facility_mean_w);
  set("facility_peak_w", power.facility_peak_w);
  set("facility_nameplate_w", power.facility_nameplate_w);
  set("pue_mean", power.pue_mean);
  set("pue_peak", power.pue_peak);
  set("pue_nameplate", power.pue_nameplate);
  set("pue_lowest", power.pue_lowest);
  set("pue_highest", power.pue_highest);
  set("wue_l_per_kwh", power.wue_l_per_kwh);
  set("energy_j", power.energy_j);
  set("water_l", power.water_l);
  set("carbon_kg", power.carbon_kg);
  set("homes_equivalent", power.homes_equivalent);
  set("chiller_hours", power.chiller_hours);
  set("warm_hours", power.warm_hours);
  set("warmest_excess_c", power.warmest_excess_c);
  set("peak_dry_bulb_c", power.peak_dry_bulb_c);
  set("peak_wet_bulb_c", power.peak_wet_bulb_c);
  set("halls", static_cast<double>(power.halls));
  set("buildings", static_cast<double>(power.buildings));
  return figures;
}

Figures figures_of(const SupplyMix& mix) {
  Figures figures;
  const auto set = [&figures](const char* key, double value) { figures[key] = value; };
  set("grid_j", mix.grid_j);
  set("gas_j", mix.gas_j);
  set("diesel_j", mix.diesel_j);
  set("solar_j", mix.solar_j);
  set("solar_unused_j", mix.solar_unused_j);
  set("unserved_j", mix.unserved_j);
  set("unserved_hours", mix.unserved_hours);
  set("grid_peak_w", mix.grid_peak_w);
  set("available_w", mix.available_w);
  set("shortage_w", mix.shortage_w);
  set("battery_s", mix.battery_s);
  return figures;
}

SiteParts parts_of_site(const Cluster& cluster, double device_limit_w, double device_mean_w, double load_fraction,
                        const Doubles& dry_bulb_c, const Doubles& wet_bulb_c) {
  SitePowerOptions options;
  options.device_limit_w = device_limit_w;
  options.device_mean_w = device_mean_w;
  options.load_fraction = load_fraction;
  options.weather = {vector_of(dry_bulb_c), vector_of(wet_bulb_c)};
  SitePower power = [&] {
    const py::gil_scoped_release release;
    return site_power(cluster, options);
  }();
  py::list tree;
  for (const PowerItem& item : power.tree) {
    tree.append(
        py::make_tuple(item.level, item.name, item.parent, item.count, item.mean_w, item.peak_w, item.nameplate_w));
  }
  py::list breakers;
  for (const StaticBreakerLoad& level : power.breakers) {
    breakers.append(py::make_tuple(level.level, level.count, level.rating_w, level.mean_w, level.peak_w,
                                   level.nameplate_w, level.overloaded_mean, level.overloaded_peak,
                                   level.overloaded_nameplate));
  }
  py::list warnings;
  for (const std::string& warning : power.warnings) warnings.append(py::str(warning));
  const py::tuple hours =
      py::make_tuple(read_only(std::move(power.weather.dry_bulb_c)), read_only(std::move(power.weather.wet_bulb_c)),
                     read_only(std::move(power.pue)), read_only(std::move(power.facility_w)),
                     read_only(std::move(power.water_l_per_s)));
  return SiteParts(py::make_tuple(figures_of(power), figures_of(power.supply), tree, breakers, hours, warnings));
}

}  // namespace

void bind_site_power(py::module_& module) {
  module.def("site_power", &parts_of_site, py::arg("cluster"), py::kw_only(), py::arg("device_limit_w"),
             py::arg("device_mean_w"), py::arg("load_fraction"), py::arg("dry_bulb_c"), py::arg("wet_bulb_c"),
             "What ``ampacity.site_power`` is made of.");
  module.def(
      "weather_year", [](const Climate& climate) { return columns_of(weather_year(climate)); }, py::arg("climate"),
      "Dry and wet bulb of every hour of a climate's year (C).");
  module.def(
      "weather_of",
      [](const Doubles& dry, const Doubles& wet) { return columns_of(weather_of(vector_of(dry), vector_of(wet))); },
      py::arg("dry_bulb_c"), py::arg("wet_bulb_c"), "The same hours, checked.");
  module.def(
      "weather_of_humidity",
      [](const Doubles& dry, const Doubles& humidity, double elevation_m) {
        return columns_of(weather_of_humidity(vector_of(dry), vector_of(humidity), elevation_m));
      },
      py::arg("dry_bulb_c"), py::arg("relative_humidity_fraction"), py::arg("elevation_m"),
      "Dry and wet bulb of hours with that humidity, checked.");
  module.def("wet_bulb_c", &wet_bulb_c, py::arg("dry_bulb_c"), py::arg("relative_humidity_fraction"),
             py::arg("elevation_m") = 0.0, R"(Return the thermodynamic wet-bulb temperature of air (degrees Celsius).

Parameters
----------
dry_bulb_c
    Temperature of the air (degrees Celsius).
relative_humidity_fraction
    Between 0 and 1.
elevation_m
    Height above the sea (m): thinner air evaporates more.

Examples
--------
ASHRAE's psychrometric chart has 22.0 degrees for 30 degrees at half of saturation:

>>> import ampacity as amp
>>> round(amp.wet_bulb_c(30, 0.5), 1)
22.0
)");
}

}  // namespace ampacity::python
