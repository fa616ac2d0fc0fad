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

constexpr const char* interval_doc = R"(Where the measured step time of such a run lies with 50 and 90 % probability.

From how far off the predictions of each source of the scoreboard have been when that source was left out, every source
weighted equally (``tools/fit_intervals.py``); wider where no measured run resembles this one.

Examples
--------
>>> import ampacity as amp
>>> job = amp.Training("llama-3.1-8b", global_batch=64, seq_len=8192)
>>> est = amp.estimate(job, amp.cluster("dgx-h100-x1"), amp.Layout(dp=8))
>>> est.interval.low_90_s < est.interval.low_50_s < est.step_time_s < est.interval.high_50_s < est.interval.high_90_s
True
)";

void bind_parts(py::module_& module) {
  py::class_<ToldBreakdown> breakdown(
      module, "Breakdown", "Where the seconds of a step go on the critical path; the terms sum to the step time.");
  bind_items<Breakdown>(breakdown);
  breakdown
      .def(py::pickle([](const ToldBreakdown& self) { return pickled<Breakdown>(self); },
                      [](const State& state) { return ToldBreakdown{unpickled<Breakdown>(state), {}}; }))
      .def_property_readonly(
          "total_s", [](const ToldBreakdown& self) { return self.total_s(); }, "Sum of all terms (s).")
      .def_property_readonly(
          "tree", [](const ToldBreakdown& self) { return self.question.explain(Catalogue::builtin()).time; },
          "The step as a tree, compute by class of operator and direction; priced again at every access.")
      .def(
          "to_dict", [](const ToldBreakdown& self) { return breakdown_dict(self); },
          "The terms in seconds, without their suffix.")
      .def("__repr__", [](const ToldBreakdown& self) { return items_text<Breakdown>(self, "Breakdown"); });
  bind_result<Interval>(module, "Interval", interval_doc)
      .def(
          "to_dict", [](const Interval& self) { return interval_dict(self); }, "The four bounds (s).")
      .def("__repr__", [](const Interval& self) { return items_text(self, "Interval"); });
  bind_result<Memory>(module, "Memory", "Memory of the fullest device.")
      .def_property_readonly("total_bytes", &Memory::total_bytes, "Sum of all parts (bytes).")
      .def_property_readonly("allocated_bytes", &Memory::allocated_bytes,
                             "Tensors: what ``torch.cuda.max_memory_allocated`` reports (bytes).")
      .def_property_readonly("reserved_bytes", &Memory::reserved_bytes,
                             "With fragmentation: what ``torch.cuda.max_memory_reserved`` reports (bytes).")
      .def_property_readonly("fits", &Memory::fits, "Whether the total is within the capacity.")
      .def("to_dict", &memory_dict, "The parts in bytes, without their suffix.")
      .def("__repr__", [](const Memory& self) { return items_text(self, "Memory"); });

  bind_result<StageKind>(module, "StageKind", "A kind of pipeline stage without its activations.")
      .def("__repr__", [](const StageKind& self) { return items_text(self, "StageKind"); });
  bind_result<StageKinds>(module, "StageKinds", "The stages of a pipeline by kind.")
      .def("__repr__", [](const StageKinds& self) { return items_text(self, "StageKinds"); });
  bind_result<StageMemory>(module, "StageMemory", "Memory of one pipeline stage.")
      .def("to_dict", &stage_dict,
           "Stage, layers, micro-batches in flight, and the parts in bytes without their suffix.")
      .def("__repr__", [](const StageMemory& self) { return items_text(self, "StageMemory"); });

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

  bind_result<StepEnergy>(module, "StepEnergy",
                          "Joules of a simulated step from the accelerators to the meter; each beyond those before it.")
      .def_property_readonly("site_j", &StepEnergy::site_j, "All of it, at the meter (J).")
      .def("to_dict", &energy_dict, "All lines and their sum in joules.")
      .def("__repr__", [](const StepEnergy& self) { return items_text(self, "StepEnergy"); });

  auto run = bind_result<Run>(module, "Run", "The whole training run.");
  bind_scaled(run, "days", &Run::duration_s, seconds_per_day, "Wall time of the run (days).");
  bind_scaled(run, "energy_mwh", &Run::energy_j, joules_per_mwh, "Energy at the meter (MWh).");
  bind_scaled(run, "carbon_t", &Run::carbon_kg, 1e3, "Greenhouse gases of that energy (t CO2e).");
  bind_scaled(run, "water_m3", &Run::water_l, 1e3, "Water evaporated for cooling (m3).");
  run.def("to_dict", &run_dict, "Days, MWh, tonnes, cubic metres and dollars.");
  run.def("__repr__", [](const Run& self) { return items_text(self, "Run"); });
}

