// The fields of what `collective` answers.
#pragma once

#include "described.hpp"

namespace ampacity::python {

template <>
struct Described<CollectiveOption> {
  static constexpr auto items() {
    using R = CollectiveOption;
    return std::tuple{Item{"algorithm", &R::algorithm, "ring, tree, nvls, nvls-tree, collnet, pat, hierarchical, ..."},
                      Item{"protocol", &R::protocol, "ll, ll128 or simple; auto where each part has its own."},
                      Item{"available", &R::available, "Whether it can be had for this group."},
                      Item{"time_s", &R::time_s, "Its time (s); 0 where it cannot be had."},
                      Item{"reason", &R::reason, "Why it cannot be had, or is taken only if asked for by name."}};
  }
};

template <>
struct Described<CollectiveEstimate> {
  static constexpr auto items() {
    using R = CollectiveEstimate;
    return std::tuple{
        Item{"operation", &R::operation, "What the group does."},
        Item{"gpus", &R::gpus, "Accelerators in the group."},
        Item{"size_bytes", &R::size_bytes, "Whole buffer of one rank (bytes)."},
        Item{"stride", &R::stride, "Distance in rank between neighbours of the group."},
        Item{"algorithm", &R::algorithm, "The fastest, or the one asked for."},
        Item{"protocol", &R::protocol, "ll, ll128 or simple; auto where each part has its own."},
        Item{"time_s", &R::time_s, "From start to end (s): launch + latency + bandwidth."},
        Item{"launch_s", &R::launch_s, "Start of the kernels (s)."},
        Item{"latency_s", &R::latency_s, "Dependent hops, however small the message (s)."},
        Item{"bandwidth_s", &R::bandwidth_s, "Bytes over the slowest links, and filling the pipeline (s)."},
        Item{"algbw_bytes_per_s", &R::algbw_bytes_per_s, "Size over time (bytes/s)."},
        Item{"busbw_bytes_per_s", &R::busbw_bytes_per_s,
             "What a rank's link carries as nccl-tests count it (bytes/s); received bytes of a token exchange."},
        Item{"steps", &R::steps, "Dependent steps."},
        Item{"domains", &R::domains, "Scale-up domains that the group spans."},
        Item{"gpus_per_domain", &R::gpus_per_domain, "Ranks in one of them."},
        Item{"bottleneck", &R::bottleneck,
             "Where most of the time goes: launch, scaleup-latency, scaleout-latency, host-proxy, scaleup-links, nics "
             "or "
             "uplinks."},
        Item{"alternatives", &R::alternatives, "Every algorithm and protocol, fastest first."},
        Item{"warnings", &R::warnings, "What is extrapolated or has not been measured."}};
  }
};

}  // namespace ampacity::python
