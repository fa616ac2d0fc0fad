#include "estimate/plausibility.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string_view>

namespace ampacity {
namespace {

/// What known things have, and how far beyond them a value must lie to be taken for a slip. Known: the catalogue, and
/// for accelerators also PCIe cards since Pascal (NVIDIA data sheets of P100, T4, L4, RTX 4090).
struct Known {
  std::string_view field;
  double low;
  double high;
  double slack;  ///< a value is implausible below low / slack and above high * slack
  double unit;
  std::string_view unit_name;
  std::string_view of;
  std::string_view advice;
};

// A slip of units is a factor of 8 (bits), 1,000 or 1,024; ratios of two data-sheet values are sharper than either.
constexpr double loose = 3;

enum Rule : std::size_t {
  bf16_rate,
  fp8_rate,
  memory_size,
  memory_rate,
  memory_seconds,
  scaleup_rate,
  scaleup_ratio,
  clock,
  power_limit,
  flops_per_watt,
  nameplate,
  nic_rate,
  fabric_rate,
  fabric_over_nics,
  message_latency,
  hop_latency,
  head_width,
  ffn_ratio,
  vocabulary,
  vocabulary_split,
  sequence,
  step_tokens,
  run_tokens,
  run_steps,
  rule_count
};

constexpr std::array<Known, rule_count> rules{{
    {"accelerator.bf16_flops_per_s", 20e12, 4e15, loose, 1e12, "TFLOP/s", "accelerators", "the unit is FLOP/s, dense"},
    {"accelerator.fp8_flops_per_s over bf16_flops_per_s", 1, 4.4, loose, 1, "", "accelerators",
     "both are FLOP/s, dense"},
    {"accelerator.memory_bytes", 8e9, 310e9, loose, 1e9, "GB", "accelerators", "the unit is bytes"},
    {"accelerator.memory_bytes_per_s", 0.3e12, 22e12, loose, 1e12, "TB/s", "accelerators",
     "the unit is bytes (not bits) per second"},
    {"accelerator.memory_bytes_per_s over memory_bytes", 12, 80, loose, 1, "/s", "accelerators",
     "are both in bytes and not in bits?"},
    {"accelerator.scaleup_bytes_per_s", 15e9, 1.8e12, loose, 1e9, "GB/s", "accelerators",
     "the unit is bytes per second in one direction"},
    {"accelerator.memory_bytes_per_s over scaleup_bytes_per_s", 4, 60, loose, 1, "", "accelerators",
     "are both in bytes and not in bits?"},
    {"accelerator.tensor_clock_hz", 1e9, 2.8e9, loose, 1e9, "GHz", "accelerators", "the unit is hertz"},
    {"accelerator.tdp_w", 70, 1800, loose, 1, "W", "accelerators", "the unit is watts"},
    {"accelerator.bf16_flops_per_s over tdp_w", 85e9, 3.1e12, loose, 1e9, "GFLOP/s per W", "accelerators",
     "are they FLOP/s and watts?"},
    {"node.nameplate_w over accelerators x tdp_w", 1.05, 2.5, 1.05, 1, "", "nodes",
     "the unit of nameplate_w is watts, of the whole node"},
    {"nic.bytes_per_s", 1.25e9, 100e9, loose * 0.9, 1e9, "GB/s", "network cards",
     "400 Gb/s are 50 GB/s; the unit is bytes per second"},
    {"fabric.bytes_per_s_per_accelerator", 1.25e9, 600e9, loose, 1e9, "GB/s", "fabrics",
     "400 Gb/s are 50 GB/s; the unit is bytes per second"},
    {"fabric.bytes_per_s_per_accelerator over the rate of its network cards", 0, 2, 1.05, 1, "", "fabrics",
     "a fabric cannot carry more than its cards; 400 Gb/s are 50 GB/s"},
    {"fabric.message_latency_s", 1e-6, 50e-6, loose, 1e-6, "us", "fabrics", "the unit is seconds"},
    {"node.scaleup_latency_s", 0.3e-6, 10e-6, loose, 1e-6, "us", "nodes", "the unit is seconds"},
    {"model.head_dim", 32, 256, 1.9, 1, "", "models", "check heads, kv_heads and hidden"},
    {"model.ffn over hidden", 0.67, 8, loose, 1, "", "models", "ffn is a width, not a multiple of hidden"},
    {"model.vocab", 256, 262208, 1.9, 1, "entries", "models", "the unit is entries, not thousands"},
    {"model.vocab over layout.tp", 1, 1, 1, 1, "", "frameworks",
     "frameworks pad the vocabulary to a multiple of tp; give it as trained"},
    {"training.seq_len", 128, 10e6, 2, 1, "tokens", "jobs", "the unit is tokens, not thousands"},
    {"training.global_batch x seq_len", 0, 300e6, loose, 1e6, "million tokens a step", "jobs",
     "global_batch counts sequences, not tokens"},
    {"training.tokens", 0, 40e12, 10, 1e12, "T tokens", "runs", "the unit is tokens"},
    {"training.tokens over those of a step", 1000, 1e7, 10, 1, "steps", "runs",
     "the unit is tokens, not millions or billions of them"},
}};

/// Notes what lies outside. Absent values (0) are no slip.
class Notes {
 public:
  explicit Notes(std::vector<Warning>& warnings) : warnings_(warnings) {}

