// Terms of a step that the closed form and the simulation of single devices share.
#pragma once

#include "ampacity/cluster.hpp"
#include "ampacity/layout.hpp"
#include "ampacity/training.hpp"
#include "compute/kernels.hpp"
#include "network/collectives.hpp"
#include "step/data_parallel.hpp"
#include "step/stage_time.hpp"
#include "workload/stages.hpp"

namespace ampacity::step {

/// Messages between pipeline stages: two per micro-batch and virtual stage, and those of the fill and the drain, behind
/// which there is nothing to hide.
struct StageTransfers {
  double send_s = 0;    ///< one message
  double shown_s = 0;   ///< what shows of one while the pipeline is full, and what hiding the rest costs the kernels
  double hidden_s = 0;  ///< of one, behind compute
};
/// `weight_gradient_s` is that of a micro-batch on the slowest rank.
[[nodiscard]] StageTransfers stage_transfers(const Training& job, const Layout& layout, const network::Links& links,
                                             double micro_batches, double weight_gradient_s);

/// DualPipe runs a forward and a backward pass into one another so that the exchange with experts of the one is behind
/// the compute of the other (DeepSeek-V3, arXiv:2412.19437, section 3.2.1), as far as there is compute; the kernels of
/// the exchange keep their share of the SMs. Seconds of the exchange of two such passes that do not show.
[[nodiscard]] double hideable_exchange_s(const Software& software, double exchange_s, double compute_s);

/// Joules that hidden communication adds to those of the kernels that it runs beside: no more than the power limit
/// leaves (at the limit the device takes them from its kernels).
[[nodiscard]] double hidden_joules(const Accelerator& device, double hidden_s, double compute_s, double compute_j);

/// What comes once a step, behind the pipelines of all replicas.
struct StepEnd {
  StepComm replicas;              ///< reduction of gradients and gathering of weights
  compute::KernelCost optimizer;  ///< of the stage with most parameters
  double offload_s = 0;           ///< of it, on the host
  double norm_s = 0;              ///< the norm of the gradient, summed over all devices before any may update
};
[[nodiscard]] StepEnd step_end(const Training& job, const Layout& layout, const Accelerator& device,
                               const network::Links& links, const PartTimes& parts,
                               const workload::StageLayers& stages);

}  // namespace ampacity::step
