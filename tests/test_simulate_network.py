"""Flows of a simulated step on the links of the cluster: who is slowed down, by how much, and what links carry."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from tests.reference.link_bytes import check_link_bytes

import ampacity as amp


def cluster_with(**fabric):
    """Return 16,384 H100 on a three-tier fat tree of full bisection with even paths, or what is asked."""
    template = amp.cluster("meta-llama3-16k")
    whole = {"routing": "spray", "oversubscription": 1.0, "pod_accelerators": 0} | fabric
    return template.replace(fabric=template.fabric.replace(**whole))


JOB = amp.Training("llama-3.1-8b", global_batch=512, seq_len=8192, software="megatron-lm")
LAYOUT = amp.Layout(tp=8, pp=2, dp=64, zero_stage=1)  # a node is a tensor-parallel group
NONE = {"variability": "none"}


def test_an_uncontended_network_is_the_closed_form():
    sim = amp.simulate(JOB, cluster_with(), LAYOUT, **NONE)
    est = sim.estimate
    assert sim.step_time_s == pytest.approx(est.step_time_s - est.breakdown.straggler_s, rel=1e-3)
    assert sim.devices["wait_network_s"].max() == 0
    assert sim.critical.link == -1
    assert sim.links["utilisation_fraction"].max() < 1


@pytest.mark.parametrize(
    "layout",
    [
        amp.Layout(tp=8, pp=2, dp=64, zero_stage=1),
        amp.Layout(tp=4, pp=4, dp=32, zero_stage=0),
        amp.Layout(tp=2, cp=8, dp=32, zero_stage=1),
        amp.Layout(dp=256, zero_stage=3),
        amp.Layout(tp=8, pp=4, vp=2, dp=16),
    ],
)
@pytest.mark.parametrize("routing", ["spray", "ecmp"])
def test_bytes_are_conserved(layout, routing):
    sim = amp.simulate(JOB, cluster_with(routing=routing, queue_pairs=4), layout, **NONE)
    check_link_bytes(sim)
    links = sim.links
    rate, step = links["bytes_per_s"], sim.step_time_s
    np.testing.assert_allclose(links["utilisation_fraction"] * rate * step, links["bytes"], rtol=1e-12)


def test_volumes_are_those_of_the_algorithms():
    """A ring reduce-scatter of gradients and an all-gather of weights send (n - 1) / n of each."""
    layout = amp.Layout(tp=8, dp=64, zero_stage=1)
    sim = amp.simulate(JOB, cluster_with(), layout, **NONE)
    parameters = sim.estimate.memory.weights_bytes / JOB.software.weight_bytes
    expected = parameters * (JOB.software.gradient_reduce_bytes + 2) * 63 / 64
    np.testing.assert_allclose(sim.devices["sent_bytes"], expected, rtol=1e-6)


def test_a_card_at_half_rate_slows_its_group_down():
    layout = amp.Layout(tp=8, dp=64, zero_stage=1)
    job = JOB.replace(software=JOB.software.replace(gradient_overlap=False, parameter_overlap=False))
    whole = amp.simulate(job, cluster_with(), layout, **NONE)
    half = whole.what_if(network_health=amp.NetworkHealth(nics={3 + 8 * 17: 0.5}))
    wait = half.devices["wait_network_s"].reshape(64, 8)
    # All 64 replicas of that tensor rank reduce at half the pace; the others wait for them.
    assert (wait[:, 3] == wait[0, 3]).all()
    assert wait[:, [0, 1, 2, 4, 5, 6, 7]].max() == 0
    bytes_s = whole.devices["sent_bytes"][3] / (50e9 * whole.cluster.fabric.efficiency_fraction)
    assert wait[0, 3] == pytest.approx(bytes_s, rel=1e-6)
    assert half.step_time_s - whole.step_time_s == pytest.approx(bytes_s, rel=1e-6)
    others = half.devices["wait_replicas_s"].reshape(64, 8)
    np.testing.assert_allclose(others[:, 0] - others[:, 3], bytes_s, rtol=1e-6)
    name = half.links.name(half.critical.link)
    assert "endpoint 139" in name
    assert half.critical.link_wait_s == pytest.approx(bytes_s, rel=1e-6)
    # The link that is critical made whole again recovers the step.
    cables = np.flatnonzero((half.links["from_node"] == 139) | (half.links["to_node"] == 139))
    ends = [int(c) for c in cables if half.links["tier"][c] == 1]
    assert len(ends) == 2
    again = half.what_if(links=dict.fromkeys(ends, 1.0))
    assert again.step_time_s == pytest.approx(whole.step_time_s, rel=1e-12)


def test_a_card_at_half_rate_slows_the_stages_beside_it_only():
    job = amp.Training("llama-3.1-405b", global_batch=256, seq_len=8192)
    layout = amp.Layout(tp=8, pp=16, dp=8, recompute="full")
    whole = amp.simulate(job, cluster_with(), layout, **NONE)
    device = 2 + 8 * 3 + 64 * 5  # replica 3, stage 5
    half = whole.what_if(network_health=amp.NetworkHealth(nics={device: 0.5}))
    assert half.step_time_s > whole.step_time_s
    wait = half.devices["wait_network_s"].reshape(16, 8, 8)
    # Gradients of tensor rank 2 of stage 5, and messages into and out of stage 5 of replica 3.
    messages = np.flatnonzero(wait[:, 3, 0] > 0)
    assert messages.tolist() == [4, 5, 6]
    assert (wait[:, [0, 1, 2, 4, 5, 6, 7], :].max(axis=(1, 2)) > 0).tolist() == [s == 5 for s in range(16)]
    assert (wait[5, 0] > 0).tolist() == [False, False, True, False, False, False, False, False]


def test_oversubscription_slows_down_by_its_ratio():
    """Two stages in two pods: all messages between them cross what is 1/8 as wide."""
    layout = amp.Layout(tp=8, pp=2, dp=64, zero_stage=1)
    pods = cluster_with(pod_accelerators=512, oversubscription=8.0, leaf_accelerators=0, leaf_uplinks=0)
    job = JOB.replace(software=JOB.software.replace(pp_overlap_fraction=0.0))
    narrow = amp.simulate(job, pods, layout, **NONE)
    wide = amp.simulate(job, cluster_with(leaf_accelerators=0, leaf_uplinks=0), layout, **NONE)
    # Of each task's message the bytes take 8 times as long, of which 7 are waiting.
    extra = np.concatenate([narrow.task_fixed_s(stage) - wide.task_fixed_s(stage) for stage in (0, 1)])
    tokens = 8192 * job.model.hidden * 2 / 8
    bytes_s = tokens / (50e9 * pods.fabric.efficiency_fraction)
    np.testing.assert_allclose(extra, 7 * bytes_s, rtol=0.02)
    # Gradients stay in their pod.
    assert narrow.links["utilisation_fraction"].max() <= 1
    est = narrow.estimate
    assert narrow.step_time_s == pytest.approx(est.step_time_s - est.breakdown.straggler_s, rel=0.01)


def test_hash_collisions_are_drawn_and_cost_what_is_expected():
    cluster = cluster_with(routing="ecmp", queue_pairs=2)
    steps = [amp.simulate(JOB, cluster, LAYOUT, seed=seed, **NONE).step_time_s for seed in range(12)]
    assert len(set(steps)) > 6
    est = amp.estimate(JOB, cluster, LAYOUT)
    even = amp.simulate(JOB, cluster_with(), LAYOUT, **NONE).step_time_s
    assert min(steps) >= even
    expected = est.step_time_s - est.breakdown.straggler_s
    assert np.mean(steps) == pytest.approx(expected, rel=0.02)


def test_more_queue_pairs_collide_less():
    waits = [
        amp.simulate(JOB, cluster_with(routing="ecmp", queue_pairs=pairs), LAYOUT, **NONE)
        .devices["wait_network_s"]
        .max()
        for pairs in (1, 4, 16, 64)
    ]
    assert waits == sorted(waits, reverse=True)
    assert waits[0] > 3 * waits[3]


def test_rates_are_those_of_the_network():
    """Rings of the last stage on a tree with an eighth of the cables above its leaves, alone and as flows of a network."""
    cluster = cluster_with(leaf_accelerators=8, leaf_uplinks=4)
    layout = amp.Layout(tp=8, dp=16, zero_stage=1)
    job = JOB.replace(software=JOB.software.replace(gradient_overlap=False, parameter_overlap=False))
    sim = amp.simulate(job, cluster, layout, **NONE)
    net = amp.Network.of(cluster)
    ranks = np.arange(128).reshape(16, 8).T
    whole = amp.Network.of(cluster_with(leaf_accelerators=8, leaf_uplinks=8))
    shared, alone = (
        n.collectives([amp.Collective("reduce_scatter", ranks, 1e12, name="all")], routing="spray")["all"].time_s
        for n in (net, whole)
    )
    assert shared / alone == pytest.approx(2, rel=1e-3)
    bytes_s = sim.devices["sent_bytes"][0] / (50e9 * cluster.fabric.efficiency_fraction)
    np.testing.assert_allclose(sim.devices["wait_network_s"], bytes_s * (shared / alone - 1), rtol=2e-3)


def test_failed_cables_slow_down_whom_they_serve():
    job = amp.Training("llama-3.1-405b", global_batch=2048, seq_len=8192)
    layout = amp.Layout(tp=8, pp=16, dp=64, recompute="full")
    cluster = amp.cluster("meta-24k-roce")
    whole = amp.simulate(job, cluster, layout, seed=3, **NONE)
    failed = whole.what_if(network_health=amp.NetworkHealth(failed_fraction=0.01))
    assert failed.step_time_s > whole.step_time_s
    dead = failed.links["bytes_per_s"] == 0
    tier = len(failed.links.network.tiers) - 1
    assert dead.sum() == pytest.approx(0.01 * (failed.links["tier"] == tier).sum(), rel=0.05)
    assert failed.links["bytes"][dead].max() == 0
    assert failed.devices["sent_bytes"].sum() == pytest.approx(whole.devices["sent_bytes"].sum(), rel=1e-12)
    threads = amp.simulate(
        job, cluster, layout, seed=3, threads=4, network_health=amp.NetworkHealth(failed_fraction=0.01), **NONE
    )
    assert threads.step_time_s == failed.step_time_s
    for key in threads.links:
        assert (threads.links[key] == failed.links[key]).all()
    again = pickle.loads(pickle.dumps(failed))
    assert again == failed
    assert again.network_health == amp.NetworkHealth(failed_fraction=0.01)


def test_experts_exchange_over_the_links():
    job = amp.Training("mixtral-8x7b", global_batch=256, seq_len=4096)
    layout = amp.Layout(tp=1, ep=16, dp=128) if job.model.experts % 16 == 0 else amp.Layout(tp=2, ep=8, dp=64)
    even = amp.simulate(job, cluster_with(), layout, **NONE)
    assert even.devices["wait_network_s"].max() == 0
    half = even.what_if(network_health=amp.NetworkHealth(nics={5: 0.5}))
    wait = half.devices["wait_network_s"]
    assert wait[5] > 0
    hashed = amp.simulate(job, cluster_with(routing="ecmp", queue_pairs=1), layout, **NONE)
    assert hashed.step_time_s > even.step_time_s


def test_links_are_columns():
    sim = amp.simulate(JOB, cluster_with(), LAYOUT, **NONE)
    links = sim.links
    assert links is sim.links
    assert links.rows == links.network.links
    assert set(links.units) == set(links)
    with pytest.raises(ValueError, match="read-only"):
        links["bytes"][0] = 1
    with pytest.raises(KeyError, match="did you mean bytes"):
        links["byte"]
    assert links.name(0) == links.network.link_name(0)
    assert "links" in repr(links)
    single = amp.simulate(JOB.replace(global_batch=16), amp.cluster("dgx-h100-x1"), amp.Layout(tp=8), **NONE)
    assert single.links.rows == 0
    assert single.links.network is None
    with pytest.raises(amp.InvalidSpec, match="no links"):
        single.links.name(0)


@pytest.mark.parametrize(
    ("health", "path"),
    [
        (amp.NetworkHealth(failed_fraction=1.5), "network.failed_fraction"),
        (amp.NetworkHealth(failed_fraction=0.1, tier="spin"), "tier"),
        (amp.NetworkHealth(nics={10**6: 0.5}), "network.nics"),
        (amp.NetworkHealth(nics={1: 0.0}), "network.nics"),
        (amp.NetworkHealth(links={1: 2.0}), "network.links"),
        (amp.NetworkHealth(links={10**9: 0.5}), "links"),
    ],
)
def test_mistakes_are_named(health, path):
    with pytest.raises(amp.InvalidSpec, match=path):
        amp.simulate(JOB, cluster_with(), LAYOUT, network_health=health)


def test_health_is_saved_with_the_simulation(tmp_path):
    health = amp.NetworkHealth(failed_fraction=0.01, nics={3: 0.5}, links={17: 0.25})
    sim = amp.simulate(JOB, cluster_with(), LAYOUT, network_health=health, **NONE)
    sim.save(tmp_path / "run.npz")
    again = amp.Simulation.load(tmp_path / "run.npz")
    assert again == sim
    assert again.network_health == health
    assert pickle.loads(pickle.dumps(sim)).network_health == health


def test_what_is_cut_off_is_named():
    sim = amp.simulate(JOB, cluster_with(), LAYOUT, **NONE)
    cables = np.flatnonzero((sim.links["from_node"] == 9) & (sim.links["tier"] == 1))
    with pytest.raises(amp.Infeasible, match="endpoint 9"):
        sim.what_if(links={int(cables[0]): 0.0})
    single = amp.cluster("dgx-h100-x1")
    with pytest.raises(amp.InvalidSpec, match="fat trees"):
        amp.simulate(
            JOB.replace(global_batch=16), single, amp.Layout(tp=8), network_health=amp.NetworkHealth(nics={0: 0.5})
        )
