// Explanations: the tree, what bounds, what would help, where parameters come from.
#include "bind_result.hpp"
#include "result_text.hpp"

namespace ampacity::python {
namespace {

py::dict term_dict(const Term& term) {
  py::dict table;
  table["name"] = term.name;
  table["seconds"] = term.seconds;
  table["hidden_s"] = term.hidden_s;
  py::list parts;
  for (const Term& part : term.parts) parts.append(term_dict(part));
  table["parts"] = parts;
  return table;
}

/// The items of every result of a list.
template <class Result>
py::list dicts(const std::vector<Result>& results) {
  py::list all;
  const auto value = []<class T>(const T& found) -> py::object {
    if constexpr (std::is_enum_v<T>) {
      return py::str(std::string(name_of(found)));
    } else {
      return py::cast(found);
    }
  };
  for (const Result& result : results) {
    py::dict table;
    std::apply([&](const auto&... item) { ((table[item.key] = value(result.*item.member)), ...); },
               Described<Result>::items());
    all.append(table);
  }
  return all;
}

Dict explanation_dict(const Explanation& self) {
  py::dict table;
  table["bounds"] = dicts(self.bounds);
  table["time"] = term_dict(self.time);
  table["stage_imbalance_s"] = self.stage_imbalance_s;
  table["sensitivities"] = dicts(self.sensitivities);
  table["doubts"] = py::cast(self.doubts);
  table["provenance"] = dicts(self.provenance);
  table["measured_fraction"] = self.measured_fraction;
  table["measured_source"] = self.measured_source;
  return table;
}

/// The pages are written in Python (`ampacity._explain`).
py::str page(const Explanation& self, const char* kind) {
  return py::str(py::module_::import("ampacity._explain").attr(kind)(py::cast(self)));
}

}  // namespace

Explanation Question::explain(const Catalogue& catalogue) const {
  if (!known()) throw Error("this breakdown does not know its job any more: take it from its estimate");
  Training asked = job.cast<const Training&>();
  asked.global_batch = global_batch;
  asked.seq_len = seq_len;
  const auto& on = cluster.cast<const Cluster&>();
  const py::gil_scoped_release release;
  return ampacity::explain(asked, on, layout, catalogue);
}

void bind_explain(py::module_& module) {
  bind_result<Term>(module, "Term", "A term of a step's time and what it is made of.")
      .def(
          "to_dict", [](const Term& self) { return Dict(term_dict(self)); }, "The tree as nested dictionaries.")
      .def(
          "__getitem__",
          [](const Term& self, const std::string& name) {
            for (const Term& part : self.parts) {
              if (part.name == name) return part;
            }
            throw py::key_error(name);
          },
          py::arg("name"), "The part of that name.")
      .def("__repr__", [](const Term& self) {
        return "<Term " + self.name + ": " + std::string(py::str("{:.6g}").format(self.seconds)) + " s, " +
               std::to_string(self.parts.size()) + " parts>";
      });
  bind_result<Bound>(module, "Bound", "One cause of the step time.")
      .def("__str__", [](const Bound& self) { return self.text; })
      .def("__repr__", [](const Bound& self) { return items_text(self, "Bound"); });
  bind_result<Sensitivity>(module, "Sensitivity", "What a change of hardware or software does to the step time.")
      .def("__repr__", [](const Sensitivity& self) { return items_text(self, "Sensitivity"); });
  bind_result<Provenance>(module, "Provenance", "Where a parameter comes from.")
      .def("__repr__", [](const Provenance& self) { return items_text(self, "Provenance"); });
  bind_result<Explanation>(module, "Explanation", "What bounds a step, what would help, how well founded that is.")
      .def_property_readonly(
          "text", [](const Explanation& self) { return page(self, "text"); },
          "The report that ``ampacity estimate --explain`` prints.")
      .def("to_dict", &explanation_dict, "The object that ``ampacity estimate --explain --json`` adds.")
      .def("__str__", [](const Explanation& self) { return page(self, "text"); })
      .def(
          "_repr_html_", [](const Explanation& self) { return page(self, "html"); }, "Tables for notebooks.")
      .def("__repr__", [](const Explanation& self) {
        const std::string first = self.bounds.empty() ? "nothing" : self.bounds.front().text;
        return "<Explanation " + self.model + " on " + self.cluster + ": bound by " + first + ">";
      });
}

}  // namespace ampacity::python
