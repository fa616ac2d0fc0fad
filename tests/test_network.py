"""Networks and flows: closed forms, conservation, a slow reference on random networks."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from tests.reference import fluid
from tests.reference.networks import HOP, RATE, cases, full_bisection, random_flows, small_dragonfly

import ampacity as amp

# ---------------------------------------------------------------------------------------------------------- closed forms


@pytest.mark.parametrize("shape", [(8, 8, 16), (16, 16, 16), (32, 64, 64)])
def test_ring_step(shape):
    """Neighbours share no link: 16 MB / 50 GB/s and six hops between pods (SimGrid 3.32: 326 us, to the digit)."""
    net = full_bisection(*shape)
    rank = np.arange(net.endpoints)
    step = net.transfer(rank, (rank + 1) % net.endpoints, 16e6)
    assert step.end_s == pytest.approx(326e-6, rel=1e-12)
    assert step.completion_s.min() == pytest.approx(322e-6, rel=1e-12)
    assert step.link_bytes.max() == 16e6


def test_incast_shares_the_last_link():
    net = full_bisection(4, 4, 4)
    sources = np.arange(1, 33)
    found = net.rates(sources, np.zeros_like(sources))
    assert found.bytes_per_s == pytest.approx(np.full(32, RATE / 32), rel=1e-12)
    assert {net.link_name(int(link)) for link in found.bottleneck_link} == {"cable down to tier 0, endpoint 0 port 0"}


def test_oversubscription_is_the_ratio():
    """Half as many cables above the leaves: everybody to the other half gets half of the line rate."""
    net = amp.Network.fat_tree(down=[8, 4], up=[1, 4], link_bytes_per_s=RATE)
    rank = np.arange(32)
    assert net.rates(rank, (rank + 16) % 32, routing="spray").bytes_per_s == pytest.approx(RATE / 2, rel=1e-12)
    assert net.bisection_bytes_per_s == pytest.approx(16 * RATE / 2)


def test_spraying_a_full_bisection_tree_is_line_rate():
    net = full_bisection(8, 8, 16)
    target = np.random.default_rng(1).permutation(net.endpoints)
    moved = target != np.arange(net.endpoints)
    found = net.rates(np.arange(net.endpoints)[moved], target[moved], routing="spray")
    assert found.bytes_per_s == pytest.approx(RATE, rel=1e-9)
    assert found.utilisation_fraction.max() <= 1 + 1e-9


def test_torus_routes_are_shortest():
    net = amp.Network.torus(shape=[4, 6, 5], link_bytes_per_s=RATE)
    place = np.stack(np.unravel_index(np.arange(120), (5, 6, 4))).T[:, ::-1]  # the first dimension varies fastest
    for a, b in [(0, 119), (17, 63), (5, 100), (33, 34)]:
        apart = np.abs(place[a] - place[b])
        assert len(net.route(a, b)) == np.minimum(apart, np.array([4, 6, 5]) - apart).sum()
    assert net.bisection_bytes_per_s == 2 * 4 * 5 * RATE


def test_dragonfly_routes_are_minimal():
    net = small_dragonfly(9)
    rng = np.random.default_rng(3)
    for a, b in rng.integers(0, net.endpoints, (200, 2)):
        if a != b:
            assert 2 <= len(net.route(int(a), int(b))) <= 5
    # 4 x 5 pairs of groups across the cut.
    assert net.bisection_bytes_per_s == 4 * 5 * 25e9


def test_scale_up_domains_and_rails():
    """Inside a domain flows take the scale-up switch; a rail-only network forwards to the right rail there (PXN)."""
    options = {"domain": 8, "domain_bytes_per_s": 450e9, "domain_latency_s": 0.5e-6}
    net = amp.Network.fat_tree(
        down=[4, 4], up=[1, 4], link_bytes_per_s=RATE, rails=8, rail_only=True, hop_latency_s=HOP, **options
    )
    assert net.endpoints == 128
    inside = net.transfer([0], [7], 450e6)
    assert inside.end_s == pytest.approx(1e-3 + 1e-6, rel=1e-12)
    same_rail = net.transfer([0], [8], 50e6)
    assert same_rail.end_s == pytest.approx(1e-3 + 2 * HOP, rel=1e-12)
    other_rail = net.transfer([0], [9], 50e6)
    assert other_rail.end_s == pytest.approx(1e-3 + 2 * HOP + 1e-6, rel=1e-12)
    assert sum("scale-up" in net.link_name(link) for link in net.route(0, 9)) == 2


def test_rail_optimised_leaves_hold_one_rail():
    net = amp.Network.fat_tree(down=[4, 16], up=[1, 4], link_bytes_per_s=RATE, rails=8)
    assert len(net.route(0, 8)) == 2  # same rail, neighbouring node: one leaf
    assert len(net.route(0, 1)) == 4  # same node, other rail: over the spine


def test_planes_share_the_bandwidth():
    net = full_bisection(4, 4, 4, planes=2)
    assert net.rates([0], [63]).bytes_per_s[0] == RATE / 2
    assert net.tiers[0].cables == 2 * 64


# -------------------------------------------------------------------------------------------------- networks of clusters


@pytest.mark.parametrize("name", [n for n in amp.Catalogue.builtin().names("cluster")])
def test_every_cluster_has_its_network(name):
    cluster = amp.cluster(name)
    try:
        net = amp.Network.of(cluster)
    except amp.Infeasible:
        assert cluster.fabric.tiers == 0
        return
    assert cluster.accelerators <= net.endpoints <= 1.6 * cluster.accelerators + 4096
    share = net.bisection_bytes_per_s / (net.endpoints / 2 * cluster.fabric.bytes_per_s_per_accelerator)
    if cluster.fabric.topology in ("fat-tree", "rail-optimised", "rail-only"):
        # No more than oversubscription takes, to a whole number of cables; nothing at all is above one pod.
        assert 0.7 / cluster.fabric.oversubscription <= share <= 1.01


def test_command_line(capsys):
    from ampacity.cli import main

    assert main(["network", "meta-24k-roce"]) == 0
    text = capsys.readouterr().out
    assert "24,576 endpoints" in text
    assert "tier 2 to 3" in text


# ----------------------------------------------------------------------------------------------------------- invariances


def test_bytes_are_conserved():
    """What leaves endpoints arrives, and every link carries what crosses it."""
    net = full_bisection(4, 4, 4)
    source, destination, size, start = random_flows(net, 500, 0)
    moved = net.transfer(source, destination, size, start)
    names = [net.link_name(link) for link in range(net.links)]
    up = sum(b for b, name in zip(moved.link_bytes, names, strict=True) if name.startswith("cable up from tier 0"))
    down = sum(b for b, name in zip(moved.link_bytes, names, strict=True) if name.startswith("cable down to tier 0"))
    assert up == pytest.approx(size.sum(), rel=1e-12)
    assert down == pytest.approx(size.sum(), rel=1e-12)


def test_order_of_flows_does_not_matter():
    net = full_bisection(4, 4, 4)
    source, destination, size, start = random_flows(net, 300, 1)
    order = np.random.default_rng(2).permutation(300)
    plain = net.transfer(source, destination, size, start, routing="d-mod-k").completion_s
    mixed = net.transfer(source[order], destination[order], size[order], start[order], routing="d-mod-k").completion_s
    assert mixed == pytest.approx(plain[order], rel=1e-9)


def test_twice_the_rate_is_half_the_time():
    source, destination, size, _ = random_flows(full_bisection(4, 4, 4), 300, 4)
    slow = amp.Network.fat_tree(down=[4, 4, 4], up=[1, 4, 4], link_bytes_per_s=RATE, hop_latency_s=0)
    fast = amp.Network.fat_tree(down=[4, 4, 4], up=[1, 4, 4], link_bytes_per_s=2 * RATE, hop_latency_s=0)
    one = slow.transfer(source, destination, size).completion_s
    assert 2 * fast.transfer(source, destination, size).completion_s == pytest.approx(one, rel=1e-9)


def test_batching_stays_within_its_error():
    net = full_bisection(8, 8, 8)
    source, destination, size, _ = random_flows(net, 2000, 5)
    exact = net.transfer(source, destination, size)
    batched = net.transfer(source, destination, size, batch_fraction=0.01)
    assert batched.events < exact.events / 4
    # A late re-solve wastes at most the window at each of a few dependent bottlenecks.
    assert batched.completion_s == pytest.approx(exact.completion_s, rel=0.05)


def test_a_flow_that_takes_the_place_of_another():
    """One ends as the next begins on the same links: no link's share moves, and the next has it all the same."""
    net = amp.Network.fat_tree(down=[2, 2], up=[1, 1], link_bytes_per_s=[100e9, 25e9])
    both = net.transfer([0, 0], [1, 1], [1e6, 10e6], [1e-4, 0.0])
    assert both.completion_s == pytest.approx([1e-4 + 2 * HOP + 1e-5, 1e-4 + 2 * HOP], rel=1e-12)


