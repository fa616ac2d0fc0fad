"""Collectives as flows: closed forms, the same with and without classes, conservation, contention, bad input."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import ampacity as amp

RATE = 50e9
HOP = 1e-6
ROUTINGS = ("d-mod-k", "ecmp", "spray")


def tree(*down, **options):
    up = [1, *down[:-1]]
    return amp.Network.fat_tree(**{"down": down, "up": up, "link_bytes_per_s": RATE, "hop_latency_s": HOP, **options})


def one_switch(endpoints, **options):
    return tree(endpoints, **options)


# ------------------------------------------------------------------------------------------------------- closed forms


@pytest.mark.parametrize("ranks", [2, 3, 8, 16, 37])
def test_costs_on_one_switch(ranks):
    """Alpha-beta costs (NCCL, Thakur et al. 2005): every rank sends one message at a time over its own link."""
    net = one_switch(64)
    alpha, size = 2 * HOP, 1e9
    beta = size / RATE / ranks  # of one share
    where = np.random.default_rng(ranks).permutation(64)[:ranks]

    def time(kind, algorithm, **options):
        return net.collective(kind, where, size, algorithm, **options).time_s

    rounds = math.ceil(math.log2(ranks))
    assert time("all_reduce", "ring") == pytest.approx(2 * (ranks - 1) * (alpha + beta), rel=1e-12)
    assert time("reduce_scatter", "ring") == pytest.approx((ranks - 1) * (alpha + beta), rel=1e-12)
    assert time("all_gather", "ring") == pytest.approx((ranks - 1) * (alpha + beta), rel=1e-12)
    assert time("broadcast", "ring") == pytest.approx((ranks - 1) * alpha + size / RATE, rel=1e-12)
    assert time("reduce", "ring") == pytest.approx((ranks - 1) * alpha + size / RATE, rel=1e-12)
    assert time("all_to_all", "pairwise") == pytest.approx((ranks - 1) * (alpha + beta), rel=1e-12)
    assert time("all_to_all", "direct") == pytest.approx(alpha + (ranks - 1) * beta, rel=1e-9)
    assert time("all_reduce", "direct") == pytest.approx(2 * (alpha + (ranks - 1) * beta), rel=1e-9)
    assert time("all_gather", "pat") == pytest.approx(rounds * alpha + (ranks - 1) * beta, rel=1e-12)
    assert time("reduce_scatter", "pat") == pytest.approx(rounds * alpha + (ranks - 1) * beta, rel=1e-12)
    if ranks & (ranks - 1) == 0:
        doubling = time("all_reduce", "halving_doubling")
        assert doubling == pytest.approx(2 * (rounds * alpha + (ranks - 1) * beta), rel=1e-12)
    if ranks >= 4:
        # Every rank receives at most S from two children of one tree and S/2 from its parent in each.
        tree_time = time("all_reduce", "double_binary_tree")
        assert size / RATE * 1.5 <= tree_time - 2 * rounds * alpha <= size / RATE * 2 * (1 + 1e-9)


def test_hierarchical_is_the_sum_of_its_levels():
    """Eight GPUs a node at 450 GB/s, 16 nodes at 50 GB/s a GPU: RS in the node, AR of 1/8 along rails, AG in the node."""
    net = amp.Network.fat_tree(
        down=[16, 8], up=[1, 16], rails=8, link_bytes_per_s=RATE, hop_latency_s=HOP, domain=8, domain_bytes_per_s=450e9
    )
    size = 2**30
    found = net.collective("all_reduce", net.place(128), size, "hierarchical", routing="d-mod-k")
    inside = 7 * (size / 8 / 450e9 + 2 * 0.5e-6)
    rail = 30 * (size / 8 / 16 / RATE + 2 * HOP)
    assert found.phases == ("level 0 reduce-scatter", "level 1 all-reduce", "level 0 all-gather")
    assert found.phase_end_s[0] == pytest.approx([inside, inside + rail, 2 * inside + rail], rel=1e-9)
    assert found.rank_end_s == pytest.approx(np.full((1, 128), 2 * inside + rail), rel=1e-9)
    assert "scale-up" in net.link_name(int(found.phase_bottleneck_link[0, 0]))
    assert "cable" in net.link_name(int(found.phase_bottleneck_link[0, 1]))


def test_chunks_pipeline_the_levels():
    """With many chunks the slowest level is always busy; with one the levels take turns."""
    net = amp.Network.fat_tree(
        down=[16],
        up=[1],
        rails=1,
        link_bytes_per_s=RATE,
        hop_latency_s=0.0,
        domain=4,
        domain_bytes_per_s=100e9,
        domain_latency_s=0.0,
    )
    times = [
        net.collective("all_reduce", net.place(16), 1e9, "hierarchical", chunks=chunks).time_s for chunks in (1, 64)
    ]
    inside, across = 2 * 3 / 4 * 1e9 / 100e9, 2 * 3 / 4 * 0.25e9 / 50e9
    assert times[0] == pytest.approx(inside + across, rel=1e-9)
    assert inside * (1 - 1e-9) <= times[1] <= inside * (1 + 2 / 64) + across / 64


def test_bucket_algorithm_uses_every_link_of_a_torus():
    """Chunks that start at different dimensions, rings both ways: all six links of every chip are busy."""
    net = amp.Network.torus(shape=[8, 8, 8], link_bytes_per_s=RATE, hop_latency_s=0.0)
    where, size = net.place(512), 3e9
    found = net.collective(
        "all_reduce", where, size, "hierarchical", levels=[8, 8, 8], chunks=3, rotate=True, bidirectional=True
    )
    # A perfect schedule moves 2 S (n-1)/n over six links. Three chunks keep three dimensions busy, but each has its
    # largest messages first and last, so the ideal is met within the share of the smaller ones.
    assert found.time_s == pytest.approx(2 * size / 3 * (7 / 8) * (1 + 1 / 8 + 1 / 64) / (2 * RATE), rel=1e-9)


# -------------------------------------------------------------------------------------------------- steps and contention


def test_steps_equal_transfers_one_after_the_other():
    """A collective of single steps is what `transfer` says of each, summed."""
    net = tree(4, 4, 4, up=[1, 2, 2])
    where = net.place(64, "scattered", seed=4)
    found = net.collective("all_reduce", where, 1e8, "halving_doubling", routing="d-mod-k")
    now, size = 0.0, 1e8
    for distance in (1, 2, 4, 8, 16, 32, 32, 16, 8, 4, 2, 1):
        partner = where[np.arange(64) ^ distance]
        now += net.transfer(where, partner, size / 2 / distance, routing="d-mod-k").end_s
    assert found.time_s == pytest.approx(now, rel=1e-9)


def test_a_step_of_all_pairs_equals_a_transfer():
    net = tree(3, 3, up=[1, 2])
    where = net.place(9, "scattered", seed=1)
    pairs = [(a, b) for a in range(9) for b in range(9) if a != b]
    source, destination = (where[list(side)] for side in zip(*pairs, strict=True))
    moved = net.transfer(source, destination, 1e8, routing="spray")
    found = net.collectives([amp.Collective("all_to_all", where, 9e8, "direct")], routing="spray")
    assert found.end_s == pytest.approx(moved.end_s, rel=1e-9)
    assert found.link_bytes == pytest.approx(moved.link_bytes, rel=1e-9)
    ends = np.zeros(64)
    np.maximum.at(ends, source, moved.completion_s)
    np.maximum.at(ends, destination, moved.completion_s)
    assert found.collectives[0].rank_end_s[0] == pytest.approx(ends[where], rel=1e-9)


def test_groups_slow_each_other_down():
    """Half the cables above the leaves: a ring across leaves has room for four of eight groups."""
    net = amp.Network.fat_tree(down=[8, 4], up=[1, 4], link_bytes_per_s=RATE, hop_latency_s=0.0)
    across = np.arange(32).reshape(4, 8).T
    alone = [net.collective("all_gather", across[:groups], 4e8, routing="spray").time_s for groups in (1, 4, 8)]
    assert alone == pytest.approx([3e8 / RATE, 3e8 / RATE, 2 * 3e8 / RATE], rel=1e-9)
    # Beside four groups twice as long: slower than alone until these are done, as fast afterwards.
    both = net.collectives(
        [
            amp.Collective("all_gather", across[:4], 4e8, name="short"),
            amp.Collective("all_gather", across[4:], 8e8, name="long"),
        ],
        routing="spray",
    )
    assert both["short"].time_s == pytest.approx(2 * 3e8 / RATE, rel=1e-9)
    assert both["long"].time_s == pytest.approx((3e8 + 6e8) / RATE, rel=1e-9)
    later = net.collectives([amp.Collective("all_gather", across[4:], 4e8, start_s=1.0)], routing="spray")
    assert later.end_s == pytest.approx(1 + 3e8 / RATE, rel=1e-9)


def test_bytes_are_conserved():
    """What every algorithm sends is what it must: each rank all but its own share, twice for an all-reduce."""
    net = tree(4, 4, 4)
    first = [link for link in range(net.links) if "from tier 0" in net.link_name(link)]
    last = [link for link in range(net.links) if "to tier 0" in net.link_name(link)]
    where = net.place(32, "scattered", seed=2)
    for kind, algorithm, shares in [
        ("all_reduce", "ring", 2 * 31 * 32),
        ("all_reduce", "double_binary_tree", 2 * 31 * 32),
        ("all_reduce", "halving_doubling", 2 * 31 * 32),
        ("all_gather", "pat", 31 * 32),
        ("reduce_scatter", "direct", 31 * 32),
        ("all_to_all", "pairwise", 31 * 32),
        ("broadcast", "ring", 31 * 32),
        ("all_reduce", "hierarchical", 2 * 31 * 32),
    ]:
        wanted = amp.Collective(kind, where, 32e6, algorithm, levels=[4, 8] if algorithm == "hierarchical" else ())
        for routing in ROUTINGS:
            moved = net.collectives([wanted], routing=routing).link_bytes
            assert moved[first].sum() == pytest.approx(shares * 1e6, rel=1e-9), (kind, algorithm)
            assert moved[last].sum() == pytest.approx(shares * 1e6, rel=1e-9), (kind, algorithm)


# ------------------------------------------------------------------------------------------------------------- classes


def random_network(rng):
    tiers = int(rng.integers(1, 4))
    down = [int(side) for side in rng.integers(2, 5, tiers)]
    up = [1, *(int(cables) for cables in rng.integers(1, 4, tiers - 1))]
    options = {}
    if rng.random() < 0.3 and math.prod(down) % 2 == 0:
        options = {"domain": 2, "domain_bytes_per_s": 200e9}
    kind = rng.random()
    if kind < 0.15:
        return amp.Network.torus(shape=[int(side) for side in rng.integers(2, 5, 2)], link_bytes_per_s=RATE)
    net = amp.Network.fat_tree(down=down, up=up, link_bytes_per_s=RATE, hop_latency_s=HOP, **options)
    if kind < 0.4:
        hurt = rng.choice(net.links, size=min(3, net.links), replace=False)
        net = net.with_links_at(hurt, float(rng.choice([0.0, 0.5])))
    return net


ALGORITHMS = [
    ("all_reduce", "ring"),
    ("all_reduce", "double_binary_tree"),
    ("all_gather", "pat"),
    ("reduce_scatter", "ring"),
    ("all_to_all", "direct"),
    ("all_to_all", "pairwise"),
    ("broadcast", "ring"),
]


def random_collectives(rng, net):
    found = []
    for _ in range(int(rng.integers(1, 4))):
        ranks = int(rng.integers(1, min(8, net.endpoints) + 1))
        groups = int(rng.integers(1, max(1, net.endpoints // ranks) + 1))
        order = np.arange(net.endpoints) if rng.random() < 0.6 else rng.permutation(net.endpoints)
        where = order[: groups * ranks].reshape(groups, ranks)
        if rng.random() < 0.3:
            where = order[: groups * ranks].reshape(ranks, groups).T
        kind, algorithm = ALGORITHMS[int(rng.integers(len(ALGORITHMS)))]
        found.append(
            amp.Collective(
                kind,
                where,
                float(rng.choice([0.0, 1e6, 1e8])),
                algorithm,
                start_s=float(rng.choice([0.0, 1e-4])),
                chunks=int(rng.integers(1, 3)),
                bidirectional=bool(rng.random() < 0.5),
                step_latency_s=float(rng.choice([0.0, 1e-6])),
            )
        )
    return found


@pytest.mark.parametrize("batch", range(4))
def test_classes_change_nothing(batch):
    """Thousands of random networks, failures included: every time and every byte as when each flow is solved by itself."""
    saved = 0
    for case in range(600):
        rng = np.random.default_rng((batch, case))
        net = random_network(rng)
        wanted = random_collectives(rng, net)
        rules = {"routing": ROUTINGS[case % 3], "queue_pairs": 1 + case % 2, "seed": case}
        alike = net.collectives(wanted, **rules)
        apart = net.collectives(wanted, aggregate=False, **rules)
        saved += alike.classes < apart.classes
        # Clocks of up to 1e-2 s: the same sums in another order.
        assert alike.end_s == pytest.approx(apart.end_s, rel=1e-9)
        assert alike.link_bytes == pytest.approx(apart.link_bytes, rel=1e-9, abs=1e-3)
        for one, other in zip(alike.collectives, apart.collectives, strict=True):
            for field in ("group_end_s", "phase_start_s", "phase_end_s", "rank_end_s"):
                assert getattr(one, field) == pytest.approx(getattr(other, field), rel=1e-9, abs=1e-15), field
    assert saved > 200  # the test is about classes of more than one


def test_a_hundred_thousand_ranks_are_a_few_classes():
    net = amp.Network.fat_tree(
        down=[32, 64, 64], up=[1, 32, 64], link_bytes_per_s=RATE, domain=8, domain_bytes_per_s=450e9
    )
    wanted = amp.Collective("all_reduce", np.arange(131072), 2**30, "hierarchical")
    found = net.collectives([wanted], routing="d-mod-k")
    assert found.flows == 2 * 131072
    assert found.classes < 10
    assert found.collectives[0].rank_end_s.shape == (1, 131072)


def test_the_same_every_time():
    net = tree(4, 4, 4)
    wanted = [amp.Collective("all_reduce", np.arange(64).reshape(8, 8), 1e8, "double_binary_tree")]
    first, again, other = (net.collectives(wanted, seed=seed) for seed in (5, 5, 6))
    assert (first.link_bytes == again.link_bytes).all()
    assert (first.collectives[0].rank_end_s == again.collectives[0].rank_end_s).all()
    assert (first.link_bytes != other.link_bytes).any()


def test_the_same_on_four_threads():
    """Bit for bit: a run has no state outside of itself."""
    net = tree(4, 4, 4, up=[1, 2, 2])
    where = net.place(64, "scattered", seed=1).reshape(8, 8)
    wanted = [
        amp.Collective("all_reduce", where, 1e8, "double_binary_tree"),
        amp.Collective("all_to_all", where.T, 1e7, "pairwise"),
    ]
    alone = net.collectives(wanted, seed=7)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: net.collectives(wanted, seed=7), range(8)):
            assert (found.link_bytes == alone.link_bytes).all()
            for one, other in zip(found.collectives, alone.collectives, strict=True):
                assert (one.rank_end_s == other.rank_end_s).all()
                assert (one.phase_bottleneck_link == other.phase_bottleneck_link).all()


# ------------------------------------------------------------------------------------------------------ groups of a job


def test_groups_of_a_layout():
    """Every rank is in one group of each kind; groups of a kind are alike."""
    groups = amp.parallel_groups(tp=4, cp=2, dp=8, pp=3, ep=16, etp=2)
    for name, size in {"tp": 4, "cp": 2, "dp": 8, "pp": 3, "dp_cp": 16, "ep": 16, "expert_dp": 2}.items():
        assert groups[name].shape == (192 // size, size), name
        assert sorted(groups[name].ravel().tolist()) == list(range(192)), name
    assert groups["tp"][1].tolist() == [4, 5, 6, 7]
    assert groups["cp"][0].tolist() == [0, 4]
    assert groups["dp"][0].tolist() == [8 * i for i in range(8)]
    assert groups["dp_cp"][0].tolist() == [4 * i for i in range(16)]
    assert groups["ep"][0].tolist() == [2 * i for i in range(16)]
    assert groups["expert_dp"][0].tolist() == [0, 32]


@pytest.mark.parametrize(
    ("sizes", "message"), [({"tp": 0}, "tp = 0: must be at least 1"), ({"tp": 4, "ep": 3}, "ep = 3: times etp")]
)
def test_layouts_that_make_no_groups(sizes, message):
    with pytest.raises(amp.InvalidSpec, match=message):
        amp.parallel_groups(**sizes)


def test_groups_of_a_job_contend():
    """Data-parallel groups leave their pods, tensor-parallel ones do not: only those slow each other down."""
    net = amp.Network.fat_tree(
        down=[16, 8],
        up=[1, 4],
        link_bytes_per_s=RATE,
        hop_latency_s=0.0,
        domain=8,
        domain_bytes_per_s=450e9,
        domain_latency_s=0.0,
    )
    groups = amp.parallel_groups(tp=8, dp=8, pp=2)
    where = net.place(128)
    tp = amp.Collective("all_gather", where[groups["tp"]], 1e9, name="tp")
    dp = amp.Collective("reduce_scatter", where[groups["dp"]], 1e9, name="dp")
    pp = amp.Collective("broadcast", where[groups["pp"]], 1e9, name="pp")
    together = net.collectives([tp, dp, pp], routing="spray")
    for one in (tp, dp, pp):
        alone = net.collectives([one], routing="spray").collectives[0].time_s
        slower = together[one.name].time_s / alone
        assert slower == pytest.approx(1.0, rel=1e-9) if one is tp else slower > 1.2
    apart = net.collectives([tp, dp, pp], routing="spray", aggregate=False)
    assert together.end_s == pytest.approx(apart.end_s, rel=1e-9)
    assert together.classes < apart.classes / 4


# --------------------------------------------------------------------------------------------------- edges and bad input


def test_nothing_to_do():
    net = one_switch(4)
    assert net.collective("all_reduce", [2], 1e9).time_s == 0
    assert net.collective("all_reduce", [2], 1e9).bus_bytes_per_s == 0
    assert net.collective("all_reduce", [0, 1], 0.0).time_s == pytest.approx(2 * 2 * HOP)
    empty = net.collectives([])
    assert (empty.end_s, empty.flows) == (0, 0)
    assert empty.link_bytes.sum() == 0


def test_cut_off_groups_never_end():
    net = one_switch(8)
    up = net.route(0, 1)[0]
    hurt = net.with_links_at([up], 0)
    found = hurt.collective("all_reduce", [[0, 1, 2], [3, 4, 5]], 1e6)
    assert found.group_end_s[0] == math.inf
    assert np.isfinite(found.group_end_s[1])


def test_results_are_read_only():
    found = one_switch(8).collective("all_reduce", [0, 1, 2], 1e6)
    for column in (found.group_end_s, found.phase_end_s, found.rank_end_s, found.phase_bottleneck_link):
        with pytest.raises(ValueError, match="read-only"):
            column[...] = 0


def test_names():
    net = one_switch(8)
    found = net.collectives([amp.Collective("all_gather", [0, 1], 1e6, name="tp")])
    assert found["tp"].collective.name == "tp"
    with pytest.raises(KeyError, match="there are: tp"):
        found["dp"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "all_redcue"}, "did you mean all_reduce"),
        ({"algorithm": "rings"}, r"collectives\[0\].algorithm.*did you mean ring"),
        ({"ranks": []}, "must name an endpoint for every rank|divide"),
        ({"ranks": 3}, "must have the shape"),
        ({"ranks": [[[0, 1]]]}, "must have the shape"),
        ({"ranks": [0, 8]}, r"collectives\[0\].ranks\[0\]\[1\] = 8: must be an endpoint, 0 to 7"),
        ({"ranks": [[0, 1], [2, -1]]}, r"ranks\[1\]\[1\] = -1"),
        ({"ranks": [[0, 1], [3, 3]]}, r"ranks\[1\]\[1\] = 3: is in this group twice"),
        ({"ranks": [0.5, 1.5]}, "whole numbers"),
        ({"bytes": -1.0}, r"collectives\[0\].bytes = -1"),
        ({"bytes": math.nan}, r"collectives\[0\].bytes"),
        ({"bytes": 1e17}, "between 0 and 9007199254740992"),
        ({"start_s": math.inf}, "start_s"),
        ({"chunks": 0}, "chunks = 0"),
        ({"step_latency_s": -1.0}, "step_latency_s = -1"),
        ({"reduce_bytes_per_s": math.nan}, "reduce_bytes_per_s"),
        ({"kind": "all_to_all"}, "ring: cannot do all_to_all"),
        ({"kind": "broadcast", "algorithm": "pat"}, "pat: can do"),
        ({"algorithm": "halving_doubling"}, "needs a power of two"),
        ({"algorithm": "hierarchical", "levels": [2, 2]}, "levels = 2 x 2: must multiply to the 6 ranks"),
        ({"algorithm": "hierarchical", "levels": [-2, -3]}, "must multiply"),
        ({"algorithm": "hierarchical", "levels": [2, 3], "level_algorithms": ["ring"] * 3}, "one for each of the 2"),
        ({"algorithm": "hierarchical", "levels": [2, 3], "level_algorithms": ["hierarchical"]}, "levels of its own"),
        ({"algorithm": "hierarchical", "levels": [2, 3], "level_algorithms": ["double_binary_tree"]}, "level 0 of 2"),
    ],
)
def test_collectives_that_make_no_sense(changes, message):
    wanted = {"kind": "all_reduce", "ranks": np.arange(6), "bytes": 1e6, **changes}
    with pytest.raises(amp.InvalidSpec, match=message):
        one_switch(8).collectives([amp.Collective(**wanted)])


def test_uneven_domains_need_levels():
    net = one_switch(16, domain=4, domain_bytes_per_s=450e9)
    with pytest.raises(amp.InvalidSpec, match="levels = none: must be given"):
        net.collective("all_reduce", [0, 1, 2, 4, 5, 8], 1e6, "hierarchical")


def test_more_flows_than_memory():
    net = amp.Network.fat_tree(down=[64, 64, 32], up=[1, 64, 64], link_bytes_per_s=RATE)
    with pytest.raises(amp.InvalidSpec, match="must have at most 67108864"):
        net.collective("all_to_all", net.place(131072), 1e9, "pairwise")
