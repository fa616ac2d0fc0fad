// Load over time: specifications of events, mitigations and contracts; shapes of steps; rows of a site's load.
#include <memory>

#include "arrays.hpp"
#include "bind_spec.hpp"
#include "question.hpp"

namespace ampacity::python {
namespace {

/// One read-only array for each column.
using Arrays = py::typing::Tuple<py::array_t<double>, py::ellipsis>;
Arrays arrays_of(std::vector<std::vector<double>>&& columns) {
  py::tuple arrays(columns.size());
  for (std::size_t i = 0; i < columns.size(); ++i) arrays[i] = read_only(std::move(columns[i]));
  return Arrays(arrays);
}

LoadShape shape_from(const Doubles& accelerators_w, double resolution_s, double step_time_s, std::int64_t accelerators,
                     double limit_w, double idle_w, double stalled_w, double supply_loss, double hosts_w,
                     double network_w, double plant_per_it) {
  LoadShape shape;
  shape.accelerators_w = vector_of(accelerators_w);
  shape.resolution_s = resolution_s;
  shape.step_time_s = step_time_s;
  shape.accelerators = accelerators;
  shape.limit_w = limit_w;
  shape.idle_w = idle_w;
  shape.phase_w.fill(stalled_w);
  shape.chain = {supply_loss, hosts_w, network_w, plant_per_it};
  return shape;
}

py::typing::Dict<py::str, double> phase_watts(const LoadShape& self) {
  py::dict watts;
  for (std::size_t i = 0; i < load_phases; ++i) {
    watts[py::str(std::string(EnumNames<LoadPhase>::names[i]))] = self.phase_w[i];
  }
  return py::typing::Dict<py::str, double>(watts);
}

py::typing::Dict<py::str, py::array_t<double>> shares(const py::object& self) {
  const auto& shape = self.cast<const LoadShape&>();
  py::dict columns;
  for (std::size_t i = 0; i < load_phases; ++i) {
    if (shape.share[i].empty()) continue;
    columns[py::str(std::string(EnumNames<LoadPhase>::names[i]))] =
        view(std::span<const double>(shape.share[i]), shape.share[i].size(), self);
  }
  return py::typing::Dict<py::str, py::array_t<double>>(columns);
}

void bind_shape(py::module_& module) {
  using S = LoadShape;
  py::class_<S>(module, "StepShape", "Load of one step of a job, bin by bin; see ``ampacity.power.step_shape``.")
      .def(py::init(&shape_from), py::arg("accelerators_w"), py::kw_only(), py::arg("resolution_s"),
           py::arg("step_time_s"), py::arg("accelerators"), py::arg("limit_w"), py::arg("idle_w"), py::arg("stalled_w"),
           py::arg("supply_loss"), py::arg("hosts_w"), py::arg("network_w"), py::arg("plant_per_it"))
      .def_readonly("resolution_s", &S::resolution_s, "Length of a bin (s); the last one is shorter.")
      .def_readonly("step_time_s", &S::step_time_s, "Length of the step (s).")
      .def_readonly("accelerators", &S::accelerators, "Accelerators of the job.")
      .def_readonly("limit_w", &S::limit_w, "Power limit of one accelerator (W).")
      .def_readonly("idle_w", &S::idle_w, "One accelerator without a job (W).")
      .def_property_readonly(
          "accelerators_w",
          [](const py::object& self) {
            const auto& shape = self.cast<const S&>();
            return view(std::span<const double>(shape.accelerators_w), shape.accelerators_w.size(), self);
          },
          "Watts of all accelerators, one value a bin; a read-only view.")
      .def_property_readonly("phase_w", &phase_watts, "Watts of one accelerator in each phase.")
      .def_property_readonly("shares", &shares, "Share of the accelerators in each phase, one value a bin.")
      .def_property_readonly(
          "supply_loss", [](const S& self) { return self.chain.supply_loss; },
          "What power supplies lose, per watt of accelerators.")
      .def_property_readonly(
          "hosts_w", [](const S& self) { return self.chain.hosts_w; }, "Hosts and fans (W).")
      .def_property_readonly(
          "network_w", [](const S& self) { return self.chain.network_w; }, "Switches, optics and storage systems (W).")
      .def_property_readonly(
          "plant_per_it", [](const S& self) { return self.chain.plant_per_it; },
          "Cooling and conversion per watt of IT equipment: PUE less 1.")
      .def_property_readonly("joules", &S::joules, "Energy of the accelerators over the step (J).")
      .def_property_readonly("mean_w", &S::mean_w, "Mean watts of all accelerators.");
  module.def(
      "step_shape",
      [](const Simulation& simulation, double resolution_s) {
        const py::gil_scoped_release release;
        return load_shape(simulation, resolution_s);
      },
      py::arg("simulation"), py::arg("resolution_s"), "The load of a simulated step.");
  module.def(
      "closed_step_shape",
      [](const Training& job, const Cluster& cluster, const Layout& layout, double resolution_s) {
        const py::gil_scoped_release release;
        return load_shape(job, cluster, layout, resolution_s);
      },
      py::arg("job"), py::arg("cluster"), py::arg("layout"), py::arg("resolution_s"),
      "The load of a step whose devices are all alike.");
  module.def(
      "stage_watts",
      [](const Simulation& simulation, double resolution_s) {
        return arrays_of(stage_watts(simulation, resolution_s));
      },
      py::arg("simulation"), py::arg("resolution_s"), "Watts of one accelerator of each pipeline rank over a step.");
  module.def(
      "load_events",
      [](const ToldEstimate& estimate, const Cluster& cluster) { return load_events(estimate, cluster); },
      py::arg("estimate"), py::arg("cluster"), "Checkpoints and failures as the closed form of the run has them.");
}

std::unique_ptr<SiteLoad> site_load(const std::vector<LoadJob>& jobs, const std::vector<Mitigation>& mitigations,
                                    std::uint64_t seed, double resolution_s, double output_s, double plant_s) {
  return std::make_unique<SiteLoad>(jobs, mitigations, SiteLoadOptions{seed, resolution_s, output_s, plant_s});
}

void bind_site_load(py::module_& module) {
  py::class_<LoadJob>(module, "LoadJob", "A job of a site: its step, its events, where in its step it starts.")
      .def(py::init(
               [](const LoadShape& shape, const LoadEvents& events, double offset_s, std::vector<LoadShape> curtailed) {
                 return LoadJob{shape, events, offset_s, std::move(curtailed)};
               }),
           py::arg("shape"), py::arg("events"), py::kw_only(), py::arg("offset_s") = 0.0,
           py::arg("curtailed") = std::vector<LoadShape>{});
  py::class_<SiteLoad>(module, "SiteLoad", "Rows of a site's load, one after the other.")
      .def(py::init(&site_load), py::arg("jobs"), py::arg("mitigations"), py::kw_only(), py::arg("seed").noconvert(),
           py::arg("resolution_s"), py::arg("output_s"), py::arg("plant_s"))
      .def_static(
          "keys", [] { return infos(SiteLoad::info(), &ColumnInfo::key); }, "Names of the columns.")
      .def_static(
          "docs", [] { return infos(SiteLoad::info(), &ColumnInfo::doc); }, "What the columns hold, with units.")
      .def(
          "next",
          [](SiteLoad& self, std::size_t rows) {
            std::vector<std::vector<double>> columns = [&] {
              const py::gil_scoped_release release;
              return self.next(rows);
            }();
            return arrays_of(std::move(columns));
          },
          py::arg("rows").noconvert(), "The next rows, one array for each column.")
      .def_property_readonly("failures", &SiteLoad::failures, "Failures of the jobs so far.")
      .def_property_readonly("state_bytes", &SiteLoad::bytes,
                             "Memory that it holds, whatever time has passed (bytes).");
  module.def(
      "csv_rows",
      [](const std::vector<Doubles>& columns) {
        std::vector<std::span<const double>> spans;
        spans.reserve(columns.size());
        for (const Doubles& column : columns) spans.push_back(values_of(column));
        std::string text = [&] {
          const py::gil_scoped_release release;
          return csv_rows(spans);
        }();
        return py::bytes(text);
      },
      py::arg("columns"), "Rows of comma-separated values.");
}

void bind_contract(py::module_& module) {
  using V = Violation;
  py::class_<V>(module, "Violation", "A stretch of time in which a load breaks a limit of a contract.")
      .def(py::init([](const std::string& limit, double start_s, double end_s, double worst, double worst_at_s,
                       double allowed, double frequency_hz) {
             return V{
                 enum_named<ContractLimit>("limit", limit), start_s, end_s, worst, worst_at_s, allowed, frequency_hz};
           }),
           py::kw_only(), py::arg("limit"), py::arg("start_s"), py::arg("end_s"), py::arg("worst"),
           py::arg("worst_at_s"), py::arg("allowed"), py::arg("frequency_hz") = 0.0)
      .def_property_readonly(
          "limit", [](const V& self) { return std::string(name_of(self.limit)); }, "Field of the contract.")
      .def_readonly("start_s", &V::start_s, "From (s).")
      .def_readonly("end_s", &V::end_s, "To (s).")
      .def_readonly("worst", &V::worst, "Largest value, in the limit's unit.")
      .def_readonly("worst_at_s", &V::worst_at_s, "When (s).")
      .def_readonly("allowed", &V::allowed, "The limit.")
      .def_readonly("frequency_hz", &V::frequency_hz, "Where in the spectrum (Hz); 0 for limits in time.")
      .def("__repr__", [](const V& self) {
        return "<Violation of " + std::string(name_of(self.limit)) + " from " + std::to_string(self.start_s) +
               " s to " + std::to_string(self.end_s) + " s: " + std::to_string(self.worst) + ", allowed " +
               std::to_string(self.allowed) + ">";
      });
  using M = ContractMonitor;
  py::class_<M>(module, "ContractMonitor", "Checks the limits in time of a load that comes in pieces.")
      .def(py::init([](const GridContract& contract, double row_s, double start_s, std::size_t keep) {
             return std::make_unique<M>(contract, row_s, start_s, keep);
           }),
           py::arg("contract"), py::kw_only(), py::arg("row_s"), py::arg("start_s") = 0.0, py::arg("keep") = 1000)
      .def(
          "add",
          [](M& self, const Doubles& mean_w, const Doubles& lowest_w, const Doubles& highest_w) {
            const py::gil_scoped_release release;
            self.add(values_of(mean_w), values_of(lowest_w), values_of(highest_w));
          },
          py::arg("mean_w"), py::arg("lowest_w"), py::arg("highest_w"), "The next rows.")
      .def("violations", &M::violations, "Those that are over, and those that go on, by time.")
      .def(
          "count",
          [](const M& self, const std::string& limit) { return self.count(enum_named<ContractLimit>("limit", limit)); },
          py::arg("limit"), "How many violations of that limit there were.")
      .def(
          "reached",
          [](const M& self, const std::string& limit) {
            return self.reached(enum_named<ContractLimit>("limit", limit));
          },
          py::arg("limit"), "Largest value so far, limited or not.");
}

void bind_breakers(py::module_& module) {
  bind_spec<BreakerLevel>(module, "BreakerLevel", "Equal breakers of one level of the distribution.");
  using L = DynamicBreakerLoad;
  py::class_<L>(module, "DynamicBreakerLoad",
                "What the breakers of one level that feed one pipeline stage see from second to second.")
      .def_readonly("level", &L::level, "Name of the level.")
      .def_readonly("stage", &L::stage, "Pipeline stage that their racks work on.")
      .def_readonly("breakers", &L::breakers, "As many see the same.")
      .def_readonly("racks", &L::racks, "Racks behind each.")
      .def_readonly("rating_w", &L::rating_w, "What each carries for ever (W).")
      .def_readonly("mean_w", &L::mean_w, "Mean without controllers (W).")
      .def_readonly("highest_w", &L::highest_w, "Highest mean of a second without controllers (W).")
      .def_readonly("highest_at_s", &L::highest_at_s, "When (s).")
      .def_readonly("over_fraction", &L::over_fraction, "Share of the time above the rating, without controllers.")
      .def_readonly("trips_at_s", &L::trips_at_s, "When it trips without controllers (s); negative: never.")
      .def_readonly("controlled_w", &L::controlled_w, "Highest with controllers (W).")
      .def_readonly("controlled_trips_at_s", &L::controlled_trips_at_s, "When it trips with them (s); negative: never.")
      .def_readonly("slowed_fraction", &L::slowed_fraction, "Speed that controllers up to this level cost.")
      .def_property_readonly("overloaded", &L::overloaded, "Whether the highest load is above the rating.")
      .def("__repr__", [](const L& self) {
        return "<DynamicBreakerLoad of " + std::to_string(self.breakers) + " x " + self.level + ", stage " +
               std::to_string(self.stage) + ": " + std::to_string(self.highest_w / 1e3) + " of " +
               std::to_string(self.rating_w / 1e3) + " kW>";
      });
  module.def(
      "breaker_levels", [](const Cluster& cluster, double fraction) { return breaker_levels(cluster, fraction); },
      py::arg("cluster"), py::kw_only(), py::arg("oversubscription_fraction"),
      "Rack and boards of the cluster's plant, filled with racks.");
  module.def(
      "breaker_loads",
      [](const Simulation& simulation, const std::vector<BreakerLevel>& levels, bool control, double period_s,
         double duration_s) {
        BreakerControl controllers;
        controllers.on = control;
        controllers.period_s = period_s;
        const py::gil_scoped_release release;
        return breaker_loads(simulation, levels, controllers, duration_s);
      },
      py::arg("simulation"), py::arg("levels"), py::kw_only(), py::arg("control"), py::arg("period_s"),
      py::arg("duration_s"), "What breakers see of a simulated step that repeats itself.");
}

}  // namespace

void bind_load(py::module_& module) {
  bind_spec<PowerFloor>(module, "PowerFloor", "A power floor and ramp limits in the accelerators.");
  bind_spec<Filler>(module, "Filler", "A second workload that fills the gaps of the first.");
  bind_spec<Storage>(module, "Storage", "Capacitors or a battery between load and grid.");
  bind_spec<Curtailment>(module, "Curtailment", "Hours in which accelerators run at a lower power limit.");
  bind_spec<LoadEvents>(module, "LoadEvents", "What comes between the steps of a job.");
  bind_spec<MaskPoint>(module, "MaskPoint", "A point of a spectral mask.");
  bind_spec<GridContract>(module, "GridContract", "Limits of a connection to the grid; those not given do not apply.");
  bind_shape(module);
  bind_site_load(module);
  bind_contract(module);
  bind_breakers(module);
}

}  // namespace ampacity::python
