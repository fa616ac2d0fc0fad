// What one step exposes of the communication between replicas, and the optimizer.
#pragma once

#include "ampacity/cluster.hpp"
#include "ampacity/layout.hpp"
#include "ampacity/training.hpp"
#include "compute/kernels.hpp"
#include "network/collectives.hpp"
#include "workload/stage_parameters.hpp"

namespace ampacity::step {

/// Communication of a step: what shows and what hides behind compute.
struct StepComm {
  double exposed_s = 0;
  double hidden_s = 0;
};

/// Passes of the last (first) micro-batch behind which gradients (weights) travel.
struct OverlapWindow {
  double forward_s = 0;
  double backward_s = 0;
};

/// Gradient reduction and weight gathering of a step. `parameters` are those of the fullest stage on one device; routed
/// experts are reduced over fewer replicas than the rest.
/// ZeRO 0: all-reduce of gradients; 1 and 2: reduce-scatter, and all-gather of updated weights (Rajbhandari et al.
/// 2020, arXiv:1910.02054); 3: what per-layer gathering (stage_time.hpp) leaves, the embedding and the first layer.
[[nodiscard]] StepComm data_parallel_comm(const Training& job, const Layout& layout, const network::Links& links,
                                          const workload::StageParameters& parameters, double layers,
                                          const OverlapWindow& window);

/// Adam on the shard of one device, gradient norm and clipping included.
[[nodiscard]] compute::KernelCost optimizer_cost(const Training& job, const Layout& layout, const Accelerator& device,
                                                 const workload::StageParameters& parameters);

}  // namespace ampacity::step