constexpr const char* explain_doc =
    R"(What bounds this step, what would help most, and how well founded the prediction is.

Predicts the step again some thirty times, so it costs about 100 us.

Parameters
----------
catalogue
    Where the provenance of parameters is looked up (default: the built-in catalogue).

Returns
-------
Explanation
    The time as a tree (s), causes in words, what +10 % of each resource brings, doubts, provenance. ``print`` shows
    the report.

Examples
--------
>>> import ampacity as amp
>>> job = amp.Training("llama-3.1-70b", global_batch=128, seq_len=8192)
>>> est = amp.estimate(job, amp.cluster("hgx-h200-x1"), amp.Layout(tp=8, recompute="full"))
>>> why = est.explain()
>>> why.bounds[0].text
'matrix products at the power limit'
>>> abs(sum(part.seconds for part in why.time.parts) / est.step_time_s - 1) < 1e-9
True
)";

Explanation explained(const ToldEstimate& self, const std::optional<Catalogue>& catalogue) {
  return self.question.explain(catalogue ? *catalogue : Catalogue::builtin());
}

/// The fields, then job and cluster.
State pickled_estimate(const ToldEstimate& self) {
  const py::object none = py::none();
  const bool known = self.question.known();
  return pickled<Estimate>(self) +
         py::make_tuple(known ? self.question.job : none, known ? self.question.cluster : none);
}
ToldEstimate unpickled_estimate(const State& state) {
  constexpr std::size_t fields = std::tuple_size_v<decltype(Described<Estimate>::items())>;
  if (state.size() != fields + 2) throw Error("this result was pickled by another version of Ampacity");
  Estimate plain = unpickled<Estimate>(State(state[py::slice(0, fields, 1)]));
  return told(std::move(plain), py::object(state[fields]), py::object(state[fields + 1]));
}

void bind_estimate(py::module_& module) {
  bind_result<Warning>(module, "Warning", "What a prediction does not model or is less sure of.")
      .def("__str__", &Warning::text)
      .def("__repr__", [](const Warning& self) { return items_text(self, "Warning"); });
  py::class_<ToldEstimate> type(module, "Estimate", "Answer of ``estimate``: speed, memory, power, run, warnings.");
  bind_items<Estimate>(type);
  type.def(py::pickle(&pickled_estimate, &unpickled_estimate))
      .def_readonly("mfu", &Estimate::mfu_fraction, "The same as ``mfu_fraction``.")
      .def_property_readonly(
          "memory_stages",
          [](const ToldEstimate& self) {
            return py::typing::Tuple<StageMemory, py::ellipsis>(py::tuple(py::cast(self.memory_stages())));
          },
          "Memory of every pipeline stage, the one with the embedding first.")
      .def("explain", &explained, py::kw_only(), py::arg("catalogue") = py::none(), explain_doc)
      .def(
          "to_dict", [](const ToldEstimate& self) { return estimate_dict(self); },
          "The object that ``ampacity estimate --json`` prints.")
      .def(
          "to_json",
          [](const ToldEstimate& self, const std::optional<int>& indent) {
            const auto json = py::module_::import("json");
            return py::str(
                json.attr("dumps")(estimate_dict(self), py::arg("indent") = indent, py::arg("allow_nan") = false));
          },
          py::kw_only(), py::arg("indent").noconvert() = py::none(), "``to_dict`` as JSON text.")
      .def("__repr__", [](const ToldEstimate& self) { return estimate_text(self); })
      .def("_repr_html_", [](const ToldEstimate& self) { return estimate_html(self); }, "A small table for notebooks.");
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
