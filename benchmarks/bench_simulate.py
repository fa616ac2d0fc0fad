"""One step with every accelerator an individual: Llama 3.1 405B, 64 micro-batches a replica, jitter in every task.

On one core: ``taskset -c 0 pytest benchmarks/bench_simulate.py``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

import ampacity as amp

_GIB = 1 << 30


def _h100(devices: int) -> amp.Cluster:
    """Return a cluster like that of Llama 3 with so many H100."""
    template = amp.cluster("meta-llama3-16k")
    return amp.Cluster(
        name=f"h100-{devices}",
        partitions=[template.partitions[0].replace(accelerators=devices)],
        fabric=template.fabric,
        site="generic-us",
        reliability="generic",
    )


def _run(devices: int, threads: int = 1) -> amp.Simulation:
    replicas = devices // 128
    job = amp.Training("llama-3.1-405b", global_batch=64 * replicas, seq_len=8192)
    layout = amp.Layout(tp=8, pp=16, dp=replicas, recompute="full")
    return amp.simulate(job, _h100(devices), layout, seed=1, threads=threads)


def _run_with_trace(devices: int) -> amp.Simulation:
    """All that a step is asked for: tasks, flows, silicon and heat of every device, watts of every millisecond."""
    sim = _run(devices)
    trace = sim.power_trace(1e-3)
    assert len(trace["seconds"]) > 30_000
    return sim


def _step(benchmark: Any, peak_rss_bytes: Callable[..., int], devices: int, most_bytes: int) -> None:
    sim = benchmark(_run_with_trace, devices)
    benchmark.extra_info["devices"] = devices
    benchmark.extra_info["device_tasks"] = devices * 128
    assert len(sim.devices["busy_s"]) == devices
    # Every device has its own tasks, and the slowest of them all holds up the step as the closed form expects.
    assert len(set(sim.devices["busy_s"][:1000].tolist())) == 1000
    assert sim.step_time_s == pytest.approx(sim.estimate.step_time_s, rel=0.02)
    # Pipeline messages and gradients of all groups are streams on the links: 16 hashed parts each, 7:1 above the pods.
    assert sim.devices["sent_bytes"].min() > 0
    assert sim.devices["wait_network_s"].max() > 0
    peak = peak_rss_bytes(_run_with_trace, devices)
    benchmark.extra_info["peak_rss_bytes"] = peak
    if benchmark.stats:  # not with --benchmark-disable
        benchmark.extra_info["device_steps_per_s"] = devices / benchmark.stats.stats.min
    assert peak < most_bytes


def test_step_16384(benchmark: Any, peak_rss_bytes: Callable[..., int]) -> None:
    """128 replicas of 128 H100."""
    _step(benchmark, peak_rss_bytes, 16_384, _GIB)


def test_step_131072(benchmark: Any, peak_rss_bytes: Callable[..., int]) -> None:
    """1,024 replicas; 16.8 million tasks of single devices."""
    _step(benchmark, peak_rss_bytes, 131_072, _GIB)


def test_step_1048576(benchmark: Any, peak_rss_bytes: Callable[..., int]) -> None:
    """8,192 replicas; 134 million tasks of single devices."""
    _step(benchmark, peak_rss_bytes, 1_048_576, 6 * _GIB)


def test_step_1048576_two_threads(benchmark: Any) -> None:
    """The same step on two threads, without its trace.

    ``extra_info["cpu_speedup"]`` is processor time of both threads over that of the calling one: what two threads gain
    where nothing else is at work on the machine.
    """
    sim = benchmark(_run, 1_048_576, 2)
    assert sim.step_time_s == pytest.approx(sim.estimate.step_time_s, rel=0.02)
    all_s, own_s = time.process_time(), time.thread_time()
    _run(1_048_576, 2)
    speedup = (time.process_time() - all_s) / (time.thread_time() - own_s)
    benchmark.extra_info["cpu_speedup"] = speedup
    assert speedup > 1.7


def test_step_1048576_one_thread(benchmark: Any) -> None:
    """What that is to be compared with."""
    sim = benchmark(_run, 1_048_576)
    assert len(sim.devices["busy_s"]) == 1_048_576


def test_links_131072(benchmark: Any) -> None:
    """Bytes and utilisation of every link of that step, a million rows."""
    sim = _run(131_072)
    links = benchmark(sim._core.links)
    assert len(links[0]) > 1_000_000


def test_power_trace_131072(benchmark: Any) -> None:
    """Watts of 131,072 devices over the step, a value a millisecond."""
    sim = _run(131_072)
    trace = benchmark(sim.power_trace, 1e-3)
    assert len(trace["seconds"]) > 30_000
    assert (trace["accelerators_w"] * trace["seconds"]).sum() == pytest.approx(sim.joules, rel=1e-9)


def test_groups_131072(benchmark: Any) -> None:
    """Sums, means and extremes of 131,072 devices by rack."""
    sim = _run(131_072)
    racks = benchmark(sim.by, "rack")
    assert racks["sum_joules"].sum() == pytest.approx(sim.joules, rel=1e-9)


def test_slices_of_64_devices(benchmark: Any) -> None:
    """What the 64 devices of eight replicas did one after the other."""
    sim = _run(131_072)
    table = benchmark(sim.slices, range(64))
    assert table["end_s"].max() == pytest.approx(sim.step_time_s, rel=1e-9)
