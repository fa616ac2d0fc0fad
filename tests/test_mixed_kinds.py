"""Jobs that span kinds of devices, and several jobs on one cluster."""

from __future__ import annotations

import random

import numpy as np
import pytest

import ampacity as amp

JOB = amp.Training("llama-3.1-70b", global_batch=1024, seq_len=4096)


def mixed(first="hgx-h100-liquid", second="hgx-b200-liquid", counts=(256, 256)):
    """Return a cluster of two kinds of nodes whose devices are all alike within their kind."""
    template = amp.cluster("colossus-200k")
    partitions = []
    for name, count in zip((first, second), counts, strict=True):
        node = amp.node(name)
        gpu = node.accelerator.replace(speed_spread_fraction=0.0)
        partitions.append(template.partitions[0].replace(node=node.replace(accelerator=gpu), accelerators=count))
    return template.replace(partitions=partitions)


def balances(layout):
    return [layout.replace(balance=balance) for balance in ("slowest", "micro-batches", "stages")]


def energy_of(est):
    return est.power.gpu_mean_w * est.accelerators * est.step_time_s


def test_estimate_and_simulate_agree_on_mixed_kinds():
    r = random.Random(5)
    checked = {"slowest": 0, "micro-batches": 0, "stages": 0}
    while min(checked.values()) < 20:
        kinds = r.choice(
            [
                ("hgx-h100-liquid", "hgx-h200-liquid"),
                ("hgx-h100-liquid", "hgx-b200-liquid"),
                ("hgx-b200-liquid", "hgx-h100-liquid"),
            ]
        )
        counts = r.choice([(256, 256), (384, 128), (192, 320), (200, 312)])
        cluster = mixed(*kinds, counts)
        pp = r.choice([1, 2, 4, 8])
        tp = r.choice([2, 4, 8])
        dp = 512 // tp // pp
        job = amp.Training(
            r.choice(["llama-3.1-70b", "llama-3.1-8b", "mixtral-8x7b"]),
            global_batch=dp * r.choice([8, 16, 32]),
            seq_len=4096,
        )
        layout = amp.Layout(
            tp=tp,
            pp=pp,
            dp=dp,
            schedule=r.choice(["1f1b", "gpipe", "zb-h1"]),
            zero_stage=r.choice([0, 1, 1, 3]),
            recompute=r.choice(["none", "full"]),
            balance=r.choice(list(checked)),
        )
        try:
            est = amp.estimate(job, cluster, layout)
        except amp.InvalidSpec:
            continue
        checked[layout.balance] += 1
        sim = amp.simulate(job, cluster, layout, variability="none")
        assert sim.step_time_s == pytest.approx(est.step_time_s, rel=0.01), (layout, counts, kinds)
        assert sim.joules == pytest.approx(energy_of(est), rel=0.01), (layout, counts, kinds)
        assert sim.layout == est.layout
        assert sim.power_trace(1e-2).accelerators_w @ sim.power_trace(1e-2).seconds == pytest.approx(
            sim.joules, rel=1e-9
        )


