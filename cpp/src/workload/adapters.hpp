// Fine-tuning beside frozen weights: low-rank adapters (LoRA, Hu et al. 2021, arXiv:2106.09685), and what products with
// frozen weights need.
#pragma once

#include "ampacity/layout.hpp"
#include "ampacity/training.hpp"
#include "workload/layer.hpp"
#include "workload/stage_parameters.hpp"

namespace ampacity::workload {

/// Launches for one adapter: down and up; their gradients of input and weight; the result (its gradient) scaled, and
/// added to what the frozen product gave (its gradient to that of the input).
inline constexpr double adapter_forward_products = 2;
inline constexpr double adapter_backward_products = 4;
inline constexpr double adapter_passes = 2;

/// Launches of a product: routed experts run one by one unless the software groups them into one kernel.
[[nodiscard]] inline double launches_of(const Training& job, const Linear& linear) {
  return job.software.groups_experts ? 1 : linear.batch;
}

/// The two products of the adapter beside a linear layer, on one device. They are split like the layer: its first
/// matrix by rank where the layer is split by columns, its second by columns where the layer is split by rows
/// (Megatron-Bridge, peft/utils.py, ParallelLinearAdapter).
[[nodiscard]] inline Linear adapter_down(const Linear& l) {
  const double rank = l.module.splits_in ? l.rank : l.rank / l.module.split;
  return {l.tokens, l.in, rank, l.batch, Operator::adapters, l.module};
}
[[nodiscard]] inline Linear adapter_up(const Linear& l) {
  const double out = l.module.splits_in ? l.out / l.module.split : l.out;
  return {l.tokens, l.rank, out, l.batch, Operator::adapters, l.module};
}

/// Notes adapters beside the products of a layer and adds the passes over activations and stored weights that they and
/// frozen weights need.
void add_adapters(const Training& job, LayerWork& work);

/// Bytes of a weight as the products of the job's precision take it.
[[nodiscard]] double operand_bytes(const Training& job);
/// Bytes of a frozen weight of a layer, copies for the products included, which the device holds.
[[nodiscard]] double frozen_copy_bytes(const Training& job, double trained_copy_bytes);

/// Parameters of the adapters of a layer, or of some layers, on one device.
[[nodiscard]] StageParameters adapter_parameters(const LayerWork& work);
[[nodiscard]] StageParameters adapter_parameters(const Training& job, const Layout& layout, const LayerMix& layers);

/// Parameters of a stage on one device that have gradients and an optimizer state: all, or the adapters.
[[nodiscard]] StageParameters trained_parameters(const Training& job, const Layout& layout, const LayerMix& layers,
                                                 StagePlace place);

/// FLOPs of one sequence, forward and backward, without recomputation: three times those of the forward pass (Narayanan
/// et al. 2021); frozen weights have no products for their gradients, adapters have all three.
[[nodiscard]] double training_flops_per_sequence(const Training& job);

}  // namespace ampacity::workload
