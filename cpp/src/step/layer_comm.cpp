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
    hidden += overlap * reduce;
    return (1 - overlap) * reduce;
  }
  const double gather = network::all_gather_s(c.links, group, bytes);
  const double scatter = network::reduce_scatter_s(c.links, group, bytes);
  const double all = 2 * (gather + scatter);
  hidden += overlap * all + (backward ? 2 * gather : 0);
  return (1 - overlap) * all;
}

/// Sharded weights (ZeRO stage 3) are gathered ahead of the pass, and gradients scattered behind it. What is longer
/// than the compute shows; what is not still takes part of the SMs.
void add_sharding(const Context& c, PassTime& pass, double comm) {
  const double compute = pass.compute_s() + pass.launch_s;
  const double behind = std::min(comm, compute);
  pass.hidden_comm_s += behind;
  pass.dp_comm_s += comm - behind + c.job.software.comm_sm_fraction * behind;
}

ShardingTimes sharding_times(const Context& c, double parameters) {
  if (c.layout.zero_stage < 3) return {};
  const std::int64_t shards = workload::state_shards(c.layout);
  const network::Group group{shards, c.layout.tp};
  const double gather = network::all_gather_s(c.links, group, 2 * parameters);
  double scatter = network::reduce_scatter_s(c.links, group, c.job.software.gradient_reduce_bytes * parameters);
  if (c.layout.shard_group > 0 && c.layout.dp > c.layout.shard_group) {
    const network::Group replicas{c.layout.dp / c.layout.shard_group, c.layout.tp * shards};
    scatter += network::all_reduce_s(c.links, replicas,
                                     c.job.software.gradient_reduce_bytes * parameters / static_cast<double>(shards));
  }
  if (!c.job.software.reduces_every_micro_batch) {
    scatter /=
        static_cast<double>(std::max<std::int64_t>(1, c.job.global_batch / (c.layout.dp * c.layout.micro_batch)));
  }
  return {gather, scatter};
}

}  // namespace ampacity::step
