// Batches: numpy arrays of layouts in, read-only numpy views of the result columns out.
#include <memory>
#include <optional>

#include "arrays.hpp"
#include "bind_spec.hpp"
#include "question.hpp"

namespace ampacity::python {
namespace {

/// Whether a field of a layout is a set, for which a list spells one value.
bool is_set(const std::string& name) {
  bool found = false;
  const auto look = [&]<class T>(const Field<Layout, T>& field) {
    found = found || (is_enum_set<T> && field.key == name);
  };
  std::apply([&](const auto&... field) { (look(field), ...); }, Layout::fields());
  return found;
}

/// Whether a keyword argument is a column and not one value for all rows.
bool is_column(const std::string& name, py::handle value) {
  if (is_set(name)) return py::isinstance<py::array>(value);
  if (PyList_Check(value.ptr()) != 0 || PyTuple_Check(value.ptr()) != 0) return true;
  return py::isinstance<py::array>(value) && py::reinterpret_borrow<py::array>(value).ndim() > 0;
}

/// Reads columns; what cannot be one is noted as a problem of its field.
class Reader {
 public:
  explicit Reader(std::vector<Problem>& problems) : problems_(problems) {}

  template <class T>
  std::optional<Column<T>> read(const std::string& path, py::handle value) {
    const auto array = py::reinterpret_steal<py::array>(
        py::module_::import("numpy").attr("asarray")(py::reinterpret_borrow<py::object>(value)).release());
    if (array.ndim() != 1) return refuse<T>(path, value, "must be a single value or an array with one dimension");
    const char kind = array.dtype().kind();
    if constexpr (std::is_same_v<T, bool>) {
      if (kind == 'b') return flags(array);
      return refuse<T>(path, value, "must be true or false in each row");
    } else if constexpr (std::is_enum_v<T>) {
      return names<T>(path, array);
    } else if constexpr (is_enum_set<T>) {
      return sets<T>(path, value, array);
    } else if constexpr (std::is_same_v<T, std::int64_t>) {
      if (kind == 'i' || kind == 'u') return integers(ForcedIntegers(array));
      if (kind == 'f') return whole(path, ForcedDoubles(array));
      return refuse<T>(path, value, "must be whole numbers, one for each row");
    } else if constexpr (std::is_same_v<T, double>) {
      if (kind != 'i' && kind != 'u' && kind != 'f') return refuse<T>(path, value, "must be numbers, one for each row");
      const ForcedDoubles numbers(array);
      return Column<double>(std::vector<double>(numbers.data(), numbers.data() + numbers.size()));
    } else {
      return refuse<T>(path, value, "must be one value for all rows");
    }
  }

 private:
  template <class T>
  std::optional<Column<T>> refuse(const std::string& path, py::handle value, std::string rule) {
    problems_.push_back({path, py::str(py::type::handle_of(value).attr("__name__")), std::move(rule), {}});
    return std::nullopt;
  }

  static Column<bool> flags(const py::array& array) {
    const py::array_t<bool, py::array::c_style | py::array::forcecast> values(array);
    return Column<bool>(std::vector<std::uint8_t>(values.data(), values.data() + values.size()));
  }
  static Column<std::int64_t> integers(const ForcedIntegers& values) {
    return Column<std::int64_t>(std::vector<std::int64_t>(values.data(), values.data() + values.size()));
  }
  std::optional<Column<std::int64_t>> whole(const std::string& path, const ForcedDoubles& numbers) {
    std::vector<std::int64_t> values;
    for (py::ssize_t i = 0; i < numbers.size(); ++i) {
      const double number = numbers.data()[i];
      const bool exact = number > -9e15 && number < 9e15;  // false for NaN
      values.push_back(exact ? static_cast<std::int64_t>(number) : 0);
      if (exact && static_cast<double>(values.back()) == number) continue;
      problems_.push_back(
          {path + "[" + std::to_string(i) + "]", py::str(py::float_(number)), "must be a whole number", {}});
      return std::nullopt;
    }
    return Column<std::int64_t>(std::move(values));
  }

  template <class E>
  std::optional<Column<E>> names(const std::string& path, const py::array& array) {
    std::vector<std::uint8_t> codes;
    const auto& known = EnumNames<E>::names;
    for (const py::handle item : array.attr("tolist")()) {
      if (!py::isinstance<py::str>(item)) return refuse<E>(path, item, "must be a name in each row");
      const auto name = item.cast<std::string>();
      const auto found = std::find(known.begin(), known.end(), name);
      if (found == known.end()) {
        const std::vector<std::string> all(known.begin(), known.end());
        std::string rule = "must be one of";
        for (const std::string& one : all) rule += (&one == &all.front() ? " " : ", ") + one;
        const std::vector<std::string> near = nearest_names(name, all);
        problems_.push_back({path, "'" + name + "'", rule, near.empty() ? "" : "did you mean " + near.front() + "?"});
        return std::nullopt;
      }
      codes.push_back(static_cast<std::uint8_t>(found - known.begin()));
    }
    return Column<E>(std::move(codes));
  }

