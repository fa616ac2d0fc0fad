// One collective, explained: the same formulas as the hot path, by their parts.
#include "ampacity/collective.hpp"

#include <algorithm>
#include <cmath>

#include "ampacity/decode.hpp"
#include "base/text.hpp"
#include "network/options.hpp"
#include "spec/ranges.hpp"

namespace ampacity {
namespace {

using base::number_text;
using network::Cost;
using network::Links;
using network::Option;
using network::Shape;
using network::Standing;

// The largest group and message that any of the measured collectives has (protocol.hpp).
constexpr std::int64_t most_measured_gpus = 128;
constexpr double most_measured_bytes = 17179869184.0;

/// Bytes that the busiest link of a rank carries at least, over those of the buffer: nccl-tests' bus bandwidth.
double bus_factor(const CollectiveCall& call) {
  const auto n = static_cast<double>(call.gpus);
  switch (call.operation) {
    case Operation::all_reduce:
      return 2 * (n - 1) / n;
    case Operation::reduce_scatter:
    case Operation::all_gather:
    case Operation::all_to_all:
      return (n - 1) / n;
    case Operation::token_exchange:
      return call.ranks_per_token;  // received, as DeepEP counts
    case Operation::broadcast:
    case Operation::send_recv:
      break;
  }
  return 1;
}

Bottleneck bottleneck_of(const Cost& cost, const Shape& shape) {
  const double scaleup_s = cost.serial_s + (cost.scaleup_s >= cost.scaleout_s ? cost.scaleup_s : 0);
  const double scaleout_s = cost.scaleup_s >= cost.scaleout_s ? 0 : cost.scaleout_s;
  // Where the host's messages set the pace, it is the ring's hops inside, or the messages of an exchange.
  const bool network = cost.scaleout_latency_s >= cost.scaleup_latency_s;
  const double latency_s = cost.latency_s();
  if (std::max(scaleup_s, scaleout_s) >= std::max(cost.launch_s, latency_s)) {
    if (scaleup_s >= scaleout_s) return Bottleneck::scaleup_links;
    return std::max(shape.uplink_slowdown, cost.uplink_slowdown) > 1 ? Bottleneck::uplinks : Bottleneck::nics;
  }
  if (cost.launch_s >= latency_s) return Bottleneck::launch;
  if (cost.proxy_s > latency_s / 2) return Bottleneck::host_proxy;
  return network ? Bottleneck::scaleout_latency : Bottleneck::scaleup_latency;
}

bool fits(const CollectiveCall& call, const Option& option) {
  const bool named = call.algorithm == option.algorithm;
  const bool wanted = call.algorithm == Algorithm::automatic ? option.standing == Standing::chosen_from
                                                             : named && option.standing != Standing::unavailable;
  const bool protocol = call.protocol == Protocol::automatic || call.protocol == option.protocol ||
                        option.protocol == Protocol::automatic;
  return wanted && protocol;
}

const Option* fastest(const CollectiveCall& call, const std::vector<Option>& options) {
  const Option* best = nullptr;
  for (const Option& option : options) {
    if (fits(call, option) && (best == nullptr || option.cost.total_s() < best->cost.total_s())) best = &option;
  }
  return best;
}

/// Ranks that the group's numbering runs over, those of other groups between them included.
double span_of(const CollectiveCall& call) {
  const auto apart = static_cast<double>(call.stride);
  return (static_cast<double>(call.gpus) - 1) * apart + 1;
}

/// Equal nodes that the group lies on: it fills the cluster's kinds of nodes in their order.
std::size_t partitions_of(const Cluster& cluster, const CollectiveCall& call) {
  double left = span_of(call);
  std::size_t count = 0;
  while (count < cluster.partitions.size() && left > 0) {
    left -= static_cast<double>(cluster.partitions[count++].accelerators);
  }
  return std::max<std::size_t>(count, 1);
}

std::vector<std::string> warnings_of(const Cluster& cluster, const CollectiveCall& call,
                                     const CollectiveEstimate& result) {
  std::vector<std::string> all;
  const Node& node = cluster.partitions.front().node;
  const Node unmeasured;
  if (node.scaleup_latency_s == unmeasured.scaleup_latency_s &&
      node.collective_launch_s == unmeasured.collective_launch_s && result.gpus_per_domain > 1) {
    all.push_back("the scale-up network of " + node.name + " has no measured collectives: generic latencies hold");
  }
  if (node.scaleup_topology == ScaleupTopology::torus && result.gpus_per_domain > 1) {
    all.emplace_back("no collective on a torus has been measured");
  }
  if (call.gpus > most_measured_gpus) {
    all.push_back("extrapolated: measured groups have at most " + number_text(most_measured_gpus) + " accelerators");
  }
  if (call.size_bytes > most_measured_bytes) all.emplace_back("extrapolated: measured messages have at most 16 GiB");
  const bool across = result.domains > 1;
  const bool measured = call.operation == Operation::all_reduce || call.operation == Operation::token_exchange;
  if (call.operation == Operation::broadcast || (across && !measured)) {
    all.push_back("no " + std::string(name_of(call.operation)) + (across ? " across scale-up domains" : "") +
                  " has been measured");
  }
  if (result.algorithm == Algorithm::collnet || result.algorithm == Algorithm::hierarchical) {
    all.push_back("no " + std::string(name_of(result.algorithm)) + " all-reduce has been measured");
  }
  if (result.algorithm == Algorithm::nvls_tree && result.domains > 2 && result.gpus_per_domain > 8) {
    all.emplace_back("1,440 GPUs of 20 racks of GB200 NVL72 reached half of such a bandwidth (NCCL 2.26)");
  }
  if (partitions_of(cluster, call) > 1) all.emplace_back("several kinds of nodes: the slowest sets the pace");
  if (across && result.bottleneck == Bottleneck::uplinks) {
    all.emplace_back("other groups of that kind are taken to run at the same time and share the uplinks");
  }
  return all;
}

void check_token_exchange(const CollectiveCall& call, std::vector<Problem>& problems) {
  if (call.operation != Operation::token_exchange) {
    if (call.ranks_per_token > 0 || call.domains_per_token > 0) {
      problems.push_back(
          {"collective.ranks_per_token", number_text(call.ranks_per_token), "is for token_exchange only", {}});
    }
    return;
  }
  if (call.ranks_per_token <= 0) {
    problems.push_back({"collective.ranks_per_token", "0", "must be given for token_exchange",
                        "n (1 - (1 - 1/n)^k) where k of n ranks are drawn"});
  }
  if (call.domains_per_token <= 0) {
    problems.push_back({"collective.domains_per_token", "0", "must be given for token_exchange", {}});
  }
  if (call.ranks_per_token > static_cast<double>(call.gpus)) {
    problems.push_back({"collective.ranks_per_token",
                        number_text(call.ranks_per_token),
                        "must not exceed gpus (" + number_text(call.gpus) + ")",
                        {}});
  }
}

CollectiveEstimate answer(const CollectiveCall& call, const Links& links, const std::vector<Option>& options,
                          const Option& chosen) {
  const Shape shape = network::shape_of(links, {call.operation == Operation::send_recv ? 2 : call.gpus, call.stride});
  const Cost& cost = chosen.cost;
  CollectiveEstimate result;
  result.operation = call.operation;
  result.gpus = call.gpus;
  result.size_bytes = call.size_bytes;
  result.stride = call.stride;
  result.algorithm = chosen.algorithm;
  result.protocol = chosen.protocol;
  result.launch_s = cost.launch_s;
  result.latency_s = cost.latency_s();
  result.bandwidth_s = cost.bandwidth_s();
  result.time_s = cost.total_s();
  result.algbw_bytes_per_s = call.size_bytes / result.time_s;
  result.busbw_bytes_per_s = result.algbw_bytes_per_s * bus_factor(call);
  result.steps = cost.steps;
  result.domains = static_cast<std::int64_t>(shape.domains);
  result.gpus_per_domain = static_cast<std::int64_t>(shape.members);
  result.bottleneck = bottleneck_of(cost, shape);
  for (const Option& option : options) {
    const bool available = option.standing != Standing::unavailable;
    result.alternatives.push_back(
        {option.algorithm, option.protocol, available, available ? option.cost.total_s() : 0, option.reason});
  }
  std::stable_sort(result.alternatives.begin(), result.alternatives.end(),
                   [](const CollectiveOption& a, const CollectiveOption& b) {
                     return a.available != b.available ? a.available : a.time_s < b.time_s;
                   });
  return result;
}

/// Why no option fits: the algorithm, or the protocol under it.
Problem unavailable(const CollectiveCall& call, const std::vector<Option>& options) {
  std::vector<std::string> names;
  std::string protocols;
  for (const Option& option : options) {
    if (option.algorithm == call.algorithm && option.standing == Standing::unavailable) {
      return {"collective.algorithm", std::string(name_of(call.algorithm)), "cannot be had here", option.reason};
    }
    if (option.standing == Standing::unavailable) continue;
    const std::string name(name_of(option.algorithm));
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    const bool asked = call.algorithm == Algorithm::automatic || option.algorithm == call.algorithm;
    if (asked && protocols.find(name_of(option.protocol)) == std::string::npos) {
      protocols += (protocols.empty() ? "" : ", ") + std::string(name_of(option.protocol));
    }
  }
  if (!protocols.empty()) {
    return {"collective.protocol", std::string(name_of(call.protocol)), "must be one of " + protocols, {}};
  }
  return {"collective.algorithm",
          std::string(name_of(call.algorithm)),
          "must be one of " + base::either(names) + " for " + std::string(name_of(call.operation)),
          {}};
}

}  // namespace

void check_collective(const Cluster& cluster, const CollectiveCall& call, std::vector<Problem>& problems) {
  const auto all = static_cast<double>(cluster.accelerators());
  if (call.gpus > 0 && static_cast<double>(call.gpus) > all) {
    problems.push_back({"collective.gpus",
                        number_text(call.gpus),
                        "must not exceed what the cluster has (" + number_text(cluster.accelerators()) + ")",
                        {}});
  } else if (span_of(call) > all) {
    problems.push_back({"collective.stride",
                        number_text(call.stride),
                        "must leave room for all ranks: " + number_text(call.gpus) + " of them this far apart need " +
                            number_text(span_of(call)) + " of " + number_text(cluster.accelerators()),
                        {}});
  }
  check_token_exchange(call, problems);
  if (call.skew != 1 && call.operation != Operation::all_to_all) {
    problems.push_back({"collective.skew", number_text(call.skew), "is for all_to_all only", {}});
  }
}

CollectiveEstimate collective(const Cluster& cluster, const CollectiveCall& call) {
  std::vector<Problem> problems;
  spec::check_ranges(call, problems);
  if (cluster.partitions.empty()) problems.push_back({"cluster.partitions", "", "must not be empty", {}});
  check_collective(cluster, call, problems);
  if (!problems.empty()) throw InvalidSpec(std::move(problems));

  CollectiveEstimate slowest;
  const std::size_t count = partitions_of(cluster, call);
  for (std::size_t i = 0; i < count; ++i) {
    Links links = network::links_of(cluster, cluster.partitions[i]);
    const std::int64_t devices = std::min(call.gpus * call.stride, cluster.accelerators());  // all such groups
    links.torus = network::places_on_torus(cluster, cluster.partitions[i], devices, std::array{call.stride});
    const std::vector<Option> options = network::options_of(links, call, cluster.fabric.in_network_reduction);
    const Option* chosen = fastest(call, options);
    if (chosen == nullptr) throw InvalidSpec({unavailable(call, options)});
    CollectiveEstimate result = answer(call, links, options, *chosen);
    if (result.time_s > slowest.time_s) slowest = std::move(result);
  }
  slowest.warnings = warnings_of(cluster, call, slowest);
  return slowest;
}

}  // namespace ampacity
