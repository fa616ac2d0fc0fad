"""Networks and flows: closed forms, conservation, a slow reference on random networks, and bad input."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.reference import fluid

import ampacity as amp

RATE = 50e9
HOP = 1e-6


def full_bisection(a, b, c, **options):
    return amp.Network.fat_tree(down=[a, b, c], up=[1, a, b], link_bytes_per_s=RATE, hop_latency_s=HOP, **options)


# ------------------------------------------------------------------------------------------------------- closed forms


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


@pytest.mark.parametrize(("queue_pairs", "mean", "slowest"), [(1, 0.40, 0.11), (4, 0.71, 0.37), (16, 0.905, 0.50)])
def test_hash_collisions(queue_pairs, mean, slowest):
    """Host rates over line rate of a random permutation of 16,384 hosts, against a published Monte Carlo of max-min shares.

    In that study one pair of hosts shares a destination, so that no host can be faster than 0.5 at its slowest. The
    slowest host is an extreme of few collisions: with one queue pair it is 1/7, 1/8 or 1/9 as the permutation falls.
    """
    net = full_bisection(32, 16, 32)
    hosts = np.arange(net.endpoints)
    means, slow = [], []
    for seed in range(3):
        target = np.random.default_rng(seed).permutation(net.endpoints)
        target = np.where(target == hosts, (hosts + 1) % net.endpoints, target)
        rates = net.rates(hosts, target, queue_pairs=queue_pairs, seed=seed).bytes_per_s
        means.append(rates.mean() / RATE)
        slow.append(rates.min() / RATE)
    assert np.mean(means) == pytest.approx(mean, abs=0.02)
    assert np.mean(slow) == pytest.approx(slowest, abs=0.035)


def test_torus_routes_are_shortest():
    net = amp.Network.torus(shape=[4, 6, 5], link_bytes_per_s=RATE)
    place = np.stack(np.unravel_index(np.arange(120), (5, 6, 4))).T[:, ::-1]  # the first dimension varies fastest
    for a, b in [(0, 119), (17, 63), (5, 100), (33, 34)]:
        apart = np.abs(place[a] - place[b])
        assert len(net.route(a, b)) == np.minimum(apart, np.array([4, 6, 5]) - apart).sum()
    assert net.bisection_bytes_per_s == 2 * 4 * 5 * RATE


def test_dragonfly_routes_are_minimal():
    net = amp.Network.dragonfly(
        groups=9,
        switches_per_group=4,
        endpoints_per_switch=2,
        global_links=1,
        endpoint_bytes_per_s=25e9,
        local_bytes_per_s=25e9,
        global_bytes_per_s=25e9,
    )
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


# ---------------------------------------------------------------------------------------------- networks of clusters


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


def test_parts_of_published_networks():
    """Counts from the topology beside counts that others published."""
    count = lambda name, fabric=None: amp.bill_of_materials(
        amp.cluster(name) if fabric is None else amp.cluster(name).replace(fabric=amp.fabric(fabric))
    )
    # Full three-tier trees of k ports: 5/k switches and six ends per GPU (k^3/4 hosts on 5 k^2/4 switches).
    full = count("meta-24k-infiniband")
    assert full.switches_per_accelerator == pytest.approx(5 / 64, rel=1e-3)
    assert full.optic_ends_per_accelerator == 6
    # 512-node SuperPOD: 80 switches per 1,024 GPUs (apetops-us.com).
    superpod = amp.cluster("eos-10752").replace(
        fabric=amp.fabric("infiniband-ndr-rail"),
        partitions=[amp.Partition(node=amp.node("dgx-h100"), accelerators=4096)],
    )
    assert amp.bill_of_materials(superpod).switches_per_accelerator == pytest.approx(80 / 1024, rel=1e-3)
    # Llama 3's RoCE cluster by hand: 1,536 rack switches, 183 line cards a pod and 98 at the top, 8 x 439 cables there.
    roce = count("meta-24k-roce")
    parts = {(item.tier, item.part): item.count for item in roce.items}
    assert parts["endpoint to tier 1", "switch"] == 1536
    assert parts["tier 1 to 2", "switch"] == pytest.approx(8 * 183, rel=0.02)  # whole cables, whole cards
    assert parts["tier 2 to 3", "switch"] == pytest.approx(98, rel=0.03)
    assert parts["tier 2 to 3", "cable"] == pytest.approx(8 * 439, rel=0.03)
    assert roce.optic_ends_per_accelerator == pytest.approx(4.3, rel=0.01)
    # Slingshot: 32 switches per 512 accelerators (ExaDigiT RAPS, frontier.yaml); optics between groups only.
    frontier = count("frontier")
    assert frontier.switches_per_accelerator == pytest.approx(frontier.stated_switches_per_accelerator, rel=0.01)
    assert frontier.optic_ends_per_accelerator == pytest.approx(frontier.stated_optic_ends_per_accelerator, rel=0.06)
    # HPN: 2/128 top-of-rack switches, 1/120 above, a fifteenth of that at the core (SIGCOMM 2024).
    hpn = count("h100-100k", "hpn-7")
    assert hpn.switches_per_accelerator == pytest.approx(0.025, rel=0.06)


def test_two_tiers_serve_what_two_tiers_can():
    """2,048 GPUs on 64-port switches need 3/64 switches and four ends each, not the 5/64 and six of three tiers."""
    small = amp.bill_of_materials(amp.cluster("deepseek-h800-2k"))
    assert small.switches_per_accelerator == pytest.approx(3 / 64)
    assert small.optic_ends_per_accelerator == 4


def test_bill_adds_up_and_names_what_has_no_price():
    bill = amp.bill_of_materials(amp.cluster("meta-24k-roce"))
    assert bill.typical_w == pytest.approx(sum(item.count * item.typical_w for item in bill.items))
    assert {item.name or item.part for item in bill.items if item.price_usd is None} == set(bill.unpriced)
    assert "400g-fr4" in bill.unpriced
    with pytest.raises(amp.Infeasible, match="no switches to count"):
        amp.bill_of_materials(amp.cluster("dgx-h100-x1"))


@pytest.mark.parametrize("name", ["meta-24k-roce", "meta-24k-infiniband", "frontier", "colossus-100k", "selene-3072"])
def test_power_counts_the_same_parts(name):
    """One source of truth: what a larger network adds to the power of the same job is its switches and optics."""
    cluster = amp.cluster(name)
    bill = amp.bill_of_materials(cluster)
    fabric = cluster.fabric
    each_w = bill.typical_w / cluster.accelerators
    if bill.stated_switches_per_accelerator is not None:
        each_w = (
            bill.stated_switches_per_accelerator * fabric.switch.typical_w
            + bill.stated_optic_ends_per_accelerator * fabric.optic.typical_w
        )
    # The same switches at no watts and optics at no watts leave everything else.
    bare = cluster.replace(
        fabric=fabric.replace(
            switch=fabric.switch.replace(typical_w=0.0),
            optic=fabric.optic.replace(typical_w=0.0),
            **({"leaf_switch": fabric.leaf_switch.replace(typical_w=0.0)} if fabric.leaf_switch.ports else {}),
        )
    )
    job = {"model": amp.model("llama-3.1-8b"), "global_batch": 512, "seq_len": 4096}
    watts = [
        amp.estimate(amp.Training(**job), on, amp.Layout(tp=1, pp=1, dp=512)).power.it_mean_w / 512
        for on in (cluster, bare)
    ]
    # Copper ends draw 0.1 W each and are in both.
    assert watts[0] - watts[1] == pytest.approx(each_w, abs=0.45)


# ------------------------------------------------------------------------------------------------------- invariances


def random_flows(net, count, seed):
    rng = np.random.default_rng(seed)
    source = rng.integers(0, net.endpoints, count)
    destination = (source + rng.integers(1, net.endpoints, count)) % net.endpoints
    return source, destination, rng.uniform(1e6, 1e8, count), rng.uniform(0, 1e-3, count)


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


def test_pickle_and_repr():
    net = full_bisection(4, 4, 4).with_links_at([3], 0.5)
    again = pickle.loads(pickle.dumps(net))
    assert again.link_bytes_per_s(3) == net.link_bytes_per_s(3) == RATE / 2
    assert repr(eval(repr(net), {"ampacity": amp})) == repr(net)


def test_results_are_read_only():
    found = full_bisection(4, 4, 4).rates([0], [1])
    with pytest.raises(ValueError, match="read-only"):
        found.bytes_per_s[0] = 0


# ---------------------------------------------------------------------------------------------------------- failures


def test_failed_spines_are_routed_around():
    """Flows keep reaching everybody while one path is left, and slow down with what is lost."""
    net = full_bisection(4, 4, 4)
    source, destination, size, _ = random_flows(net, 400, 6)
    spine = [link for link in range(net.links) if net.link_name(link).startswith("cable up from tier 2")]
    hurt = net.with_links_at(spine[::3], 0)
    whole = net.transfer(source, destination, size)
    rest = hurt.transfer(source, destination, size)
    assert np.isfinite(rest.completion_s).all()
    assert rest.link_bytes[spine[::3]].max() == 0
    assert rest.end_s > whole.end_s
    assert hurt.rates(source, destination, routing="spray").utilisation_fraction.max() <= 1 + 1e-9


def test_a_flapping_optic_halves_its_flow():
    net = full_bisection(4, 4, 4)
    path = net.route(0, 63)
    assert net.with_links_at(path[:1], 0.5).rates([0], [63]).bytes_per_s[0] == RATE / 2


def test_cut_off_endpoints():
    net = full_bisection(4, 4, 4)
    first = next(link for link in range(net.links) if net.link_name(link) == "cable up from tier 0, endpoint 0 port 0")
    cut = net.with_links_at([first], 0)
    assert cut.transfer([0, 1], [5, 5], 1e6).completion_s[0] == math.inf
    assert np.isfinite(cut.transfer([0, 1], [5, 5], 1e6).completion_s[1])
    with pytest.raises(amp.Infeasible, match="endpoint 5 off from endpoint 0"):
        cut.route(0, 5)


# ------------------------------------------------------------------------------------------------------ the reference


@st.composite
def cases(draw):
    tiers = draw(st.integers(1, 3))
    down = [draw(st.integers(2, 3)) for _ in range(tiers)]
    up = [1, *(draw(st.integers(1, 3)) for _ in range(tiers - 1))]
    rates = [draw(st.sampled_from([25e9, 50e9, 100e9])) for _ in range(tiers)]
    net = amp.Network.fat_tree(down=down, up=up, link_bytes_per_s=rates)
    changed = draw(st.lists(st.integers(0, net.links - 1), max_size=3, unique=True))
    if changed:
        net = net.with_links_at(changed, draw(st.sampled_from([0.0, 0.5])))
    count = draw(st.integers(1, 24))
    endpoint = st.integers(0, net.endpoints - 1)
    flows = st.lists(endpoint, min_size=count, max_size=count)
    size = st.lists(st.floats(1.0, 1e8), min_size=count, max_size=count)
    start = st.lists(st.sampled_from([0.0, 1e-4, 3e-4]), min_size=count, max_size=count)
    return net, draw(flows), draw(flows), draw(size), draw(start), draw(st.booleans())


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


# ----------------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"down": []}, "must have 1 to 6 tiers"),
        ({"down": [4, 4], "up": [1]}, "as many tiers as down"),
        ({"down": [4, 0, 4]}, r"down\[1\] = 0"),
        ({"down": [4.5, 4, 4]}, "whole numbers"),
        ({"up": [1, -4, 4]}, r"up\[1\] = -4"),
        ({"link_bytes_per_s": 0.0}, "rate above 0"),
        ({"link_bytes_per_s": math.nan}, "rate above 0"),
        ({"link_bytes_per_s": [1e9, 1e9]}, "one rate, or one for each tier"),
        ({"link_bytes_per_s": "fast"}, "must be numbers"),
        ({"hop_latency_s": -1.0}, "between 0 and 1 s"),
        ({"hop_latency_s": math.inf}, "between 0 and 1 s"),
        ({"planes": 0}, "planes = 0"),
        ({"domain": 8}, "domain_bytes_per_s"),
        ({"rails": 3}, "must divide the 64 endpoints"),
        ({"rails": 8, "rail_only": True}, "multiple of rails"),
        ({"down": [1000, 1000, 1000]}, "at most 16777216"),
        ({"down": [1, 1, 1]}, "at least 2"),
    ],
)
def test_shapes_that_make_no_network(changes, message):
    with pytest.raises(amp.InvalidSpec, match=message):
        amp.Network.fat_tree(**{"down": [4, 4, 4], "up": [1, 4, 4], "link_bytes_per_s": RATE, **changes})


def test_all_problems_are_named_at_once():
    with pytest.raises(amp.InvalidSpec) as caught:
        amp.Network.torus(shape=[0, -1], link_bytes_per_s=math.inf, hop_latency_s=math.nan)
    assert {p.path for p in caught.value.problems} == {"shape[0]", "shape[1]", "link_bytes_per_s", "hop_latency_s"}


@pytest.mark.parametrize(
    ("flows", "message"),
    [
        (([0, 64], [1, 1], 1.0), r"source\[1\] = 64: must be an endpoint, 0 to 63"),
        (([0], [-1], 1.0), r"destination\[0\] = -1"),
        (([0], [1, 2], 1.0), "as many values as source"),
        (([0.0], [1], 1.0), "whole numbers"),
        (([0], [1], -1.0), r"bytes\[0\] = -1"),
        (([0], [1], math.nan), r"bytes\[0\]"),
        (([0], [1], 1e17), r"between 0 and 9007199254740992"),
        (([0], [1], 1.0, math.inf), r"start_s\[0\]"),
        (([0], [1], "many"), "must be numbers"),
    ],
)
def test_flows_that_make_no_sense(flows, message):
    with pytest.raises(amp.InvalidSpec, match=message):
        full_bisection(4, 4, 4).transfer(*flows)


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"routing": "ecpm"}, "did you mean ecmp"),
        ({"queue_pairs": 0}, "queue_pairs = 0"),
        ({"batch_fraction": 2.0}, "between 0 and 0.5"),
    ],
)
def test_rules_that_make_no_sense(rules, message):
    with pytest.raises(amp.InvalidSpec, match=message):
        full_bisection(4, 4, 4).transfer([0], [1], 1.0, **rules)


def test_links_that_do_not_exist():
    net = full_bisection(4, 4, 4)
    with pytest.raises(amp.InvalidSpec, match="must be a link, 0 to"):
        net.with_links_at([net.links], 0)
    with pytest.raises(amp.InvalidSpec, match="between 0 and 1"):
        net.with_links_at([0], -0.5)


def test_nothing_to_do():
    net = full_bisection(4, 4, 4)
    empty = np.array([], dtype=np.int64)
    assert net.transfer(empty, empty, 1.0).end_s == 0
    assert net.transfer([3], [3], 1e9, 2.0).completion_s[0] == 2.0
    assert net.transfer([0], [1], 0.0).completion_s[0] == 2 * HOP
