// `explain`: what bounds a step, what would help most, and how well founded the prediction is.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ampacity/catalogue.hpp"
#include "ampacity/cluster.hpp"
#include "ampacity/estimate.hpp"
#include "ampacity/layout.hpp"
#include "ampacity/training.hpp"

namespace ampacity {

/// A term of a step's time and what it is made of. Where a term has parts, they sum to it.
struct Term {
  std::string name;
  double seconds = 0;   ///< on the critical path
  double hidden_s = 0;  ///< communication that runs behind compute, beside what shows
  std::vector<Term> parts;
};

/// What can be changed about hardware or software without another layout.
enum class Lever {
  arithmetic,          ///< peak FLOP/s of all formats, at the same energy per FLOP
  memory_bandwidth,    ///< of the device
  power_limit,         ///< of the device
  scaleup_bandwidth,   ///< NVLink, xGMI, ICI
  scaleout_bandwidth,  ///< of the network
  latency,             ///< of a hop in either network, and of starting a collective
  kernel_start,        ///< shortest time of a kernel on the device
  host,                ///< time that the host needs to launch a kernel
  fixed_overhead,      ///< of a step, in the software
  device_spread,       ///< how much equal devices differ in speed
  expert_imbalance,    ///< how much tokens per expert differ
};
template <>
struct EnumNames<Lever> {
  static constexpr std::array<std::string_view, 11> names{
      "arithmetic",         "memory-bandwidth", "power-limit",     "scaleup-bandwidth",
      "scaleout-bandwidth", "latency",          "kernel-start",    "host",
      "fixed-overhead",     "device-spread",    "expert-imbalance"};
};

/// What a lever does to the step time, by predicting again with the lever moved.
struct Sensitivity {
  Lever lever = Lever::arithmetic;
  double elasticity = 0;       ///< d ln(step time) / d ln(lever), from +-1 %
  double change_fraction = 0;  ///< +0.1 for rates and limits, -0.1 for times and spread
  double faster_fraction = 0;  ///< gain in speed that this change brings
};

/// One cause of the step time, longest first.
struct Bound {
  std::string text;
  double seconds = 0;
  double share_fraction = 0;  ///< of the step time
};

/// Where a parameter of the slowest device, its node or its network comes from.
struct Provenance {
  std::string parameter;  ///< kind, name and field: `accelerator h100-sxm: tdp_w`
  double value = 0;       ///< in the unit that ends the field's name
  /// measured, vendor, inferred as the catalogue says; `default` of the field, or `given` by the user, where it does
  /// not say that value.
  std::string confidence;
  std::string source;
};

/// Answer of `explain`.
struct Explanation {
  std::string model;
  std::string cluster;
  std::int64_t accelerators = 0;
  Term time;                     ///< the whole step
  double stage_imbalance_s = 0;  ///< of the time above: what a pipeline of equal stages would save
  std::vector<Bound> bounds;
  std::vector<Sensitivity> sensitivities;  ///< what would help most first
  std::vector<std::string> doubts;         ///< terms that are extrapolated or not modelled
  std::vector<Provenance> provenance;
  double measured_fraction = 0;  ///< share of the step time that comes from measured kernels (`MeasuredKernels`)
  std::string measured_source;   ///< where those come from; empty without
};

/// Predicts the step once more, taking down what each operator adds, and some thirty times with a parameter moved.
/// `catalogue` is where provenance is looked up.
/// \throws InvalidSpec as `estimate` does.
[[nodiscard]] Explanation explain(const Training& job, const Cluster& cluster, const Layout& layout,
                                  const Catalogue& catalogue = Catalogue::builtin());

}  // namespace ampacity
