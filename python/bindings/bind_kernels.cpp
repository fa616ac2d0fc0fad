// Kernels by the table: numpy columns in, numpy columns out. The GIL is released while the core works.
#include "arrays.hpp"

#include "conversion.hpp"

namespace ampacity::python {
namespace {

using Points = std::pair<ForcedDoubles, ForcedDoubles>;

std::span<const double> view(const ForcedDoubles& column) {
  return {column.data(), static_cast<std::size_t>(column.size())};
}

Points to_arrays(const KernelCosts& costs) {
  const auto array = [](const std::vector<double>& values) {
    return ForcedDoubles(static_cast<py::ssize_t>(values.size()), values.data());
  };
  return {array(costs.seconds), array(costs.joules)};
}

template <class Price>
Points without_gil(const Price& price) {
  KernelCosts costs;
  {
    const py::gil_scoped_release release;
    costs = price();
  }
  return to_arrays(costs);
}

Precision precision_named(const std::string& name) {
  constexpr auto& names = EnumNames<Precision>::names;
  std::vector<std::string> known;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == name) return static_cast<Precision>(i);
    known.emplace_back(names[i]);
  }
  std::string rule = "must be one of ";
  for (const std::string& one : known) rule += (&one == known.data() ? "" : ", ") + one;
  const std::vector<std::string> near = nearest_names(name, known);
  throw InvalidSpec(
      {{"precision", "'" + name + "'", rule, near.empty() ? std::string() : "did you mean " + near[0] + "?"}});
}

Points run_gemm(const Accelerator& device, const std::string& precision, const ForcedDoubles& m, const ForcedDoubles& n,
                const ForcedDoubles& k, const ForcedDoubles& batch, bool accumulate) {
  const Precision format = precision_named(precision);
  const GemmTable table{view(m), view(n), view(k), view(batch), accumulate};
  return without_gil([&] { return gemm_costs(device, format, table); });
}

Points run_layer(const Accelerator& device, const std::string& precision, const std::vector<ForcedDoubles>& shape,
                 const ForcedDoubles& other_s, const ForcedDoubles& other_j) {
  if (shape.size() != 4) throw py::value_error("a table of products has four columns");
  const Precision format = precision_named(precision);
  const GemmTable table{view(shape[0]), view(shape[1]), view(shape[2]), view(shape[3]), false};
  const std::span<const double> seconds = view(other_s);
  const std::span<const double> joules = view(other_j);
  const KernelCosts others{{seconds.begin(), seconds.end()}, {joules.begin(), joules.end()}};
  return without_gil([&] { return layer_costs(device, format, table, others); });
}

Points run_attention(const Accelerator& device, const std::vector<ForcedDoubles>& shape, bool backward) {
  if (shape.size() != 8) throw py::value_error("an attention table has eight columns");
  const AttentionTable table{view(shape[0]), view(shape[1]), view(shape[2]), view(shape[3]),
                             view(shape[4]), view(shape[5]), view(shape[6]), view(shape[7])};
  return without_gil(
      [&] { return backward ? attention_backward_costs(device, table) : attention_forward_costs(device, table); });
}

Points run_streaming(const Accelerator& device, const ForcedDoubles& bytes, const ForcedDoubles& kernels) {
  const std::span<const double> moved = view(bytes);
  const std::span<const double> launches = view(kernels);
  return without_gil([&] { return streaming_costs(device, moved, launches); });
}

/// `points`: kernel (as in MeasuredKernel), three extents and the ratio, column by column.
Cluster correct(const Cluster& cluster, const std::string& accelerator, const std::string& source,
                const std::vector<std::string>& precisions, const std::vector<ForcedDoubles>& points) {
  if (points.size() != 5) throw py::value_error("measured points have five columns");
  std::vector<std::span<const double>> columns;
  columns.reserve(points.size());
  for (const ForcedDoubles& column : points) columns.push_back(view(column));
  std::vector<MeasuredPoint> all(precisions.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (const auto& column : columns) {
      if (column.size() != all.size()) throw py::value_error("measured points are columns of one length");
    }
    const auto kernel = static_cast<MeasuredKernel>(static_cast<int>(columns[0][i]));
    all[i] = {kernel, precision_named(precisions[i]), {columns[1][i], columns[2][i], columns[3][i]}, columns[4][i]};
  }
  return with_measured_kernels(cluster, accelerator, std::make_shared<const MeasuredKernels>(source, all));
}

}  // namespace

void bind_kernels(py::module_& module) {
  module.def("gemm_costs", &run_gemm, py::arg("device"), py::arg("precision"), py::arg("m"), py::arg("n"), py::arg("k"),
             py::arg("batch"), py::arg("accumulate"), "Seconds and joules of matrix products; see ``ampacity.gemm``.");
  module.def(
      "layer_costs", &run_layer, py::arg("device"), py::arg("precision"), py::arg("shape"), py::arg("other_s"),
      py::arg("other_j"),
      "Seconds and joules of matrix products (``shape``: m, n, k, batch) together with other kernels that take turns "
      "with them: the power limit holds for their mean.");
  module.def("attention_costs", &run_attention, py::arg("device"), py::arg("shape"), py::arg("backward"),
             "Seconds and joules of attention cores; ``shape``: batch, queries, keys, heads, kv_heads, head_dim, "
             "value_dim, seen_fraction. See ``ampacity.attention``.");
  module.def("streaming_costs", &run_streaming, py::arg("device"), py::arg("bytes"), py::arg("kernels"),
             "Seconds and joules of memory-bound operators; see ``ampacity.streaming``.");
  module.def("with_measured_kernels", &correct, py::arg("cluster"), py::arg("accelerator"), py::arg("source"),
             py::arg("precisions"), py::arg("points"),
             "The cluster with that accelerator's kernels corrected near measured shapes; see "
             "``ampacity.with_measured_kernels``.");
  module.def(
      "computes_in",
      [](const Accelerator& device, const std::string& precision) {
        return computes_in(device, precision_named(precision));
      },
      py::arg("device"), py::arg("precision"), "Whether the device has matrix products of that format.");
  module.def("active_w", &active_w, py::arg("device"), "Watts while kernels run, before arithmetic and data.");
}

}  // namespace ampacity::python
