// Simulations: options in, read-only numpy views of the columns of all devices out.
#include <memory>
#include <optional>

#include "arrays.hpp"
#include "question.hpp"

namespace ampacity::python {
namespace {

std::unique_ptr<Simulation> simulated(const Training& job, const Cluster& cluster, const Layout& layout,
                                      std::uint64_t seed, double device_spread_fraction, double task_jitter_fraction,
                                      double fail_slow_fraction, double fail_slow_speed_fraction,
                                      double power_spread_fraction, double inlet_spread_c,
                                      const Doubles& speed_fraction, const Doubles& power_fraction,
                                      const Doubles& inlet_c, const Doubles& temperature_c, const Doubles& cap_w,
                                      std::vector<std::int64_t> exclude, const NetworkHealth& network,
                                      std::int64_t steps, bool warm_up, std::size_t threads,
                                      const std::optional<py::typing::Callable<py::object(double)>>& progress) {
  SimulateOptions options;
  options.seed = seed;
  options.variability = {device_spread_fraction,   task_jitter_fraction,  fail_slow_fraction,
                         fail_slow_speed_fraction, power_spread_fraction, inlet_spread_c};
  options.speed_fraction = vector_of(speed_fraction);
  options.power_fraction = vector_of(power_fraction);
  options.inlet_c = vector_of(inlet_c);
  options.temperature_c = vector_of(temperature_c);
  options.cap_w = vector_of(cap_w);
  options.exclude = std::move(exclude);
  options.network = network;
  options.steps = steps;
  options.warm_up = warm_up;
  options.threads = threads;
  if (progress) {
    // Only a pointer: the interpreter is not held where options are moved.
    options.progress = [call = progress->ptr()](double done_fraction) {
      const py::gil_scoped_acquire gil;
      py::reinterpret_borrow<py::function>(call)(done_fraction);
    };
  }
  return interruptible([&](const std::function<bool()>& proceed) {
    options.proceed = proceed;
    return std::make_unique<Simulation>(job, cluster, layout, std::move(options));
  });
}

/// Lengths of the bins and watts of accelerators, IT equipment and facility.
using Trace = py::typing::Tuple<py::array_t<double>, py::array_t<double>, py::array_t<double>, py::array_t<double>>;
Trace power_trace(const Simulation& self, double resolution_s) {
  PowerTrace trace = interruptible([&](const std::function<bool()>&) { return self.power_trace(resolution_s); });
  return Trace(py::make_tuple(read_only(std::move(trace.seconds)), read_only(std::move(trace.accelerators_w)),
                              read_only(std::move(trace.it_w)), read_only(std::move(trace.facility_w))));
}

/// Columns of groups of devices: name, meaning, values; the first is how many devices each group has.
using Triples = py::typing::List<py::typing::Tuple<py::str, py::str, py::array>>;
Triples by_group(const Simulation& self, const std::string& kind) {
  const auto wanted = enum_named<GroupKind>("by", kind);
  GroupColumns found = [&] {
    const py::gil_scoped_release release;
    return self.by(wanted);
  }();
  py::list list;
  list.append(py::make_tuple("devices", "how many devices the group has", read_only(std::move(found.devices))));
  for (GroupColumn& column : found.columns) {
    list.append(py::make_tuple(column.key, column.doc, read_only(std::move(column.values))));
  }
  return Triples(list);
}

py::array_t<std::int32_t> group_of(const Simulation& self, const std::string& kind) {
  return read_only(self.group_of(enum_named<GroupKind>("by", kind)));
}

/// Activity, stage, micro-batch and kind of each slice as codes, start, end and watts, of each device.
using Slices = py::typing::List<py::typing::Tuple<py::array, py::ellipsis>>;
Slices slices(const Simulation& self, const std::vector<std::int64_t>& devices) {
  std::vector<DeviceSlices> found = [&] {
    const py::gil_scoped_release release;
    return self.slices(devices);
  }();
  py::list list;
  for (DeviceSlices& device : found) {
    list.append(py::make_tuple(read_only(std::move(device.activity)), read_only(std::move(device.stage)),
                               read_only(std::move(device.micro_batch)), read_only(std::move(device.kind)),
                               read_only(std::move(device.start_s)), read_only(std::move(device.end_s)),
                               read_only(std::move(device.watts))));
  }
  return Slices(list);
}

/// Columns of the links, in the order of `LinkColumns`.
using Links = py::typing::Tuple<py::array_t<std::int64_t>, py::array_t<std::int64_t>, py::array_t<std::int64_t>,
                                py::array_t<double>, py::array_t<double>, py::array_t<double>>;
Links links_of(const Simulation& self) {
  LinkColumns links = [&] {
    const py::gil_scoped_release release;
    return self.links();
  }();
  return Links(py::make_tuple(read_only(std::move(links.tier)), read_only(std::move(links.from)),
                              read_only(std::move(links.to)), read_only(std::move(links.bytes)),
                              read_only(std::move(links.utilisation_fraction)),
                              read_only(std::move(links.bytes_per_s))));
}

Trace steps(const Simulation& self) {
  StepColumns columns = self.steps();
  return Trace(py::make_tuple(read_only(std::move(columns.step_time_s)), read_only(std::move(columns.joules)),
                              read_only(std::move(columns.mean_temperature_c)),
                              read_only(std::move(columns.hottest_temperature_c))));
}

}  // namespace

void bind_simulate(py::module_& module) {
  using Critical = CriticalDevice;
  py::class_<Critical>(module, "CriticalDevice",
                       "The device that holds up a simulated step most: of those on the critical path of the slowest "
                       "replica the one that is furthest behind a device of mean speed there.")
      .def_readonly("device", &Critical::device, "Its rank.")
      .def_readonly("replica", &Critical::replica, "Its data-parallel rank.")
      .def_readonly("stage", &Critical::stage, "Its pipeline rank.")
      .def_readonly("speed_fraction", &Critical::speed_fraction, "Its speed over that of the mean device.")
      .def_readonly("on_path_s", &Critical::on_path_s,
                    "Compute on the critical path in which the others of its group wait for it (s).")
      .def_readonly("step_time_without_s", &Critical::step_time_without_s,
                    "Step time if it ran at the mean speed, all other draws the same (s).")
      .def_readonly("link", &Critical::link,
                    "The link that adds most to the critical path beyond what its communication takes with the network "
                    "to itself; -1: none.")
      .def_readonly("link_wait_s", &Critical::link_wait_s, "What it adds (s).")
      .def("__repr__", [](const Critical& self) {
        return "<CriticalDevice " + std::to_string(self.device) + " of replica " + std::to_string(self.replica) +
               ", stage " + std::to_string(self.stage) + ", at " + std::to_string(self.speed_fraction) +
               " of the mean speed>";
      });

  using S = Simulation;
  const auto copied = py::return_value_policy::copy;
  py::class_<S>(module, "Simulation", "One simulated step; see ``ampacity.Simulation``.")
      .def_property_readonly("job", &S::job, copied, "The job.")
      .def_property_readonly("cluster", &S::cluster, copied, "The cluster.")
      .def_property_readonly("layout", &S::layout, copied, "The layout.")
      .def_property_readonly("step_time_s", &S::step_time_s, "Time of the step (s).")
      .def_property_readonly("tokens_per_s", &S::tokens_per_s, "Tokens a second of the whole job.")
      .def_property_readonly("joules", &S::joules, "Energy of all accelerators over the step (J).")
      .def_property_readonly("power", &S::power, copied, "Power of accelerators, hosts, network and plant.")
      .def_property_readonly(
          "estimate",
          [copied](const S& self) {
            return told(Estimate(self.estimate()), py::cast(self.job(), copied), py::cast(self.cluster(), copied));
          },
          "The closed form of the same question.")
      .def_property_readonly("critical", &S::critical, copied, "The device that holds up the step most.")
      .def_property_readonly(
          "memory_stages",
          [](const S& self) {
            return py::typing::Tuple<StageMemory, py::ellipsis>(py::tuple(py::cast(self.memory_stages())));
          },
          "Memory of the devices of each pipeline stage at its fullest moment, in the order of its tasks.")
      .def_property_readonly(
          "warnings", [](const S& self) { return names_of(self.warnings()); },
          "What is not modelled or assumed, in words.")
      .def("__len__", &S::devices)
      .def_static(
          "keys", [] { return infos(Simulation::info(), &ColumnInfo::key); }, "Names of the columns.")
      .def_static(
          "docs", [] { return infos(Simulation::info(), &ColumnInfo::doc); }, "What the columns hold, with units.")
      .def(
          "column",
          [](const py::object& self, const std::string& key) {
            const auto& simulation = self.cast<const S&>();
            return view(simulation.column(key), simulation.devices(), self);
          },
          py::arg("key"), "Read-only view of a column of all devices.")
      .def(
          "replica_end_s",
          [](const py::object& self) {
            const std::span<const double> ends = self.cast<const S&>().replica_end_s();
            return view(ends, ends.size(), self);
          },
          "Read-only view of when the pipeline of each replica is done (s).")
      .def_static(
          "group_kinds", [] { return names_of(EnumNames<GroupKind>::names); }, "What devices can be grouped by.")
      .def("by", &by_group, py::arg("kind"), "Name, meaning and values of each column of the groups.")
      .def("group_of", &group_of, py::arg("kind"), "The group of each device.")
      .def("slices", &slices, py::arg("devices"),
           "Activity, stage, micro-batch, kind, start, end (s) and watts of what each device did.")
      .def_property_readonly("energy", &S::energy, "Joules from the accelerators to the meter.")
      .def("steps", &steps,
           "Step time (s), joules, mean and hottest temperature of the dies (degrees Celsius) of each step.")
      .def("power_trace", &power_trace, py::arg("resolution_s"),
           "Length of each bin (s), and watts of accelerators, IT equipment and facility.")
      .def("timeline", &S::timeline, py::arg("replica").noconvert(), py::call_guard<py::gil_scoped_release>(),
           "Start and end of every task of one replica.")
      .def(
          "task_compute_s", [](const S& self, std::int64_t device) { return read_only(self.task_compute_s(device)); },
          py::arg("device").noconvert(), "Compute seconds of each task of one device.")
      .def(
          "task_fixed_s",
          [](const S& self, std::int64_t stage, std::int64_t replica) {
            return read_only(self.task_fixed_s(stage, replica));
          },
          py::arg("stage").noconvert(), py::arg("replica").noconvert() = 0,
          "Seconds of each task of a stage of one replica that do not depend on the device.")
      .def(
          "network",
          [](const S& self) { return self.network() == nullptr ? std::nullopt : std::optional(*self.network()); },
          "The network as it was during the step; None where its links are not simulated one by one.")
      .def("links", &links_of, "Tier, both ends, bytes, utilisation and rate of every link.");
  py::class_<NetworkHealth>(module, "NetworkHealth", "The compiled part of ``ampacity.NetworkHealth``.")
      .def(py::init([](double failed_fraction, std::int64_t tier, const Integers& links, const Doubles& link_fraction,
                       const Integers& nics, const Doubles& nic_fraction) {
             return NetworkHealth{failed_fraction,  tier,
                                  vector_of(links), vector_of(link_fraction),
                                  vector_of(nics),  vector_of(nic_fraction)};
           }),
           py::arg("failed_fraction"), py::arg("tier").noconvert(), py::arg("links"), py::arg("link_fraction"),
           py::arg("nics"), py::arg("nic_fraction"));
  module.def("simulate", &simulated, py::arg("job"), py::arg("cluster"), py::arg("layout"), py::kw_only(),
             py::arg("seed").noconvert(), py::arg("device_spread_fraction"), py::arg("task_jitter_fraction"),
             py::arg("fail_slow_fraction"), py::arg("fail_slow_speed_fraction"), py::arg("power_spread_fraction"),
             py::arg("inlet_spread_c"), py::arg("speed_fraction"), py::arg("power_fraction"), py::arg("inlet_c"),
             py::arg("temperature_c"), py::arg("cap_w"), py::arg("exclude"), py::arg("network"),
             py::arg("steps").noconvert(), py::arg("warm_up"), py::arg("threads").noconvert(),
             py::arg("progress") = py::none(), "See ``ampacity.simulate``.");
}

}  // namespace ampacity::python
