#include "step/recompute_time.hpp"

#include <algorithm>

#include "step/attention_time.hpp"
#include "step/module_recompute.hpp"
#include "workload/stages.hpp"

namespace ampacity::step {

using compute::KernelCost;
using workload::LayerWork;

namespace {

/// Everything that the forward pass did, but for the last product where the checkpoint stops early: nothing in the
/// backward pass needs its result (torch.utils.checkpoint, set_checkpoint_early_stop).
void add_all(const Context& c, const LayerWork& work, const PassTime& forward, double share, PassTime& pass) {
  KernelCost spared{};
  const workload::Linear& last = work.linears[work.linear_count - 1];
  if (c.job.software.checkpoint_stops_early) spared = sustained(c, forward_gemm(c, c.job.precision, last));
  pass.recompute_s += share * (forward.compute_s() - spared.seconds);
  pass.joules += share * (forward.joules - spared.joules);
  pass.held_back_j += share * (forward.held_back_j - spared.held_back_j);
  pass.tp_comm_s += share * forward.tp_comm_s;
  pass.cp_comm_s += share * forward.cp_comm_s;
  pass.ep_comm_s += share * forward.ep_comm_s;
  pass.hidden_comm_s += share * forward.hidden_comm_s;
  pass.imbalance_s += share * forward.imbalance_s;
  if (c.ledger != nullptr) {
    c.ledger->repeat(share, share, share, pass);
    c.ledger->spare(last.kind, share * spared.seconds);
    c.ledger->repeat_hidden(share);
  }
}

}  // namespace

double recompute_share(const Context& c) {
  if (c.layout.recompute_layers == 0) return 1;
  const workload::StageLayers stages = workload::stage_layers(c.job.model, c.layout);
  return std::min(1.0, static_cast<double>(c.layout.recompute_layers) / workload::fullest_layers(stages).all());
}

/// Forward work that the backward pass repeats.
void add_recompute(const Context& c, const LayerWork& work, const PassTime& forward, PassTime& pass) {
  if (c.layout.recompute == Recompute::none) return;
  const double layers = recompute_share(c);
  switch (c.layout.recompute) {
    case Recompute::none:
      return;
    case Recompute::selective: {
      // Flash attention recomputes its scores inside its backward kernel anyway; nothing else is left to do again.
      if (c.job.software.flash_attention) return;
      const KernelCost again = sustained(c, score_attention(c, work, false));
      pass.recompute_s += layers * again.seconds;
      spend(pass, layers, again);
      note(c, Operator::attention_core, pass);
      return;
    }
    case Recompute::selective_op: {
      const double share =
          forward.compute_s() > 0 ? (0.5 * forward.gemm_s + forward.memory_bound_s) / forward.compute_s() : 0;
      pass.recompute_s += layers * share * forward.compute_s();
      pass.joules += layers * share * forward.joules;
      pass.held_back_j += layers * share * forward.held_back_j;
      if (c.ledger != nullptr) c.ledger->repeat(0.5 * layers, 0, layers, pass);
      return;
    }
    case Recompute::modules:
      add_modules(c, work, forward, layers, pass);
      return;
    case Recompute::full:
      add_all(c, work, forward, layers, pass);
      return;
  }
}

}  // namespace ampacity::step
