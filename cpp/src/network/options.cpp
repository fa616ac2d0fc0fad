#include "network/options.hpp"

#include "network/choice.hpp"

namespace ampacity::network {
namespace {

class Options {
 public:
  Options(const Links& links, const CollectiveCall& call, bool in_network)
      : links_(links),
        call_(call),
        group_{call.gpus, call.stride},
        shape_(shape_of(links, group_)),
        in_network_(in_network) {}

 private:
  /// What visits of the hot path's choice leave behind.
  auto keep() {
    return [this](Algorithm algorithm, Protocol protocol, const Cost& cost) {
      found_.push_back({algorithm, protocol, Standing::chosen_from, "", cost});
    };
  }
  void on_request(Algorithm algorithm, Protocol protocol, const Cost& cost, const char* reason) {
    found_.push_back({algorithm, protocol, Standing::on_request, reason, cost});
  }
  void missing(Algorithm algorithm, const char* reason) {
    found_.push_back({algorithm, Protocol::automatic, Standing::unavailable, reason, {}});
  }

  [[nodiscard]] bool torus() const { return ring_or_bucket(links_, shape_) == Algorithm::bucket; }

  void missing_ring() {
    if (torus()) missing(Algorithm::ring, "the scale-up network is a torus: bucket");
  }

  void missing_multicast() {
    const bool reduces = has_multicast(links_, shape_);
    const char* none = links_.scaleup_multicast_bytes_per_s > 0 ? "fewer than three ranks share a scale-up domain"
                                                                : "the scale-up switches cannot reduce";
    if (!reduces || shape_.domains > 1) {
      missing(Algorithm::nvls, reduces ? "the group spans several scale-up domains" : none);
    } else if (call_.operation != Operation::all_reduce && !has_multicast_round(links_, shape_)) {
      missing(Algorithm::nvls, "NCCL has it for at most 32 ranks in a scale-up domain");
    }
    if (call_.operation == Operation::all_reduce && (!reduces || shape_.domains <= 1)) {
      missing(Algorithm::nvls_tree, reduces ? "the group lies in one scale-up domain" : none);
    }
  }

  void all_reduce() {
    each_all_reduce(links_, shape_, call_.size_bytes, keep());
    missing_ring();
    missing_multicast();
    constexpr auto one_domain = "the group lies in one scale-up domain";
    if (shape_.domains <= 1) {
      for (const Algorithm one : {Algorithm::tree, Algorithm::collnet, Algorithm::hierarchical})
        missing(one, one_domain);
      return;
    }
    each_protocol([this](const ProtocolCost& protocol) {
      if (reckons_tree(links_, shape_, protocol, call_.size_bytes)) return;
      on_request(Algorithm::tree, protocol.protocol, tree(links_, shape_, protocol, call_.size_bytes),
                 "NCCL reckons with the line rate of NICs, at which a ring is faster");
    });
    if (!in_network_) {
      missing(Algorithm::collnet, "the fabric's switches cannot reduce");
    } else if (!links_.in_network_reduction) {
      on_request(Algorithm::collnet, Protocol::simple, network::in_network(links_, shape_, call_.size_bytes),
                 "needs the SHARP plug-in and a reservation of the switches");
    }
    if (shape_.members <= 1) {
      missing(Algorithm::hierarchical, "the group has one rank per scale-up domain");
    } else {
      hierarchical();
    }
  }

  /// Three calls of the framework: reduce-scatter in the domain, all-reduce of each shard along its rail, all-gather.
  void hierarchical() {
    const auto members = static_cast<std::int64_t>(shape_.members);
    const Shape inside = shape_of(links_, {members, call_.stride});
    const Group rail{static_cast<std::int64_t>(shape_.domains),
                     std::max(call_.stride * members, links_.scaleup_domain)};
    const Shape across = shape_of(links_, rail);
    const double shard = call_.size_bytes / shape_.members;
    Cost best_inside = best([&](const auto& visit) { each_one_round(links_, inside, call_.size_bytes, visit); });
    const Cost best_across = best([&](const auto& visit) { each_all_reduce(links_, across, shard, visit); });
    Cost cost;
    cost.launch_s = 2 * best_inside.launch_s + best_across.launch_s;
    cost.scaleup_latency_s = 2 * best_inside.latency_s();
    cost.scaleout_latency_s = best_across.latency_s();
    cost.serial_s = 2 * best_inside.bandwidth_s();
    cost.scaleout_s = best_across.bandwidth_s();
    cost.steps = 2 * best_inside.steps + best_across.steps;
    on_request(Algorithm::hierarchical, Protocol::automatic, cost, "three calls of the framework, not one of NCCL");
  }

  template <class Each>
  static Cost best(const Each& each) {
    Cost least;
    bool any = false;
    each([&](Algorithm, Protocol, const Cost& cost) {
      if (!any || cost.total_s() < least.total_s()) least = cost;
      any = true;
    });
    return least;
  }

  void one_round() {
    each_one_round(links_, shape_, call_.size_bytes, keep());
    missing_ring();
    missing_multicast();
    if (shape_.domains <= 1) {
      missing(Algorithm::pat, "the group lies in one scale-up domain");
    } else if (shape_.members > 1) {
      missing(Algorithm::pat, "NCCL has it for one rank per scale-up domain only");
    }
  }

  void broadcast() {
    each_broadcast(links_, shape_, call_.size_bytes, keep());
    missing_ring();
    if (torus()) return;
    each_protocol([this](const ProtocolCost& protocol) {
      on_request(Algorithm::tree, protocol.protocol, tree_broadcast(links_, shape_, protocol, call_.size_bytes),
                 "MPI libraries have it, NCCL has not");
    });
  }

  void all_to_all() {
    each_all_to_all(links_, group_, shape_, call_.size_bytes * call_.skew, keep());
    if (has_forwarding(links_, shape_)) return;
    missing(Algorithm::pxn, shape_.domains <= 1   ? "the group lies in one scale-up domain"
                            : shape_.members <= 1 ? "the group has one rank per scale-up domain"
                                                  : "the scale-up network has no switches");
  }

  void token_exchange() {
    const Multicast tokens{call_.size_bytes, call_.ranks_per_token, call_.domains_per_token};
    keep()(Algorithm::forwarding, Protocol::simple, network::token_exchange(links_, shape_, tokens));
  }

 public:
  std::vector<Option> all() {
    switch (call_.operation) {
      case Operation::all_reduce:
        all_reduce();
        break;
      case Operation::reduce_scatter:
      case Operation::all_gather:
        one_round();
        break;
      case Operation::broadcast:
        broadcast();
        break;
      case Operation::all_to_all:
        all_to_all();
        break;
      case Operation::send_recv:
        each_message(links_, pair_of(links_, {2, call_.stride}), call_.size_bytes, keep());
        break;
      case Operation::token_exchange:
        token_exchange();
        break;
    }
    return std::move(found_);
  }

 private:
  const Links& links_;
  const CollectiveCall& call_;
  Group group_;
  Shape shape_;
  bool in_network_;
  std::vector<Option> found_;
};

}  // namespace

std::vector<Option> options_of(const Links& links, const CollectiveCall& call, bool in_network) {
  return Options(links, call, in_network).all();
}

}  // namespace ampacity::network
