"""Collectives whose reductions switches do, unequal all-to-alls, adaptive and flowlet routing, as flows on the links."""

from __future__ import annotations

import numpy as np
import pytest

import ampacity as amp

RATE, DOMAIN = 50e9, 450e9
HOP, INSIDE = 1e-6, 2.5e-7
SIZE = 1e9


def tree(*down, up=None, **options):
    given = {"link_bytes_per_s": RATE, "hop_latency_s": HOP, **options}
    return amp.Network.fat_tree(down=down, up=up or [1, *down[:-1]], **given)


def domains(*down, up=None, domain=8):
    """Return a tree of endpoints in scale-up domains."""
    return tree(*down, up=up, domain=domain, domain_bytes_per_s=DOMAIN, domain_latency_s=INSIDE)


def carried(net, done):
    """Return the bytes that every tier of links carried."""
    _, tiers = net.link_columns()
    return [done.link_bytes[tiers == tier].sum() for tier in range(len(net.tiers))]


# ------------------------------------------------------------------------------------------- closed forms, uncontended


@pytest.mark.parametrize("n", [2, 4, 8])
def test_the_switch_of_a_domain_reduces(n):
    """N + 1 parts of N each way (Hot Chips 34): S (1 + 1/n) over the link, up and down one after the other in latency."""
    net = domains(8, 8)
    time = net.collective("all_reduce", np.arange(n), SIZE, "nvls").time_s
    assert time == pytest.approx((1 + 1 / n) * SIZE / DOMAIN + 2 * INSIDE, rel=1e-12)
    # Scattering sends n parts and receives one, gathering the reverse: each has one direction full.
    for kind, late in (("reduce_scatter", 0), ("all_gather", 2 * INSIDE)):
        assert net.collective(kind, np.arange(n), SIZE, "nvls").time_s == pytest.approx(SIZE / DOMAIN + late, abs=5e-7)


@pytest.mark.parametrize(("nodes", "sent"), [(2, 1.0), (4, None), (16, 2.0), (64, 2.0)])
def test_nvls_tree(nodes, sent):
    """The trees over domains carry 1/8 of the buffer: half twice up and down where inner nodes have two children."""
    net = domains(8, 8, 8)
    done = net.collective("all_reduce", np.arange(8 * nodes), SIZE, "nvls_tree", routing="spray")
    depth = (nodes - 1).bit_length()
    inside = (1 + 1 / 8) * SIZE / DOMAIN
    if sent is None:  # four nodes: no inner node has two children and a parent in one of the trees
        assert 1.5 * SIZE / 8 / RATE <= done.time_s - 2 * depth * 6 * HOP <= 2 * SIZE / 8 / RATE * (1 + 1e-9)
        return
    outside = sent * SIZE / 8 / RATE
    assert done.time_s == pytest.approx(max(inside, outside), abs=2 * depth * 6 * HOP)


@pytest.mark.parametrize("members", [1, 8])
def test_switches_of_the_network_reduce(members):
    """Every rank sends its part of the buffer once and receives it once: half of what a ring moves."""
    net = domains(8, 8, 8) if members == 8 else tree(8, 8, 8)
    ranks = np.arange(512)
    done = net.collective("all_reduce", ranks, SIZE, "collnet", routing="d-mod-k")
    part = SIZE / members
    inside = 2 * SIZE * (members - 1) / members / DOMAIN
    # The way to the root and back over three tiers is six hops.
    late = 4 * INSIDE if members > 1 else 0  # two exchanges, up and down each
    assert done.time_s == pytest.approx(max(part / RATE + 6 * HOP, inside + late), rel=1e-9)
    if members == 1:
        assert done.time_s < 0.55 * net.collective("all_reduce", ranks, part, "ring", routing="d-mod-k").time_s


def test_unequal_parts_take_as_long_as_the_busiest_rank():
    net = tree(8, 8)
    rng = np.random.default_rng(1)
    matrix = rng.uniform(0, 2e8, (64, 64))
    np.fill_diagonal(matrix, 5e9)  # stays where it is
    outside = matrix * ~np.eye(64, dtype=bool)
    busiest = max(outside.sum(axis=0).max(), outside.sum(axis=1).max())
    done = net.collective("all_to_all", np.arange(64), algorithm="direct", matrix=matrix, routing="spray")
    assert busiest / RATE <= (done.time_s - 2 * HOP) * (1 + 1e-9)
    # Max-min shares leave the busiest link idle at times; on a full-bisection tree by little.
    assert done.time_s < 1.1 * busiest / RATE
    # In rounds, every one waits for its largest message.
    rounds = net.collective("all_to_all", np.arange(64), algorithm="pairwise", matrix=matrix, routing="spray")
    longest = sum(np.roll(matrix, -k, axis=1).diagonal().max() for k in range(1, 64)) / RATE
    assert rounds.time_s == pytest.approx(longest, abs=63 * 4 * HOP)


