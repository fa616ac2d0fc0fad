#include "ampacity/batch.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "ampacity/decode.hpp"
#include "base/team.hpp"
#include "base/text.hpp"
#include "estimate/answer.hpp"
#include "estimate/columns.hpp"
#include "spec/ranges.hpp"
#include "step/conflicts.hpp"

namespace ampacity {
namespace {

constexpr std::size_t rows_between_questions = 4096;
constexpr std::size_t fewest_rows = 256;  // below, starting a thread takes longer than its rows
constexpr double nan = std::numeric_limits<double>::quiet_NaN();
enum Reason : std::uint8_t { none, memory, layout, first_field };

template <class Fields, std::size_t... I>
constexpr auto infos(const Fields& fields, std::index_sequence<I...>) {
  return std::array<ColumnInfo, sizeof...(I)>{std::get<I>(fields).info...};
}
constexpr auto all_infos = infos(batch::columns, std::make_index_sequence<batch::column_count>{});

/// Position of the field of that name in the table of `Spec`; its length where there is none.
template <class Spec>
std::size_t index_of(std::string_view key) {
  std::size_t index = 0;
  bool found = false;
  const auto look = [&](const auto& field) {
    found = found || field.key == key;
    if (!found) ++index;
  };
  std::apply([&](const auto&... field) { (look(field), ...); }, Spec::fields());
  return index;
}
template <class Spec>
constexpr std::size_t field_count = std::tuple_size_v<decltype(Spec::fields())>;

/// Code of the field that a problem names; fields of other specifications (a model's) count as the layout's.
std::uint8_t reason_of(std::string_view path) {
  const std::size_t dot = path.find('.');
  if (dot == std::string_view::npos) return layout;
  const std::string_view kind = path.substr(0, dot);
  const std::string_view key = path.substr(dot + 1);
  std::size_t code = layout;
  if (kind == Layout::kind) {
    const std::size_t index = index_of<Layout>(key);
    if (index < field_count<Layout>) code = first_field + index;
  } else if (kind == Training::kind) {
    const std::size_t index = index_of<Training>(key);
    if (index < field_count<Training>) code = first_field + field_count<Layout> + index;
  }
  return static_cast<std::uint8_t>(code);
}

/// What keeps the row from running, memory aside. Job and cluster are in range but for batch and length.
std::uint8_t conflict_of(const Training& job, const Cluster& cluster, const Layout& row) {
  std::uint8_t code = first_field;
  std::uint8_t wrong = none;
  const auto look = [&]<class Spec, class T>(const Spec& of, const Field<Spec, T>& field) {
    if constexpr (std::is_arithmetic_v<T> || std::is_enum_v<T>) {
      // Batch and length of a job are always there, its tokens may be absent.
      constexpr bool always_there = std::is_same_v<Spec, Training> && std::is_same_v<T, std::int64_t>;
      const T value = of.*field.member;
      const bool good =
          spec::detail::value_in_range(value, field.range) || (!always_there && spec::absent(field, value));
      if (!good && wrong == none) wrong = code;
    }
    ++code;
  };
  std::apply([&](const auto&... field) { (look(row, field), ...); }, Layout::fields());
  std::apply([&](const auto&... field) { (look(job, field), ...); }, Training::fields());
  if (wrong != none) return wrong;
  if (!step::exact_product(row)) return layout;
  const char* path = step::first_conflict(job, cluster, row);
  return path == nullptr ? static_cast<std::uint8_t>(none) : reason_of(path);
}

std::uint32_t bits_of(const std::vector<Warning>& warnings) {
  std::uint32_t bits = 0;
  for (const Warning& warning : warnings) bits |= 1U << static_cast<unsigned>(warning.caveat);
  return bits;
}
static_assert(EnumNames<Caveat>::names.size() <= 32);

/// Where a part of the rows is written.
struct Target {
  double* values;
  std::uint8_t* reasons;
  std::uint32_t* caveats;
  std::size_t rows;  ///< of the whole batch: the distance between columns

  template <std::size_t... I>
  void write(std::size_t row, const Estimate& estimate, std::index_sequence<I...>) const {
    ((values[I * rows + row] = std::get<I>(batch::columns).get(estimate)), ...);
  }
  void write_nan(std::size_t row) const {
    for (std::size_t i = 0; i < batch::column_count; ++i) values[i * rows + row] = nan;
  }
};

/// Answers a row after the other; one per thread.
class Worker {
 public:
  Worker(const Training& job, const Cluster& cluster, const LayoutColumns& layouts, const Target& target)
      : job_(job), cluster_(cluster), layouts_(layouts), target_(target), pacer_(cluster) {}

  void answer_rows(std::size_t begin, std::size_t end) {
    for (std::size_t row = begin; row < end; ++row) answer_row(row);
  }

