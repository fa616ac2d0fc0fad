"""Passes of the aiconfigurator collector over its list of matrix products: what ran, in which order, on which GPU.

The collector (NVIDIA, Apache-2.0: ``collect_gemm.py`` of each engine) goes through all shapes in a fixed order, one worker for
each GPU of the node, each taking the next shape as soon as it is free. A row is written when its shape is done, so that the
order of a table's rows tells who took what: a worker that has finished takes the next of the list. `known_workers` has that
for the tables that hold watts (shapes only, no figures), taken from them by `tools/collector_order.py`.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from importlib import resources
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ampacity._scoreboard.engines import TENSORRT_RC15, VLLM, Engine

if TYPE_CHECKING:
    import numpy.typing as npt

    Integers = npt.NDArray[np.int64]

# The collector's grid (base_ops/gemm.yaml): tokens, and features in and out.
_EVEN_TOKENS = (16, 32, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256, 512, 768, *range(1024, 4353, 256))
TOKENS = np.array([*range(1, 16), *(m + more for m in _EVEN_TOKENS for more in (0, 1)), 8192, 16384, 32768])
_SMALL_FEATURES = (32, 64, 128, 256, 512, 768, 1024, 1536, 2048, 2560, 3072, 3584, 4096, 5120, 6144, 7168, 8192)
FEATURES = np.array([*_SMALL_FEATURES, 10240, 12288, 16384, 51200, 65536])
FORMATS = ("bf16", "fp8", "fp8-block", "nvfp4")
SCALED_BLOCKS = ("fp8-block", "nvfp4")  # from 128 features on
_MOST_ELEMENTS = 2**31
WORKERS_FILE = "collector_workers.npz"
ABSENT = 255  # in that file: tasks that a table does not have


class Task(NamedTuple):
    """One shape: format, tokens, features out and in."""

    format: str
    m: int
    n: int
    k: int


class Run(NamedTuple):
    """One pass of the collector: what ran, on how many GPUs at once, in which order."""

    workers: int
    engine: Engine
    formats: tuple[str, ...] = FORMATS
    shapes_outside: bool = True  # weights by weights, tokens within (TensorRT-LLM); else tokens outermost (vLLM)
    gap_s: float = 0.03  # between two loops tensors are made and graphs captured
    # vLLM's block-scaled FP8 layers are called without a graph, so that devices wait for hosts: the median latency of those
    # of up to 1 M weights and 128 tokens. On Blackwell they take multiples of four tokens.
    eager_s: float = 1.6e-4
    token_multiple: int = 4
    host_ratio: float = 1.0  # time of a host over that of the x86 host of B200
    # A pass that was interrupted, and resumed on other workers: from this task on, and up to that one.
    start: Task | None = None
    stop: Task | None = None
    known_as: str = ""  # in the file of workers


_TENSORRT = Run(8, TENSORRT_RC15)
_VLLM = Run(8, VLLM, shapes_outside=False, gap_s=0.016)
_VLLM_FORMATS = ("bf16", "fp8-block", "nvfp4")
# Hosts of GB200 take 1.6 times as long to call vLLM's eager layers.
_GRACE = 1.6
_RESUMED_B200 = Task("bf16", 192, 512, 1024)
_RESUMED_H200 = Task("fp8-block", 2, 4096, 16384)
# Which passes the published tables hold (versions 1.3.0rc15 and rc17 of TensorRT-LLM, 0.22.0 of vLLM): formats, and as the
# order of their rows shows them GPUs (how far rows lag behind the list) and tasks at which passes began or were resumed.
_RUNS = {
    "b200-sxm": (
        _TENSORRT._replace(start=Task("nvfp4", 768, 2560, 51200), known_as="b200_sxm/gemm/trtllm/1.3.0rc15"),
        _VLLM._replace(workers=1, formats=_VLLM_FORMATS, stop=_RESUMED_B200),
        _VLLM._replace(formats=_VLLM_FORMATS, start=_RESUMED_B200, known_as="b200_sxm/gemm/vllm/0.22.0"),
    ),
    "gb200": (
        _TENSORRT._replace(
            workers=4,
            host_ratio=_GRACE,
            start=Task("nvfp4", 2304, 65536, 4096),
            known_as="gb200/gemm/trtllm/1.3.0rc17",
        ),
        _VLLM._replace(
            workers=4, formats=_VLLM_FORMATS, eager_s=2.6e-4, host_ratio=_GRACE, known_as="gb200/gemm/vllm/0.22.0"
        ),
        _VLLM._replace(workers=4, formats=("fp8",), host_ratio=_GRACE, known_as="gb200/gemm/vllm/0.22.0"),
    ),
    "h200-sxm": (
        _VLLM._replace(workers=1, formats=("bf16", "fp8-block"), eager_s=5.3e-5, token_multiple=1, stop=_RESUMED_H200),
        _VLLM._replace(
            formats=("bf16", "fp8-block"),
            eager_s=5.3e-5,
            token_multiple=1,
            start=_RESUMED_H200,
            known_as="h200_sxm/gemm/vllm/0.22.0",
        ),
    ),
}


def runs_of(device: str) -> tuple[Run, ...]:
    """Return the passes that a device's tables hold; those of other devices are taken to be both engines', on eight GPUs."""
    return _RUNS.get(device, (_TENSORRT, _VLLM))


def known_runs() -> list[Run]:
    """Return the passes whose workers are known."""
    return [run for runs in _RUNS.values() for run in runs if run.known_as]


class Tasks(NamedTuple):
    """The list of one run in its order; indices into the grid, then what each task is."""

    format: Integers
    m: Integers
    n: Integers
    k: Integers


def tasks_of(run: Run, formats: Sequence[str]) -> Tasks:
    """Return what of a run's list has one of these formats."""
    kinds = np.array([FORMATS.index(name) for name in formats])
    grid = np.meshgrid(kinds, *(np.arange(len(axis)) for axis in (TOKENS, FEATURES, FEATURES)), indexing="ij")
    kind, m, n, k = (axis.ravel() for axis in grid)
    out, deep = FEATURES[n], FEATURES[k]
    scaled = np.isin(kind, [FORMATS.index(name) for name in SCALED_BLOCKS])
    kept = ~(scaled & ((out < 128) | (deep < 128))) & (out * deep < 65536**2)
    if run.shapes_outside:
        kept &= (TOKENS[m] * out < _MOST_ELEMENTS) & (TOKENS[m] * deep < _MOST_ELEMENTS)
    else:
        kept &= (kind != FORMATS.index("fp8-block")) | (TOKENS[m] % run.token_multiple == 0)
    kind, m, n, k = (axis[kept] for axis in (kind, m, n, k))
    order = np.lexsort((-m, kind, -k, -n) if run.shapes_outside else (kind, -k, -n, -m))
    tasks = Tasks(kind[order], m[order], n[order], k[order])
    first, last = _place_of(run.start, tasks, 0), _place_of(run.stop, tasks, len(order))
    return Tasks(*(column[first:last] for column in tasks))


def _place_of(task: Task | None, tasks: Tasks, otherwise: int) -> int:
    if task is None:
        return otherwise
    same = (tasks.format == FORMATS.index(task.format)) & (TOKENS[tasks.m] == task.m)
    same &= (FEATURES[tasks.n] == task.n) & (FEATURES[tasks.k] == task.k)
    return int(np.argmax(same)) if same.any() else otherwise


def name_of(run: Run) -> str:
    """Return the run's name in the file of workers."""
    return f"{run.known_as}/{'+'.join(run.formats)}"


@functools.lru_cache(maxsize=1)
def _workers() -> dict[str, Integers]:
    file = resources.files("ampacity") / "data" / "scoreboard" / WORKERS_FILE
    with file.open("rb") as stream, np.load(stream) as found:
        return {name: found[name].astype(int) for name in found.files}


def known_workers(run: Run) -> Integers | None:
    """Return which worker took each task of a run's whole list (`ABSENT`: none), or None where no table tells."""
    return _workers()[name_of(run)] if run.known_as else None
