#include "workload/adapters.hpp"

#include <algorithm>

#include "workload/parameters.hpp"

namespace ampacity::workload {
namespace {

constexpr double half = 2;  // bytes of an activation in 16 bits

/// Adapters compute in 16 bits. The result is scaled (read, written) and added to that of the frozen product (two
/// reads, a write); on the way back its gradient is scaled, and what comes out is added to the gradient of the input.
Stream passes_of(const Training& job, const Linear& linear) {
  const double gives = linear.batch * linear.tokens * linear.out / (linear.module.splits_in ? linear.module.split : 1);
  const double takes = linear.batch * linear.tokens * linear.in;
  const double launches = adapter_passes * launches_of(job, linear);
  return {5 * half * gives, 2 * half * gives + 3 * half * takes, launches, launches};
}

/// Weights that are stored in fewer bits than products take are read and written once for each pass (bitsandbytes:
/// dequantize_4bit before each product).
Stream widening_of(const Training& job, const Linear& linear) {
  const double taken = operand_bytes(job);
  if (job.frozen_weight_bytes >= taken) return {};
  const double bytes = (job.frozen_weight_bytes + taken) * linear.in * linear.out * linear.batch;
  const double launches = launches_of(job, linear);
  return {bytes, bytes, launches, launches};
}

double parameters_of(const Linear& linear) {
  const Linear down = adapter_down(linear);
  const Linear up = adapter_up(linear);
  return linear.batch * (down.in * down.out + up.in * up.out);
}

}  // namespace

StageParameters adapter_parameters(const LayerWork& work) {
  StageParameters sum;
  for (std::size_t i = 0; i < work.linear_count; ++i) {
    const Linear& linear = work.linears[i];
    if (linear.rank == 0) continue;
    (linear.kind == Operator::experts ? sum.experts : sum.shared) += parameters_of(linear);
  }
  return sum;
}

namespace {

/// Forward FLOPs of a layer's adapters for its tokens.
double adapter_flops(const LayerWork& work) {
  double flops = 0;
  for (std::size_t i = 0; i < work.linear_count; ++i) {
    const Linear& linear = work.linears[i];
    flops += 2 * linear.batch * linear.tokens * linear.rank * (linear.in + linear.out);
  }
  return flops;
}

bool has_dense(const Model& m) {
  return !m.is_moe() || m.dense_layers > 0 || m.moe_layer_interval > 1;
}

}  // namespace

void add_adapters(const Training& job, LayerWork& work) {
  for (std::size_t i = 0; i < work.linear_count; ++i) {
    Linear& linear = work.linears[i];
    if (linear.kind == Operator::router) continue;
    work.add(Operator::casts, widening_of(job, linear));
    if (!job.adapts(linear.module.name)) continue;
    linear.rank = static_cast<double>(job.lora_rank);
    work.add(Operator::adapters, passes_of(job, linear));
  }
}

double operand_bytes(const Training& job) {
  switch (job.precision) {
    case Precision::fp8:
    case Precision::fp8_block:
    case Precision::mxfp8:
      return 1;
    case Precision::nvfp4:
      return 0.5;
    default:
      return half;
  }
}

double frozen_copy_bytes(const Training& job, double trained_copy_bytes) {
  const double taken = operand_bytes(job);
  if (job.frozen_weight_bytes > 1.5 * taken) return job.frozen_weight_bytes + trained_copy_bytes;
  // Stored as it is multiplied: one of the copies is the weight. In fewer bits: copies are made for each pass.
  const double others = job.frozen_weight_bytes >= taken ? std::max(0.0, trained_copy_bytes - taken) : 0;
  return job.frozen_weight_bytes + others;
}

StageParameters adapter_parameters(const Training& job, const Layout& layout, const LayerMix& layers) {
  StageParameters sum;
  if (job.lora_rank == 0) return sum;
  if (layers.dense > 0) sum.shared += layers.dense * adapter_parameters(dense_layer(job, layout)).shared;
  if (layers.moe > 0) {
    const StageParameters one = adapter_parameters(moe_layer(job, layout));
    sum.shared += layers.moe * one.shared;
    sum.experts += layers.moe * one.experts;
  }
  return sum;
}

StageParameters trained_parameters(const Training& job, const Layout& layout, const LayerMix& layers,
                                   StagePlace place) {
  return job.is_frozen() ? adapter_parameters(job, layout, layers) : stage_parameters(job.model, layout, layers, place);
}

double training_flops_per_sequence(const Training& job) {
  const auto seq_len = static_cast<double>(job.seq_len);
  const double forward = forward_flops_per_sequence(job.model, seq_len);
  if (!job.is_frozen()) return 3 * forward;
  const double frozen = 3 * forward - weight_flops_per_sequence(job.model, seq_len);
  if (job.lora_rank == 0) return frozen;
  Training balanced = job;
  balanced.capacity_factor = 0;
  const ParameterCount count = count_parameters(job.model);
  double adapters = 0;
  if (has_dense(job.model)) adapters += count.dense_layer_count * adapter_flops(dense_layer(balanced, {}));
  if (job.model.is_moe()) adapters += count.moe_layer_count * adapter_flops(moe_layer(balanced, {}));
  return frozen + 3 * adapters;
}

}  // namespace ampacity::workload
