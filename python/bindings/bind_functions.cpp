// The calls: estimate and search. Both release the GIL.
#include <optional>

#include "conversion.hpp"
#include "question.hpp"
#include "spec_text.hpp"

namespace ampacity::python {
namespace {

constexpr Range device_count{1, 1e8};

/// A count that is no field of a layout; noted as a problem of `name` where it is no whole number.
std::optional<std::int64_t> read_count(const Value& choice, const char* key, const char* name,
                                       std::vector<Problem>& problems) {
  const Value* value = choice.find(key);
  if (value == nullptr) return std::nullopt;
  const double number = value->is_number() ? value->number() : 0;
  if (!(number >= device_count.minimum && number <= device_count.maximum) ||
      number != static_cast<double>(static_cast<std::int64_t>(number))) {
    problems.push_back({name, value->describe(), "must be a whole number between 1 and 1e+08", {}});
    return std::nullopt;
  }
  return static_cast<std::int64_t>(number);
}

/// Keyword arguments that are not None, as a layout choice.
LayoutChoice read_choice(const py::dict& kwargs) {
  std::vector<Problem> problems;
  Value given = Value::Table{};
  for (const auto& [key, value] : kwargs) {
    if (value.is_none()) continue;
    const std::string name = py::str(key);
    given.set(name, to_value(value, "layout." + name, problems));
  }

  LayoutChoice choice;
  choice.accelerators = read_count(given, "accelerators", "gpus", problems);
  choice.global_batch = read_count(given, "global_batch", "training.global_batch", problems);
  Value fields = Value::Table{};
  for (const auto& [key, value] : *given.get_if<Value::Table>()) {
    if (key != "accelerators" && key != "global_batch") fields.set(key, value);
  }
  const auto layout = decode_checked<Layout>(fields, Catalogue::builtin(), std::move(problems));
  const auto take = [&](const auto& field) {
    if (fields.find(field.key) != nullptr) choice.of(field.member) = layout.*field.member;
  };
  std::apply([&](const auto&... field) { (take(field), ...); }, Layout::fields());
  return choice;
}

SearchResult run_search(const Training& job, const Cluster& cluster, std::size_t keep,
                        const py::KWArgs<py::object>& kwargs) {
  const LayoutChoice choice = read_choice(kwargs);
  const py::gil_scoped_release release;
  return search(job, cluster, choice, keep);
}

/// Runs without the interpreter, and keeps with the answer what was asked.
template <class Run>
ToldEstimate ask(const Training& job, const Cluster& cluster, const Run& run) {
  Estimate found = [&] {
    const py::gil_scoped_release release;
    return run();
  }();
  return told(std::move(found), object_of(job), object_of(cluster));
}

ToldEstimate run_estimate(const Training& job, const Cluster& cluster, const Layout& layout) {
  return ask(job, cluster, [&] { return estimate(job, cluster, layout); });
}

ToldEstimate run_estimate_fastest(const Training& job, const Cluster& cluster, const py::KWArgs<py::object>& kwargs) {
  const LayoutChoice choice = read_choice(kwargs);
  return ask(job, cluster, [&] { return estimate_fastest(job, cluster, choice); });
}

std::vector<ToldEstimate> run_estimate_all(const Training& job, const Cluster& cluster,
                                           const std::vector<Layout>& layouts) {
  std::vector<Estimate> found = [&] {
    const py::gil_scoped_release release;
    return estimate_all(job, cluster, layouts);
  }();
  const py::object asked = object_of(job);
  const py::object on = object_of(cluster);
  std::vector<ToldEstimate> results;
  results.reserve(found.size());
  for (Estimate& one : found) results.push_back(told(std::move(one), asked, on));
  return results;
}

}  // namespace

void bind_functions(py::module_& module) {
  module.def("estimate", &run_estimate, py::arg("job"), py::arg("cluster"), py::arg("layout"),
             "Predicts one training step and the run made of it; see ``ampacity.estimate``.");
  module.def("estimate_all", &run_estimate_all, py::arg("job"), py::arg("cluster"), py::arg("layouts"),
             "Estimates of many layouts of one job, in their order.");
  module.def("search", &run_search, py::arg("job"), py::arg("cluster"), py::kw_only(), py::arg("keep").noconvert() = 10,
             "The fastest layouts that fit in memory; see ``ampacity.search``.");
  module.def("estimate_fastest", &run_estimate_fastest, py::arg("job"), py::arg("cluster"),
             "The estimate of the fastest layout that fits; keywords fix parts of the layout as in ``search``.");
  module.def(
      "check_choice", [](const py::KWArgs<py::object>& kwargs) { static_cast<void>(read_choice(kwargs)); },
      "Raises ``InvalidSpec`` for whatever is wrong with the keywords of ``search`` by themselves.");
  module.def("nearest_names", &nearest_names, py::arg("name"), py::arg("known"),
             "The names that are spelled most like ``name``, nearest first (at most three).");
}

}  // namespace ampacity::python