def test_the_closed_form_of_unequal_parts_agrees():
    """Skew times the even exchange, as `collective` has it: one popular rank, all others alike."""
    net = tree(8, 8)
    share = np.r_[3.0, np.full(63, 61 / 63)]
    even = net.collective("all_to_all", np.arange(64), SIZE, "direct", routing="spray").time_s
    uneven = net.collective("all_to_all", np.arange(64), SIZE, "direct", received_share=share, routing="spray").time_s
    assert uneven == pytest.approx(3 * even, rel=2e-4)  # but for the hops


# ----------------------------------------------------------------------------------------------------------- conserved


def test_bytes_of_switches_that_reduce():
    """Every cable of a tree carries the part once each way; links of the domain what the members exchange."""
    net = domains(8, 8, 8)
    done = net.collectives([amp.Collective("all_reduce", np.arange(512), SIZE, "collnet")], routing="d-mod-k")
    part = SIZE / 8
    inside, leaves, spines, tops = carried(net, done)
    assert inside == pytest.approx(512 * 2 * (2 * 7 * part))
    assert leaves == pytest.approx(512 * 2 * part)
    # Packed endpoints: a leaf has all eight rails of one node, and so one member of each tree.
    assert spines == pytest.approx(8 * 64 * 2 * part)
    # In each pod the members of a tree have met: one cable to the root.
    assert tops == pytest.approx(8 * 8 * 2 * part)


def test_bytes_of_nvls_tree():
    net = domains(8, 8, 8)
    done = net.collectives([amp.Collective("all_reduce", np.arange(512), SIZE, "nvls_tree")], routing="ecmp")
    inside, leaves, *_ = carried(net, done)
    assert inside == pytest.approx(512 * 2 * (1 + 1 / 8) * SIZE)
    # 63 edges in each of two trees for each of eight members: half of a part, up and down, at two ends.
    assert leaves == pytest.approx(8 * 2 * 63 * 2 * 2 * SIZE / 8 / 2)


@pytest.mark.parametrize("routing", ["d-mod-k", "ecmp", "spray", "flowlet", "adaptive"])
@pytest.mark.parametrize("algorithm", ["direct", "pairwise"])
def test_bytes_of_unequal_parts(routing, algorithm):
    net = domains(4, 4, 2, domain=4)
    matrix = np.random.default_rng(2).uniform(0, 4e6, (32, 32))  # up to four flowlets each
    matrix[matrix < 2e6] = 0
    done = net.collectives([amp.Collective("all_to_all", np.arange(32), 0, algorithm, matrix=matrix)], routing=routing)
    near = np.arange(32)[:, None] // 4 == np.arange(32) // 4
    inside, leaves, *_ = carried(net, done)
    assert inside == pytest.approx(2 * (matrix * near * ~np.eye(32, dtype=bool)).sum())
    assert leaves == pytest.approx(2 * (matrix * ~near).sum())


# ------------------------------------------------------------------------------------------------------------- routing


def rails(net, domain=8):
    return np.arange(net.endpoints).reshape(-1, domain).T


@pytest.mark.parametrize("algorithm", ["ring", "collnet", "double_binary_tree"])
def test_routings_agree_without_contention(algorithm):
    """One group of one member below each leaf meets nobody, whatever cables it takes."""
    net = tree(8, 8, 8)
    one = np.arange(0, 512, 8)
    times = {
        routing: net.collective("all_reduce", one, SIZE, algorithm, routing=routing).time_s
        for routing in ("d-mod-k", "adaptive", "flowlet", "spray")
    }
    if algorithm == "double_binary_tree":  # trees meet themselves
        assert times["adaptive"] <= times["d-mod-k"] * (1 + 1e-9)
    else:
        for time in times.values():
            assert time == pytest.approx(times["spray"], rel=0.35 if algorithm == "ring" else 1e-9)


def test_adaptive_finds_free_cables():
    """Eight rings leave each leaf of eight over eight cables: adaptive as good as spraying, a hash is not."""
    net = domains(8, 8, 8)
    group = amp.Collective("all_reduce", rails(net), SIZE, name="all")
    time = {
        routing: net.collectives([group], routing=routing)["all"].time_s
        for routing in ("spray", "adaptive", "flowlet", "ecmp")
    }
    assert time["adaptive"] == pytest.approx(time["spray"], rel=1e-9)
    # A hash for every megabyte: collisions average out over the batches of a flow, not over those of one moment.
    assert time["spray"] < time["flowlet"] < time["ecmp"]


