// What one collective takes on a cluster, and why: every algorithm and protocol with its time.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "ampacity/cluster.hpp"
#include "ampacity/error.hpp"
#include "ampacity/field.hpp"

namespace ampacity {

/// What a group of devices does together. `token_exchange` is the dispatch, or the combine, of a mixture of experts by
/// kernels that send a token once per scale-up domain (DeepEP).
enum class Operation { all_reduce, reduce_scatter, all_gather, broadcast, all_to_all, send_recv, token_exchange };
template <>
struct EnumNames<Operation> {
  static constexpr std::array<std::string_view, 7> names{"all_reduce", "reduce_scatter", "all_gather",    "broadcast",
                                                         "all_to_all", "send_recv",      "token_exchange"};
};

/// How: `automatic` is the fastest of those that NCCL chooses from.
enum class Algorithm {
  automatic,
  ring,
  tree,
  nvls,
  nvls_tree,
  collnet,
  pat,
  hierarchical,
  bucket,
  pairwise,
  pxn,
  direct,
  forwarding
};
template <>
struct EnumNames<Algorithm> {
  static constexpr std::array<std::string_view, 13> names{"auto",    "ring",   "tree",         "nvls",   "nvls-tree",
                                                          "collnet", "pat",    "hierarchical", "bucket", "pairwise",
                                                          "pxn",     "direct", "forwarding"};
};

/// How the receiver learns that data have come.
enum class Protocol { automatic, ll, ll128, simple };
template <>
struct EnumNames<Protocol> {
  static constexpr std::array<std::string_view, 4> names{"auto", "ll", "ll128", "simple"};
};

/// Where most of the time goes.
enum class Bottleneck {
  launch,
  scaleup_latency,
  scaleout_latency,
  host_proxy,
  scaleup_links,
  nics,
  uplinks,
};
template <>
struct EnumNames<Bottleneck> {
  static constexpr std::array<std::string_view, 7> names{
      "launch", "scaleup-latency", "scaleout-latency", "host-proxy", "scaleup-links", "nics", "uplinks"};
};

/// One collective of one group. Ranks fill scale-up domains in order; `stride` is the distance between neighbours of
/// the group (tensor-parallel groups 1; data-parallel groups tp * cp).
struct CollectiveCall {
  Operation operation = Operation::all_reduce;
  std::int64_t gpus = 0;
  double size_bytes = 0;
  std::int64_t stride = 1;
  Algorithm algorithm = Algorithm::automatic;
  Protocol protocol = Protocol::automatic;
  double skew = 1;
  double ranks_per_token = 0;
  double domains_per_token = 0;

  static constexpr std::string_view kind = "collective";
  template <class S = CollectiveCall>
  static constexpr auto fields() {
    return std::tuple{
        required("operation", &S::operation, "what the group does"),
        required("gpus", &S::gpus, Range{2, 1e8}, "accelerators in the group"),
        required("size_bytes", &S::size_bytes, Range{1, 9007199254740992.0},
                 "whole buffer of one rank: what an all-reduce reduces, an all-gather ends with, a reduce-scatter "
                 "starts with, a rank of an all-to-all sends; of a token exchange each token counted once"),
        optional("stride", &S::stride, Range{1, 1e8}, "distance in rank between neighbours of the group"),
        optional("algorithm", &S::algorithm, "auto: the fastest that NCCL would choose from"),
        optional("protocol", &S::protocol, "auto: the fastest"),
        optional("skew", &S::skew, Range{1, 1e6},
                 "all-to-all(v): bytes of the busiest rank over those of the average one"),
        optional("ranks_per_token", &S::ranks_per_token, Range{1, 1e6},
                 "token exchange: ranks that an average token goes to, the own one included"),
        optional("domains_per_token", &S::domains_per_token, Range{1, 1e6},
                 "token exchange: scale-up domains that these lie in, the own one included")};
  }
  friend bool operator==(const CollectiveCall&, const CollectiveCall&) = default;
};

/// One algorithm under one protocol. `reason` says why it cannot be had (`available` is false) or why it is not chosen
/// unless asked for by name.
struct CollectiveOption {
  Algorithm algorithm = Algorithm::ring;
  Protocol protocol = Protocol::simple;
  bool available = false;
  double time_s = 0;
  std::string reason;
};

/// The answer. `time_s` = `launch_s` + `latency_s` + `bandwidth_s`.
struct CollectiveEstimate {
  Operation operation = Operation::all_reduce;
  std::int64_t gpus = 0;
  double size_bytes = 0;
  std::int64_t stride = 1;
  Algorithm algorithm = Algorithm::ring;
  Protocol protocol = Protocol::simple;
  double time_s = 0;
  double launch_s = 0;
  double latency_s = 0;
  double bandwidth_s = 0;
  double algbw_bytes_per_s = 0;
  double busbw_bytes_per_s = 0;
  double steps = 0;
  std::int64_t domains = 1;
  std::int64_t gpus_per_domain = 1;
  Bottleneck bottleneck = Bottleneck::launch;
  std::vector<CollectiveOption> alternatives;
  std::vector<std::string> warnings;
};

/// Seconds of one collective, uncontended.
/// \throws InvalidSpec naming every problem: values out of range, more ranks than the cluster has, an algorithm that
/// cannot be had there
[[nodiscard]] CollectiveEstimate collective(const Cluster& cluster, const CollectiveCall& call);

/// Adds what is wrong with the call on that cluster, ranges aside.
void check_collective(const Cluster& cluster, const CollectiveCall& call, std::vector<Problem>& problems);

/// An all-to-all(v) as `collective` takes it: the average rank's bytes, and how many times that the busiest rank sends
/// or receives.
struct UnevenExchange {
  std::int64_t ranks = 0;
  double size_bytes = 0;
  double skew = 1;
};
/// From bytes of every rank (row) to every rank (column), the own part included.
/// \throws InvalidSpec where the matrix is not square, has less than two rows, or entries that are no sizes
[[nodiscard]] UnevenExchange uneven_exchange(std::span<const double> bytes, std::int64_t rows, std::int64_t columns);

/// Bytes that a text spells: `1 GiB`, `4KB`, `1048576`; a problem at `path` is noted otherwise, and 0 returned.
[[nodiscard]] double parse_size(std::string_view text, const std::string& path, std::vector<Problem>& problems);

}  // namespace ampacity
