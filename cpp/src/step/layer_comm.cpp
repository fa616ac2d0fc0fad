#include "step/layer_comm.hpp"

#include <algorithm>

#include "workload/stage_parameters.hpp"
#include "workload/stages.hpp"

namespace ampacity::step {

/// Tensor-parallel communication of a layer (Korthikanti et al. 2022, section 4.2). With sequence parallelism forward
/// gathers before and scatters after each of the two blocks; backward does the same and gathers the two block inputs
/// once more for the weight gradients, which hides behind the products for the input gradients. Without it both passes
/// reduce the block output twice.
double tp_comm(const Context& c, bool backward, double& hidden) {
  if (c.layout.tp == 1) return 0;
  const network::Group group{c.layout.tp, 1};
  const double bytes = activation_bytes(c);
  const double overlap = c.job.software.tp_overlap_fraction;
  if (!c.layout.sequence_parallel) {
    const double reduce = 2 * network::all_reduce_s(c.links, group, bytes);
    const double behind = overlap * reduce;
    hidden += behind;
    return reduce - behind + overlap_cost_s(c.job.software, behind);
  }
  const double gather = network::all_gather_s(c.links, group, workload::gathered_share(c.job) * bytes);
  const double scatter = network::reduce_scatter_s(c.links, group, bytes);
  const double all = 2 * (gather + scatter);
  const double inputs_again = backward && !c.job.is_frozen() ? 2 * gather : 0;
  hidden += overlap * all + inputs_again;
  // Chunks of a gathering that a product overlaps are moved by copy engines, without SMs (Transformer Engine user
  // buffers, method ring_exchange; PyTorch symmetric memory). Scatters have sums to do, and gatherings in one piece
  // ("bulk") are kernels.
  return (1 - overlap) * all + overlap_cost_s(c.job.software, 2 * overlap * scatter + inputs_again);
}

/// What adapters beside split products send (Megatron-Bridge, peft/utils.py, ParallelLinearAdapter): columns of a first
/// matrix are gathered to the rank, rows of one are summed; a second matrix that gives back what was scattered is
/// gathered as wide as the model. Backward: the gradient at the rank is summed, and the scattered one gathered.
double adapter_comm(const Context& c, const workload::LayerWork& work, bool backward) {
  if (c.job.lora_rank == 0) return 0;
  double seconds = 0;
  for (std::size_t i = 0; i < work.linear_count; ++i) {
    const workload::Linear& l = work.linears[i];
    if (l.rank == 0 || l.module.split == 1) continue;
    const network::Group group{static_cast<std::int64_t>(l.module.split), 1};
    const double tokens = 2 * l.batch * l.tokens;  // bytes of 16 bits for each
    const bool sums = backward || l.module.splits_in;
    seconds += sums ? network::all_reduce_s(c.links, group, tokens * l.rank)
                    : network::all_gather_s(c.links, group, tokens * l.rank);
    if (l.module.splits_in) seconds += network::all_gather_s(c.links, group, tokens * l.out);
  }
  return seconds;
}

/// Sharded weights (ZeRO stage 3) are gathered ahead of the pass, and gradients scattered behind it. What is longer
/// than the compute shows; what is not still takes part of the SMs.
void add_sharding(const Context& c, PassTime& pass, double comm) {
  const double behind = std::min(comm, pass.window_s());
  pass.hidden_comm_s += behind;
  pass.dp_comm_s += comm - behind + overlap_cost_s(c.job.software, behind);
}

/// Routed experts are sharded over the devices that hold copies of them, all else over the data-parallel group.
/// Replicas of a sharding group (hybrid sharding) sum their shards of the gradients, behind the backward pass like the
/// scatter.
ShardingTimes sharding_times(const Context& c, const workload::StageParameters& parameters,
                             const workload::StageParameters& trained) {
  if (c.layout.zero_stage < 3) return {};
  const std::int64_t shards = workload::state_shards(c.layout);
  const network::Group group{shards, c.layout.tp};
  const network::Group experts{workload::expert_replicas(c.layout), c.layout.ep * c.layout.etp};
  const double weight = workload::sharded_weight_bytes(c.job);
  const double gradient = c.job.software.gradient_reduce_bytes;
  const double gather = network::all_gather_s(c.links, group, weight * parameters.shared) +
                        network::all_gather_s(c.links, experts, weight * parameters.experts);
  double scatter = network::reduce_scatter_s(c.links, group, gradient * trained.shared) +
                   network::reduce_scatter_s(c.links, experts, gradient * trained.experts);
  if (c.layout.shard_group > 0 && c.layout.dp > c.layout.shard_group) {
    const network::Group replicas{c.layout.dp / c.layout.shard_group, c.layout.tp * shards};
    scatter += network::all_reduce_s(c.links, replicas, gradient * trained.shared / static_cast<double>(shards));
  }
  if (!c.job.software.reduces_every_micro_batch) {
    scatter /=
        static_cast<double>(std::max<std::int64_t>(1, c.job.global_batch / (c.layout.dp * c.layout.micro_batch)));
  }
  // Weights that stay from the forward to the backward pass (FSDP2: reshard_after_forward = False) travel once.
  return {gather, c.layout.reshard_after_forward ? gather : 0, scatter};
}

}  // namespace ampacity::step
