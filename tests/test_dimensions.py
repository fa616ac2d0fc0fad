"""Networks of rings, switches and full meshes in several dimensions, and ASTRA-sim's figures on them."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import ampacity as amp

GIB = 2**30

# How ASTRA-sim 2 (analytical network, congestion-unaware) arrives at its figures: a message takes hops x latency + bytes /
# bandwidth (a switch is two hops), the collective is cut into 4 chunks, one at a time is in a dimension, every message
# starts 10 ns late ("endpoint-delay") and waits until what it carries has been reduced, three passes over a memory of
# 3,350 GB/s ("local-mem-bw"): the settings of its own HGX-H100 example, with one active chunk per dimension.
ASTRA_SIM = {"chunks": 4, "step_latency_s": 10e-9, "reduce_bytes_per_s": 3350e9}


def test_astra_sim_ring():
    """1 GiB over a ring of 1,024: ASTRA-sim simulates 45.09 ms; 50 GiB/s and 500 ns are those of its ring example."""
    net = amp.Network.dimensions(kinds=["ring"], endpoints=[1024], link_bytes_per_s=50 * GIB, hop_latency_s=500e-9)
    assert net.collective("all_reduce", np.arange(1024), GIB, **ASTRA_SIM).time_s == pytest.approx(45.09e-3, rel=0.001)


def test_astra_sim_three_dimensional_switch():
    """1 GiB over 16,384 NPUs, switches of [8, 32, 64]: ASTRA-sim simulates 6.18 ms with halving-doubling."""
    net = amp.Network.dimensions(
        kinds=["switch"] * 3,
        endpoints=[8, 32, 64],
        link_bytes_per_s=[400 * GIB, 50 * GIB, 50 * GIB],
        hop_latency_s=[500e-9, 1e-6, 2e-6],
    )
    found = net.collective(
        "all_reduce",
        np.arange(16384),
        GIB,
        "hierarchical",
        levels=[8, 32, 64],
        level_algorithms=["halving_doubling"],
        **ASTRA_SIM,
    )
    assert found.time_s == pytest.approx(6.18e-3, rel=0.001)


def mixed():
    return amp.Network.dimensions(
        kinds=["switch", "ring", "all-joined"],
        endpoints=[4, 5, 3],
        link_bytes_per_s=[100e9, 50e9, 25e9],
        hop_latency_s=[5e-7, 1e-6, 2e-6],
    )


def test_routes_go_dimension_by_dimension():
    net = mixed()
    assert net.endpoints == 60
    assert net.links == 60 * (2 + 2 + 3)
    moved = net.transfer([0, 0, 0, 0], [3, 8, 16, 59], 0.0)
    # A switch is two hops, the ring goes the shorter way round, a full mesh is one hop.
    assert moved.completion_s == pytest.approx([1e-6, 2e-6, 1e-6, 1e-6 + 1e-6 + 2e-6], rel=1e-12)
    for a, b in np.random.default_rng(0).integers(0, 60, (100, 2)):
        at = int(a)
        for link in net.route(int(a), int(b)):
            assert f"endpoint {at}, " in net.link_name(link) or "down" in net.link_name(link)
            if "down" in net.link_name(link):
                at = int(net.link_name(link).split(",")[0].split()[1])
            elif "up" not in net.link_name(link):
                words = net.link_name(link).split()
                stride, side = (4, 5) if words[3] == "1" else (20, 3)
                digit = at // stride % side
                to = int(words[-1]) if side == 3 else (digit + (1 if words[-1] == "forward" else -1)) % side
                at += (to - digit) * stride
        assert at == int(b)


def test_cables_and_their_other_directions():
    net = mixed()
    assert [(tier.switches, tier.cables) for tier in net.tiers] == [(15, 60), (0, 60), (0, 60)]
    # The narrowest cut is across the rings: two of 25 GB/s and more in each of 12 groups, or 20 groups of 2 mesh links.
    assert net.bisection_bytes_per_s == min(15 * 2 * 100e9, 12 * 2 * 50e9, 20 * 2 * 25e9)


def test_a_ring_goes_the_other_way_round_where_a_link_has_failed():
    net = mixed()
    hurt = net.with_links_at(net.route(0, 4), 0)
    assert len(net.route(0, 4)) == 1
    assert len(hurt.route(0, 4)) == 4
    with pytest.raises(amp.Infeasible):
        net.with_links_at(net.route(0, 1)[:1], 0).route(0, 1)


def test_pickle_and_repr():
    net = mixed()
    again = pickle.loads(pickle.dumps(net))
    assert again.route(0, 59) == net.route(0, 59)
    assert eval(repr(net), {"ampacity": amp}).links == net.links


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kinds": []}, "kinds = 0 values: must have one for each of the 2"),
        ({"kinds": ["ring", "swich"]}, "did you mean switch"),
        ({"endpoints": [0, 4]}, r"dimensions\[0\].endpoints = 0"),
        ({"endpoints": [1, 1]}, "needs at least 2"),
        ({"endpoints": [100000, 100000]}, "at most 16777216"),
        ({"endpoints": [4.5, 4]}, "whole numbers"),
        ({"link_bytes_per_s": [1e9, 0.0]}, r"dimensions\[1\].link_bytes_per_s = 0"),
        ({"link_bytes_per_s": [1e9]}, "one for each"),
        ({"hop_latency_s": float("nan")}, r"dimensions\[0\].hop_latency_s"),
    ],
)
def test_dimensions_that_make_no_network(changes, message):
    wanted = {"kinds": ["ring", "switch"], "endpoints": [4, 4], "link_bytes_per_s": 50e9, **changes}
    with pytest.raises(amp.InvalidSpec, match=message):
        amp.Network.dimensions(**wanted)


def test_no_dimensions():
    with pytest.raises(amp.InvalidSpec, match="must be 1 to 6"):
        amp.Network.dimensions(kinds=[], endpoints=[], link_bytes_per_s=50e9)
