#include "explain/tree.hpp"

#include <utility>

#include "step/stage_time.hpp"

namespace ampacity::explain_detail {
namespace {

/// One kind of part of a stage, and how often the slowest stage runs it in a step.
struct Counted {
  const step::Ledger& ledger;
  double times;
};
using Parts = std::array<Counted, 4>;

double seconds(const step::Ledger::Kernels& kernels, std::size_t kind) {
  return kernels.gemm_s[kind] + kernels.attention_s[kind] + kernels.memory_bound_s[kind];
}

/// Adds a part unless it is nothing.
void add(Term& term, Term part) {
  if (part.seconds == 0 && part.hidden_s == 0) return;
  term.seconds += part.seconds;
  term.hidden_s += part.hidden_s;
  term.parts.push_back(std::move(part));
}

Term compute_term(const Parts& parts) {
  Term compute{"compute", 0, 0, {}};
  for (std::size_t kind = 0; kind < operator_count; ++kind) {
    double forward = 0;
    double backward = 0;
    double recompute = 0;
    for (const Counted& part : parts) {
      forward += part.times * seconds(part.ledger.forward, kind);
      backward += part.times * seconds(part.ledger.backward, kind);
      recompute += part.times * part.ledger.recompute_s[kind];
    }
    Term term{std::string(name_of(static_cast<Operator>(kind))), 0, 0, {}};
    add(term, {"forward", forward, 0, {}});
    add(term, {"backward", backward, 0, {}});
    add(term, {"recompute", recompute, 0, {}});
    add(compute, std::move(term));
  }
  return compute;
}

Term communication_term(const Parts& parts, const step::StepTime& step) {
  const auto hidden = [&](step::Comm kind) {
    double sum = 0;
    for (const Counted& part : parts) sum += part.times * part.ledger.hidden_s[static_cast<std::size_t>(kind)];
    return sum;
  };
  const Breakdown& b = step.breakdown;
  Term communication{"communication", 0, 0, {}};
  add(communication, {"tensor-parallel", b.tp_comm_s, hidden(step::Comm::tensor), {}});
  add(communication, {"context-parallel", b.cp_comm_s, hidden(step::Comm::context), {}});
  add(communication, {"expert-parallel", b.ep_comm_s, hidden(step::Comm::expert) + step.hidden_ep_s, {}});
  add(communication, {"pipeline", b.pp_comm_s, step.hidden_pp_s, {}});
  add(communication, {"data-parallel", b.dp_comm_s, hidden(step::Comm::sharding) + step.hidden_dp_s, {}});
  return communication;
}

}  // namespace

Term time_tree(const Training& job, const Layout& layout, const Partition& partition, const network::Links& links,
               const step::StepTime& step) {
  step::PartLedgers ledgers;
  static_cast<void>(step::part_times(job, layout, partition.node.accelerator, links, &ledgers));
  const step::PartCounts& stage = step.slowest;
  const Parts parts{{{ledgers.dense, step.micro_batches * stage.layers.dense},
                     {ledgers.moe, step.micro_batches * stage.layers.moe},
                     {ledgers.embedding, step.micro_batches * stage.embeddings},
                     {ledgers.head, step.micro_batches * stage.heads}}};
  const Breakdown& b = step.breakdown;
  Term time{"step", 0, 0, {}};
  add(time, compute_term(parts));
  add(time, communication_term(parts, step));
  add(time, {"imbalance", b.imbalance_s, 0, {}});
  add(time, {"pipeline-bubble", b.bubble_s, 0, {}});
  add(time, {"optimizer", b.optimizer_s, 0, {}});
  if (b.offload_s > 0) add(time, {"offload", b.offload_s, 0, {}});
  add(time, {"stragglers", b.straggler_s, 0, {}});
  add(time, {"launch", b.launch_s, 0, {}});
  add(time, {"fixed-overhead", b.overhead_s, 0, {}});
  return time;
}

}  // namespace ampacity::explain_detail
