"""Every accelerator of a step an individual: what its columns mean and hold."""

from __future__ import annotations

import concurrent.futures
import gc
import pickle

import numpy as np
import pytest

import ampacity as amp

SECONDS = (
    "busy_s",
    "communication_s",
    "host_s",
    "wait_peers_s",
    "wait_pipeline_s",
    "wait_replicas_s",
    "wait_network_s",
)


@pytest.fixture(scope="module")
def question():
    job = amp.Training("llama-3.1-405b", global_batch=1024, seq_len=8192)
    return job, amp.cluster("meta-llama3-16k"), amp.Layout(tp=8, pp=16, dp=64, recompute="full")


@pytest.fixture(scope="module")
def sim(question):
    return amp.simulate(*question, seed=7)


def one_stage():
    job = amp.Training("llama-3.1-8b", global_batch=64, seq_len=8192)
    return job, amp.cluster("meta-llama3-16k"), amp.Layout(tp=1, dp=64, recompute="full")


def test_the_seconds_of_every_device_add_up_to_the_step(sim):
    total = sum(sim.devices[key] for key in SECONDS)
    np.testing.assert_allclose(total, sim.step_time_s, rtol=1e-9)
    for key in SECONDS:
        assert sim.devices[key].min() > -1e-9, key  # rounding of sums of thousands of tasks


def test_energy_is_conserved(sim):
    devices = sim.devices
    assert devices["joules"].sum() == pytest.approx(sim.joules, rel=1e-9)
    np.testing.assert_allclose(devices["mean_w"] * sim.step_time_s, devices["joules"], rtol=1e-12)
    assert sim.power.gpu_mean_w == pytest.approx(devices["mean_w"].mean(), rel=1e-9)
    gpu = sim.cluster.partitions[0].node.accelerator
    assert gpu.idle_w < devices["mean_w"].min() <= devices["mean_w"].max() <= gpu.tdp_w


@pytest.mark.parametrize("resolution_s", [1e-3, 0.0173, 1e3])
def test_the_trace_of_power_holds_the_energy(sim, resolution_s):
    trace = sim.power_trace(resolution_s)
    assert trace.seconds.sum() == pytest.approx(sim.step_time_s, rel=1e-9)
    assert (trace.accelerators_w * trace.seconds).sum() == pytest.approx(sim.joules, rel=1e-9)
    power = sim.power
    for column, mean_w in ((trace.it_w, power.it_mean_w), (trace.facility_w, power.facility_mean_w)):
        assert (column * trace.seconds).sum() / sim.step_time_s == pytest.approx(mean_w, rel=1e-9)
    gpu = sim.cluster.partitions[0].node.accelerator
    devices = sim.layout.accelerators
    assert trace.accelerators_w.max() <= devices * gpu.tdp_w * (1 + 1e-9)
    assert trace.accelerators_w.min() >= devices * gpu.idle_w


def test_power_rises_with_the_fill_and_falls_with_the_drain(sim):
    trace = sim.power_trace(1e-3)
    watts = trace.accelerators_w
    step = sim.step_time_s
    middle = watts[(trace.start_s > 0.3 * step) & (trace.start_s < 0.6 * step)].mean()
    assert watts[5] < 0.8 * middle  # one stage of 16 works
    # At the end no device computes: the last bins are stalled or communicate.
    assert watts[-3] < 0.6 * middle
    with pytest.raises(amp.InvalidSpec, match="resolution_s"):
        sim.power_trace(1e-9)
    with pytest.raises(KeyError, match="did you mean it_w"):
        trace["it_ww"]


def test_ranks_lie_tensor_context_data_pipeline(sim):
    devices, layout = sim.devices, sim.layout
    assert len(devices["stage"]) == layout.accelerators
    rank = 5 + layout.tp * (17 + layout.dp * 3)
    assert (devices["peer"][rank], devices["replica"][rank], devices["stage"][rank]) == (5, 17, 3)
    # Devices of one replica and stage do the same; those of one replica end together.
    waits = devices["wait_replicas_s"].reshape(layout.pp, layout.dp, layout.tp)
    assert (waits == waits[:1, :, :1]).all()
    np.testing.assert_allclose(waits[0, :, 0], sim.replica_end_s.max() - sim.replica_end_s, rtol=1e-12)


def test_what_differs_is_what_was_asked_for(question):
    cluster = question[1]
    even = cluster.replace(fabric=cluster.fabric.replace(routing="spray", oversubscription=1.0, pod_accelerators=0))
    alike = amp.simulate(question[0], even, question[2], variability="none")
    assert (alike.devices["speed_fraction"] == 1).all()
    assert alike.devices["wait_replicas_s"].max() == 0
    assert alike.critical.step_time_without_s == alike.step_time_s
    spread = cluster.partitions[0].node.accelerator.speed_spread_fraction
    typical = amp.simulate(*question)
    assert typical.devices["speed_fraction"].std() == pytest.approx(spread, rel=0.03)  # 8,192 draws
    assert typical.step_time_s > alike.step_time_s
    wide = amp.simulate(*question, variability=amp.Variability(device_spread_fraction=3 * spread))
    assert wide.step_time_s > typical.step_time_s
    # The closed form's slowest of n devices, which takes no part of the pipeline's slack, is near.
    assert typical.step_time_s == pytest.approx(typical.estimate.step_time_s, rel=0.02)