def test_pickle_and_repr():
    net = full_bisection(4, 4, 4).with_links_at([3], 0.5)
    again = pickle.loads(pickle.dumps(net))
    assert again.link_bytes_per_s(3) == net.link_bytes_per_s(3) == RATE / 2
    assert repr(eval(repr(net), {"ampacity": amp})) == repr(net)


def test_results_are_read_only():
    found = full_bisection(4, 4, 4).rates([0], [1])
    with pytest.raises(ValueError, match="read-only"):
        found.bytes_per_s[0] = 0


# --------------------------------------------------------------------------------------------------------- the reference


@settings(max_examples=300, deadline=None)
@given(cases())
def test_engine_equals_the_slow_reference(case):
    net, source, destination, size, start, weighted = case
    paths, arrival, weights = [], [], []
    for a, b, at in zip(source, destination, start, strict=True):
        try:
            path = net.route(a, b, routing="d-mod-k")
        except amp.Infeasible:
            path = None
        paths.append(path)
        latency = HOP * len(path or ())
        arrival.append(at + latency)
        weights.append(1 / len(path) if weighted and path else 1.0)
    reachable = [flow for flow, path in enumerate(paths) if path is not None]
    capacity = [net.link_bytes_per_s(link) for link in range(net.links)]
    pick = lambda values: [values[flow] for flow in reachable]
    wanted = np.full(len(paths), math.inf)
    wanted[reachable] = fluid.transfer(pick(paths), pick(weights), capacity, pick(size), pick(arrival))
    found = net.transfer(source, destination, size, start, routing="d-mod-k", latency_weighted=weighted).completion_s
    # Clocks of 1e-3 s with steps of 1e-11 s (one byte): both round at 1e-16 relative, over some dozen events.
    assert found == pytest.approx(wanted, rel=1e-9, abs=1e-15)
