"""Flows on the links of jobs that span kinds of devices."""

from __future__ import annotations

import numpy as np
import pytest
from tests.reference.link_bytes import check_link_bytes, check_seconds

import ampacity as amp

JOB = amp.Training("llama-3.1-8b", global_batch=512, seq_len=8192, software="megatron-lm")
SHOWN = JOB.replace(software=JOB.software.replace(gradient_overlap=False, parameter_overlap=False))
NONE = {"variability": "none"}


def kinds(*nodes, counts=(256, 256), **fabric):
    """Return a cluster of two kinds of nodes on a fat tree of full bisection with even paths, or what is asked."""
    template = amp.cluster("colossus-200k")
    partitions = [
        template.partitions[0].replace(node=amp.node(node), accelerators=count)
        for node, count in zip(nodes or ("hgx-h100-liquid", "hgx-h200-liquid"), counts, strict=True)
    ]
    return template.replace(partitions=partitions, fabric=template.fabric.replace(**fabric))


def endpoints_of(layout, block=1):
    """Return where the devices of a job on one run of kinds stand: block by block, stage by stage, replica by replica."""
    peers = layout.tp * layout.cp
    stage, replica, peer = np.meshgrid(
        np.arange(layout.pp), np.arange(layout.dp), np.arange(peers), indexing="ij", sparse=True
    )
    place = (replica // block * block * layout.pp + stage * block + replica % block) * peers + peer
    return place.reshape(-1)


@pytest.mark.parametrize("balance", ["slowest", "micro-batches", "stages"])
@pytest.mark.parametrize(
    ("model", "layout"),
    [
        ("llama-3.1-8b", amp.Layout(tp=8, pp=4, dp=16, zero_stage=1)),
        ("llama-3.1-8b", amp.Layout(tp=2, pp=4, dp=64, zero_stage=0)),
        ("llama-3.1-8b", amp.Layout(tp=2, cp=4, pp=2, dp=32)),
        ("llama-3.1-8b", amp.Layout(tp=1, pp=2, dp=256, zero_stage=3)),
        ("mixtral-8x7b", amp.Layout(tp=2, ep=8, pp=4, dp=64)),
    ],
)
@pytest.mark.parametrize("routing", ["spray", "ecmp"])
def test_bytes_are_conserved_and_even_paths_are_the_closed_form(model, layout, balance, routing):
    cluster = kinds("hgx-h100-liquid", "hgx-b200-liquid", counts=(264, 248), routing=routing, queue_pairs=4)
    job = amp.Training(model, global_batch=16 * layout.dp, seq_len=4096)
    sim = amp.simulate(job, cluster, layout.replace(balance=balance), seed=4, **NONE)
    assert sim.devices["sent_bytes"].min() > 0
    check_link_bytes(sim, rank_order=False)  # blocks of replicas by kind
    again = amp.simulate(job, cluster, layout.replace(balance=balance), seed=4, threads=3, **NONE)
    assert again.step_time_s == sim.step_time_s
    assert (again.links["bytes"] == sim.links["bytes"]).all()
    check_seconds(sim)
    if routing == "spray":
        est = sim.estimate
        assert sim.devices["wait_network_s"].max() == 0
        assert sim.step_time_s == pytest.approx(est.step_time_s - est.breakdown.straggler_s, rel=0.01)


def test_the_second_kind_of_a_device_changes_no_bytes():
    """The same devices as one partition and as two send the same; replicas of two partitions stand one by one."""
    layout = amp.Layout(tp=8, pp=4, dp=16, zero_stage=1)
    two = kinds("hgx-h100-liquid", "hgx-h100-liquid")
    one = two.replace(partitions=[two.partitions[0].replace(accelerators=512)])
    apart, alone = (amp.simulate(JOB, cluster, layout, **NONE) for cluster in (two, one))
    assert (apart.devices["sent_bytes"] == alone.devices["sent_bytes"]).all()
    assert apart.step_time_s == pytest.approx(alone.step_time_s, rel=1e-12)
    out = np.bincount(apart.links["from_node"], apart.links["bytes"])[:512]
    np.testing.assert_allclose(out[endpoints_of(layout)], apart.devices["sent_bytes"], rtol=1e-9)


@pytest.mark.parametrize(("tp", "block"), [(8, 1), (4, 2), (1, 8)])
def test_devices_are_the_endpoints_of_their_places(tp, block):
    """Devices of one stage share a domain, so that a node of tensor rank 1 holds eight replicas of it."""
    layout = amp.Layout(tp=tp, pp=4, dp=128 // tp, zero_stage=1)
    sim = amp.simulate(JOB, kinds("hgx-h100-liquid", "hgx-h200-liquid", counts=(256, 256)), layout, **NONE)
    out = np.bincount(sim.links["from_node"], sim.links["bytes"])[:512]
    np.testing.assert_allclose(out[endpoints_of(layout, block)], sim.devices["sent_bytes"], rtol=1e-9)
    by_node = sim.by("node").sum_sent_bytes
    np.testing.assert_allclose(by_node, out.reshape(-1, 8).sum(axis=1), rtol=1e-9)


def test_rates_are_those_of_the_network():
    """Rings of all stages over both kinds, with a quarter of the cables above leaves of 32: as flows of a network."""
    layout = amp.Layout(tp=8, pp=2, dp=32, zero_stage=1)
    tree = {"pod_accelerators": 0, "leaf_accelerators": 32}
    cluster = kinds(leaf_uplinks=8, **tree)
    sim = amp.simulate(SHOWN, cluster, layout, **NONE)
    place = endpoints_of(layout).reshape(2, 32, 8)
    source, destination = place.reshape(-1), np.roll(place, -1, axis=1).reshape(-1)
    time_s = [
        amp.Network.of(one).transfer(source, destination, 1e9, routing="spray").end_s
        for one in (cluster, kinds(leaf_uplinks=32, **tree))
    ]
    slowdown = time_s[0] / time_s[1]
    assert slowdown == pytest.approx(2, rel=1e-3)  # of 32 cards below a leaf 16 send to another
    # The end of the step is that of the stage with more parameters; rings of both go at one pace here.
    wait = sim.devices["wait_network_s"].reshape(2, 32, 8)
    assert np.ptp(wait[1]) < 1e-6 * wait.max()
    ends = sim.devices["sent_bytes"].reshape(2, 32, 8)[:, 0, 0]
    message = 2 * 8192 * JOB.model.hidden / 8
    per_way = JOB.global_batch // 32 * message
    seconds = (ends.max() - per_way) / (50e9 * cluster.fabric.efficiency_fraction)
    assert wait.max() == pytest.approx(seconds * (slowdown - 1), rel=0.02)


@pytest.mark.parametrize("slow_first", [True, False])
def test_replicas_reduce_at_the_pace_of_the_slowest_cards(slow_first):
    template = kinds()
    fast, slow = template.partitions
    slow = slow.replace(node=slow.node.replace(nics=4))  # half a card for each device
    cluster = template.replace(partitions=[slow, fast] if slow_first else [fast, slow])
    layout = amp.Layout(tp=8, dp=64, zero_stage=1)
    sim, only_slow, only_fast = (
        amp.simulate(SHOWN, template.replace(partitions=one), layout, **NONE)
        for one in (
            cluster.partitions,
            [slow.replace(accelerators=512)],
            [fast.replace(accelerators=512)],
        )
    )
    bytes_s = sim.devices["sent_bytes"].max() / (50e9 * cluster.fabric.efficiency_fraction)
    shown = [one.devices["communication_s"] for one in (only_slow, only_fast)]
    assert shown[0].max() - shown[1].max() == pytest.approx(bytes_s, rel=1e-6)
    # All are in the same rings: what shows of gradients and weights is what shows on slow cards.
    assert sim.devices["communication_s"] == pytest.approx(shown[0].max(), rel=1e-6)
    assert sim.devices["wait_network_s"].max() == 0
    # At half of what it can, a fast card is as fast as the others.
    device = int(np.flatnonzero(sim.devices["kind"] == int(slow_first))[0])
    half, quarter = (sim.what_if(network_health=amp.NetworkHealth(nics={device: rate})) for rate in (0.5, 0.25))
    assert half.step_time_s == pytest.approx(sim.step_time_s, rel=1e-6)
    assert quarter.step_time_s - sim.step_time_s == pytest.approx(2 * bytes_s, rel=1e-6)


def test_a_card_at_half_rate_is_that_of_the_device_and_slows_its_groups():
    layout = amp.Layout(tp=8, pp=2, dp=32, zero_stage=1)
    whole = amp.simulate(SHOWN, kinds(), layout, **NONE)
    device = 3 + 8 * 17 + 256  # tensor rank 3 of replica 17, stage 1
    half = whole.what_if(network_health=amp.NetworkHealth(nics={device: 0.5}))
    wait = half.devices["wait_network_s"].reshape(2, 32, 8)
    assert (wait[1, [0, 31], 3] > 0).all()
    assert wait[1, 0, [0, 1, 2, 4, 5, 6, 7]].max() == 0
    assert wait[0, 17].min() > 0  # messages to and from it
    assert wait[0, 16].max() == 0
    endpoint = (17 * 2 + 1) * 8 + 3
    assert f"endpoint {endpoint}" in half.links.name(half.critical.link)
    slow = np.flatnonzero(half.links["bytes_per_s"] == 0.5 * 50e9)
    assert {int(half.links["from_node"][slow[0]]), int(half.links["to_node"][slow[1]])} == {endpoint}


def test_failed_cables_and_collisions_cost_jobs_over_kinds_too():
    cluster = kinds(routing="ecmp", queue_pairs=4)
    job = JOB.replace(global_batch=2048)
    layout = amp.Layout(tp=8, pp=2, dp=32, zero_stage=1)
    even = amp.simulate(job, kinds(), layout, **NONE)
    for balance in ("slowest", "micro-batches"):
        hashed = amp.simulate(job, cluster, layout.replace(balance=balance), seed=2, **NONE)
        assert hashed.devices["wait_network_s"].max() > 0
        failed = hashed.what_if(network_health=amp.NetworkHealth(failed_fraction=0.05))
        assert (failed.links["bytes_per_s"] == 0).sum() > 0
        assert failed.links["bytes"][failed.links["bytes_per_s"] == 0].max() == 0
    assert amp.simulate(job, cluster, layout, seed=2, **NONE).step_time_s > even.step_time_s


@pytest.mark.parametrize("balance", ["slowest", "micro-batches", "stages"])
@pytest.mark.parametrize(
    ("model", "layout"),
    [
        ("llama-3.1-8b", amp.Layout(tp=8, pp=2, dp=36, zero_stage=1)),
        ("llama-3.1-8b", amp.Layout(tp=2, pp=4, dp=72, zero_stage=0)),
        ("llama-3.1-8b", amp.Layout(dp=576, zero_stage=3)),
        ("mixtral-8x7b", amp.Layout(tp=2, ep=8, pp=4, dp=72)),
    ],
)
@pytest.mark.parametrize("swap", [False, True])
def test_scale_up_domains_of_different_sizes(model, layout, balance, swap):
    """Nodes of 8 and racks of 72 in one job: nothing crosses the network that has a shorter way, nothing is lost."""
    cluster = kinds("hgx-h200-liquid", "gb200-nvl72", counts=(288, 288))
    cluster = cluster.replace(partitions=cluster.partitions[::-1] if swap else cluster.partitions)
    if balance == "stages" and layout.pp == 1:
        pytest.skip("there is one stage")
    job = amp.Training(model, global_batch=16 * layout.dp, seq_len=4096)
    sim = amp.simulate(job, cluster, layout.replace(balance=balance), **NONE)
    check_link_bytes(sim, rank_order=False)
    # Replicas reduce at one pace, that of the nodes of 8.
    est = sim.estimate
    assert sim.devices["wait_network_s"].max() <= 0.01 * sim.step_time_s
    assert sim.step_time_s == pytest.approx(est.step_time_s - est.breakdown.straggler_s, rel=0.01)


def test_a_ring_over_domains_of_different_sizes():
    """36 nodes of 8 and four racks of 72, one tensor-parallel group to a node: a rack has nine members of each ring."""
    cluster = kinds("hgx-h200-liquid", "gb200-nvl72", counts=(288, 288))
    layout = amp.Layout(tp=8, dp=72, zero_stage=1)
    job = SHOWN.replace(global_batch=576)
    sim = amp.simulate(job, cluster, layout, **NONE)
    sent = sim.devices["sent_bytes"].reshape(72, 8)
    received = sim.devices["received_bytes"].reshape(72, 8)
    parameters = sim.estimate.memory.weights_bytes / JOB.software.weight_bytes
    whole = parameters * (JOB.software.gradient_reduce_bytes + 2)
    # What a domain sends on in a ring of 72, over one card of a node and over nine of a rack.
    np.testing.assert_allclose(sent[:36], whole * 71 / 72, rtol=1e-6)
    np.testing.assert_allclose(sent[36:], whole * 71 / 72 / 9, rtol=1e-6)
    np.testing.assert_allclose(received[1:36], whole * 71 / 72, rtol=1e-6)
    np.testing.assert_allclose(received[36:45], whole * 71 / 72 / 9, rtol=1e-6)
    # All go at the pace of one card: 400 Gb/s of 95 %.
    alone = amp.simulate(
        job, cluster.replace(partitions=[cluster.partitions[0].replace(accelerators=576)]), layout, **NONE
    )
    assert sim.devices["communication_s"][0] == pytest.approx(alone.devices["communication_s"][0], rel=1e-6)
    assert sim.devices["wait_network_s"].max() == 0
    # A card of a rack has eight ninths of its rate to spare; one of a node has none.
    spare, short = (
        sim.what_if(network_health=amp.NetworkHealth(nics={device: 0.5})).step_time_s for device in (45 * 8, 3 * 8)
    )
    assert spare == pytest.approx(sim.step_time_s, rel=1e-9)
    assert short - sim.step_time_s == pytest.approx(whole * 71 / 72 / (50e9 * 0.95), rel=1e-3)


def test_rails_join_equal_nodes_only():
    cluster = kinds("hgx-h100-liquid", "gb200-nvl72", counts=(256, 288), topology="rail-optimised")
    layout = amp.Layout(tp=8, dp=64, zero_stage=1)
    sim = amp.simulate(JOB, cluster, layout, **NONE)
    assert sim.links.rows == 0
    assert any("rails for nodes of different sizes" in text for text in sim.warnings)
    with pytest.raises(amp.InvalidSpec, match="nodes of one size"):
        sim.what_if(network_health=amp.NetworkHealth(failed_fraction=0.01))
    # Where all of the job lies on one kind its flows are simulated, whatever else the cluster has.
    assert amp.simulate(JOB, cluster, layout.replace(dp=32), **NONE).devices["sent_bytes"].min() > 0


@pytest.mark.parametrize("balance", ["slowest", "micro-batches", "stages"])
def test_colossus_200k_has_links(balance):
    """199,680 devices of two kinds: every message and every gradient on 1.6 million links."""
    job = amp.Training("llama-3.1-405b", global_batch=1560 * 32, seq_len=8192)
    layout = amp.Layout(tp=8, pp=16, dp=1560, recompute="full", balance=balance)
    sim = amp.simulate(job, amp.cluster("colossus-200k"), layout, **NONE)
    assert sim.links.rows == sim.links.network.links
    assert sim.devices["sent_bytes"].min() > 0
    first = sim.links["tier"] == 1
    assert sim.links["bytes"][first].sum() == pytest.approx(2 * sim.devices["sent_bytes"].sum(), rel=1e-9)
    assert not any("closed form" in text for text in sim.warnings)
