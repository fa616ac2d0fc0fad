// Watts of single devices, machines in HPL, caps. The GIL is released while the core sweeps.
#include "bind_result.hpp"
#include "described_caps.hpp"
#include "result_text.hpp"

namespace ampacity::python {
namespace {

template <class E>
E named(const char* path, const std::string& name) {
  constexpr auto& names = EnumNames<E>::names;
  std::vector<std::string> known;
  std::string rule = "must be one of ";
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == name) return static_cast<E>(i);
    known.emplace_back(names[i]);
    rule += (i == 0 ? "" : ", ") + known.back();
  }
  const std::vector<std::string> near = nearest_names(name, known);
  throw InvalidSpec({{path, "'" + name + "'", rule, near.empty() ? std::string() : "did you mean " + near[0] + "?"}});
}

CapQuestion question_of(double site_w, const std::string& provision, const std::string& objective) {
  return {site_w, named<Provision>("provision", provision), named<CapObjective>("objective", objective)};
}

template <class Result>
void bind_plain(py::module_& module, const char* name, const char* doc) {
  bind_result<Result>(module, name, doc).def("__repr__", [name](const Result& self) { return items_text(self, name); });
}

}  // namespace

void bind_caps(py::module_& module) {
  bind_plain<DeviceStates>(module, "DeviceStates", "Watts of one accelerator by what it does.");
  bind_plain<NodePower>(module, "NodePower", "Power of one node.");
  bind_plain<HplPower>(module, "HplPower", "A machine in the High-Performance Linpack benchmark.");
  bind_plain<CapPoint>(module, "CapPoint", "A job under one power cap of its accelerators.");

  module.def("device_states", &device_states, py::arg("device"),
             "Watts by what the accelerator does; see ``ampacity.power.device_states``.");
  module.def("peak_over_window_w", &peak_over_window_w, py::arg("device"), py::arg("window_s"),
             "Highest mean power over a window; see ``ampacity.power.peak_over_window_w``.");
  module.def("node_power", &node_power, py::arg("node"), py::arg("device_w"),
             "Power of a node whose accelerators draw that each.");
  module.def("machine_power", &machine_power, py::arg("cluster"), py::arg("accelerators"),
             "Power of accelerators that are all at their limit, with their share of hosts, network and plant.");
  module.def("hpl_power", &hpl_power, py::arg("cluster"), py::arg("accelerators"), py::arg("flops_per_s") = 0.0,
             "A machine in HPL; see ``ampacity.power.hpl_power``.");
  module.def("with_limits", &with_limits, py::arg("cluster"), py::arg("cap_w") = 0.0, py::arg("locked_clock_hz") = 0.0,
             "The cluster with a cap and a locked clock; see ``ampacity.power.with_limits``.");
  module.def(
      "cap_sweep",
      [](const Training& job, const Cluster& cluster, const Layout& layout, const std::vector<double>& caps_w,
         double site_w, const std::string& provision) {
        const CapQuestion question = question_of(site_w, provision, "tokens_per_s");
        const py::gil_scoped_release release;
        return cap_sweep(job, cluster, layout, caps_w, question);
      },
      py::arg("job"), py::arg("cluster"), py::arg("layout"), py::arg("caps_w"), py::arg("site_w") = 0.0,
      py::arg("provision") = "peak", "The job under each cap; see ``ampacity.power.cap_sweep``.");
  module.def(
      "best_cap",
      [](const Training& job, const Cluster& cluster, const std::vector<Layout>& layouts, double site_w,
         const std::string& provision, const std::string& objective) {
        const CapQuestion question = question_of(site_w, provision, objective);
        const py::gil_scoped_release release;
        return best_cap(job, cluster, layouts, question);
      },
      py::arg("job"), py::arg("cluster"), py::arg("layouts"), py::arg("site_w"), py::arg("provision"),
      py::arg("objective"), "The best cap and layout; see ``ampacity.power.best_cap``.");
}

}  // namespace ampacity::python
