#include "explain/provenance.hpp"

#include <algorithm>
#include <cmath>

#include "base/text.hpp"
#include "compute/device.hpp"
#include "estimate/interval.hpp"

namespace ampacity::explain_detail {
namespace {

/// Largest collective among the measurements that the network's constants are fitted to (tools/fit_collectives.py).
constexpr std::int64_t largest_measured_collective = 32;

std::string text_at(const Value& table, std::string_view key) {
  const Value* found = table.find(key);
  const std::string* text = found == nullptr ? nullptr : found->get_if<std::string>();
  return text == nullptr ? std::string{} : *text;
}

/// Field of the peak that products in that format run against.
std::string_view peak_field(Precision format) {
  switch (format) {
    case Precision::fp32:
      return "fp32_flops_per_s";
    case Precision::tf32:
      return "tf32_flops_per_s";
    case Precision::fp8:
    case Precision::fp8_block:
    case Precision::mxfp8:
      return "fp8_flops_per_s";
    case Precision::nvfp4:
      return "fp4_flops_per_s";
    default:
      return "bf16_flops_per_s";
  }
}

/// Field of the family that says how close products in that format come to their peak.
std::string_view efficiency_field(Precision format) {
  switch (format) {
    case Precision::fp8_block:
    case Precision::mxfp8:
      return "block_scale_efficiency_fraction";
    case Precision::nvfp4:
      return "fp4_efficiency_fraction";
    default:
      return "tensor_efficiency_fraction";
  }
}

/// Takes fields of specifications down with what the catalogue says of them.
class Clerk {
 public:
  explicit Clerk(const Catalogue& catalogue) : catalogue_(catalogue) {}

  template <class Spec>
  void take(const Spec& spec, std::initializer_list<std::string_view> keys) {
    for (const std::string_view key : keys) {
      std::apply([&](const auto&... field) { (take_if(spec, field, key), ...); }, Spec::fields());
    }
  }
  [[nodiscard]] std::vector<Provenance> all() { return std::move(all_); }

 private:
  template <class Spec, class T>
  void take_if(const Spec& spec, const Field<Spec, T>& field, std::string_view key) {
    if constexpr (std::is_same_v<T, double>) {
      if (field.key != key) return;
      all_.push_back(found(Spec::kind, spec.name, key, spec.*field.member));
      if (all_.back().confidence == "given" && spec.*field.member == Spec{}.*field.member) {
        all_.back().confidence = "default";
      }
    }
  }

  [[nodiscard]] Provenance found(std::string_view kind, const std::string& name, std::string_view key,
                                 double value) const {
    Provenance result{std::string(kind) + " " + name + ": " + std::string(key), value, "given", {}};
    if (!catalogue_.contains(kind, name)) return result;
    const Value& document = catalogue_.document(kind, name);
    const Value* entry = document.find(key);
    if (entry == nullptr) return result;
    const Value* number = entry->is_table() ? entry->find("value") : entry;
    if (number == nullptr || !number->is_number() || number->number() != value) return result;
    const Value& said = entry->is_table() ? *entry : document;
    result.confidence = text_at(said, "confidence");
    result.source = text_at(said, "source");
    if (result.confidence.empty()) result.confidence = "unstated";
    return result;
  }

  const Catalogue& catalogue_;
  std::vector<Provenance> all_;
};

bool measured(const std::vector<Provenance>& all, std::string_view key) {
  return std::any_of(all.begin(), all.end(), [&](const Provenance& one) {
    return one.parameter.ends_with(key) && one.confidence == "measured";
  });
}

}  // namespace

std::vector<Provenance> provenance(const Training& job, const Cluster& cluster, const Node& node,
                                   const Catalogue& catalogue) {
  const Precision format = compute::format_on(node.accelerator, job.precision);
  Clerk clerk(catalogue);
  clerk.take(node.accelerator, {peak_field(format), "memory_bytes_per_s", "memory_bytes", "scaleup_bytes_per_s",
                                "tdp_w", "speed_spread_fraction"});
  clerk.take(node.accelerator.architecture, {"tensor_efficiency_fraction"});
  if (efficiency_field(format) != "tensor_efficiency_fraction") {
    clerk.take(node.accelerator.architecture, {efficiency_field(format)});
  }
  clerk.take(node.accelerator.architecture, {"attention_efficiency_fraction", "attention_backward_efficiency_fraction",
                                             "memory_efficiency_fraction", "energy_j_per_flop", "sustained_fraction"});
  clerk.take(node, {"scaleup_efficiency_fraction", "scaleup_latency_s"});
  clerk.take(cluster.fabric, {"bytes_per_s_per_accelerator", "efficiency_fraction", "message_latency_s"});
  clerk.take(job.software, {"kernel_relative_speed", "host_gap_s", "tensor_cast_host_s", "permutation_relative_speed",
                            "loss_logits_per_sm_clock", "step_overhead_s", "comm_sm_fraction"});
  return clerk.all();
}

std::vector<std::string> doubts(const Training& job, const Node& node, const Layout& layout,
                                const std::vector<Provenance>& provenance) {
  const Accelerator& device = node.accelerator;
  const std::string family = device.architecture.title.empty() ? device.architecture.name : device.architecture.title;
  std::vector<std::string> all;
  const Precision format = compute::format_on(device, job.precision);
  if (!measured(provenance, "tensor_efficiency_fraction")) {
    all.push_back("no matrix product of " + family +
                  " has been measured: its efficiency is inferred from other families");
  } else if (!measured(provenance, efficiency_field(format))) {
    all.push_back("no " + std::string(name_of(format)) + " product of " + family + " has been measured");
  }
  if (job.software.flash_attention && !measured(provenance, "attention_backward_efficiency_fraction")) {
    all.push_back("no backward attention kernel of " + family + " has been measured");
  }
  if (!measured(provenance, "sustained_fraction")) {
    all.push_back("no whole training step on " + family +
                  " is in the scoreboard: how much slower kernels run inside a step "
                  "is taken from other families");
  }
  const std::int64_t largest = std::max({layout.dp * layout.cp, layout.tp, layout.ep});
  if (largest > largest_measured_collective) {
    all.push_back("collectives over " + base::number_text(largest) +
                  " devices are extrapolated: the network model is fitted "
                  "to measurements on up to " +
                  base::number_text(largest_measured_collective));
  }
  return all;
}

/// Waiting for the host below this share of a step widens its interval by less than a tenth.
constexpr double noticeable_waiting = 0.05;

std::vector<std::string> widenings(const Training& job, const Accelerator& device, std::int64_t accelerators,
                                   double waiting) {
  const interval::Unmeasured found = interval::unmeasured(job, device, accelerators, waiting);
  std::vector<std::string> all;
  const std::string family = device.architecture.title.empty() ? device.architecture.name : device.architecture.title;
  const std::string wider = ": the interval of the step time is widened";
  if (found.format) {
    all.push_back("no measured run on " + family + " in " + std::string(name_of(job.precision)) + wider);
  }
  if (found.software) all.push_back("no measured run with software " + job.software.name + wider);
  if (found.frozen) all.push_back("frozen weights are checked against three runs of one model" + wider);
  if (found.waiting > noticeable_waiting) {
    all.push_back("what shows of the host's time (" + base::number_text(std::round(100 * waiting)) +
                  " % of the step) was learnt on H100 hosts" + wider);
  }
  if (found.doublings > 0) {
    all.push_back(base::number_text(accelerators) + " devices are " +
                  base::number_text(std::round(10 * std::exp2(found.doublings)) / 10) +
                  " times those of the largest measured run" + wider);
  }
  return all;
}

}  // namespace ampacity::explain_detail
