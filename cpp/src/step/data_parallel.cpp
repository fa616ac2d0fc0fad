#include "step/data_parallel.hpp"

#include <algorithm>

#include "workload/parameters.hpp"

namespace ampacity::step {
namespace {

/// Communication behind a window of compute: all but the last bucket (one layer's worth) can hide, and what hides takes
/// part of the SMs from the compute that it hides behind.
StepComm behind(double comm_s, double window_s, double layers, const Software& software) {
  const double hideable = comm_s * (1 - 1 / std::max(2.0, layers));
  const double hidden = std::min(hideable, window_s);
  return {comm_s - hidden + software.comm_sm_fraction * hidden, hidden};
}

double weight_wire_bytes(const Software&) {
  return 2;
}  // weights travel in 16 bits

}  // namespace

StepComm data_parallel_comm(const Training& job, const Layout& layout, const network::Links& links, double parameters,
                            double layers, const OverlapWindow& window) {
  const std::int64_t replicas = layout.dp * layout.cp;
  if (replicas == 1) return {};
  const Software& software = job.software;
  const network::Group group{replicas, layout.tp};
  if (layout.zero_stage >= 3) {
    const workload::ParameterCount count = workload::count_parameters(job.model);
    const auto tp = static_cast<double>(layout.tp);
    const std::int64_t shards = layout.shard_group > 0 ? layout.shard_group * layout.cp : replicas;
    const network::Group shard_group{shards, layout.tp};
    const double ends = (count.embedding + count.head) / tp;
    const double gather =
        network::all_gather_s(links, shard_group, weight_wire_bytes(software) * (ends + count.dense_layer() / tp));
    const double scatter = network::reduce_scatter_s(links, shard_group, software.gradient_reduce_bytes * ends);
    return {gather + scatter, 0};
  }
  const double gradient_bytes = software.gradient_reduce_bytes * parameters;
  if (layout.zero_stage == 0) {
    const double reduce = network::all_reduce_s(links, group, gradient_bytes);
    return software.gradient_overlap ? behind(reduce, window.backward_s, layers, software) : StepComm{reduce, 0};
  }
  const double scatter = network::reduce_scatter_s(links, group, gradient_bytes);
  const double gather = network::all_gather_s(links, group, weight_wire_bytes(software) * parameters);
  const StepComm first =
      software.gradient_overlap ? behind(scatter, window.backward_s, layers, software) : StepComm{scatter, 0};
  const StepComm second =
      software.parameter_overlap ? behind(gather, window.forward_s, layers, software) : StepComm{gather, 0};
  return {first.exposed_s + second.exposed_s, first.hidden_s + second.hidden_s};
}

compute::KernelCost optimizer_cost(const Training& job, const Layout& layout, const Accelerator& device,
                                   double parameters) {
  const Software& software = job.software;
  const auto replicas = static_cast<double>(layout.dp * layout.cp);
  const double shard = layout.shard_group > 0 ? static_cast<double>(layout.shard_group * layout.cp) : replicas;
  const double owned = parameters / (layout.zero_stage >= 1 ? shard : 1);
  // Norm of the gradients (read), clipping (read, write), Adam (read gradient; read and write master weight and
  // moments), and the 16-bit weight written; gradients are cleared (write) where they are kept whole.
  const double update = owned * (4 * software.gradient_bytes + 2 * software.optimizer_bytes + software.weight_bytes);
  const double clear = parameters * software.gradient_bytes / (layout.zero_stage >= 2 ? shard : 1);
  const double kernels = software.fused_kernels ? 12 : 60;
  return compute::streaming(device, update + clear, kernels);
}

}  // namespace ampacity::step
