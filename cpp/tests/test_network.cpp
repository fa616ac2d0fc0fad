#include <doctest/doctest.h>

#include <array>
#include <cmath>

#include "network/collectives.hpp"

namespace ampacity::network {
namespace {

constexpr double kMiB = 1024.0 * 1024.0;
constexpr double kGiB = 1024.0 * kMiB;
constexpr std::array kSizes{512.0, 64e3, 1e6, 2.5e7, 6e8, 1e10};
constexpr std::array<std::int64_t, 3> kStrides{1, 4, 64};

/// Eight H100 to a node, 400 Gb/s each; see tools/fit_collectives.py for the figures.
Links h100() {
  Links links;
  links.scaleup_bytes_per_s = 450e9 * 0.83;
  links.scaleup_latency_s = 0.81e-6;
  links.scaleup_multicast_bytes_per_s = 450e9 * 0.61;
  links.launch_s = 4.7e-6;
  links.scaleout_fraction = 0.93;
  links.scaleout_bytes_per_s = 50e9 * links.scaleout_fraction;
  links.scaleout_latency_s = 14e-6;
  links.scaleup_domain = 8;
  return links;
}

/// Eight A100 to a node, 200 Gb/s each, of which Azure's nodes reached 64 % in the Echo repository's log.
Links a100() {
  Links links = h100();
  links.scaleup_bytes_per_s = 300e9 * 0.78;
  links.scaleup_latency_s = 1.56e-6;
  links.scaleup_multicast_bytes_per_s = 0;
  links.launch_s = 7.4e-6;
  links.scaleout_fraction = 0.641;
  links.scaleout_bytes_per_s = 25e9 * links.scaleout_fraction;
  links.scaleout_latency_s = 31e-6;
  return links;
}

using Collective = double (*)(const Links&, const Group&, double);
constexpr std::array<Collective, 4> kAll{all_reduce_s, all_gather_s, reduce_scatter_s, all_to_all_s};

}  // namespace

TEST_CASE("one rank or no bytes take no time") {
  const Links links = h100();
  for (const Collective collective : kAll) {
    CHECK(collective(links, {1, 1}, 1e9) == 0);
    CHECK(collective(links, {64, 1}, 0) == 0);
  }
  CHECK(send_s(links, 8, 0) == 0);
  CHECK(send_s(links, 0, 1e6) == 0);
}

TEST_CASE("large rings move the bandwidth-optimal volume") {
  const Links links = a100();
  const double bytes = 64 * kGiB;  // latency, pipeline fill and the own share are below 1 % of the time, but for n = 2
  for (const std::int64_t n : {4, 8}) {
    const double share = static_cast<double>(n - 1) / static_cast<double>(n);
    const double own = 0.34 / static_cast<double>(n);
    const double one_round = bytes * (share + own) / links.scaleup_bytes_per_s;
    const double two_rounds = bytes * (2 * share + own) / links.scaleup_bytes_per_s;
    CHECK(all_reduce_s(links, {n, 1}, bytes) == doctest::Approx(two_rounds).epsilon(0.01));
    CHECK(all_gather_s(links, {n, 1}, bytes) == doctest::Approx(one_round).epsilon(0.01));
  }
  // Across nodes a ring is as wide as the NICs of all its members in one node; below eight the tree never wins.
  const double nics = 8 * links.scaleout_bytes_per_s;
  CHECK(all_reduce_s(links, {32, 1}, bytes) == doctest::Approx(2 * bytes * 31 / 32 / nics).epsilon(0.01));
  CHECK(all_gather_s(links, {32, 1}, bytes) == doctest::Approx(bytes * 31 / 32 / nics).epsilon(0.01));
  CHECK(all_reduce_s(links, {4, 8}, bytes) == doctest::Approx(8 * 2 * bytes * 3 / 4 / nics).epsilon(0.01));
  CHECK(all_reduce_s(links, {16, 2}, bytes) == doctest::Approx(2 * 2 * bytes * 15 / 16 / nics).epsilon(0.01));
}

TEST_CASE("reduce-scatter and all-gather make at least a ring all-reduce") {
  Links links = h100();
  links.scaleup_multicast_bytes_per_s = 0;  // in-switch reduction beats rings by design
  for (const std::int64_t n : {2, 4, 8}) {
    for (const double bytes : kSizes) {
      const double two = reduce_scatter_s(links, {n, 1}, bytes) + all_gather_s(links, {n, 1}, bytes);
      CHECK(two >= all_reduce_s(links, {n, 1}, bytes));
    }
  }
}

TEST_CASE("time grows with bytes and ranks, and falls with bandwidth") {
  for (Links links : {h100(), a100()}) {
    for (const Collective collective : kAll) {
      for (const std::int64_t stride : kStrides) {
        double last = 0;
        for (double bytes = 64; bytes < 1e11; bytes *= 1.5) {
          const double now = collective(links, {32, stride}, bytes);
          CHECK(now >= last);
          last = now;
        }
        for (const double bytes : kSizes) {
          last = 0;
          for (std::int64_t n = 1; n <= 1 << 17; n *= 2) {
            const double now = collective(links, {n, stride}, bytes);
            CHECK(std::isfinite(now));
            CHECK(now >= last);
            last = now;
          }
          Links faster = links;
          faster.scaleup_bytes_per_s *= 1.2;
          faster.scaleup_multicast_bytes_per_s *= 1.2;
          faster.scaleout_bytes_per_s *= 1.2;
          CHECK(collective(faster, {64, stride}, bytes) < collective(links, {64, stride}, bytes));
        }
      }
    }
  }
}

TEST_CASE("small messages: all-reduce grows with the logarithm of nodes, ring all-gather with ranks") {
  const Links links = a100();
  const double bytes = 1024;
  const double depth_8 = all_reduce_s(links, {64, 1}, bytes) - all_reduce_s(links, {32, 1}, bytes);
  const double depth_9 = all_reduce_s(links, {128, 1}, bytes) - all_reduce_s(links, {64, 1}, bytes);
  CHECK(depth_8 == doctest::Approx(depth_9).epsilon(1e-6));                                  // one level of the tree
  CHECK(depth_8 == doctest::Approx(2 * 5.0 / 14 * links.scaleout_latency_s).epsilon(1e-6));  // up and down, LL
  const double at_1k = all_gather_s(links, {1024, 1}, bytes) - links.launch_s;
  const double at_2k = all_gather_s(links, {2048, 1}, bytes) - links.launch_s;
  CHECK(at_2k == doctest::Approx(2 * at_1k).epsilon(0.01));
  // One member per node: PAT is far below a ring, whose every hop crosses the network.
  CHECK(all_gather_s(links, {1024, 8}, bytes) < 1023 * 5.0 / 14 * links.scaleout_latency_s / 2);
  // Inside the node: 2 (n - 1) hops of an all-reduce, n - 1 of an all-gather.
  const double hops_14 = all_reduce_s(links, {8, 1}, 8) - links.launch_s;
  const double hops_7 = all_gather_s(links, {8, 1}, 8) - links.launch_s;
  CHECK(hops_14 == doctest::Approx(2 * hops_7).epsilon(0.01));
}

TEST_CASE("switches that reduce help large all-reduces only") {
  const Links with = h100();
  Links without = with;
  without.scaleup_multicast_bytes_per_s = 0;
  CHECK(all_reduce_s(with, {8, 1}, kGiB) < 0.85 * all_reduce_s(without, {8, 1}, kGiB));  // 480 against 370 GB/s
  CHECK(all_reduce_s(with, {8, 1}, 4096) == all_reduce_s(without, {8, 1}, 4096));
  CHECK(all_gather_s(with, {8, 1}, kGiB) == all_gather_s(without, {8, 1}, kGiB));
}

TEST_CASE("all-to-all is limited by NICs and by the bisection") {
  Links links = h100();
  const double bytes = 8 * kGiB;
  // Inside the node only links count; across nodes (N - 1) / N of the buffer leaves by one device's NIC share.
  CHECK(all_to_all_s(links, {8, 1}, bytes) < 3 * bytes * 7 / 8 / links.scaleup_bytes_per_s);
  CHECK(all_to_all_s(links, {64, 1}, bytes) ==
        doctest::Approx(bytes * 56 / 64 / links.scaleout_bytes_per_s).epsilon(0.01));
  links.paths.pod = {512, 512.0 / 7};
  const double inside = all_to_all_s(links, {512, 1}, bytes);
  const double across = all_to_all_s(links, {1024, 1}, bytes);
  CHECK(inside == doctest::Approx(bytes * 504 / 512 / links.scaleout_bytes_per_s).epsilon(0.03));
  CHECK(across == doctest::Approx(bytes * 0.5 * 7 / links.scaleout_bytes_per_s).epsilon(0.03));
}

TEST_CASE("oversubscription above a pod spares rings of neighbours") {
  const Links flat = h100();
  Links pods = flat;
  pods.paths.pod = {3072, 3072.0 / 7};
  const double bytes = kGiB;
  // 3,072 / 7 = 438 uplinks: a rank-ordered ring over all devices leaves the pod by 8, 128 interleaved rings by 128.
  CHECK(all_gather_s(pods, {16384, 1}, bytes) == all_gather_s(flat, {16384, 1}, bytes));
  CHECK(all_gather_s(pods, {128, 128}, bytes) == all_gather_s(flat, {128, 128}, bytes));
  // 1,024 interleaved rings want 1,024 of the 438.
  const double slower = all_gather_s(pods, {16, 1024}, bytes) / all_gather_s(flat, {16, 1024}, bytes);
  CHECK(slower == doctest::Approx(1024.0 * 7 / 3072).epsilon(0.02));
  CHECK(send_s(pods, 4096, bytes) == doctest::Approx(7 * send_s(flat, 4096, bytes)).epsilon(0.01));
  CHECK(send_s(pods, 8, bytes) == send_s(flat, 8, bytes));
}

TEST_CASE("send") {
  const Links links = h100();
  CHECK(send_s(links, 1, kGiB) == doctest::Approx(kGiB / links.scaleup_bytes_per_s).epsilon(0.01));
  CHECK(send_s(links, 8, kGiB) == doctest::Approx(kGiB / links.scaleout_bytes_per_s).epsilon(0.01));
  CHECK(send_s(links, -8, kGiB) == send_s(links, 8, kGiB));
  CHECK(send_s(links, 8, 64) > links.launch_s);
  CHECK(send_s(links, 8, 64) < links.launch_s + links.scaleout_latency_s);
}

TEST_CASE("meshes and tori") {
  Links links = h100();
  links.scaleup_multicast_bytes_per_s = 0;
  Links mesh = links;
  mesh.scaleup_topology = ScaleupTopology::mesh;
  const double bytes = 16 * kGiB;
  CHECK(all_reduce_s(mesh, {8, 1}, bytes) == all_reduce_s(links, {8, 1}, bytes));
  // Two devices of eight share one link of seven (the device's own share of the work is as fast as before).
  CHECK(all_reduce_s(mesh, {2, 1}, bytes) > 5.5 * all_reduce_s(links, {2, 1}, bytes));
  Links torus = links;
  torus.scaleup_topology = ScaleupTopology::torus;
  torus.scaleup_domain = 4096;
  // 16 x 16 x 16: three rings of 16 instead of one of 4,096.
  CHECK(all_reduce_s(torus, {4096, 1}, 64) < torus.launch_s + 2 * 3 * 16 * 2 * torus.scaleup_latency_s);
  CHECK(all_reduce_s(torus, {2, 1}, bytes) > all_reduce_s(torus, {64, 1}, bytes));  // one direction of three
  // Half the bytes of half the devices of a ring of 16 pass two of its links each way: 16 / 8 of a device's bytes over
  // one of its six links.
  const double exchange = all_to_all_s(torus, {4096, 1}, bytes);
  CHECK(exchange == doctest::Approx(bytes * 16 / 8 / (torus.scaleup_bytes_per_s / 6) / 0.94).epsilon(0.01));
}

TEST_CASE("measured points") {
  // Tolerances: the scatter between NCCL releases and clusters (nccl-tests, busbw as printed).
  const auto busbw = [](const Links& links, std::int64_t n, double bytes) {
    return 2 * bytes * static_cast<double>(n - 1) / static_cast<double>(n) / all_reduce_s(links, {n, 1}, bytes) / 1e9;
  };
  CHECK(busbw(h100(), 8, 4 * kGiB) == doctest::Approx(480).epsilon(0.03));     // NVIDIA/nccl-tests#212
  CHECK(busbw(a100(), 8, kGiB) == doctest::Approx(230.9).epsilon(0.05));       // Echo
  CHECK(busbw(a100(), 16, kGiB) == doctest::Approx(124.5).epsilon(0.05));      // Echo
  CHECK(busbw(a100(), 32, kGiB) == doctest::Approx(125.6).epsilon(0.05));      // Echo
  CHECK(busbw(a100(), 32, 16 * kMiB) == doctest::Approx(76.8).epsilon(0.15));  // Echo
  CHECK(busbw(h100(), 256, 2 * kGiB) == doctest::Approx(340).epsilon(0.05));   // NVIDIA/nccl#1218, 32 nodes
}

TEST_CASE("links of a cluster") {
  Cluster cluster;
  Partition partition;
  partition.node.accelerator.scaleup_bytes_per_s = 450e9;
  partition.node.scaleup_efficiency_fraction = 0.8;
  partition.node.scaleup_multicast_fraction = 0.6;
  partition.node.accelerators = 8;
  partition.node.nics = 4;
  partition.node.nic.bytes_per_s = 50e9;
  cluster.fabric.bytes_per_s_per_accelerator = 50e9;
  cluster.fabric.efficiency_fraction = 0.9;
  cluster.fabric.message_latency_s = 14e-6;
  cluster.fabric.tiers = 3;
  cluster.fabric.network_switch.latency_s = 0.5e-6;
  cluster.fabric.pod_accelerators = 3072;
  cluster.fabric.oversubscription = 7;
  const Links links = links_of(cluster, partition);
  CHECK(links.scaleup_bytes_per_s == doctest::Approx(360e9));
  CHECK(links.scaleup_multicast_bytes_per_s == doctest::Approx(270e9));
  CHECK(links.scaleout_bytes_per_s == doctest::Approx(22.5e9));  // four NICs for eight devices
  CHECK(links.scaleout_latency_s == doctest::Approx(16e-6));     // four switches more than one
  CHECK(links.paths.pod.accelerators == 3072);
  CHECK(links.paths.pod.uplinks == doctest::Approx(3072.0 / 7));
  CHECK(links.paths.leaf.accelerators == 0);  // even over all paths: nothing squeezes through a leaf
  partition.node.nics = 0;                    // unknown: the fabric's figure holds
  CHECK(links_of(cluster, partition).scaleout_bytes_per_s == doctest::Approx(45e9));
}

}  // namespace ampacity::network
