#include "step/module_recompute.hpp"

namespace ampacity::step {
namespace {

using workload::LayerWork;
using workload::Linear;

/// Kernels of the forward pass, done again.
class Again {
 public:
  Again(const Context& c, const LayerWork& work, double share, PassTime& pass)
      : c_(c), work_(work), share_(share), pass_(pass) {}

  void product(const Linear& linear) {
    add(sustained(c_, forward_gemm(c_, c_.job.precision, linear)), linear.kind, 1);
    if (linear.rank == 0) return;
    for (const Linear& half : {workload::adapter_down(linear), workload::adapter_up(linear)}) {
      add(sustained(c_, forward_gemm(c_, Precision::bf16, half)), Operator::adapters, 1);
    }
  }
  void products(Operator kind) {
    for (std::size_t i = 0; i < work_.linear_count; ++i) {
      if (work_.linears[i].kind == kind) product(work_.linears[i]);
    }
  }
  /// A part of the memory-bound operators of a class.
  void streams(Operator kind, double part = 1) {
    const workload::Stream& stream = work_.streams[static_cast<std::size_t>(kind)];
    add(sustained(c_, compute::streaming(c_.device, stream.forward_bytes, stream.forward_kernels)), kind, part);
  }
  [[nodiscard]] bool has(Operator kind) const {
    bool found = false;
    for (std::size_t i = 0; i < work_.linear_count; ++i) found = found || work_.linears[i].kind == kind;
    return found;
  }

 private:
  void add(const compute::KernelCost& cost, Operator kind, double part) {
    pass_.recompute_s += share_ * part * cost.seconds;
    spend(pass_, share_ * part, cost);
    note(c_, kind, pass_);
  }

  const Context& c_;
  const LayerWork& work_;
  double share_;
  PassTime& pass_;
};

/// Of a layer's activation functions, what belongs to routed experts and not to shared ones.
double routed_part(const Model& m) {
  const auto routed = static_cast<double>(m.experts_per_token);
  return routed / (routed + static_cast<double>(m.shared_experts));
}

/// Products from the latents, and what puts queries and keys together from their parts.
void add_up_projections(const Context& c, const LayerWork& work, Again& again) {
  const auto query_rank = static_cast<double>(c.job.model.q_lora_rank);
  const auto rank = static_cast<double>(c.job.model.kv_lora_rank);
  for (std::size_t i = 0; i < work.linear_count; ++i) {
    const Linear& linear = work.linears[i];
    if (linear.kind != Operator::attention_projections) continue;
    if ((query_rank > 0 && linear.in == query_rank) || linear.in == rank) again.product(linear);
  }
  again.streams(Operator::rotary);
}

/// Products of a dense block; the last one's result is only added to the residual, which no backward pass needs.
void add_block(const Context& c, const LayerWork& work, Again& again) {
  const std::size_t products = work.linear_count - (c.job.software.checkpoint_stops_early ? 1 : 0);
  for (std::size_t i = 0; i < products; ++i) {
    if (work.linears[i].kind == Operator::feed_forward) again.product(work.linears[i]);
  }
}

void add_experts(const PassTime& forward, double share, Again& again, PassTime& pass) {
  for (const Operator kind : {Operator::router, Operator::feed_forward, Operator::experts}) again.products(kind);
  for (const Operator kind : {Operator::router, Operator::permutation, Operator::activation}) again.streams(kind);
  // The exchange is done again, hidden as little as the first time.
  pass.ep_comm_s += share * forward.ep_comm_s;
  pass.imbalance_s += share * forward.imbalance_s;
}

}  // namespace

void add_modules(const Context& c, const LayerWork& work, const PassTime& forward, double share, PassTime& pass) {
  const RecomputeModules& modules = c.layout.recompute_modules;
  Again again(c, work, share, pass);
  const bool moe = again.has(Operator::experts);
  if (modules.contains(RecomputeModule::core_attn) && forward.compute_s() > 0) {
    pass.recompute_s += share * forward.attention_s;
    const double part = share * forward.attention_s / forward.compute_s();
    pass.joules += part * forward.joules;
    pass.held_back_j += part * forward.held_back_j;
    note(c, Operator::attention_core, pass);
  }
  // Two fifths of what norms and residuals move forward: the norms read and write, the additions read twice and write.
  if (modules.contains(RecomputeModule::layernorm)) again.streams(Operator::norms_and_residuals, 0.4);
  if (modules.contains(RecomputeModule::mla_up_proj) && c.job.model.is_mla()) add_up_projections(c, work, again);
  if (modules.contains(RecomputeModule::mlp) && !moe) {
    add_block(c, work, again);
    again.streams(Operator::activation);
  }
  if (!moe) return;
  if (modules.contains(RecomputeModule::moe)) {
    add_experts(forward, share, again, pass);
    return;
  }
  if (modules.contains(RecomputeModule::moe_act)) again.streams(Operator::activation, routed_part(c.job.model));
  if (modules.contains(RecomputeModule::shared_experts)) {
    again.products(Operator::feed_forward);
    again.streams(Operator::activation, 1 - routed_part(c.job.model));
  }
}

}  // namespace ampacity::step
