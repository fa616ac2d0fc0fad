// One collective: keywords in, a frozen answer out.
#include "arrays.hpp"

#include <cmath>

#include "bind_result.hpp"
#include "described_collective.hpp"
#include "result_text.hpp"

namespace ampacity::python {
namespace {

constexpr const char* size_path = "collective.size_bytes";

/// Keywords that are not None as a document; a size may be a text with a unit.
Value document_of(const py::dict& fields, std::vector<Problem>& problems) {
  Value document = Value::Table{};
  for (const auto& [key, value] : fields) {
    if (value.is_none()) continue;
    const std::string name = py::str(key);
    if (name != "size") {
      document.set(name, to_value(value, "collective." + name, problems));
      continue;
    }
    const Value size = to_value(value, size_path, problems);
    if (const auto* text = size.get_if<std::string>()) {
      const std::size_t before = problems.size();
      const double bytes = parse_size(*text, size_path, problems);
      if (problems.size() == before) document.set("size_bytes", bytes);
    } else {
      document.set("size_bytes", size);
    }
  }
  return document;
}

/// What can be told of the group where other fields are wrong.
void check_group(const Value& document, const Cluster& cluster, std::vector<Problem>& problems) {
  CollectiveCall call;
  const auto take = [&document](const char* key, std::int64_t& target) {
    const Value* value = document.find(key);
    if (value == nullptr || !value->is_number()) return;
    const double number = value->number();
    if (number >= 1 && number <= 1e8 && number == std::floor(number)) target = static_cast<std::int64_t>(number);
  };
  take("gpus", call.gpus);
  take("stride", call.stride);
  if (call.gpus >= 2) check_collective(cluster, call, problems);
}

CollectiveCall read_call(const py::dict& fields, const Cluster* cluster) {
  std::vector<Problem> problems;
  const Value document = document_of(fields, problems);
  try {
    return decode_checked<CollectiveCall>(document, Catalogue::builtin(), std::move(problems));
  } catch (const InvalidSpec& error) {
    if (cluster == nullptr) throw;
    std::vector<Problem> all = error.problems();
    check_group(document, *cluster, all);
    throw InvalidSpec(std::move(all));
  }
}

CollectiveEstimate collective_from(const Cluster& cluster, const py::KWArgs<py::object>& fields) {
  const CollectiveCall call = read_call(fields, &cluster);
  const py::gil_scoped_release release;
  return collective(cluster, call);
}

py::object plain(const CollectiveOption& option);

template <class T>
py::object plain_value(const T& value) {
  if constexpr (std::is_enum_v<T>) {
    return py::str(std::string(name_of(value)));
  } else if constexpr (std::is_same_v<T, std::vector<CollectiveOption>>) {
    py::list list;
    for (const CollectiveOption& option : value) list.append(plain(option));
    return list;
  } else {
    return py::cast(value);
  }
}

template <class Result>
Dict items_dict(const Result& result) {
  Dict table;
  const auto add = [&](const auto& item) { table[item.key] = plain_value(result.*item.member); };
  std::apply([&](const auto&... item) { (add(item), ...); }, Described<Result>::items());
  return table;
}

py::object plain(const CollectiveOption& option) {
  Dict table = items_dict(option);
  if (!option.available) table["time_s"] = py::none();
  return table;
}

using Exchange = py::typing::Tuple<py::int_, py::float_, py::float_>;

Exchange run_exchange(const ForcedDoubles& matrix) {
  const bool flat = matrix.ndim() != 2;
  const auto rows = flat ? static_cast<std::int64_t>(matrix.size()) : static_cast<std::int64_t>(matrix.shape(0));
  const auto columns = flat ? 1 : static_cast<std::int64_t>(matrix.shape(1));
  const UnevenExchange found = uneven_exchange({matrix.data(), static_cast<std::size_t>(matrix.size())}, rows, columns);
  return py::make_tuple(found.ranks, found.size_bytes, found.skew);
}

std::string text_of(const CollectiveEstimate& result) {
  const auto shown = [](double value) -> std::string { return py::str("{:.4g}").format(value); };
  return "<CollectiveEstimate " + std::string(name_of(result.operation)) + " of " + shown(result.size_bytes) +
         " bytes on " + std::to_string(result.gpus) + " GPUs: " + shown(result.time_s * 1e6) + " us, " +
         std::string(name_of(result.algorithm)) + "/" + std::string(name_of(result.protocol)) + ", bus " +
         shown(result.busbw_bytes_per_s / 1e9) + " GB/s, bound by " + std::string(name_of(result.bottleneck)) + ">";
}

}  // namespace

void bind_collective(py::module_& module) {
  bind_result<CollectiveOption>(module, "CollectiveOption", "One algorithm under one protocol.")
      .def("to_dict", &items_dict<CollectiveOption>, "All fields.")
      .def("__repr__", [](const CollectiveOption& self) { return items_text(self, "CollectiveOption"); });
  bind_result<CollectiveEstimate>(module, "CollectiveEstimate", "What `ampacity.collective` answers.")
      .def("to_dict", &items_dict<CollectiveEstimate>, "What ``ampacity collective --json`` prints of one size.")
      .def("__repr__", &text_of);
  module.def("collective", &collective_from, py::arg("cluster"), "See ``ampacity.collective``.");
  module.def("uneven_exchange", &run_exchange, py::arg("matrix"),
             "Ranks, bytes of the average rank, and the busiest over it, of bytes from every rank to every rank.");
  module.def(
      "check_collective", [](const py::KWArgs<py::object>& fields) { static_cast<void>(read_call(fields, nullptr)); },
      "Raises ``InvalidSpec`` for whatever is wrong with the keywords of ``collective`` by themselves.");
}

}  // namespace ampacity::python