 private:
  void answer_row(std::size_t row) {
    const Layout layout = layouts_.layout(row);
    layouts_.apply(row, job_);
    const std::uint8_t conflict = conflict_of(job_, cluster_, layout);
    if (conflict != none) {
      target_.reasons[row] = conflict;
      target_.caveats[row] = 0;
      target_.write_nan(row);
      return;
    }
    answer(job_, cluster_, layout, pacer_.pace_of(job_, layout), estimate_);
    target_.reasons[row] = estimate_.memory.fits() ? none : memory;
    target_.caveats[row] = bits_of(estimate_.warnings);
    target_.write(row, estimate_, std::make_index_sequence<batch::column_count>{});
  }

  Training job_;  // a copy: its batch and length change with the row
  const Cluster& cluster_;
  const LayoutColumns& layouts_;
  Target target_;
  step::Pacer pacer_;
  Estimate estimate_;
};

}  // namespace

EstimateColumns::EstimateColumns(Training job, Cluster cluster, LayoutColumns layouts, const BatchOptions& options)
    : job_(std::move(job)), cluster_(std::move(cluster)), layouts_(std::move(layouts)), rows_(layouts_.rows()) {
  std::vector<Problem> problems = step::out_of_range(job_, cluster_, Layout{});
  if (!problems.empty()) throw InvalidSpec(std::move(problems));
  values_ = std::make_unique_for_overwrite<double[]>(rows_ * batch::column_count);
  reasons_.resize(rows_);
  caveats_.resize(rows_);
  const Target target{values_.get(), reasons_.data(), caveats_.data(), rows_};
  const base::Team team(options.proceed, rows_between_questions);
  const bool done = team.run(rows_, base::threads_for(options.threads, rows_ / fewest_rows), [&] {
    return [worker = Worker(job_, cluster_, layouts_, target)](std::size_t from, std::size_t to) mutable {
      worker.answer_rows(from, to);
    };
  });
  if (!done) throw Cancelled("the batch was stopped");
}

std::span<const ColumnInfo> EstimateColumns::info() {
  return all_infos;
}

std::vector<std::string> EstimateColumns::reason_names() {
  std::vector<std::string> names{"", "memory", "layout"};
  const auto add = [&](std::string_view kind, const auto&... field) {
    (names.push_back(std::string(kind) + "." + std::string(field.key)), ...);
  };
  std::apply([&](const auto&... field) { add(Layout::kind, field...); }, Layout::fields());
  std::apply([&](const auto&... field) { add(Training::kind, field...); }, Training::fields());
  return names;
}

std::span<const double> EstimateColumns::column(std::size_t index) const {
  return {values_.get() + index * rows_, rows_};
}

std::span<const double> EstimateColumns::column(std::string_view key) const {
  for (std::size_t i = 0; i < all_infos.size(); ++i) {
    if (all_infos[i].key == key) return column(i);
  }
  std::vector<std::string> known;
  known.reserve(all_infos.size());
  for (const ColumnInfo& info : all_infos) known.emplace_back(info.key);
  const std::vector<std::string> near = nearest_names(key, known);
  throw UnknownName("no column " + std::string(key) +
                    (near.empty() ? "" : "; did you mean " + base::either(near) + "?"));
}

Layout EstimateColumns::layout(std::size_t row) const {
  return layouts_.layout(row);
}

Training EstimateColumns::job_of(std::size_t row) const {
  Training job = job_;
  layouts_.apply(row, job);
  return job;
}

Estimate EstimateColumns::estimate(std::size_t row) const {
  return ampacity::estimate(job_of(row), cluster_, layout(row));
}

std::string EstimateColumns::reason(std::size_t row) const {
  if (reasons_[row] == none) return {};
  if (reasons_[row] == memory) {
    return Warning{Caveat::does_not_fit, column("memory_bytes")[row], column("capacity_bytes")[row]}.text();
  }
  const Training job = job_of(row);
  std::vector<Problem> problems = step::out_of_range(job, cluster_, layout(row));
  if (problems.empty()) problems = step::conflicts(job, cluster_, layout(row));
  return InvalidSpec(std::move(problems)).what();
}

std::size_t EstimateColumns::best() const {
  const std::span<const double> speed = column("tokens_per_s");
  std::size_t best = rows_;
  for (std::size_t row = 0; row < rows_; ++row) {
    if (reasons_[row] == none && (best == rows_ || speed[row] > speed[best])) best = row;
  }
  return best;
}

EstimateColumns estimate_layouts(Training job, Cluster cluster, LayoutColumns layouts, const BatchOptions& options) {
  return {std::move(job), std::move(cluster), std::move(layouts), options};
}

}  // namespace ampacity
