#!/usr/bin/env python3
"""Tell from the order of published tables which GPU of a node timed which matrix product.

    python3 tools/collector_order.py FOLDER     # .../systems/data of a checkout of ai-dynamo/aiconfigurator (Apache-2.0)

Needs an installed Ampacity and pyarrow. Reads shapes and the order of rows of the tables of `collector_passes` (TensorRT-LLM
1.3.0rc15 and rc17, vLLM 0.22.0; in the repository until August 2026), no latencies and no watts, and writes
``python/ampacity/data/scoreboard/collector_workers.npz``: for each task of a run's list its worker, 255 if no row has it.
"""

from __future__ import annotations

import pathlib
import sys
from typing import Any

import numpy as np
import pyarrow.parquet

from ampacity._scoreboard.collector_passes import (
    ABSENT,
    FEATURES,
    FORMATS,
    TOKENS,
    WORKERS_FILE,
    Run,
    known_runs,
    name_of,
    tasks_of,
)

WRITTEN = pathlib.Path(__file__).resolve().parents[1] / "python" / "ampacity" / "data" / "scoreboard" / WORKERS_FILE
NAMES = {"bfloat16": "bf16", "fp8_block": "fp8-block"}


def shapes_of(path: pathlib.Path) -> np.ndarray:
    """Return format, m, n and k of each row, as places in the collector's grid; -1 where it has no such place."""
    table = pyarrow.parquet.read_table(path, columns=["gemm_dtype", "m", "n", "k"]).to_pydict()
    names = [NAMES.get(name, name) for name in table["gemm_dtype"]]
    columns = [np.array([FORMATS.index(name) if name in FORMATS else -1 for name in names])]
    for name, axis in (("m", TOKENS), ("n", FEATURES), ("k", FEATURES)):
        values = np.array(table[name])
        places = np.clip(np.searchsorted(axis, values), 0, len(axis) - 1)
        columns.append(np.where(axis[places] == values, places, -1))
    return np.stack(columns)


def workers_of(run: Run, rows: np.ndarray) -> np.ndarray:
    """Return each task's worker: who has finished a task, and written its row, takes the next of the list."""
    tasks = tasks_of(run, run.formats)
    axes = (len(FORMATS), len(TOKENS), len(FEATURES), len(FEATURES))
    listed = np.full(axes, -1)
    listed[tuple(tasks)] = np.arange(len(tasks.m))
    finished = listed[tuple(rows[:, (rows >= 0).all(axis=0)])]
    finished = finished[finished >= 0]
    ran = np.unique(finished)
    turn = np.searchsorted(ran, finished)  # place among the tasks that ran
    owner = np.zeros(len(ran), dtype=int)
    owner[: run.workers] = np.arange(run.workers)
    for done, taken in zip(turn, range(run.workers, len(ran)), strict=False):
        owner[taken] = owner[done] if done < taken else 0
    workers = np.full(len(tasks.m), ABSENT, dtype=np.uint8)
    workers[ran] = owner
    return workers


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    data = pathlib.Path(sys.argv[1])
    found: dict[str, Any] = {
        name_of(run): workers_of(run, shapes_of(data / run.known_as / "gemm_perf.parquet")) for run in known_runs()
    }
    for name, workers in found.items():
        print(f"{name}: {(workers != ABSENT).sum():,} of {len(workers):,} tasks")
    np.savez_compressed(WRITTEN, **found)
    print(f"{WRITTEN.name}: {WRITTEN.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
