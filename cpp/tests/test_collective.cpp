// The explained collective: the same seconds as the hot path, parts that sum, choices and refusals.
#include "ampacity/collective.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <string>

#include "ampacity/catalogue.hpp"
#include "network/collectives.hpp"
#include "network/shape.hpp"

namespace ampacity {
namespace {

constexpr double kMiB = 1048576;
constexpr double kGiB = 1024 * kMiB;

const Cluster& llama3() {
  static const Cluster cluster = Catalogue::builtin().get<Cluster>("meta-llama3-16k");
  return cluster;
}

CollectiveCall call_of(Operation operation, std::int64_t gpus, double bytes, std::int64_t stride = 1) {
  CollectiveCall call;
  call.operation = operation;
  call.gpus = gpus;
  call.size_bytes = bytes;
  call.stride = stride;
  return call;
}

double seconds_by(CollectiveCall call, Algorithm algorithm, const Cluster& cluster = llama3()) {
  call.algorithm = algorithm;
  return collective(cluster, call).time_s;
}

std::string problems_of(const Cluster& cluster, const CollectiveCall& call) {
  try {
    static_cast<void>(collective(cluster, call));
  } catch (const InvalidSpec& error) {
    std::string all;
    for (const Problem& problem : error.problems()) all += problem.text() + "\n";
    return all;
  }
  return {};
}

}  // namespace

TEST_CASE("the explained collective takes as long as the one that the step asks for") {
  const network::Links links = network::links_of(llama3(), llama3().partitions.front());
  using Hot = double (*)(const network::Links&, const network::Group&, double);
  const std::array<std::pair<Operation, Hot>, 4> all{{{Operation::all_reduce, network::all_reduce_s},
                                                      {Operation::all_gather, network::all_gather_s},
                                                      {Operation::reduce_scatter, network::reduce_scatter_s},
                                                      {Operation::all_to_all, network::all_to_all_s}}};
  for (const auto& [operation, hot] : all) {
    for (const std::int64_t gpus : {2, 8, 64, 1024}) {
      for (const std::int64_t stride : {1, 8, 16}) {
        for (const double bytes : {512.0, 65536.0, kMiB, kGiB}) {
          const CollectiveEstimate found = collective(llama3(), call_of(operation, gpus, bytes, stride));
          CHECK(found.time_s == hot(links, {gpus, stride}, bytes));
          CHECK(found.time_s == doctest::Approx(found.launch_s + found.latency_s + found.bandwidth_s).epsilon(1e-12));
          CHECK(found.alternatives.front().available);
          for (const CollectiveOption& option : found.alternatives) {
            // Slower than the chosen one, not to be had, or with a reason why it is not chosen.
            CHECK((!option.available || option.time_s >= found.time_s || !option.reason.empty()));
            CHECK((option.available || !option.reason.empty()));
          }
        }
      }
    }
  }
  const CollectiveEstimate sent = collective(llama3(), call_of(Operation::send_recv, 2, kMiB, 8));
  CHECK(sent.time_s == network::send_s(links, 8, kMiB));
}

TEST_CASE("bus bandwidth as nccl-tests count it") {
  for (const auto& [operation, factor] : {std::pair{Operation::all_reduce, 2 * 7.0 / 8},
                                          {Operation::all_gather, 7.0 / 8},
                                          {Operation::all_to_all, 7.0 / 8},
                                          {Operation::broadcast, 1.0}}) {
    const CollectiveEstimate found = collective(llama3(), call_of(operation, 8, kGiB));
    CHECK(found.algbw_bytes_per_s == doctest::Approx(kGiB / found.time_s));
    CHECK(found.busbw_bytes_per_s == doctest::Approx(factor * kGiB / found.time_s));
  }
}

TEST_CASE("switches that reduce halve what NICs carry") {
  Cluster cluster = llama3();
  const CollectiveCall large = call_of(Operation::all_reduce, 64, 256 * kGiB);
  CHECK(problems_of(cluster,
                    [&] {
                      CollectiveCall call = large;
                      call.algorithm = Algorithm::collnet;
                      return call;
                    }())
            .find("the fabric's switches cannot reduce") != std::string::npos);
  cluster.fabric.in_network_reduction = true;
  cluster.partitions.front().node.scaleup_multicast_fraction = 0.8;  // not what limits
  // 1 x against 2 (n - 1)/n x the buffer, at 0.85 of the bandwidth (NCCL's tuning).
  const double ratio = seconds_by(large, Algorithm::collnet, cluster) / seconds_by(large, Algorithm::ring, cluster);
  CHECK(ratio == doctest::Approx(0.5 * 64 / 63 / 0.85).epsilon(0.01));
  CHECK(collective(cluster, large).algorithm != Algorithm::collnet);  // only where it is asked for
}

TEST_CASE("broadcasts: the buffer once over the links") {
  const network::Links links = network::links_of(llama3(), llama3().partitions.front());
  const CollectiveEstimate inside = collective(llama3(), call_of(Operation::broadcast, 8, 64 * kGiB));
  CHECK(inside.time_s == doctest::Approx(64 * kGiB / links.scaleup_bytes_per_s).epsilon(0.01));
  const CollectiveEstimate across = collective(llama3(), call_of(Operation::broadcast, 64, 64 * kGiB));
  CHECK(across.time_s == doctest::Approx(64 * kGiB / (8 * links.scaleout_bytes_per_s)).epsilon(0.01));
  // Small messages: a ring's hops grow with ranks, a tree's with their logarithm.
  const CollectiveCall small = call_of(Operation::broadcast, 1024, 1024);
  CHECK(seconds_by(small, Algorithm::tree) < 0.2 * collective(llama3(), small).time_s);
}

TEST_CASE("hierarchical: one shard of the buffer on each rail") {
  const CollectiveCall call = call_of(Operation::all_reduce, 64, 16 * kGiB);
  const network::Links links = network::links_of(llama3(), llama3().partitions.front());
  const double parts =
      2 * network::all_gather_s(links, {8, 1}, 16 * kGiB) + network::all_reduce_s(links, {8, 8}, 2 * kGiB);
  CHECK(seconds_by(call, Algorithm::hierarchical) == doctest::Approx(parts).epsilon(1e-9));
}

TEST_CASE("an exchange across nodes is aggregated by rail; unequal parts wait for the largest") {
  const CollectiveCall small = call_of(Operation::all_to_all, 512, 64 * 1024);
  const CollectiveEstimate found = collective(llama3(), small);
  CHECK(found.algorithm == Algorithm::pxn);
  CHECK(found.bottleneck == Bottleneck::host_proxy);
  // 504 messages of a NIC, eight of them sent as one; the latency of one message is what remains.
  CHECK(seconds_by(small, Algorithm::pairwise) > 4 * found.time_s);
  CollectiveCall skewed = call_of(Operation::all_to_all, 64, 4 * kGiB);
  const double even = collective(llama3(), skewed).time_s;
  skewed.skew = 2;
  CHECK(collective(llama3(), skewed).time_s == doctest::Approx(2 * even).epsilon(0.01));
}

TEST_CASE("tori have real sides") {
  using Sides = std::array<std::int64_t, 3>;
  CHECK(network::torus_sides(8960, 3) == Sides{16, 20, 28});  // the TPU v5p pod
  CHECK(network::torus_sides(4096, 3) == Sides{16, 16, 16});  // TPU v4
  CHECK(network::torus_sides(256, 2) == Sides{1, 16, 16});    // TPU v5e
  CHECK(network::torus_sides(32, 3) == Sides{2, 4, 4});
  CHECK(network::torus_sides(2, 3) == Sides{1, 1, 2});
  for (std::int64_t n = 2; n < 300; ++n) {
    for (const std::int64_t dimensions : {1, 2, 3}) {
      const Sides sides = network::torus_sides(n, dimensions);
      CHECK(sides[0] * sides[1] * sides[2] >= n);
    }
  }
  const Cluster pod = Catalogue::builtin().get<Cluster>("tpu-v4-pod");
  const CollectiveEstimate found = collective(pod, call_of(Operation::all_reduce, 4096, kGiB));
  CHECK(found.algorithm == Algorithm::bucket);
  CHECK(found.steps == 2 * 3 * 15);
}

TEST_CASE("every problem of a call is named") {
  CollectiveCall call = call_of(Operation::all_reduce, 16385, 0);
  call.skew = 0.5;
  const std::string all = problems_of(llama3(), call);
  CHECK(all.find("collective.size_bytes") != std::string::npos);
  CHECK(all.find("collective.skew") != std::string::npos);
  CHECK(all.find("must not exceed what the cluster has (16384)") != std::string::npos);
  CHECK(problems_of(llama3(), call_of(Operation::all_reduce, 4096, 8, 8)).find("collective.stride") !=
        std::string::npos);
  CHECK(problems_of(llama3(), call_of(Operation::token_exchange, 8, 8)).find("ranks_per_token") != std::string::npos);
  call = call_of(Operation::all_to_all, 8, 8);
  call.algorithm = Algorithm::tree;
  CHECK(problems_of(llama3(), call).find("must be one of pairwise") != std::string::npos);
}

TEST_CASE("sizes as people write them") {
  std::vector<Problem> problems;
  CHECK(parse_size("1GiB", "size", problems) == kGiB);
  CHECK(parse_size(" 1.5 mib ", "size", problems) == 1.5 * kMiB);
  CHECK(parse_size("4 kB", "size", problems) == 4000);
  CHECK(parse_size("1e6", "size", problems) == 1e6);
  CHECK(parse_size("12B", "size", problems) == 12);
  CHECK(problems.empty());
  for (const char* bad : {"", "GiB", "1 GX", "1 2", "0x10", "--3", "."}) {
    const std::size_t before = problems.size();
    static_cast<void>(parse_size(bad, "size", problems));
    CHECK_MESSAGE(problems.size() == before + 1, bad);
  }
}

}  // namespace ampacity