  /// Whether the value is plausible.
  bool check(Rule rule, double value) {
    const Known& known = rules[rule];
    const bool low = value < known.low / known.slack;
    if (value == 0 || !(low || value > known.high * known.slack)) return true;
    note(rule, value, low ? known.low : known.high);
    return false;
  }
  void note(Rule rule, double value, double limit) {
    const std::string_view field = rules[rule].field;
    // Partitions of one kind say the same.
    const bool said = std::any_of(warnings_.begin(), warnings_.end(),
                                  [&](const Warning& w) { return w.field == field && w.value == value; });
    if (!said) warnings_.push_back({Caveat::implausible, value, limit, std::string(field)});
  }

 private:
  std::vector<Warning>& warnings_;
};

void check_accelerator(const Accelerator& device, Notes& notes) {
  const bool math = notes.check(bf16_rate, device.bf16_flops_per_s);
  const bool size = notes.check(memory_size, device.memory_bytes);
  const bool rate = notes.check(memory_rate, device.memory_bytes_per_s);
  const bool links = notes.check(scaleup_rate, device.scaleup_bytes_per_s);
  const bool watts = notes.check(power_limit, device.tdp_w);
  notes.check(clock, device.tensor_clock_hz);
  // Where one of the two is a slip by itself, their ratio says nothing new.
  if (math) notes.check(fp8_rate, device.fp8_flops_per_s / device.bf16_flops_per_s);
  if (size && rate) notes.check(memory_seconds, device.memory_bytes_per_s / device.memory_bytes);
  if (rate && links && device.scaleup_bytes_per_s > 0) {
    notes.check(scaleup_ratio, device.memory_bytes_per_s / device.scaleup_bytes_per_s);
  }
  if (math && watts) notes.check(flops_per_watt, device.bf16_flops_per_s / device.tdp_w);
}

void check_network(const Node& node, const Fabric& fabric, Notes& notes) {
  const bool card = notes.check(nic_rate, node.nic.bytes_per_s);
  const bool wire = notes.check(fabric_rate, fabric.bytes_per_s_per_accelerator);
  const double cards = node.nic.bytes_per_s * static_cast<double>(node.nics) / static_cast<double>(node.accelerators);
  // A fabric without switches joins the devices themselves (TPU torus).
  if (card && wire && cards > 0 && fabric.tiers > 0) {
    notes.check(fabric_over_nics, fabric.bytes_per_s_per_accelerator / cards);
  }
  notes.check(message_latency, fabric.message_latency_s);
  notes.check(hop_latency, node.scaleup_latency_s);
}

void check_job(const Training& job, const Layout& layout, Notes& notes) {
  const Model& m = job.model;
  notes.check(head_width, static_cast<double>(m.head_dim));
  notes.check(ffn_ratio, static_cast<double>(m.ffn) / static_cast<double>(m.hidden));
  notes.check(vocabulary, static_cast<double>(m.vocab));
  if (m.vocab % layout.tp != 0) {
    notes.note(vocabulary_split, static_cast<double>(m.vocab) / static_cast<double>(layout.tp),
               static_cast<double>(layout.tp));
  }
  notes.check(sequence, static_cast<double>(job.seq_len));
  const double at_once = static_cast<double>(job.global_batch) * static_cast<double>(job.seq_len);
  const bool batch = notes.check(step_tokens, at_once);
  if (notes.check(run_tokens, job.tokens) && batch) notes.check(run_steps, job.tokens / at_once);
}

std::string shown(double value, const Known& known) {
  char buffer[48];
  std::snprintf(buffer, sizeof buffer, "%.4g", value / known.unit);
  return buffer;
}

}  // namespace

void add_implausible(const Training& job, const Cluster& cluster, const Layout& layout,
                     std::vector<Warning>& warnings) {
  Notes notes(warnings);
  check_job(job, layout, notes);
  for (const Partition& partition : cluster.partitions) {
    const Node& node = partition.node;
    check_accelerator(node.accelerator, notes);
    check_network(node, cluster.fabric, notes);
    notes.check(nameplate, node.nameplate_w / (static_cast<double>(node.accelerators) * node.accelerator.tdp_w));
  }
}

std::string implausible_text(const Warning& warning) {
  const auto found = std::find_if(rules.begin(), rules.end(), [&](const Known& k) { return k.field == warning.field; });
  if (found == rules.end()) return warning.field + " is unlike any that is known";
  const Known& known = *found;
  std::string unit(known.unit_name);
  if (!unit.empty() && unit.front() != '/') unit.insert(0, 1, ' ');
  std::string text = warning.field + " is " + shown(warning.value, known) + unit;
  if (known.low < known.high) {
    text += "; known " + std::string(known.of) + " have ";
    text += known.low > 0 ? shown(known.low, known) + " to " : "up to ";
    text += shown(known.high, known) + unit;
  }
  return text.append(" (").append(known.advice).append(")");
}

}  // namespace ampacity