def test_the_slowest_of_many_follows_order_statistics():
    """One stage, no peers: the step waits for the slowest of n devices, whose expected deviation is known."""
    job, cluster, layout = one_stage()
    vary = amp.Variability(device_spread_fraction=0.02, task_jitter_fraction=0.0)
    calm = amp.simulate(job, cluster, layout, variability="none")
    pipeline_s = calm.task_compute_s(0).sum()
    behind = []
    for seed in range(400):
        sim = amp.simulate(job, cluster, layout, seed=seed, variability=vary)
        slowest = sim.devices["speed_fraction"].min()
        assert sim.step_time_s - calm.step_time_s == pytest.approx(pipeline_s * (1 / slowest - 1), rel=1e-9)
        behind.append((1 - slowest) / 0.02)
    # Harter 1961: 2.3439 for 64 draws; the mean of 400 maxima has a standard error of 1 %.
    assert np.mean(behind) == pytest.approx(2.3439, rel=0.03)


def test_one_slow_device_slows_the_job_as_theory_says():
    job, cluster, layout = one_stage()
    speeds = np.ones(64)
    speeds[11] = 1 / 1.5
    calm = amp.simulate(job, cluster, layout, variability="none")
    slow = calm.what_if(speed_fraction=speeds)
    assert slow.step_time_s == pytest.approx(calm.step_time_s + 0.5 * calm.task_compute_s(0).sum(), rel=1e-12)
    assert slow.critical.device == 11
    assert slow.critical.step_time_without_s == pytest.approx(calm.step_time_s, rel=1e-12)
    assert slow.what_if(exclude=11).step_time_s == pytest.approx(calm.step_time_s, rel=1e-12)
    others = np.arange(64) != 11
    np.testing.assert_allclose(slow.devices["wait_replicas_s"][others], slow.step_time_s - calm.step_time_s, rtol=1e-9)


def test_a_slow_peer_holds_up_its_group_and_its_pipeline(question):
    speeds = np.ones(question[2].accelerators)
    speeds[8 * 64 * 9 + 8 * 5 + 3] = 0.8  # stage 9, replica 5, peer 3
    slow = amp.simulate(*question, variability="none", speed_fraction=speeds)
    devices = slow.devices
    waits = devices["wait_peers_s"].reshape(16, 64, 8)
    assert (np.argwhere(waits > 1e-9)[:, :2] == (9, 5)).all()
    assert (waits > 1e-9).sum() == 7
    assert slow.replica_end_s.argmax() == 5
    assert (slow.critical.replica, slow.critical.stage) == (5, 9)
    assert slow.critical.step_time_without_s < 0.98 * slow.step_time_s


def test_experts_and_shards_over_replicas_tie_them_together():
    cluster = amp.cluster("meta-llama3-16k")
    job = amp.Training("mixtral-8x7b", global_batch=256, seq_len=4096)
    layout = amp.Layout(tp=2, dp=32, pp=4, ep=8)
    tied = amp.simulate(job, cluster, layout, seed=1)
    ends = tied.replica_end_s.reshape(-1, 4)  # experts over 8 ranks: 4 replicas of 2
    assert (ends == ends[:, :1]).all()
    assert len(np.unique(ends)) == 8
    free = amp.simulate(job, cluster, layout.replace(ep=2), seed=1)
    assert len(np.unique(free.replica_end_s)) == 32
    dense = amp.Training("llama-3.1-70b", global_batch=256, seq_len=4096)
    sharded = amp.simulate(dense, cluster, amp.Layout(tp=2, dp=32, zero_stage=3), seed=1)
    assert len(np.unique(sharded.replica_end_s)) == 1
    assert any("sharded weights" in text for text in sharded.warnings)


def test_what_is_not_modelled_is_said(sim):
    assert any("temperatures" in text for text in sim.warnings)
    assert any("jitter of 0.5 %" in text for text in sim.warnings)
    assert not any("jitter" in text for text in sim.what_if(variability="none").warnings)
    mixed = amp.cluster("colossus-200k")
    job = amp.Training("llama-3.1-405b", global_batch=8192, seq_len=8192)
    layout = amp.Layout(tp=8, pp=16, dp=1024, recompute="full")
    assert not any("slowest kind" in text for text in amp.simulate(job, mixed, layout).warnings)  # all on H100
    both = amp.simulate(job.replace(global_batch=1536 * 8), mixed, layout.replace(dp=1536))
    assert any("slowest kind" in text for text in both.warnings)