  /// Sets as this module shows them: names joined by a plus sign.
  template <class Set>
  std::optional<Column<Set>> sets(const std::string& path, py::handle value, const py::array& array) {
    std::vector<Set> column;
    for (const py::handle item : array.attr("tolist")()) {
      if (!py::isinstance<py::str>(item)) return refuse<Set>(path, value, "must be names joined by + in each row");
      Set& set = column.emplace_back();
      for (const py::handle part : item.attr("split")("+")) {
        const std::string name = py::str(part);
        if (name.empty()) continue;
        if (!insert(set, name)) return refuse<Set>(path, value, "must be names joined by + in each row, not " + name);
      }
    }
    return Column<Set>(std::move(column));
  }
  template <class E>
  static bool insert(EnumSet<E>& set, const std::string& name) {
    for (std::size_t i = 0; i < EnumNames<E>::names.size(); ++i) {
      if (EnumNames<E>::names[i] != name) continue;
      set.insert(static_cast<E>(i));
      return true;
    }
    return false;
  }

  std::vector<Problem>& problems_;
};

/// Keyword arguments as columns: scalars through the reader of layouts and jobs, arrays one by one.
LayoutColumns read_columns(const Training& job, const py::dict& kwargs) {
  std::vector<Problem> problems;
  Value one = Value::Table{};
  Value job_fields = Value::Table{};
  py::dict arrays;
  const std::vector<std::string> known = field_keys<Layout>();
  for (const auto& [key, value] : kwargs) {
    const std::string name = py::str(key);
    if (value.is_none()) continue;
    const bool of_job = name == "global_batch" || name == "seq_len";
    const bool of_layout = std::find(known.begin(), known.end(), name) != known.end();
    if (is_column(name, value) && (of_job || of_layout)) {
      arrays[key] = value;
    } else if (is_column(name, value)) {
      one.set(name, std::int64_t{1});  // the reader of layouts says that there is no such field
    } else if (of_job) {
      job_fields.set(name, to_value(value, "training." + name, problems));
    } else {
      one.set(name, to_value(value, "layout." + name, problems));
    }
  }

  // Batch and length of all rows take the rules of a job; the rest of the job is as given.
  const auto read_job = [&](const char* key, std::int64_t Training::* member) -> Column<std::int64_t> {
    const Value* value = job_fields.find(key);
    if (value == nullptr) return 0;
    Value document = encode(job);
    document.set(key, *value);
    try {
      return decode<Training>(document).*member;
    } catch (const InvalidSpec& error) {
      problems.insert(problems.end(), error.problems().begin(), error.problems().end());
      return 0;
    }
  };
  Column<std::int64_t> batch = read_job("global_batch", &Training::global_batch);
  Column<std::int64_t> length = read_job("seq_len", &Training::seq_len);

  Reader reader(problems);
  std::vector<std::function<void(LayoutColumns&)>> set;
  const auto take = [&]<class T>(const Field<Layout, T>& field) {
    const py::str key{std::string(field.key)};
    if (!arrays.contains(key)) return;
    if (auto column = reader.read<T>("layout." + std::string(field.key), arrays[key])) {
      set.push_back(
          [member = field.member, c = *std::move(column)](LayoutColumns& columns) { columns.set(member, c); });
    }
  };
  std::apply([&](const auto&... field) { (take(field), ...); }, Layout::fields());
  const auto take_job = [&](const char* key, Column<std::int64_t>& target) {
    if (!arrays.contains(key)) return;
    if (auto column = reader.read<std::int64_t>("training." + std::string(key), arrays[key]))
      target = *std::move(column);
  };
  take_job("global_batch", batch);
  take_job("seq_len", length);

  LayoutColumns columns(decode_checked<Layout>(one, Catalogue::builtin(), std::move(problems)));
  for (const auto& apply : set) apply(columns);
  columns.set_global_batch(std::move(batch)).set_seq_len(std::move(length));
  static_cast<void>(columns.rows());
  return columns;
}

std::unique_ptr<EstimateColumns> run_estimate_layouts(const Training& job, const Cluster& cluster, std::size_t threads,
                                                      const py::KWArgs<py::object>& kwargs) {
  LayoutColumns columns = read_columns(job, kwargs);
  BatchOptions options;
  options.threads = threads;
  return interruptible([&](const std::function<bool()>& proceed) {
    options.proceed = proceed;
    return std::make_unique<EstimateColumns>(job, cluster, std::move(columns), options);
  });
}

std::size_t checked_row(const EstimateColumns& self, py::ssize_t row) {
  const auto rows = static_cast<py::ssize_t>(self.rows());
  if (row < -rows || row >= rows) throw py::index_error("row " + std::to_string(row) + " of " + std::to_string(rows));
  return static_cast<std::size_t>(row < 0 ? row + rows : row);
}

/// Values of a field of the layouts, and the names that its codes stand for (none where they are plain numbers).
py::typing::Tuple<py::array, Names> layout_column(const py::object& self, const std::string& key) {
  const auto& columns = self.cast<const EstimateColumns&>();
  py::object values;
  Names names = names_of(std::vector<std::string>{});
  const auto take = [&]<class T>(const Field<Layout, T>& field, const Column<T>& column) {
    if (field.key != key) return;
    if constexpr (std::is_arithmetic_v<T> || std::is_enum_v<T>) {
      values = view(column.values(), columns.rows(), self);
    }
    if constexpr (std::is_same_v<T, bool>) {
      values = values.attr("view")("bool");
    } else if constexpr (std::is_enum_v<T>) {
      names = names_of(EnumNames<T>::names);
    } else if constexpr (is_enum_set<T>) {
      std::vector<std::string> texts;
      for (std::size_t row = 0; row < (column.is_scalar() ? 1 : columns.rows()); ++row) {
        std::string& text = texts.emplace_back();
        for (const std::string& name : names_in(column[row])) text += (text.empty() ? "" : "+") + name;
      }
      values = column.is_scalar() ? py::module_::import("numpy").attr("zeros")(columns.rows(), "uint8")
                                  : py::module_::import("numpy").attr("arange")(columns.rows());
      names = names_of(texts);
    }
  };
  columns.layouts().visit(take);
  if (!values) throw py::key_error(key);
  return py::typing::Tuple<py::array, Names>(py::make_tuple(values, names));
}

}  // namespace

void bind_batch(py::module_& module) {
  using C = EstimateColumns;
  py::class_<C>(module, "EstimateColumns", "Columns of ``estimate_layouts``; see ``ampacity.LayoutEstimates``.")
      .def("__len__", &C::rows)
      .def_property_readonly("job", &C::job, py::return_value_policy::copy, "The job.")
      .def_property_readonly("cluster", &C::cluster, py::return_value_policy::copy, "The cluster.")
      .def_static(
          "keys",
          [] {
            std::vector<std::string_view> keys;
            for (const ColumnInfo& info : C::info()) keys.push_back(info.key);
            return names_of(keys);
          },
          "Names of the result columns.")
      .def_static(
          "docs",
          [] {
            std::vector<std::string_view> docs;
            for (const ColumnInfo& info : C::info()) docs.push_back(info.doc);
            return names_of(docs);
          },
          "What the result columns mean, with units.")
      .def_static(
          "layout_keys", [] { return names_of(field_keys<Layout>()); }, "Names of the layout columns.")
      .def_static(
          "reason_names", [] { return names_of(C::reason_names()); }, "What the codes of ``reasons`` say.")
      .def(
          "column",
          [](const py::object& self, const std::string& key) {
            const auto& columns = self.cast<const C&>();
            return view(columns.column(key), columns.rows(), self);
          },
          py::arg("key"), "Read-only view of a result column.")
      .def("layout_column", &layout_column, py::arg("key"),
           "Read-only view of a column of the layouts, and the names of its codes.")
      .def(
          "reasons",
          [](const py::object& self) {
            const auto& columns = self.cast<const C&>();
            return view(columns.reasons(), columns.rows(), self);
          },
          "Read-only view of the code of what keeps each row from running (0: nothing).")
      .def(
          "caveats",
          [](const py::object& self) {
            const auto& columns = self.cast<const C&>();
            return view(columns.caveats(), columns.rows(), self);
          },
          "Read-only view of the caveats of each row, a bit each.")
      .def_static(
          "caveat_names", [] { return names_of(EnumNames<Caveat>::names); }, "Names of the bits of ``caveats``.")
      .def(
          "job_column",
          [](const py::object& self, const std::string& key) {
            const auto& columns = self.cast<const C&>();
            if (key != "global_batch" && key != "seq_len") throw py::key_error(key);
            const bool batch = key == "global_batch";
            const Column<std::int64_t>& column = batch ? columns.layouts().global_batch() : columns.layouts().seq_len();
            const std::int64_t& own = batch ? columns.job().global_batch : columns.job().seq_len;
            const bool given = !column.is_scalar() || column[0] != 0;
            return view(given ? column.values() : std::span<const std::int64_t>(&own, 1), columns.rows(), self);
          },
          py::arg("key"), "Read-only view of batch or sequence length of each row.")
      .def(
          "reason", [](const C& self, py::ssize_t row) { return self.reason(checked_row(self, row)); }, py::arg("row"),
          "What keeps the row from running, in words; empty where nothing does.")
      .def(
          "layout", [](const C& self, py::ssize_t row) { return self.layout(checked_row(self, row)); }, py::arg("row"),
          "The layout of the row.")
      .def(
          "estimate",
          [](const C& self, py::ssize_t row) {
            const auto copied = py::return_value_policy::copy;
            return told(self.estimate(checked_row(self, row)), py::cast(self.job(), copied),
                        py::cast(self.cluster(), copied));
          },
          py::arg("row"), "The full estimate of the row.")
      .def(
          "best",
          [](const C& self) -> std::optional<std::size_t> {
            const std::size_t row = self.best();
            return row < self.rows() ? std::optional(row) : std::nullopt;
          },
          "Row with most tokens a second of those that run and fit.");
  module.def("estimate_layouts", &run_estimate_layouts, py::arg("job"), py::arg("cluster"), py::kw_only(),
             py::arg("threads").noconvert() = 1, "See ``ampacity.estimate_layouts``.");
}

}  // namespace ampacity::python
