#include "step/stage_time.hpp"

#include "step/layer_time.hpp"

namespace ampacity::step {
namespace {

using workload::Linear;

constexpr double embedding_kernels = 3;
constexpr double loss_kernels = 8;
constexpr double head_products = 3;

PassTime embedding_part(const Context& c) {
  PassTime pass;
  add_stream(c, pass,
             compute::streaming(c.device, workload::embedding_stream_bytes(c.job, c.layout), embedding_kernels));
  note(c, Operator::embedding, pass);
  if (c.layout.tp > 1) {
    // The vocabulary is split: partial rows are summed forward; backward needs the gradient of the whole sequence.
    const network::Group group{c.layout.tp, 1};
    const double directions = c.job.is_frozen() ? 1 : 2;
    pass.tp_comm_s = directions * network::reduce_scatter_s(c.links, group, activation_bytes(c));
  }
  add_launch(c, pass, host_s(c, embedding_kernels));
  share_limit(c, pass);
  return pass;
}

/// The loss on the logits and its gradient, as fast as memory or the software's kernel allows; it draws as much either
/// way.
void add_loss(const Context& c, PassTime& pass, double logits) {
  compute::KernelCost loss = compute::streaming(c.device, workload::loss_stream_bytes(c.job, c.layout), loss_kernels);
  const double rate = c.job.software.loss_logits_per_sm_clock;
  if (rate > 0) {
    const double clock_hz = c.device.boost_clock_hz > 0 ? c.device.boost_clock_hz : c.device.tensor_clock_hz;
    const double least_s = logits / (rate * static_cast<double>(c.device.sm_count) * clock_hz);
    if (least_s > loss.seconds) loss = (least_s / loss.seconds) * loss;
  }
  add_stream(c, pass, loss);
}

PassTime head_part(const Context& c) {
  PassTime pass;
  const workload::Sizes size = workload::sizes_of(c.job, c.layout);
  const Linear head{size.tokens, size.hidden, static_cast<double>(c.job.model.vocab) / size.tp};
  // The output embedding stays in 16 bits in most 8-bit recipes.
  const bool wide = c.job.precision >= Precision::fp8 && !c.job.software.head_in_8_bits;
  const Precision precision = wide ? Precision::bf16 : c.job.precision;
  add_gemm(c, pass, forward_gemm(c, precision, head));
  note(c, Operator::output_head, pass);
  if (c.ledger != nullptr) c.ledger->turn();
  add_backward_gemms(c, pass, precision, head);
  add_accumulation(c, pass, head);
  note(c, Operator::output_head, pass);
  add_loss(c, pass, head.tokens * head.out);
  note(c, Operator::loss, pass);
  if (!wide) {
    const workload::Stream casts = workload::head_casts(c.job, head);
    add_stream(c, pass,
               compute::streaming(c.device, casts.forward_bytes + casts.backward_bytes,
                                  casts.forward_kernels + casts.backward_kernels));
    note(c, Operator::casts, pass);
  }
  if (c.layout.tp > 1) {
    const network::Group group{c.layout.tp, 1};
    pass.tp_comm_s = network::all_gather_s(c.links, group, activation_bytes(c)) +
                     network::reduce_scatter_s(c.links, group, activation_bytes(c)) +
                     3 * network::all_reduce_s(c.links, group, 4 * size.tokens);  // maximum, sum, target logit
  }
  add_launch(c, pass, host_s(c, head_products - (c.job.is_frozen() ? 1 : 0) + loss_kernels));
  share_limit(c, pass);
  return pass;
}

}  // namespace

PartTimes part_times(const Training& job, const Layout& layout, const Accelerator& device, const network::Links& links,
                     PartLedgers* ledgers) {
  const auto context = [&](Ledger PartLedgers::* part) {
    return Context{job, layout, device, links, ledgers == nullptr ? nullptr : &(ledgers->*part)};
  };
  PartTimes parts;
  const bool has_dense = !job.model.is_moe() || job.model.dense_layers > 0 || job.model.moe_layer_interval > 1;
  if (has_dense) {
    parts.dense = layer_time(context(&PartLedgers::dense), workload::dense_layer(job, layout), {1, 0});
  }
  if (job.model.is_moe()) {
    parts.moe = layer_time(context(&PartLedgers::moe), workload::moe_layer(job, layout), {0, 1});
  }
  parts.embedding = embedding_part(context(&PartLedgers::embedding));
  if (job.is_frozen()) parts.embedding_backward_fraction = 0;
  parts.head = head_part(context(&PartLedgers::head));
  return parts;
}

}  // namespace ampacity::step
