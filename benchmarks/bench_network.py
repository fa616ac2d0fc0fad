"""The fluid network engine at the sizes that planners ask for, on one core.

Flows and sizes are drawn as SimGrid's side of the comparison draws them: 16 MB with a jitter of 10 %, 50 GB/s links, 1 us
a hop, full-bisection trees of three tiers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import ampacity as amp

SHAPES = {1024: (8, 8, 16), 131072: (32, 64, 64)}


def build(hosts: int) -> amp.Network:
    """Return a full-bisection tree."""
    a, b, c = SHAPES[hosts]
    return amp.Network.fat_tree(down=[a, b, c], up=[1, a, b], link_bytes_per_s=50e9, hop_latency_s=1e-6)


def jittered(count: int) -> Any:
    """Return sizes of 16 MB give or take 10 %."""
    return 16e6 * np.random.default_rng(1).uniform(0.9, 1.1, count)


def permutation(hosts: int, routing: str) -> amp.Transfer:
    """Build, and let every host send to another one."""
    net = build(hosts)
    target = np.random.default_rng(2).permutation(hosts)
    return net.transfer(np.arange(hosts), target, jittered(hosts), routing=routing)


def random_flows(hosts: int, each: int, routing: str) -> amp.Transfer:
    """Build, and let every host send several flows to random others: one connected component."""
    net = build(hosts)
    source = np.tile(np.arange(hosts), each)
    target = (source + np.random.default_rng(3).integers(1, hosts, source.size)) % hosts
    return net.transfer(source, target, jittered(source.size), routing=routing)


def check(moved: amp.Transfer) -> None:
    """Everybody arrived, none faster than its link, and the links carried what was sent."""
    assert np.isfinite(moved.completion_s).all()
    assert moved.completion_s[moved.completion_s > 0].min() >= 0.9 * 16e6 / 50e9


def test_build_131072(benchmark: Any, peak_rss_bytes: Callable[..., int]) -> None:
    """A three-tier fat tree of 131,072 hosts."""
    net = benchmark(build, 131072)
    assert net.endpoints == 131072
    assert net.links == 6 * 131072
    benchmark.extra_info["peak_rss_bytes"] = peak_rss_bytes(build, 131072)


def test_permutation_131072_dmodk(benchmark: Any, peak_rss_bytes: Callable[..., int]) -> None:
    """131,072 jittered flows to completion with destination-based routing, build included."""
    check(benchmark.pedantic(permutation, args=(131072, "d-mod-k"), rounds=3))
    benchmark.extra_info["peak_rss_bytes"] = peak_rss_bytes(permutation, 131072, "d-mod-k")


def test_permutation_131072_ecmp(benchmark: Any, peak_rss_bytes: Callable[..., int]) -> None:
    """The same with hashing."""
    check(benchmark.pedantic(permutation, args=(131072, "ecmp"), rounds=3))
    benchmark.extra_info["peak_rss_bytes"] = peak_rss_bytes(permutation, 131072, "ecmp")


def test_random_4_per_host_1024(benchmark: Any) -> None:
    """4,096 flows that all depend on each other."""
    check(benchmark.pedantic(random_flows, args=(1024, 4, "d-mod-k"), rounds=5))


@pytest.mark.slow
def test_random_4_per_host_131072(benchmark: Any, peak_rss_bytes: Callable[..., int]) -> None:
    """524,288 hashed flows that all depend on each other."""
    check(benchmark.pedantic(random_flows, args=(131072, 4, "ecmp"), rounds=1))
    benchmark.extra_info["peak_rss_bytes"] = peak_rss_bytes(random_flows, 131072, 4, "ecmp")


def hierarchical(hosts: int, routing: str = "d-mod-k", algorithm: str = "hierarchical") -> amp.Communication:
    """Build, and all-reduce 1 GiB: in nodes of eight, then along the rails, all by rings (or as the algorithm has it)."""
    a, b, c = SHAPES[hosts]
    net = amp.Network.fat_tree(down=[a, b, c], up=[1, a, b], link_bytes_per_s=50e9, domain=8, domain_bytes_per_s=450e9)
    wanted = amp.Collective("all_reduce", np.arange(hosts), 2**30, algorithm)
    return net.collectives([wanted], routing=routing)


def test_hierarchical_allreduce_131072(benchmark: Any, peak_rss_bytes: Callable[..., int]) -> None:
    """1 GiB over 131,072 GPUs, routes and all."""
    found = benchmark.pedantic(hierarchical, args=(131072,), rounds=10, warmup_rounds=1)
    inside, rail = 7 * (2**30 / 8 / 450e9 + 1e-6), 2 * 16383 * 2**30 / 131072 / 50e9
    assert found.end_s > 2 * inside + rail
    benchmark.extra_info["peak_rss_bytes"] = peak_rss_bytes(hierarchical, 131072)


def test_hierarchical_allreduce_131072_ecmp(benchmark: Any) -> None:
    """The same with hashing, one queue pair: collisions along the rails."""
    found = benchmark.pedantic(hierarchical, args=(131072, "ecmp"), rounds=10, warmup_rounds=1)
    assert found.end_s > hierarchical(131072).end_s


@pytest.mark.parametrize("algorithm", ["nvls_tree", "collnet"])
def test_switch_allreduce_131072(benchmark: Any, algorithm: str) -> None:
    """1 GiB over 131,072 GPUs where switches reduce: those of nodes with trees above them, or those of the network."""
    found = benchmark.pedantic(hierarchical, args=(131072, "d-mod-k", algorithm), rounds=3)
    # A card carries an eighth of the buffer once (SHARP), or twice in the inner nodes of the trees.
    cards = 2**30 / 8 / 50e9 * (2 if algorithm == "nvls_tree" else 1)
    assert cards < found.end_s < 2 * cards


def test_ring_allreduce_1024(benchmark: Any) -> None:
    """The 2,046 steps of a ring of 1,024 (ASTRA-sim: 18.5 s)."""
    net = amp.Network.dimensions(kinds=["ring"], endpoints=[1024], link_bytes_per_s=50 * 2**30, hop_latency_s=5e-7)
    found = benchmark(lambda: net.collective("all_reduce", np.arange(1024), 2**30))
    assert found.time_s == pytest.approx(2046 * (2**20 / (50 * 2**30) + 5e-7), rel=1e-9)


def test_three_dimensional_switch_16384(benchmark: Any) -> None:
    """1 GiB in four chunks over switches of 8 x 32 x 64, halving-doubling in each (ASTRA-sim: 41 s)."""
    net = amp.Network.dimensions(
        kinds=["switch"] * 3,
        endpoints=[8, 32, 64],
        link_bytes_per_s=[400 * 2**30, 50 * 2**30, 50 * 2**30],
        hop_latency_s=[5e-7, 1e-6, 2e-6],
    )
    options = {"levels": [8, 32, 64], "level_algorithms": ["halving_doubling"], "chunks": 4}
    found = benchmark(lambda: net.collective("all_reduce", np.arange(16384), 2**30, "hierarchical", **options))
    assert found.time_s == pytest.approx(6.02e-3, rel=1e-3)


def test_groups_of_a_job_16384(benchmark: Any) -> None:
    """Tensor, context, data and pipeline groups of a 16,384-GPU job (tp 8, cp 2, pp 16, dp 64) all at once."""
    a, b, c = 16, 32, 32
    net = amp.Network.fat_tree(
        down=[a, b, c], up=[1, a, b // 4], link_bytes_per_s=50e9, domain=8, domain_bytes_per_s=450e9
    )
    groups = amp.parallel_groups(tp=8, cp=2, dp=64, pp=16)
    wanted = [
        amp.Collective("all_gather", groups["tp"], 128 * 2**20, name="tp"),
        amp.Collective("all_gather", groups["cp"], 64 * 2**20, name="cp"),
        amp.Collective("reduce_scatter", groups["dp"], 2**30, name="dp"),
        amp.Collective("broadcast", groups["pp"], 64 * 2**20, name="pp"),
    ]
    found = benchmark.pedantic(lambda: net.collectives(wanted, routing="d-mod-k"), rounds=3)
    assert found["dp"].time_s > 63 / 64 * 2**30 / 50e9
