"""How many configurations of a job `estimate` answers per second, on one core, from C++ and from Python."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ampacity as amp


@pytest.fixture(scope="module")
def gpt3() -> tuple[amp.Training, amp.Cluster, list[amp.Layout]]:
    """GPT-3 on 4,096 H100 with every layout that keeps the batch and fits in memory."""
    cluster = amp.cluster("eos-10752")
    job = amp.Training(amp.model("gpt-3-175b"), global_batch=2048)
    found = amp.search(job, cluster, accelerators=4096, global_batch=2048, keep=1_000_000)
    return job, cluster, [candidate.layout for candidate in found.candidates]


def test_feasible_configurations(benchmark: Any, gpt3: tuple[amp.Training, amp.Cluster, list[amp.Layout]]) -> None:
    """Full estimates (time, memory, power, run) of feasible configurations, looped in C++."""
    job, cluster, layouts = gpt3
    assert len(layouts) > 100
    layouts = layouts * (10_000 // len(layouts) + 1)
    benchmark.extra_info["configurations"] = len(layouts)
    results = benchmark(amp.estimate_all, job, cluster, layouts)
    assert len(results) == len(layouts)
    assert all(result.memory.fits for result in results[:1000])
    assert results[0].step_time_s == amp.estimate(job, cluster, layouts[0]).step_time_s


def test_batch_of_layouts(benchmark: Any, gpt3: tuple[amp.Training, amp.Cluster, list[amp.Layout]]) -> None:
    """The same configurations through the batched entry point: arrays in, all columns out, one thread.

    Configurations a second are ``extra_info["configurations"]`` over the time.
    """
    job, cluster, layouts = gpt3
    repeats = 200_000 // len(layouts) + 1
    fields = ("tp", "pp", "vp", "cp", "ep", "dp", "micro_batch", "zero_stage")
    columns: dict[str, Any] = {
        key: np.tile(np.array([getattr(layout, key) for layout in layouts]), repeats) for key in fields
    }
    columns["recompute"] = np.tile(np.array([layout.recompute for layout in layouts]), repeats)
    modules = np.array(["+".join(layout.recompute_modules) for layout in layouts])
    columns["recompute_modules"] = np.tile(modules, repeats)
    found = benchmark(lambda: amp.estimate_layouts(job, cluster, **columns))
    benchmark.extra_info["configurations"] = found.rows
    if benchmark.stats:  # not with --benchmark-disable
        benchmark.extra_info["configurations_per_s"] = found.rows / benchmark.stats.stats.median
    assert found.rows == repeats * len(layouts)
    assert found.feasible.all()
    for row in range(0, len(layouts), 10):
        assert found.step_time_s[row] == amp.estimate(job, cluster, layouts[row]).step_time_s


def test_one_call_from_python(benchmark: Any, gpt3: tuple[amp.Training, amp.Cluster, list[amp.Layout]]) -> None:
    """One estimate through the Python API, result object included."""
    job, cluster, layouts = gpt3
    result = benchmark(amp.estimate, job, cluster, layouts[0])
    assert result.memory.fits
    assert result.accelerators == 4096


def test_search_from_python(benchmark: Any) -> None:
    """The fastest layout of Llama 3.1 405B on 16,384 H100, nothing given."""
    job, cluster = amp.Training(amp.model("llama-3.1-405b")), amp.cluster("meta-llama3-16k")
    found = benchmark(amp.search, job, cluster)
    benchmark.extra_info["configurations"] = found.evaluated
    assert found.best.accelerators > 14_000


def test_peer_calculon(benchmark: Any) -> None:
    """One feasible configuration in Calculon (Isaev et al., SC23); needs a checkout of it in CALCULON_DIR, and psutil."""
    folder = Path(os.environ.get("CALCULON_DIR", ""))
    if not (folder / "calculon" / "__init__.py").is_file():
        pytest.skip("CALCULON_DIR names no checkout of Calculon")
    sys.path.insert(0, str(folder))
    calculon = pytest.importorskip("calculon")
    llm = pytest.importorskip("calculon.llm")

    def read(path: str) -> Any:
        return json.loads((folder / path).read_text(encoding="utf-8"))

    model = llm.Llm.Application(read("models/megatron-1T.json"))
    system = calculon.System(read("systems/a100_80e.json"))
    execution = llm.Llm.Execution.from_json(read("examples/3072_t4_p64_d12_mbs4_full.json"))
    logger = __import__("logging").getLogger("calculon")

    def run() -> Any:
        run = llm.Llm(model, logger)
        run.compile(system, execution)
        run.run(system)
        return run

    benchmark.extra_info["configurations"] = 1
    assert benchmark(run).get_total_time() > 0
