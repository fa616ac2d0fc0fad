"""Power over time: a step of 131,072 accelerators at a millisecond, a day of a site of 100,000 at a second."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ampacity as amp
from ampacity import power

_DAY_S = 86_400


def _job(devices: int) -> amp.Simulation:
    template = amp.cluster("meta-llama3-16k")
    cluster = amp.Cluster(
        name=f"h100-{devices}",
        partitions=[template.partitions[0].replace(accelerators=devices)],
        fabric=template.fabric,
        site="generic-us",
        reliability="generic",
    )
    replicas = devices // 128
    job = amp.Training("llama-3.1-405b", global_batch=16 * replicas, seq_len=8192)
    return amp.simulate(job, cluster, amp.Layout(tp=8, pp=16, dp=replicas, recompute="full"), seed=1)


def _site() -> power.SiteLoad:
    """Return 99,968 H100 with failures, checkpoints, power floors and a battery behind one meter."""
    battery = power.Storage(level="site", energy_j=50e6 * 900, power_w=50e6, ramp_w_per_s=1e6)
    return power.SiteLoad(power.JobLoad(_job(99_968)), [power.PowerFloor(floor_fraction=0.3), battery], seed=1)


def _day() -> power.LoadTrace:
    return _site().trace(_DAY_S)


def _week(path: str) -> int:
    return _site().write(path, 7 * _DAY_S, columns=["start_s", "grid_w"])


def test_day_of_site_100000(benchmark: Any, peak_rss_bytes: Callable[..., int]) -> None:
    """A day in rows of a second made of 10 ms samples; at least 100,000 times faster than the day itself."""
    load = _site()
    trace = benchmark(load.trace, _DAY_S)
    assert trace.rows == _DAY_S
    assert np.abs(trace.grid_w - trace.facility_w - trace.storage_w - trace.storage_loss_w).max() < 1
    assert trace.failures > 0
    speed = _DAY_S / benchmark.stats.stats.median if benchmark.stats else None
    benchmark.extra_info["times_real_time"] = speed
    benchmark.extra_info["state_bytes"] = load.state_bytes
    # One step of the job at a millisecond: it does not grow with the time that passes.
    assert load.state_bytes < 2**20
    peak = peak_rss_bytes(_day)
    benchmark.extra_info["peak_rss_bytes"] = peak
    assert peak < 2**28
    if speed is not None:
        assert speed > 100_000


def test_step_trace_131072(benchmark: Any) -> None:
    """The load of a simulated step of 131,072 accelerators, a value a millisecond, with its phases."""
    sim = _job(131_072)
    shape = benchmark(power.step_shape, sim)
    assert shape.joules == pytest.approx(sim.joules, rel=1e-9)
    assert sum(shape.shares.values()).mean() == pytest.approx(1, abs=1e-9)
    benchmark.extra_info["bins"] = len(shape.accelerators_w)


def test_week_to_disk(benchmark: Any, tmp_path: Path, peak_rss_bytes: Callable[..., int]) -> None:
    """A week in rows of a second, written piece by piece; a year is 52 times as long and must take less than 600 s."""
    load = _site()
    columns = ["start_s", "grid_w", "grid_lowest_w", "grid_highest_w"]
    path = tmp_path / "week.npy"
    rows = benchmark.pedantic(load.write, (str(path), 7 * _DAY_S), {"columns": columns}, rounds=1)
    assert rows == 7 * _DAY_S
    assert len(np.load(path, mmap_mode="r")) == rows
    if benchmark.stats:
        benchmark.extra_info["year_s"] = 365 / 7 * benchmark.stats.stats.median
        assert benchmark.extra_info["year_s"] < 600
    benchmark.extra_info["peak_rss_bytes"] = peak_rss_bytes(_week, str(path))
    assert benchmark.extra_info["peak_rss_bytes"] < 2**28
