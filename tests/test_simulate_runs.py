"""How simulations live: memory, threads, Ctrl-C, progress, files."""

from __future__ import annotations

import concurrent.futures
import gc
import os
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

import ampacity as amp


def small():
    job = amp.Training("llama-3.1-8b", global_batch=64, seq_len=8192)
    return job, amp.cluster("dgx-h100-x1"), amp.Layout(tp=2, pp=2, dp=2, recompute="full")


def test_views_outlive_what_made_them():
    sim = amp.simulate(*small(), seed=3)
    views = {f"devices.{key}": sim.devices[key] for key in sim.devices}
    views |= {f"stage.{key}": column for key, column in sim.by("stage").to_dict().items()}
    views |= {f"power.{key}": column for key, column in sim.power_trace(1e-2).to_dict().items()}
    views |= {f"slices.{key}": column for key, column in sim.slices([0, 3]).to_dict().items()}
    views["ends"] = sim.replica_end_s
    copies = {key: column.copy() for key, column in views.items()}
    del sim
    gc.collect()
    for key, column in views.items():
        np.testing.assert_array_equal(column, copies[key], err_msg=key)
        assert not column.flags.writeable, key
        with pytest.raises(ValueError, match="read-only"):
            column[0] = column[0]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_thousand_runs_leave_no_memory_behind():
    def resident():
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123
            return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")

    question = small()

    def run(seed):
        sim = amp.simulate(*question, seed=seed)
        sim.devices.to_dict()
        sim.by("rack").to_dict()
        sim.power_trace(1e-2)
        sim.slices(0)

    for seed in range(100):
        run(seed)
    gc.collect()
    before = resident()
    for seed in range(1000):
        run(seed)
    gc.collect()
    # One leaked column of floats a run would be 64 KB, one leaked simulation (plan, draws, columns) some 20 MB.
    assert resident() - before < 4 << 20


