// Kernels by the table: the public face of this folder.
#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "ampacity/error.hpp"
#include "ampacity/kernels.hpp"
#include "base/text.hpp"
#include "compute/device.hpp"
#include "compute/kernels.hpp"

namespace ampacity {

namespace {

using Column = std::span<const double>;

constexpr double largest_extent = 1e12;
constexpr double largest_bytes = 1e18;

struct NamedColumn {
  std::string_view name;
  Column values;
  double lowest;
  double highest;
};

// The first number out of range of each column; a column of another length is a mistake of the caller.
void check(std::size_t rows, std::span<const NamedColumn> columns) {
  std::vector<Problem> problems;
  for (const NamedColumn& column : columns) {
    const std::string name(column.name);
    if (column.values.size() != rows) {
      problems.push_back({name,
                          std::to_string(column.values.size()) + " rows",
                          "must have as many rows as the first column (" + std::to_string(rows) + ")",
                          {}});
      continue;
    }
    for (std::size_t i = 0; i < rows; ++i) {
      const double value = column.values[i];
      if (value >= column.lowest && value <= column.highest) continue;
      problems.push_back(
          {rows > 1 ? name + "[" + std::to_string(i) + "]" : name,
           base::number_text(value),
           "must be a number between " + base::number_text(column.lowest) + " and " + base::number_text(column.highest),
           {}});
      break;
    }
  }
  if (!problems.empty()) throw InvalidSpec(std::move(problems));
}

template <class Price>
KernelCosts priced(std::size_t rows, const Price& price) {
  KernelCosts costs{std::vector<double>(rows), std::vector<double>(rows)};
  for (std::size_t i = 0; i < rows; ++i) {
    const compute::KernelCost cost = price(i);
    costs.seconds[i] = cost.seconds;
    costs.joules[i] = cost.joules;
  }
  return costs;
}

void check_attention(const AttentionTable& table) {
  const auto extent = [](std::string_view name, Column values) { return NamedColumn{name, values, 1, largest_extent}; };
  const std::array columns{
      extent("batch", table.batch),         extent("queries", table.queries),
      extent("keys", table.keys),           extent("heads", table.heads),
      extent("kv_heads", table.kv_heads),   extent("head_dim", table.head_dim),
      extent("value_dim", table.value_dim), NamedColumn{"seen_fraction", table.seen_fraction, 1e-9, 1}};
  check(table.batch.size(), columns);
}

compute::AttentionShape shape_at(const AttentionTable& table, std::size_t i) {
  return {table.batch[i],    table.queries[i],  table.keys[i],      table.heads[i],
          table.kv_heads[i], table.head_dim[i], table.value_dim[i], table.seen_fraction[i]};
}

}  // namespace

KernelCosts gemm_costs(const Accelerator& device, Precision precision, const GemmTable& table) {
  const std::array columns{NamedColumn{"m", table.m, 1, largest_extent}, NamedColumn{"n", table.n, 1, largest_extent},
                           NamedColumn{"k", table.k, 1, largest_extent},
                           NamedColumn{"batch", table.batch, 1, largest_extent}};
  check(table.m.size(), columns);
  return priced(table.m.size(), [&](std::size_t i) {
    return compute::gemm(device, precision,
                         {table.m[i], table.n[i], table.k[i], table.batch[i], table.accumulate ? 4.0 : 0.0});
  });
}

KernelCosts layer_costs(const Accelerator& device, Precision precision, const GemmTable& table,
                        const KernelCosts& others) {
  const std::array columns{
      NamedColumn{"m", table.m, 1, largest_extent},
      NamedColumn{"n", table.n, 1, largest_extent},
      NamedColumn{"k", table.k, 1, largest_extent},
      NamedColumn{"batch", table.batch, 1, largest_extent},
      NamedColumn{"seconds of others", others.seconds, 0, largest_extent},
      NamedColumn{"joules of others", others.joules, 0, largest_extent},
  };
  check(table.m.size(), columns);
  return priced(table.m.size(), [&](std::size_t i) {
    const compute::GemmShape shape{table.m[i], table.n[i], table.k[i], table.batch[i], table.accumulate ? 4.0 : 0.0};
    return compute::gemm_beside(device, precision, shape, {others.seconds[i], others.joules[i], 0});
  });
}

KernelCosts attention_forward_costs(const Accelerator& device, const AttentionTable& table) {
  check_attention(table);
  return priced(table.batch.size(),
                [&](std::size_t i) { return compute::flash_attention_forward(device, shape_at(table, i)); });
}

KernelCosts attention_backward_costs(const Accelerator& device, const AttentionTable& table) {
  check_attention(table);
  return priced(table.batch.size(),
                [&](std::size_t i) { return compute::flash_attention_backward(device, shape_at(table, i)); });
}

KernelCosts streaming_costs(const Accelerator& device, Column bytes, Column kernels) {
  const std::array columns{NamedColumn{"bytes", bytes, 0, largest_bytes},
                           NamedColumn{"kernels", kernels, 0, largest_extent}};
  check(bytes.size(), columns);
  return priced(bytes.size(), [&](std::size_t i) { return compute::streaming(device, bytes[i], kernels[i]); });
}

bool computes_in(const Accelerator& device, Precision precision) {
  return compute::supports(device, precision);
}

double active_w(const Accelerator& device) {
  return compute::watts_at(device, device.architecture.active_fraction);
}

}  // namespace ampacity
