// The fields of what is answered about single devices and their caps.
#pragma once

#include "described.hpp"

namespace ampacity::python {

template <>
struct Described<DeviceStates> {
  static constexpr auto items() {
    using R = DeviceStates;
    return std::tuple{
        Item{"idle_w", &R::idle_w, "At rest (W)."},
        Item{"stalled_w", &R::stalled_w, "Waits, clocks up (W)."},
        Item{"communicating_w", &R::communicating_w, "Inside a collective (W)."},
        Item{"busy_w", &R::busy_w, "Large matrix products under the limit (W)."},
        Item{"limit_w", &R::limit_w, "Its own limit, or the operator's below it (W)."},
        Item{"excursion_w", &R::excursion_w, "Highest power, for the milliseconds before the controller acts (W)."}};
  }
};

template <>
struct Described<NodePower> {
  static constexpr auto items() {
    using R = NodePower;
    return std::tuple{Item{"dc_w", &R::dc_w, "Behind the node's power supplies, fans apart (W)."},
                      Item{"ac_w", &R::ac_w, "At the node's inlet (W)."}};
  }
};

template <>
struct Described<HplPower> {
  static constexpr auto items() {
    using R = HplPower;
    return std::tuple{
        Item{"device_flops_per_s", &R::device_flops_per_s, "FP64 rate of one accelerator over the run (FLOP/s)."},
        Item{"device_w", &R::device_w, "One accelerator, mean over the run (W)."},
        Item{"machine_w", &R::machine_w, "Nodes and network (W)."},
        Item{"nameplate_rule_w", &R::nameplate_rule_w, "Accelerators times TDP (W)."}};
  }
};

template <>
struct Described<CapPoint> {
  static constexpr auto items() {
    using R = CapPoint;
    return std::tuple{
        Item{"cap_w", &R::cap_w, "Power limit of each accelerator (W)."},
        Item{"layout", &R::layout, "Layout that was priced."},
        Item{"step_time_s", &R::step_time_s, "Step of that layout (s)."},
        Item{"device_mean_w", &R::device_mean_w, "One accelerator over a step (W)."},
        Item{"provisioned_w", &R::provisioned_w, "Site power that one accelerator is given (W)."},
        Item{"metered_w", &R::metered_w, "Site power of one accelerator, mean (W)."},
        Item{"accelerators", &R::accelerators, "Accelerators that the site's power carries, in whole replicas."},
        Item{"tokens_per_s", &R::tokens_per_s, "Of all of them (tokens/s)."},
        Item{"tokens_per_j", &R::tokens_per_j, "At the meter (tokens/J)."},
        Item{"tokens_per_usd", &R::tokens_per_usd, "Servers, network, plant and energy over their lives (tokens/USD)."},
        Item{"throughput_fraction", &R::throughput_fraction, "Of one accelerator, over that without a cap."},
        Item{"energy_fraction", &R::energy_fraction,
             "Of the accelerators for the same work, over that without a cap."}};
  }
};

}  // namespace ampacity::python