def test_adaptive_collectives_know_of_each_other():
    """Two collectives at once take different cables: four and four of eight."""
    net = domains(8, 8)
    groups = rails(net)
    both = [
        amp.Collective("all_gather", groups[:4], SIZE, name="a"),
        amp.Collective("all_gather", groups[4:], SIZE, name="b"),
    ]
    found = net.collectives(both, routing="adaptive")
    alone = net.collective("all_gather", groups[0], SIZE, routing="spray").time_s
    assert found["a"].time_s == pytest.approx(alone, rel=1e-9)
    assert found["b"].time_s == pytest.approx(alone, rel=1e-9)


@pytest.mark.parametrize("routing", ["adaptive", "flowlet"])
@pytest.mark.parametrize("algorithm", ["hierarchical", "nvls_tree", "collnet", "double_binary_tree"])
def test_classes_change_nothing(routing, algorithm):
    net = domains(8, 4, 4, up=[1, 4, 2])
    wanted = [amp.Collective("all_reduce", np.arange(128), 4e7, algorithm)]
    whole = net.collectives(wanted, routing=routing, aggregate=False, seed=3)
    fast = net.collectives(wanted, routing=routing, seed=3)
    assert fast.end_s == pytest.approx(whole.end_s, rel=1e-9)
    np.testing.assert_allclose(fast.link_bytes, whole.link_bytes, rtol=1e-9, atol=1)
    np.testing.assert_allclose(fast.collectives[0].rank_end_s, whole.collectives[0].rank_end_s, rtol=1e-9)


def test_sprayed_collectives_use_all_planes():
    """Two planes of half the rate each carry what one of the whole rate does."""
    one = tree(8, 8)
    two = tree(8, 8, planes=2)
    times = [net.collective("all_reduce", np.arange(64), SIZE, routing="spray").time_s for net in (one, two)]
    assert times[0] == pytest.approx(times[1], rel=1e-9)


# ------------------------------------------------------------------------------------------------------------ failures


def test_a_tree_of_switches_avoids_failed_cables_or_says_so():
    net = tree(4, 4)
    wanted = ("all_reduce", np.arange(16), SIZE, "collnet")
    used = np.flatnonzero(net.collectives([amp.Collective(*wanted)], routing="d-mod-k").link_bytes)
    _, tiers = net.link_columns()
    spine = next(link for link in used if tiers[link] == 1)
    cable = [spine, (spine + net.links // 2) % net.links]  # both directions
    assert net.with_links_at(cable, 0).collective(*wanted, routing="d-mod-k").time_s == pytest.approx(
        SIZE / RATE, rel=1e-3
    )
    leaf = next(link for link in used if tiers[link] == 0)
    assert net.with_links_at([leaf], 0).collective(*wanted, routing="d-mod-k").time_s == np.inf


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"algorithm": "nvls"}, "nvls: needs the ranks of a level in one scale-up domain.*nvls_tree"),
        ({"algorithm": "nvls_tree", "ranks": np.arange(8)}, "needs ranks in several scale-up domains.*try nvls"),
        ({"algorithm": "collnet", "kind": "all_gather"}, "collnet: can do all_reduce only"),
        ({"algorithm": "nvls_tree", "chunks": 4}, "chunks = 4: must be 1"),
        ({"algorithm": "nvls_tree", "ranks": np.arange(0, 64, 8)}, "needs several ranks in every"),
        ({"algorithm": "nvls_tree", "ranks": np.r_[:8, 8, 16]}, "levels"),
        ({"matrix": np.ones((64, 64))}, "matrix = given: is for all_to_all only"),
        (
            {"kind": "all_to_all", "algorithm": "direct", "matrix": np.ones((64, 64))},
            "bytes = 1000000000: must be left out",
        ),
        ({"kind": "all_to_all", "algorithm": "direct", "bytes": 0, "matrix": np.ones((4, 4))}, "a row and a column"),
        (
            {"kind": "all_to_all", "algorithm": "direct", "bytes": 0, "matrix": -np.ones((64, 64))},
            r"matrix\[0\]\[0\] = -1",
        ),
        (
            {"kind": "all_to_all", "algorithm": "hierarchical", "bytes": 0, "matrix": np.ones((64, 64))},
            "direct or pairwise",
        ),
        ({"kind": "all_to_all", "algorithm": "direct", "received_share": [1, 2]}, "received_share.*each of the 64"),
        ({"kind": "all_to_all", "algorithm": "direct", "received_share": [0] * 64}, "not all 0"),
    ],
)
def test_what_makes_no_sense_is_named(changes, message):
    wanted = {"kind": "all_reduce", "ranks": np.arange(64), "bytes": SIZE, **changes}
    with pytest.raises(amp.InvalidSpec, match=message):
        domains(8, 8).collectives([amp.Collective(**wanted)])
