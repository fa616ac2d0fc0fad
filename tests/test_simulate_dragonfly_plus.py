"""Flows of simulated steps on dragonfly+ networks."""

from __future__ import annotations

import numpy as np
import pytest

import ampacity as amp

NONE = {"variability": "none"}
TEMPLATE = amp.cluster("alps")
FABRIC = amp.fabric("infiniband-hdr100-dragonfly-plus")
JOB = amp.Training("llama-3.1-8b", global_batch=1024, seq_len=8192, software="megatron-lm")
SHOWN = JOB.replace(
    software=JOB.software.replace(gradient_overlap=False, parameter_overlap=False, pp_overlap_fraction=0.0)
)


def plus(groups=8, **fabric):
    """Return groups of 128 GH200 below 8 leaves with 16 cables up each."""
    fabric = {"pod_accelerators": 128, "leaf_accelerators": 16, "leaf_uplinks": 16, "global_links": 16} | fabric
    partitions = [TEMPLATE.partitions[0].replace(accelerators=128 * groups)]
    return TEMPLATE.replace(partitions=partitions, fabric=FABRIC.replace(**fabric))


@pytest.mark.parametrize("routing", ["spray", "ecmp"])
@pytest.mark.parametrize(
    ("model", "layout"),
    [
        ("llama-3.1-8b", amp.Layout(tp=4, pp=8, dp=32, zero_stage=0)),
        ("llama-3.1-8b", amp.Layout(dp=1024, zero_stage=3)),
        ("mixtral-8x7b", amp.Layout(tp=2, ep=8, pp=4, dp=128)),
    ],
)
def test_bytes_are_conserved(model, layout, routing):
    job = amp.Training(model, global_batch=8 * layout.dp, seq_len=4096)
    cluster = plus(routing=routing, global_links=4)
    sim = amp.simulate(job, cluster, layout, seed=2, **NONE)
    links, sent = sim.links, sim.devices["sent_bytes"]
    assert sent.sum() == pytest.approx(sim.devices["received_bytes"].sum(), rel=1e-9)
    out = np.bincount(links["from_node"], links["bytes"])
    into = np.bincount(links["to_node"], links["bytes"], minlength=len(out))
    np.testing.assert_allclose(out[: layout.accelerators], sent, rtol=1e-9)
    # What enters a leaf or a spine leaves it.
    np.testing.assert_allclose(into[1024:], out[1024:], rtol=1e-9, atol=1e-9 * out.max())
    again = amp.simulate(job, cluster, layout, seed=2, threads=3, **NONE)
    assert again.step_time_s == sim.step_time_s
    assert (again.links["bytes"] == links["bytes"]).all()


@pytest.mark.parametrize("layout", [amp.Layout(tp=4, dp=256, zero_stage=1), amp.Layout(dp=1024, zero_stage=3)])
def test_rings_that_find_room_are_the_closed_form(layout):
    sim = amp.simulate(SHOWN, plus(), layout, **NONE)
    est = sim.estimate
    assert sim.devices["wait_network_s"].max() == 0
    assert sim.step_time_s == pytest.approx(est.step_time_s - est.breakdown.straggler_s, rel=1e-3)


def test_stages_in_neighbouring_groups_send_round_the_others():
    """128 streams to the next group over 8 cables direct: each byte that goes round takes two cables between groups."""
    layout = amp.Layout(tp=4, pp=8, dp=32, zero_stage=1)
    cluster = plus(global_links=8)
    sim = amp.simulate(SHOWN, cluster, layout, **NONE)
    wide = amp.simulate(SHOWN, plus(global_links=128), layout, **NONE)
    assert wide.devices["wait_network_s"].max() == 0
    message = 2 * 8192 * JOB.model.hidden / 4
    bytes_s = 2 * 32 * message / (FABRIC.bytes_per_s_per_accelerator * FABRIC.efficiency_fraction)
    slowdown = 1 + sim.devices["wait_network_s"].max() / bytes_s
    # All 56 pairs of groups have 8 cables; 7 of 8 groups send 128 streams, twice over but for what goes direct.
    least = 7 * 2 * 128 / (56 * 8 + 7 * 8)
    assert least <= slowdown <= 1.15 * least
    assert "group" in sim.links.name(sim.critical.link)


def test_what_crosses_a_group_takes_its_leaves_too():
    """A byte that goes round takes a second cable between groups, and two more of a leaf unless a spine has both."""
    layout = amp.Layout(tp=4, pp=8, dp=32, zero_stage=1)
    few, many = (amp.simulate(SHOWN, plus(global_links=each), layout, **NONE).links for each in (8, 128))
    local, between = (
        few["bytes"][few["tier"] == tier].sum() - many["bytes"][many["tier"] == tier].sum() for tier in (2, 3)
    )
    # 56 cables' ends in turn on 16 spines: 7 in 128 pairs of ends meet on one.
    assert between > 0
    assert local == pytest.approx(2 * between, rel=0.1)


def test_leaves_with_few_cables_hold_up_their_own():
    layout = amp.Layout(tp=4, pp=8, dp=32, zero_stage=1)
    slim, fat = (amp.simulate(SHOWN, plus(global_links=128, leaf_uplinks=up), layout, **NONE) for up in (4, 16))
    assert fat.devices["wait_network_s"].max() == 0
    message = 2 * 8192 * JOB.model.hidden / 4
    bytes_s = 2 * 32 * message / (FABRIC.bytes_per_s_per_accelerator * FABRIC.efficiency_fraction)
    # 16 streams on four cables.
    assert 1 + slim.devices["wait_network_s"].max() / bytes_s == pytest.approx(4, rel=0.02)


def test_failed_cables_are_gone_round():
    layout = amp.Layout(tp=4, pp=8, dp=32, zero_stage=1)
    whole = amp.simulate(SHOWN, plus(), layout, seed=5, **NONE)
    for tier in ("spine", "leaf to spine"):
        failed = whole.what_if(network_health=amp.NetworkHealth(failed_fraction=0.1, tier=tier))
        dead = failed.links["bytes_per_s"] == 0
        assert dead.any()
        assert failed.links["bytes"][dead].max() == 0
        assert failed.devices["sent_bytes"].sum() == pytest.approx(whole.devices["sent_bytes"].sum(), rel=1e-9)
        assert whole.step_time_s <= failed.step_time_s < 1.5 * whole.step_time_s
    up = int(np.flatnonzero((whole.links["from_node"] == 70) & (whole.links["tier"] == 1))[0])
    with pytest.raises(amp.Infeasible, match="accelerator 70"):
        whole.what_if(links={up: 0.0})