def test_replicas_on_faster_devices_take_more_micro_batches():
    cluster = mixed()
    slowest, shared, _ = (
        amp.simulate(JOB, cluster, layout, variability="none")
        for layout in balances(amp.Layout(tp=8, pp=2, dp=32, recompute="full"))
    )
    kinds = shared.devices["kind"].reshape(2, 32, 8)[0, :, 0]
    assert kinds.tolist() == [0.0] * 16 + [1.0] * 16
    done = [int((shared.timeline(r).kind == 0).sum()) // 2 for r in range(32)]
    assert sum(done) == 1024  # every sequence of the batch, by someone
    assert min(done[16:]) > 1.5 * max(done[:16])
    # They end within a micro-batch of one another, and the step is shorter by what the faster half could take over.
    spread = np.ptp(shared.replica_end_s)
    assert spread < 1.2 * max(shared.replica_end_s) / max(done[:16])
    assert shared.step_time_s < 0.8 * slowest.step_time_s
    waits = slowest.devices["wait_replicas_s"].reshape(2, 32, 8)[0, :, 0]
    assert waits[:16].max() < 1e-9 < waits[16:].min()


def test_stages_on_faster_devices_have_more_layers():
    cluster = mixed()
    layout = amp.Layout(tp=8, pp=8, dp=8, recompute="full")
    slowest, _, staged = (amp.simulate(JOB, cluster, one, variability="none") for one in balances(layout))
    assert (staged.layout.front_stages, staged.layout.balance) == (4, "stages")
    layers = [stage.layers for stage in staged.memory_stages]
    assert sum(layers) == 80
    assert min(layers[4:]) > 1.4 * max(layers[:4])
    assert staged.step_time_s < 0.85 * slowest.step_time_s
    kinds = staged.devices["kind"].reshape(8, -1)
    assert (kinds[:4] == 0).all()
    assert (kinds[4:] == 1).all()
    # Moving a layer either way makes it no shorter.
    for front in (-1, 1):
        other = staged.layout.replace(front_layers=staged.layout.front_layers + front)
        assert amp.estimate(JOB, cluster, other).step_time_s >= staged.estimate.step_time_s
    assert staged.what_if(exclude=0).step_time_s == staged.step_time_s


def test_equal_kinds_are_one_kind():
    cluster = mixed("hgx-h100-liquid", "hgx-h100-liquid")
    alone = cluster.replace(partitions=[cluster.partitions[0].replace(accelerators=512)])
    layout = amp.Layout(tp=8, pp=4, dp=16, recompute="full")
    expected = amp.simulate(JOB, alone, layout, variability="none")
    for one in balances(layout)[:2]:
        sim = amp.simulate(JOB, cluster, one, variability="none")
        assert sim.step_time_s == pytest.approx(expected.step_time_s, rel=1e-12)
        assert sim.joules == pytest.approx(expected.joules, rel=1e-12)


def test_front_stages_share_their_layers():
    cluster = amp.cluster("meta-llama3-16k")
    layout = amp.Layout(tp=8, pp=8, dp=8, front_stages=3, front_layers=25, recompute="full")
    stages = amp.estimate(JOB, cluster, layout).memory_stages
    assert [stage.layers for stage in stages] == [9, 8, 8, 11, 11, 11, 11, 11]
    for change, path in (
        ({"front_stages": 8}, "layout.front_stages"),
        ({"front_layers": 2}, "layout.front_layers"),
        ({"front_stages": 0}, "layout.front_layers"),
        ({"uneven_stages": True}, "layout.front_stages"),
    ):
        with pytest.raises(amp.InvalidSpec) as error:
            amp.estimate(JOB, cluster, layout.replace(**change))
        assert path in {problem.path for problem in error.value.problems}
    with pytest.raises(amp.InvalidSpec, match=r"layout\.balance"):
        amp.estimate(JOB, mixed(), amp.Layout(tp=8, pp=8, vp=2, dp=8, balance="stages"))


@pytest.mark.parametrize("balance", ["slowest", "micro-batches", "stages"])
def test_colossus_200k_by_name(balance):
    """150,000 H100 and 50,000 H200 in one job."""
    cluster = amp.cluster("colossus-200k")
    job = amp.Training("llama-3.1-405b", global_batch=1560 * 32, seq_len=8192)
    layout = amp.Layout(tp=8, pp=16, dp=1560, recompute="full", balance=balance)
    sim = amp.simulate(job, cluster, layout, variability="none")
    est = amp.estimate(job, cluster, layout)
    # Stragglers are not simulated here.
    assert sim.step_time_s == pytest.approx(est.step_time_s - est.breakdown.straggler_s, rel=0.01)
    on_h200 = (sim.devices["kind"] == 1).mean()
    # A stage that lies on both kinds counts as H100: 13 of 16.
    assert on_h200 == pytest.approx(3 / 16 if balance == "stages" else 0.25, abs=0.01)


def test_several_jobs_share_a_cluster():
    cluster = amp.cluster("colossus-200k")
    big = amp.Layout(tp=8, pp=16, dp=1024, recompute="full")
    small = amp.Layout(tp=8, pp=4, dp=1024, recompute="full")
    large_job = amp.Training("llama-3.1-405b", global_batch=8192, seq_len=8192)
    small_job = amp.Training("llama-3.1-70b", global_batch=8192, seq_len=8192)
    jobs = amp.simulate_jobs([(large_job, big), (small_job, small), (small_job, small)], cluster)
    assert jobs.first_accelerators == (0, 131_072, 163_840)
    kinds = [set(sim.devices["kind"].tolist()) for sim in jobs]
    names = [
        {sim.cluster.partitions[int(k)].node.accelerator.name for k in kind}
        for sim, kind in zip(jobs, kinds, strict=True)
    ]
    assert names == [{"h100-sxm"}, {"h100-sxm", "h200-sxm"}, {"h200-sxm"}]
    assert jobs.facility_mean_w == pytest.approx(sum(sim.power.facility_mean_w for sim in jobs))
    alone = amp.simulate(large_job, cluster, big)
    assert jobs[0] == alone
    with pytest.raises(amp.InvalidSpec, match="must not exceed"):
        amp.simulate_jobs([(large_job, big), (large_job, big)], cluster)
    with pytest.raises(amp.InvalidSpec, match="must be between"):
        amp.starting_at(cluster, 200_000)


def test_each_kind_has_its_own_silicon_heat_and_limits():
    cluster = mixed()
    h100, b200 = (partition.node.accelerator for partition in cluster.partitions)
    for layout in balances(amp.Layout(tp=4, pp=4, dp=32, schedule="1f1b", zero_stage=1)):
        sim = amp.simulate(JOB, cluster, layout, seed=3)
        devices = sim.devices
        first = devices["kind"] == 0
        assert 0 < first.sum() < first.size
        for kind, gpu in ((first, h100), (~first, b200)):
            assert (devices["cap_w"][kind] == gpu.tdp_w).all()
            # Liquid: 18 degrees over the inlet at the limit; leakage of what waits more than the mean is left out.
            rise_c = 18 / gpu.tdp_w * devices["mean_w"][kind]
            np.testing.assert_allclose(devices["temperature_c"][kind] - devices["inlet_c"][kind], rise_c, atol=1)
        trace = sim.power_trace(1e-2)
        assert (trace.accelerators_w * trace.seconds).sum() == pytest.approx(sim.joules, rel=1e-9)
        last = first.size - 1
        slices = sim.slices([0, last])
        joules = (slices["end_s"] - slices["start_s"]) * slices["watts"]
        for device in (0, last):
            assert joules[slices["device"] == device].sum() == pytest.approx(devices["joules"][device], rel=1e-9)
        # A limit between those of the kinds is one of the second kind only.
        caps = np.where(first, 650.0, 900.0)
        capped = sim.what_if(devices={"cap_w": caps})
        assert (capped.devices["peak_w"] <= caps).all()
        assert capped.step_time_s > sim.step_time_s
        with pytest.raises(amp.InvalidSpec, match=r"cap_w\[\d+\] = 900.*must be between"):
            sim.what_if(devices={"cap_w": np.full(first.size, 900.0)})