def test_results_do_not_depend_on_threads(question, sim):
    watts = sim.power_trace(1e-3).accelerators_w
    for threads in (2, 3, 0):
        other = amp.simulate(*question, seed=7, threads=threads)
        assert other == sim
        np.testing.assert_array_equal(other.power_trace(1e-3).accelerators_w, watts)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda seed: amp.simulate(*question, seed=seed), range(8)))
    assert together == [amp.simulate(*question, seed=seed) for seed in range(8)]
    assert together[7] == sim
    assert together[6] != sim


def test_links_do_not_depend_on_threads(question):
    job, cluster, layout = question
    # 16,384 devices send: four blocks of streams and more, routed by several threads and added up in one order.
    job, layout = job.replace(global_batch=2048), layout.replace(dp=128)
    alone = amp.simulate(job, cluster, layout, seed=7, variability="none")
    for threads in (2, 3, 8):
        other = amp.simulate(job, cluster, layout, seed=7, variability="none", threads=threads)
        assert other == alone
        for key in alone.links:
            np.testing.assert_array_equal(other.links[key], alone.links[key], err_msg=key)


def test_views_are_read_only_and_outlive_the_simulation(question):
    sim = amp.simulate(*question, seed=3)
    columns = [sim.devices["busy_s"], sim.replica_end_s]
    copies = [column.copy() for column in columns]
    assert not columns[0].flags.owndata
    del sim
    gc.collect()
    for column, copy in zip(columns, copies, strict=True):
        np.testing.assert_array_equal(column, copy)
        with pytest.raises(ValueError, match="read-only"):
            column[0] = 1


def test_what_if_keeps_the_draws(sim):
    critical = sim.critical
    without = sim.what_if(exclude=critical.device)
    assert without.step_time_s == critical.step_time_without_s < sim.step_time_s
    assert without.devices["speed_fraction"][critical.device] == 1
    same = np.arange(len(sim.devices["busy_s"])) != critical.device
    np.testing.assert_array_equal(without.devices["busy_s"][same], sim.devices["busy_s"][same])
    again = without.what_if(exclude=[0, 1])
    assert (again.devices["speed_fraction"][[0, 1, critical.device]] == 1).all()


def test_timeline_and_tasks(sim):
    timeline = sim.timeline(5)
    assert timeline.makespan_s == sim.replica_end_s[5]
    tasks = sim.task_compute_s(0)
    assert len(tasks) == len(sim.task_fixed_s(0)) == 2 * 16
    assert tasks.sum() < sim.devices["busy_s"][0] < tasks.sum() + sim.estimate.breakdown.optimizer_s * 1.001


def test_faces(sim):
    assert "8,192 devices" in repr(sim)
    assert "<table>" in sim._repr_html_()
    assert pickle.loads(pickle.dumps(sim)) == sim
    assert sim.to_dict()["step_time_s"] == sim.step_time_s
    assert set(sim.devices.units) == set(sim.devices)
    assert len(sim.devices) == len(list(sim.devices))
    with pytest.raises(KeyError, match="did you mean busy_s"):
        sim.devices["bussy_s"]
    with pytest.raises(AttributeError):
        sim.seed = 3
    frame = pytest.importorskip("pandas").DataFrame(sim.devices.to_dict())
    assert frame.shape == (8192, len(sim.devices))
    assert sim.to_pandas().equals(frame)


def test_mistakes_are_named_all_at_once(question):
    job, cluster, layout = question
    vary = amp.Variability(device_spread_fraction=0.9, task_jitter_fraction=float("nan"), fail_slow_fraction=2)
    with pytest.raises(amp.InvalidSpec) as error:
        amp.simulate(job, cluster, layout, variability=vary, speed_fraction=[1.0, 2.0])
    assert {problem.path for problem in error.value.problems} == {
        "variability.device_spread_fraction",
        "variability.task_jitter_fraction",
        "variability.fail_slow_fraction",
        "speed_fraction",
    }
    with pytest.raises(amp.InvalidSpec, match="did you mean none"):
        amp.simulate(job, cluster, layout, variability="nome")
    with pytest.raises(amp.InvalidSpec, match=r"layout\.tp"):
        amp.simulate(job, cluster, layout.replace(tp=7))
    speeds = np.ones(layout.accelerators)
    speeds[3] = -1
    with pytest.raises(amp.InvalidSpec, match=r"speed_fraction\[3\]"):
        amp.simulate(job, cluster, layout, speed_fraction=speeds)
    sim = amp.simulate(job, cluster, layout)
    for call in (lambda: sim.timeline(64), lambda: sim.task_compute_s(-1), lambda: sim.what_if(exclude=10**6)):
        with pytest.raises(amp.InvalidSpec, match="must be between 0 and"):
            call()
