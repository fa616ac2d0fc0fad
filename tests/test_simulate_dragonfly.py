"""Flows of simulated steps on dragonflies with adaptive routing."""

from __future__ import annotations

import numpy as np
import pytest
from tests.reference.link_bytes import check_link_bytes, check_seconds

import ampacity as amp

NONE = {"variability": "none"}
TEMPLATE = amp.cluster("alps")


def alps(groups=8, **fabric):
    """Return groups of 128 GH200 in 8 switches of 16, four to a node."""
    fabric = {"pod_accelerators": 128, "global_links": 8} | fabric
    partitions = [TEMPLATE.partitions[0].replace(accelerators=128 * groups)]
    return TEMPLATE.replace(partitions=partitions, fabric=TEMPLATE.fabric.replace(**fabric))


JOB = amp.Training("llama-3.1-8b", global_batch=1024, seq_len=8192, software="megatron-lm")
SHOWN = JOB.replace(
    software=JOB.software.replace(gradient_overlap=False, parameter_overlap=False, pp_overlap_fraction=0.0)
)


@pytest.mark.parametrize("routing", ["spray", "ecmp"])
@pytest.mark.parametrize(
    ("model", "layout"),
    [
        ("llama-3.1-8b", amp.Layout(tp=4, pp=2, dp=128, zero_stage=1)),
        ("llama-3.1-8b", amp.Layout(tp=4, pp=8, dp=32, zero_stage=0)),
        ("llama-3.1-8b", amp.Layout(dp=1024, zero_stage=3)),
        ("mixtral-8x7b", amp.Layout(tp=2, ep=8, pp=4, dp=128)),
    ],
)
def test_bytes_are_conserved(model, layout, routing):
    job = amp.Training(model, global_batch=8 * layout.dp, seq_len=4096)
    sim = amp.simulate(job, alps(routing=routing), layout, seed=2, **NONE)
    check_link_bytes(sim)
    again = amp.simulate(job, alps(routing=routing), layout, seed=2, threads=3, **NONE)
    assert again.step_time_s == sim.step_time_s
    assert (again.links["bytes"] == sim.links["bytes"]).all()
    check_seconds(sim)


def test_rings_that_find_room_are_the_closed_form():
    """Rings in rank order leave a group with one stream of each tensor rank: four of the 56 cables."""
    layout = amp.Layout(tp=4, dp=256, zero_stage=1)
    sim = amp.simulate(SHOWN, alps(), layout, **NONE)
    est = sim.estimate
    assert sim.devices["wait_network_s"].max() == 0
    assert sim.step_time_s == pytest.approx(est.step_time_s - est.breakdown.straggler_s, rel=1e-3)
    # Eight borders between groups, four streams each; nothing needs to go round.
    between = sim.links["tier"] == 3
    assert sim.links["bytes"][between].sum() == pytest.approx(8 * 4 * sim.devices["sent_bytes"][0], rel=1e-9)


def test_stages_in_neighbouring_groups_send_round_the_others():
    """512 streams to the next group, 8 cables direct: 7 of 8 groups send, each byte that goes round takes two cables."""
    layout = amp.Layout(tp=4, pp=8, dp=128, zero_stage=1)
    groups = {"pod_accelerators": 512}  # 32 switches of 16, as in the catalogue
    cluster = alps(global_links=8, **groups)
    cluster = cluster.replace(partitions=[cluster.partitions[0].replace(accelerators=4096)])
    sim = amp.simulate(SHOWN, cluster, layout, **NONE)
    wide = cluster.replace(fabric=cluster.fabric.replace(global_links=512))
    assert amp.simulate(SHOWN, wide, layout, **NONE).devices["wait_network_s"].max() == 0
    links = sim.links
    message = 2 * 8192 * JOB.model.hidden / 4
    # 8 micro-batches, a message in each direction: each task waits for one or sends one.
    bytes_s = 2 * 8 * message / (25e9 * cluster.fabric.efficiency_fraction)
    slowdown = 1 + sim.devices["wait_network_s"].max() / bytes_s
    # All 56 links of 8 cables carry 2 S less what goes direct. Links out of the last group and into the first have room
    # that not all can use.
    least = 7 * 2 * 512 / (56 * 8 + 7 * 8)
    assert least <= slowdown <= 1.15 * least
    between = links["bytes"][links["tier"] == 3].sum()  # replicas of a stage lie in its group: messages only
    direct = 2 - between / (7 * 2 * 512 * 8 * message)
    assert direct == pytest.approx(slowdown * 8 / 512, rel=0.2)
    assert "group" in links.name(sim.critical.link)


