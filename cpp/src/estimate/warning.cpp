#include <cstdio>
#include <string>

#include "ampacity/estimate.hpp"
#include "estimate/plausibility.hpp"

namespace ampacity {
namespace {

std::string number(double value, double unit, const char* name) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%.4g%s", value / unit, name);
  return buffer;
}
std::string whole(double value) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%.0f", value);
  return buffer;
}

std::string precision_name(double code) {
  return std::string(name_of(static_cast<Precision>(code)));
}

const char* shared_how(Balance balance) {
  switch (balance) {
    case Balance::micro_batches:
      return "replicas on faster ones take more micro-batches, and the smallest memory must hold it";
    case Balance::stages:
      return "stages on the faster one have more layers";
    case Balance::slowest:
      break;
  }
  return "the slowest sets the pace and the smallest memory must hold it";
}

}  // namespace

std::string Warning::text() const {
  switch (caveat) {
    case Caveat::accelerators_unused:
      return whole(value) + " accelerators stay idle: no layout uses all " + whole(limit);
    case Caveat::mixed_generations:
      return "the job spans " + whole(value) + " kinds of node; " + shared_how(static_cast<Balance>(limit));
    case Caveat::precision_fallback:
      return "training.precision is " + precision_name(value) + ", in which the device does not compute; it runs as " +
             precision_name(limit);
    case Caveat::no_tokens:
      return "neither job nor model says how many tokens to train; the run is one step";
    case Caveat::power_limit_exceeded:
      return "the site's peak of " + number(value, 1e6, " MW") + " exceeds the " + number(limit, 1e6, " MW") +
             " that the grid grants";
    case Caveat::does_not_fit:
      return "does not fit: needs " + number(value, 1073741824.0, " GiB") + " of " +
             number(limit, 1073741824.0, " GiB") + " a device";
    case Caveat::uneven_batch:
      return value > 1.1 * limit ? "a global batch of " + whole(limit) + " is too small for so many accelerators; " +
                                       whole(value) + " is used"
                                 : "a global batch of " + whole(limit) + " cannot be split over this layout; " +
                                       whole(value) + " is used";
    case Caveat::failures_dominate:
      return "one job of this size fails every " + number(value, 60, " min") + " and takes " +
             number(limit, 60, " min") +
             " to recover; goodput is beyond what checkpoint and restart can give, plan for smaller jobs or faster "
             "recovery";
    case Caveat::balanced_experts:
      return "the router is forced to spread tokens evenly over the experts, as in a benchmark; a real run waits for "
             "the "
             "busiest of them";
    case Caveat::tokens_dropped:
      return number(value, 0.01, " %") + " of the routed tokens are dropped: they exceed the capacity factor of " +
             number(limit, 1, "");
    case Caveat::extrapolated_scale:
      return whole(value) +
             " accelerators are more than the largest measured job that this release is checked against (" +
             whole(limit) + ")";
    case Caveat::frozen_weights:
      return "the model's weights (" + number(limit, 1, " bytes") + " each) stay as they are" +
             (value > 0 ? " and adapters of rank " + whole(value) + " are trained" : std::string{}) +
             ": such steps are checked against three runs of one model, and the run has only the tokens that it is "
             "given";
    case Caveat::implausible:
      return implausible_text(*this);
    case Caveat::border_between_stages:
      return "a border between sites lies between pipeline stages: their messages need at least " +
             number(value, 1, " s") + " of the WAN a step, which the step time of " + number(limit, 1, " s") +
             " leaves out; `simulate` has it";
  }
  return {};
}

}  // namespace ampacity
