// Results: plain attributes in SI units, summaries in the units people speak, dictionaries for JSON.
#include "bind_result.hpp"
#include "result_text.hpp"

namespace ampacity::python {
namespace {

/// A property with the value of another one in a customary unit.
template <class Result>
void bind_scaled(py::class_<Result>& type, const char* key, double Result::* member, double scale, const char* doc) {
  type.def_property_readonly(key, [member, scale](const Result& self) { return self.*member / scale; }, doc);
}

void bind_parts(py::module_& module) {
  bind_result<Breakdown>(module, "Breakdown",
                         "Where the seconds of a step go on the critical path; the terms sum to the step time.")
      .def_property_readonly("total_s", &Breakdown::total_s, "Sum of all terms (s).")
      .def("to_dict", &breakdown_dict, "The terms in seconds, without their suffix.")
      .def("__repr__", [](const Breakdown& self) { return items_text(self, "Breakdown"); });
  bind_result<Memory>(module, "Memory", "Memory of the fullest device.")
      .def_property_readonly("total_bytes", &Memory::total_bytes, "Sum of all parts (bytes).")
      .def_property_readonly("fits", &Memory::fits, "Whether the total is within the capacity.")
      .def("to_dict", &memory_dict, "The parts in bytes, without their suffix.")
      .def("__repr__", [](const Memory& self) { return items_text(self, "Memory"); });

  auto power = bind_result<Power>(
      module, "Power",
      "Power of the accelerators that the job uses, with their share of hosts, network, storage and plant.");
  bind_scaled(power, "it_mean_mw", &Power::it_mean_w, watts_per_mw, "All IT equipment during training (MW).");
  bind_scaled(power, "it_peak_mw", &Power::it_peak_w, watts_per_mw, "All devices at their power limit (MW).");
  bind_scaled(power, "it_nameplate_mw", &Power::it_nameplate_w, watts_per_mw, "Sum of the ratings (MW).");
  bind_scaled(power, "facility_mean_mw", &Power::facility_mean_w, watts_per_mw,
              "At the meter, yearly mean cooling (MW).");
  bind_scaled(power, "facility_peak_mw", &Power::facility_peak_w, watts_per_mw, "At the meter, hottest day (MW).");
  bind_scaled(power, "swing_mw", &Power::swing_w, watts_per_mw, "Between all devices busy and all stalled (MW).");
  power.def("to_dict", &power_dict, "Watts of an accelerator, megawatts of the rest.");
  power.def("__repr__", [](const Power& self) { return items_text(self, "Power"); });

  auto run = bind_result<Run>(module, "Run", "The whole training run.");
  bind_scaled(run, "days", &Run::duration_s, seconds_per_day, "Wall time of the run (days).");
  bind_scaled(run, "energy_mwh", &Run::energy_j, joules_per_mwh, "Energy at the meter (MWh).");
  bind_scaled(run, "carbon_t", &Run::carbon_kg, 1e3, "Greenhouse gases of that energy (t CO2e).");
  bind_scaled(run, "water_m3", &Run::water_l, 1e3, "Water evaporated for cooling (m3).");
  run.def("to_dict", &run_dict, "Days, MWh, tonnes, cubic metres and dollars.");
  run.def("__repr__", [](const Run& self) { return items_text(self, "Run"); });
}

void bind_estimate(py::module_& module) {
  bind_result<Warning>(module, "Warning", "What a prediction does not model or is less sure of.")
      .def("__str__", &Warning::text)
      .def("__repr__", [](const Warning& self) { return items_text(self, "Warning"); });
  bind_result<Estimate>(module, "Estimate", "Answer of ``estimate``: speed, memory, power, run, warnings.")
      .def_readonly("mfu", &Estimate::mfu_fraction, "The same as ``mfu_fraction``.")
      .def("to_dict", &estimate_dict, "The object that ``ampacity estimate --json`` prints.")
      .def(
          "to_json",
          [](const Estimate& self, const std::optional<int>& indent) {
            const auto json = py::module_::import("json");
            return py::str(
                json.attr("dumps")(estimate_dict(self), py::arg("indent") = indent, py::arg("allow_nan") = false));
          },
          py::kw_only(), py::arg("indent").noconvert() = py::none(), "``to_dict`` as JSON text.")
      .def("__repr__", &estimate_text)
      .def("_repr_html_", &estimate_html, "A small table for notebooks.");
}

}  // namespace

void bind_results(py::module_& module) {
  bind_parts(module);
  bind_estimate(module);
  bind_result<Candidate>(module, "Candidate", "A layout with what it achieves.")
      .def("__repr__", [](const Candidate& self) { return items_text(self, "Candidate"); });
  bind_result<SearchResult>(module, "SearchResult", "Result of ``search``.")
      .def("__repr__", [](const SearchResult& self) {
        return "<SearchResult best=" + literal_of(self.best, "Layout") + ", " + std::to_string(self.evaluated) +
               " evaluated, " + std::to_string(self.fitting) + " fit>";
      });
}

}  // namespace ampacity::python