def test_failed_global_cables_are_gone_round():
    layout = amp.Layout(tp=4, pp=8, dp=32, zero_stage=1)
    whole = amp.simulate(SHOWN, alps(), layout, seed=5, **NONE)
    failed = whole.what_if(network_health=amp.NetworkHealth(failed_fraction=0.1))
    dead = failed.links["bytes_per_s"] == 0
    assert 0.05 < dead[failed.links["tier"] == 3].mean() < 0.15
    assert failed.links["bytes"][dead].max() == 0
    assert failed.devices["sent_bytes"].sum() == pytest.approx(whole.devices["sent_bytes"].sum(), rel=1e-9)
    out = np.bincount(failed.links["from_node"], failed.links["bytes"])
    into = np.bincount(failed.links["to_node"], failed.links["bytes"], minlength=len(out))
    np.testing.assert_allclose(into[1024:], out[1024:], rtol=1e-9, atol=1e-9 * out.max())
    assert failed.step_time_s > whole.step_time_s
    inside = whole.what_if(network_health=amp.NetworkHealth(failed_fraction=0.1, tier="within groups"))
    dead = inside.links["bytes_per_s"] == 0
    assert 0.05 < dead[inside.links["tier"] == 2].mean() < 0.15
    assert inside.links["bytes"][dead].max() == 0
    assert whole.step_time_s < inside.step_time_s < 1.5 * whole.step_time_s
    half = whole.what_if(network_health=amp.NetworkHealth(nics={70: 0.25}))
    assert half.step_time_s > whole.step_time_s
    up = int(np.flatnonzero((whole.links["from_node"] == 70) & (whole.links["tier"] == 1))[0])
    with pytest.raises(amp.Infeasible, match="accelerator 70"):
        whole.what_if(links={up: 0.0})


@pytest.mark.parametrize(
    ("name", "job", "layout"),
    [
        ("alps", amp.Training("llama-3.1-70b", global_batch=2688, seq_len=8192), amp.Layout(tp=4, pp=8, dp=336)),
        ("frontier", amp.Training("llama-3.1-70b", global_batch=4096, seq_len=4096), amp.Layout(tp=4, pp=8, dp=1024)),
        (
            "el-capitan",
            amp.Training("llama-3.1-405b", global_batch=2560, seq_len=4096),
            amp.Layout(tp=4, pp=16, dp=640),
        ),
    ],
)
def test_machines_of_the_catalogue_have_links(name, job, layout):
    sim = amp.simulate(job, amp.cluster(name), layout.replace(recompute="full"), **NONE)
    links = sim.links
    assert links.rows == links.network.links
    assert sim.devices["sent_bytes"].min() > 0
    assert links["utilisation_fraction"].max() < 1
    est = sim.estimate
    assert 0.99 < sim.step_time_s / (est.step_time_s - est.breakdown.straggler_s) < 1.25
    assert not any("closed form" in text for text in sim.warnings)


def test_other_fabrics_keep_the_closed_form():
    """Nodes on a torus are not those of a scale-up torus."""
    cluster = TEMPLATE.replace(
        fabric=amp.fabric("tpu-ici-torus"), partitions=[TEMPLATE.partitions[0].replace(accelerators=1024)]
    )
    layout = amp.Layout(tp=4, pp=8, dp=32, zero_stage=1)
    sim = amp.simulate(JOB, cluster, layout, **NONE)
    assert sim.links.rows == 0
    with pytest.raises(amp.InvalidSpec, match="dragonflies of both kinds and scale-up tori"):
        sim.what_if(network_health=amp.NetworkHealth(failed_fraction=0.1))