@pytest.mark.threads
def test_threads_that_run_different_simulations_give_what_one_does():
    job, cluster, layout = small()
    questions = [
        (job, cluster, layout),
        (job.replace(global_batch=128), cluster, layout),
        (job, cluster, layout.replace(pp=1, dp=4)),
        (job, cluster, layout.replace(tp=4, dp=1)),
        (amp.Training("mixtral-8x7b", global_batch=64, seq_len=4096), cluster, amp.Layout(tp=2, dp=4, ep=4)),
        (job, cluster, layout.replace(schedule="gpipe")),
        (job, amp.cluster("meta-llama3-16k"), layout.replace(dp=64)),
        (job.replace(seq_len=4096), cluster, layout),
    ]

    def ask(index):
        sim = amp.simulate(*questions[index % 8], seed=index)
        trace = sim.power_trace(1e-2)
        return sim, sim.by("node").to_dict(), trace.to_dict(), sim.slices([0, 7]).to_dict()

    serial = [ask(index) for index in range(32)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        together = list(pool.map(ask, range(32)))
    for mine, theirs in zip(serial, together, strict=True):
        assert mine[0] == theirs[0]
        for a, b in zip(mine[1:], theirs[1:], strict=True):
            assert a.keys() == b.keys()
            for key in a:
                np.testing.assert_array_equal(a[key], b[key], err_msg=key)


# ------------------------------------------------------------------------------------------------ Ctrl-C and progress

MILLION = """
import signal, sys, time
import ampacity as amp

signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in the background may have it ignored
template = amp.cluster("meta-llama3-16k")
cluster = amp.Cluster(
    name="h100", partitions=[template.partitions[0].replace(accelerators=1048576)], fabric=template.fabric,
    site="generic-us", reliability="generic",
)
job = amp.Training("llama-3.1-405b", global_batch=64 * 8192, seq_len=8192)
layout = amp.Layout(tp=8, pp=16, dp=8192, recompute="full")
"""


@pytest.mark.skipif(os.name == "nt", reason="SIGINT to a child needs a console there")
@pytest.mark.parametrize(
    ("ready", "call"),
    [
        ("", "amp.simulate(job, cluster, layout)"),
        ("", "amp.simulate(job, cluster, layout, threads=2)"),
        ("sim = amp.simulate(job, cluster, layout)", "sim.power_trace()"),
    ],
)
def test_ctrl_c_stops_a_million_devices_within_a_fifth_of_a_second(ready, call):
    program = MILLION + textwrap.dedent(f"""
        {ready}
        print("ready", flush=True)
        until = time.time() + 60
        try:
            while time.time() < until:
                {call}
        except KeyboardInterrupt:
            print(time.time(), flush=True)
    """)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout.readline() == "ready\n"
            time.sleep(0.7)  # it works: longer than the beginning, shorter than the whole
            sent = time.time()
            child.send_signal(signal.SIGINT)
            stopped = float(child.stdout.readline())
            assert child.wait(20) == 0
        finally:
            child.kill()
    assert stopped - sent < 0.2


def test_progress_rises_to_one_and_may_raise():
    job = amp.Training("llama-3.1-405b", global_batch=64 * 128, seq_len=8192)
    question = job, amp.cluster("meta-llama3-16k"), amp.Layout(tp=8, pp=16, dp=128, recompute="full")
    for threads in (1, 2):
        shares: list[float] = []
        told = amp.simulate(*question, threads=threads, progress=shares.append)
        assert shares
        assert shares == sorted(shares)
        assert 0 < shares[0] <= shares[-1] <= 1
        assert told == amp.simulate(*question)

    def stop(share):
        raise RuntimeError(f"enough at {share:.0%}")

    with pytest.raises(RuntimeError, match="enough at"):
        amp.simulate(*question, progress=stop)
    with pytest.raises(TypeError):
        amp.simulate(*question, progress=3)


# --------------------------------------------------------------------------------------------------------------- files


def test_saved_simulations_come_back(tmp_path):
    question = small()
    speeds = np.linspace(0.9, 1.1, 8)
    telemetry = tmp_path / "devices.csv"
    telemetry.write_text("power_w\n" + "".join(f"{600 + 10 * d}\n" for d in range(8)), encoding="utf-8")
    for name, sim in {
        "drawn": amp.simulate(*question, seed=4, variability=amp.Variability(fail_slow_fraction=0.2)),
        "given": amp.simulate(*question, speed_fraction=speeds).what_if(exclude=2),
        "several steps": amp.simulate(*question, devices={"power_fraction": speeds}, cap_w=500, steps=3, warm_up=True),
        "measured": amp.simulate(*question, variability=str(telemetry)),
    }.items():
        path = tmp_path / f"{name}.npz"
        sim.save(path)
        again = amp.Simulation.load(path)
        assert again == sim
        assert again.to_dict() == sim.to_dict()
        assert again.what_if(exclude=0) == sim.what_if(exclude=0)
        with np.load(path, allow_pickle=False) as file:
            np.testing.assert_array_equal(file["devices_busy_s"], sim.devices["busy_s"])


def test_files_that_are_no_simulations_are_named(tmp_path):
    sim = amp.simulate(*small())
    path = tmp_path / "sim.npz"
    sim.save(path)
    with pytest.raises(amp.InvalidSpec, match="cannot be written"):
        sim.save(tmp_path / "none" / "sim.npz")
    with pytest.raises(amp.InvalidSpec, match="cannot be read"):
        amp.Simulation.load(tmp_path / "none.npz")
    with np.load(path) as file:
        columns = dict(file)
    np.savez(tmp_path / "other.npz", **(columns | {"devices_busy_s": columns["devices_busy_s"] * 1.01}))
    with pytest.raises(amp.InvalidSpec, match="busy_s this one"):
        amp.Simulation.load(tmp_path / "other.npz")
    np.savez(tmp_path / "bare.npz", a=np.arange(3))
    (tmp_path / "text.npz").write_text("no archive")
    (tmp_path / "half.npz").write_bytes(path.read_bytes()[:1000])
    np.save(tmp_path / "array.npy", np.arange(3))
    for name in ("bare.npz", "text.npz", "half.npz", "array.npy"):
        with pytest.raises(amp.InvalidSpec, match="must be a simulation that was saved"):
            amp.Simulation.load(tmp_path / name)
