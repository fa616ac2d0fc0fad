// What a load costs: tariffs, meters of demand, bills.
#include "arrays.hpp"
#include "bind_result.hpp"
#include "bind_spec.hpp"
#include "described.hpp"
#include "result_text.hpp"

namespace ampacity::python {

template <>
struct Described<Bill> {
  static constexpr auto items() {
    using R = Bill;
    return std::tuple{Item{"mean_w", &R::mean_w, "Mean of what was metered (W)."},
                      Item{"demand_w", &R::demand_w, "Highest demand that was metered (W)."},
                      Item{"billed_demand_w", &R::billed_demand_w, "That, or the least that the contract bills (W)."},
                      Item{"energy_kwh_per_month", &R::energy_kwh_per_month, "Energy of a month like it (kWh)."},
                      Item{"energy_usd_per_month", &R::energy_usd_per_month, "What that costs (USD)."},
                      Item{"demand_usd_per_month", &R::demand_usd_per_month, "What the demand costs (USD)."},
                      Item{"usd_per_month", &R::usd_per_month, "Both (USD)."}};
  }
};

void bind_tariff(py::module_& module) {
  bind_spec<Tariff>(module, "Tariff", "Prices of energy and of the highest demand.");
  py::class_<DemandMeter>(module, "DemandMeter", "Counts a load that comes in pieces, as a meter of demand does.")
      .def(py::init<double, double>(), py::kw_only(), py::arg("row_s"), py::arg("window_s"))
      .def(
          "add", [](DemandMeter& self, const Doubles& watts) { self.add(values_of(watts)); }, py::arg("watts"),
          "Means of the next rows (W).")
      .def_property_readonly("duration_s", &DemandMeter::duration_s, "Length of all rows (s).")
      .def_property_readonly("energy_j", &DemandMeter::energy_j, "Energy of all rows (J).")
      .def_property_readonly("demand_w", &DemandMeter::demand_w, "Highest mean of a whole window (W).");
  bind_result<Bill>(module, "Bill", "What a month like the load that was metered costs.")
      .def("__repr__", [](const Bill& self) { return items_text(self, "Bill"); });
  module.def("bill", &bill, py::arg("tariff"), py::arg("meter"), "What a month like the metered load costs.");
  module.def("owning_usd_per_s", &owning_usd_per_s, py::arg("cluster"), py::arg("accelerators"), py::arg("plant_w"),
             "What servers, network and plant cost per second, whether they work or not (USD).");
}

}  // namespace ampacity::python
