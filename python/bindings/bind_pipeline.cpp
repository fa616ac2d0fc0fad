// Pipeline timelines: durations in, read-only numpy views of the columns out.
#include "arrays.hpp"

#include <string>
#include <vector>

#include "conversion.hpp"

namespace ampacity::python {
namespace {

/// One number, or an array of them in rows of stages.
std::vector<double> durations(const ForcedDoubles& values) {
  return {values.data(), values.data() + values.size()};
}

/// A read-only array that looks at memory of `owner` and keeps it alive.
template <class T>
py::array_t<T> view(const T* values, std::size_t size, py::handle owner) {
  py::array_t<T> array(static_cast<py::ssize_t>(size), values, owner);
  array.attr("setflags")(py::arg("write") = false);
  return array;
}

template <class T>
void bind_column(py::class_<PipelineTimeline>& type, const char* key, std::vector<T> PipelineTimeline::* member,
                 const char* doc) {
  const auto get = [member](const py::object& self) {
    const std::vector<T>& values = self.cast<const PipelineTimeline&>().*member;
    return view(values.data(), values.size(), self);
  };
  type.def_property_readonly(key, get, doc);
}

py::array_t<std::uint8_t> kinds(const py::object& self) {
  const std::vector<PipelineTask>& values = self.cast<const PipelineTimeline&>().kind;
  static_assert(sizeof(PipelineTask) == 1);
  return view(reinterpret_cast<const std::uint8_t*>(values.data()), values.size(), self);
}

PipelineTimeline timeline_of(const std::string& schedule, std::int64_t pp, std::int64_t micro_batches, std::int64_t vp,
                             const ForcedDoubles& forward_s, const ForcedDoubles& input_gradient_s,
                             const ForcedDoubles& weight_gradient_s, const ForcedDoubles& transfer_s, double saved_s) {
  // The name is read by the rules of layouts, which know the nearest one.
  Value document = Value::Table{};
  document.set("schedule", schedule);
  Pipeline pipeline;
  pipeline.schedule = decode_checked<Layout>(document, Catalogue::builtin(), {}).schedule;
  pipeline.pp = pp;
  pipeline.vp = vp;
  pipeline.micro_batches = micro_batches;
  pipeline.forward_s = durations(forward_s);
  pipeline.input_gradient_s = durations(input_gradient_s);
  pipeline.weight_gradient_s = durations(weight_gradient_s);
  pipeline.transfer_s = durations(transfer_s);
  pipeline.saved_s = saved_s;
  const py::gil_scoped_release release;
  return pipeline_timeline(pipeline);
}

}  // namespace

void bind_pipeline(py::module_& module) {
  py::class_<PipelineTimeline> type(module, "PipelineTimeline",
                                    "Tasks of a pipeline, rank by rank in the order in which each is worked off; "
                                    "columns are read-only views.");
  bind_column(type, "rank", &PipelineTimeline::rank, "Pipeline rank that works.");
  bind_column(type, "stage", &PipelineTimeline::stage, "Stage of the model that it works on, first to last.");
  bind_column(type, "micro_batch", &PipelineTimeline::micro_batch, "Micro-batch.");
  bind_column(type, "start_s", &PipelineTimeline::start_s, "Start (s).");
  bind_column(type, "end_s", &PipelineTimeline::end_s, "End (s).");
  type.def_property_readonly("kind", &kinds, "What is done, an index into ``kinds``.");
  type.def_property_readonly_static(
      "kinds",
      [](const py::object&) {
        py::list names;
        for (const std::string_view name : EnumNames<PipelineTask>::names) names.append(py::str(std::string(name)));
        return py::typing::Tuple<py::str, py::ellipsis>(py::tuple(names));
      },
      "What the codes of ``kind`` mean.");
  type.def_property_readonly("makespan_s", &PipelineTimeline::makespan_s, "End of the last task (s).");
  type.def("__len__", &PipelineTimeline::size);
  type.def("__repr__", [](const PipelineTimeline& self) {
    return "<PipelineTimeline of " + std::to_string(self.size()) + " tasks, " + std::to_string(self.makespan_s()) +
           " s>";
  });
  module.def("pipeline_timeline", &timeline_of, py::arg("schedule"), py::kw_only(), py::arg("pp"),
             py::arg("micro_batches"), py::arg("vp"), py::arg("forward_s"), py::arg("input_gradient_s"),
             py::arg("weight_gradient_s"), py::arg("transfer_s"), py::arg("saved_s"),
             "See ``ampacity.pipeline_timeline``.");
}

}  // namespace ampacity::python
