// `estimate_layouts`: arrays of layouts in, columns of results out.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "ampacity/cluster.hpp"
#include "ampacity/error.hpp"
#include "ampacity/estimate.hpp"
#include "ampacity/layout.hpp"
#include "ampacity/training.hpp"

namespace ampacity {

/// One field of many rows: a value a row, or one value for all rows.
template <class T>
class Column {
 public:
  /// Flags and enumerations take one byte.
  using Stored = std::conditional_t<std::is_same_v<T, bool> || std::is_enum_v<T>, std::uint8_t, T>;

  Column(T value) : values_{static_cast<Stored>(std::move(value))} {}           // NOLINT(google-explicit-constructor)
  Column(std::vector<Stored> values) : values_(std::move(values)), step_(1) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool is_scalar() const { return step_ == 0; }
  [[nodiscard]] std::span<const Stored> values() const { return values_; }
  [[nodiscard]] T operator[](std::size_t row) const { return static_cast<T>(values_[row * step_]); }

 private:
  std::vector<Stored> values_;
  std::size_t step_ = 0;
};

namespace detail {

template <class Fields>
struct ColumnsOf;
template <class... Spec, class... T>
struct ColumnsOf<std::tuple<Field<Spec, T>...>> {
  using Type = std::tuple<Column<T>...>;
};

}  // namespace detail

/// Layouts as columns, one for each field of `Layout`; what is not set is the default of `Layout` in all rows. Batch
/// and sequence length may differ between rows too; where they are not set they are the job's.
class LayoutColumns {
 public:
  explicit LayoutColumns(const Layout& all = {});

  template <class T>
  LayoutColumns& set(T Layout::* member, Column<T> column) {
    visit([&](const auto& field, auto& target) {
      if constexpr (std::is_same_v<decltype(field.member), T Layout::*>) {
        if (field.member == member) target = std::move(column);
      }
    });
    return *this;
  }
  LayoutColumns& set_global_batch(Column<std::int64_t> column) { return global_batch_ = std::move(column), *this; }
  LayoutColumns& set_seq_len(Column<std::int64_t> column) { return seq_len_ = std::move(column), *this; }

  /// Calls `use(field, column)` for each field of `Layout`.
  template <class Use>
  void visit(Use&& use) const {
    visit_columns(*this, use, std::make_index_sequence<fields>{});
  }
  template <class Use>
  void visit(Use&& use) {
    visit_columns(*this, use, std::make_index_sequence<fields>{});
  }

  /// Length of the columns that are no scalars; 1 where all are.
  /// \throws InvalidSpec naming the columns whose lengths differ.
  [[nodiscard]] std::size_t rows() const;
  [[nodiscard]] Layout layout(std::size_t row) const;
  /// Puts batch and length of that row into the job.
  void apply(std::size_t row, Training& job) const;
  [[nodiscard]] const Column<std::int64_t>& global_batch() const { return global_batch_; }
  [[nodiscard]] const Column<std::int64_t>& seq_len() const { return seq_len_; }

 private:
  using Fields = std::remove_cvref_t<decltype(Layout::fields())>;
  using Columns = detail::ColumnsOf<Fields>::Type;
  static constexpr std::size_t fields = std::tuple_size_v<Fields>;

  template <class Self, class Use, std::size_t... I>
  static void visit_columns(Self& self, Use& use, std::index_sequence<I...>) {
    constexpr auto table = Layout::fields();
    (use(std::get<I>(table), std::get<I>(self.columns_)), ...);
  }
  template <std::size_t... I>
  static Columns all_rows(const Layout& layout, std::index_sequence<I...>) {
    constexpr auto table = Layout::fields();
    return Columns{layout.*std::get<I>(table).member...};
  }

  Columns columns_;
  Column<std::int64_t> global_batch_{0};  // 0: the job's
  Column<std::int64_t> seq_len_{0};
};

/// What the columns of an answer hold.
struct ColumnInfo {
  std::string_view key;
  std::string_view doc;
};

/// How to run a batch.
struct BatchOptions {
  std::size_t threads = 1;  ///< 0: as many as the machine has; results do not depend on it
  /// Called now and then by the calling thread; false stops the batch (`Cancelled` is thrown).
  std::function<bool()> proceed;
};

/// Answers of `estimate_layouts`: for each row the numbers of an `Estimate`, each in a contiguous column. A row that
/// cannot run has NaN there and a reason; one that does not fit in memory has its numbers and a reason. Immutable.
class EstimateColumns {
 public:
  EstimateColumns(Training job, Cluster cluster, LayoutColumns layouts, const BatchOptions& options);

  [[nodiscard]] std::size_t rows() const { return rows_; }
  /// The columns in their order; `doc` has meaning and unit.
  [[nodiscard]] static std::span<const ColumnInfo> info();
  [[nodiscard]] std::span<const double> column(std::size_t index) const;
  /// \throws UnknownName
  [[nodiscard]] std::span<const double> column(std::string_view key) const;

  /// What keeps each row from running: index into `reason_names`; 0 where nothing does.
  [[nodiscard]] std::span<const std::uint8_t> reasons() const { return reasons_; }
  /// "", "memory", and the fields that can be at fault ("layout.tp", "training.global_batch", ...).
  [[nodiscard]] static std::vector<std::string> reason_names();
  /// The reason in words, every problem of the row named; empty where it runs and fits.
  [[nodiscard]] std::string reason(std::size_t row) const;
  /// Caveats of each row: bit n is the nth `Caveat`.
  [[nodiscard]] std::span<const std::uint32_t> caveats() const { return caveats_; }

  [[nodiscard]] Layout layout(std::size_t row) const;
  /// The full estimate of a row, as `estimate` gives it. \throws InvalidSpec where the row cannot run.
  [[nodiscard]] Estimate estimate(std::size_t row) const;
  /// The row with most tokens a second of those that run and fit; `rows()` where there is none.
  [[nodiscard]] std::size_t best() const;
  [[nodiscard]] const LayoutColumns& layouts() const { return layouts_; }
  [[nodiscard]] const Training& job() const { return job_; }
  [[nodiscard]] const Cluster& cluster() const { return cluster_; }

 private:
  [[nodiscard]] Training job_of(std::size_t row) const;

  Training job_;
  Cluster cluster_;
  LayoutColumns layouts_;
  std::size_t rows_ = 0;
  std::unique_ptr<double[]> values_;  // one column after the other
  std::vector<std::uint8_t> reasons_;
  std::vector<std::uint32_t> caveats_;
};

/// Estimates many layouts of one job, each number bit for bit that of `estimate`. What layouts have in common is
/// computed once.
/// \throws InvalidSpec where job or cluster are out of range or columns differ in length (a row that cannot run is no
///         error: see `EstimateColumns::reasons`).
[[nodiscard]] EstimateColumns estimate_layouts(Training job, Cluster cluster, LayoutColumns layouts,
                                               const BatchOptions& options = {});

}  // namespace ampacity
