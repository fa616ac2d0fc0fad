#include "step/data_parallel.hpp"

#include <algorithm>

#include "step/pass_kernels.hpp"
#include "workload/parameters.hpp"

namespace ampacity::step {
namespace {

/// Communication behind a window of compute: all but the last bucket (one layer's worth) can hide, and what hides takes
/// part of the SMs from the compute that it hides behind.
StepComm behind(double comm_s, double window_s, double layers, const Software& software) {
  const double hideable = comm_s * (1 - 1 / std::max(2.0, layers));
  const double hidden = std::min(hideable, window_s);
  return {comm_s - hidden + overlap_cost_s(software, hidden), hidden};
}

constexpr double wire_weight_bytes = 2;  // weights travel in 16 bits

/// Groups that hold copies of the same parameters.
struct Groups {
  network::Group shared;
  network::Group experts;
};
Groups groups_of(const Layout& layout) {
  return {{workload::state_replicas(layout), layout.tp}, {workload::expert_replicas(layout), layout.ep * layout.etp}};
}

/// One collective for each kind of parameter, one after the other.
template <class Collective>
double over_groups(const Collective& collective, const network::Links& links, const Groups& groups,
                   const workload::StageParameters& parameters, double bytes) {
  double seconds = collective(links, groups.shared, bytes * parameters.shared);
  if (parameters.experts > 0) seconds += collective(links, groups.experts, bytes * parameters.experts);
  return seconds;
}

/// Stage 3: the embedding, the head and the first layer are gathered before anything can run, and their gradients are
/// scattered last.
StepComm unhidden_shards(const Training& job, const Layout& layout, const network::Links& links) {
  const workload::ParameterCount count = workload::count_parameters(job.model);
  const auto tp = static_cast<double>(layout.tp);
  const network::Group group{workload::state_shards(layout), layout.tp};
  const double ends = (count.embedding + count.head) / tp;
  const double gather = network::all_gather_s(links, group, wire_weight_bytes * (ends + count.dense_layer() / tp));
  const double trained_ends = job.is_frozen() ? 0 : ends;
  const double scatter = network::reduce_scatter_s(links, group, job.software.gradient_reduce_bytes * trained_ends);
  return {gather + scatter, 0};
}

}  // namespace

StepComm data_parallel_comm(const Training& job, const Layout& layout, const network::Links& links,
                            const workload::StageParameters& parameters, double layers, const OverlapWindow& window) {
  if (workload::state_replicas(layout) == 1) return {};
  if (layout.zero_stage >= 3) return unhidden_shards(job, layout, links);
  const Software& software = job.software;
  const Groups groups = groups_of(layout);
  const double gradient_bytes = software.gradient_reduce_bytes;
  if (layout.zero_stage == 0) {
    const double reduce = over_groups(network::all_reduce_s, links, groups, parameters, gradient_bytes);
    return software.gradient_overlap ? behind(reduce, window.backward_s, layers, software) : StepComm{reduce, 0};
  }
  const double scatter = over_groups(network::reduce_scatter_s, links, groups, parameters, gradient_bytes);
  const double gather = over_groups(network::all_gather_s, links, groups, parameters, wire_weight_bytes);
  const StepComm first =
      software.gradient_overlap ? behind(scatter, window.backward_s, layers, software) : StepComm{scatter, 0};
  const StepComm second =
      software.parameter_overlap ? behind(gather, window.forward_s, layers, software) : StepComm{gather, 0};
  return {first.exposed_s + second.exposed_s, first.hidden_s + second.hidden_s};
}

compute::KernelCost optimizer_cost(const Training& job, const Layout& layout, const Accelerator& device,
                                   const workload::StageParameters& parameters) {
  const Software& software = job.software;
  const double sharded = parameters.sharded(layout);
  const double here = 1 - layout.offload_optimizer_fraction;  // the rest is updated by the host
  const double owned = here * (layout.zero_stage >= 1 ? sharded : parameters.all());
  // Norm of the gradients (read), clipping (read, write), Adam (read gradient; read and write master weight and
  // moments), and the 16-bit weight written; gradients are cleared (write) where they are kept whole.
  const double update = owned * (4 * software.gradient_bytes + 2 * software.optimizer_bytes + software.weight_bytes);
  const double clear = (layout.zero_stage >= 2 ? sharded : parameters.all()) * software.gradient_bytes;
  const double kernels = software.fused_kernels ? 12 : 60;
  return compute::streaming(device, update + clear, kernels);
}

}  // namespace ampacity::step
