"""What the power meter of the aiconfigurator collector reads while it times matrix products.

Its watts are no watts of the kernel alone. The collector (NVIDIA, Apache-2.0: ``benchmark_with_power`` and
``PowerMonitor`` of ``collector/helper.py``, ``collect_gemm.py`` of each engine) repeats a kernel and averages samples of
``nvmlDeviceGetPowerUsage``, one at the start of the loop and one every 0.1 s. That call returns the mean of the last
second (NVML documentation, Ampere and newer; "Part-time Power Measurements", arXiv:2312.02741), but the loop lasts 1 s at
most, and a few milliseconds where a kernel takes a few microseconds: a graph is replayed 3,000 times at most. So a
reading is mostly that of the kernels before it. Which they were is known: the collector goes through all shapes in a
fixed order, one worker for each GPU of the node, each taking the next shape as soon as it is free.

This module goes through that list on as many workers, with the seconds and watts that the device model has for each
kernel, and reads the meter. Which worker took which shape hangs on milliseconds, so it does so several times with gaps
that scatter, and takes the mean. The order of the published rows, which tells who took what, would bring the median error
from 6.4 to 5.8 % on B200 and from 8.2 to 7.4 % on GB200 (with all engines' layers alike, as in what follows).

A few numbers are of the protocol, chosen on the watts of both GPUs: the seconds between two loops, those where weights have
block scales, those to pack an FP4 weight, and of a layer called eagerly. B200's rows alone give 0.033 and 0.015 s between
loops, 0.12 s with block scales and 13 ns a weight, and leave GB200 at 8.4 %. Device parameters know nothing of any of this.
"""

from __future__ import annotations

import functools
import heapq
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ampacity import _core
from ampacity._core import Accelerator, computes_in
from ampacity._scoreboard.engines import TENSORRT_RC15, VLLM, Engine, layer

if TYPE_CHECKING:
    import numpy.typing as npt

    from ampacity._scoreboard.kernel_tables import Group

    Array = npt.NDArray[np.float64]
    Integers = npt.NDArray[np.int64]

# The collector's grid (base_ops/gemm.yaml): tokens, and features in and out.
_EVEN_TOKENS = (16, 32, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256, 512, 768, *range(1024, 4353, 256))
_TOKENS = np.array([*range(1, 16), *(m + more for m in _EVEN_TOKENS for more in (0, 1)), 8192, 16384, 32768])
_SMALL_FEATURES = (32, 64, 128, 256, 512, 768, 1024, 1536, 2048, 2560, 3072, 3584, 4096, 5120, 6144, 7168, 8192)
_FEATURES = np.array([*_SMALL_FEATURES, 10240, 12288, 16384, 51200, 65536])
_FORMATS = ("bf16", "fp8", "fp8-block", "nvfp4")
_WEIGHT_BYTES = {"bf16": 2.0, "fp8": 1.0, "fp8-block": 1.0, "nvfp4": 0.5}
_SCALED_BLOCKS = ("fp8-block", "nvfp4")  # from 128 features on
_FP8 = ("fp8", "fp8-block")
_QUANTITIES = ("seconds", "watts")
_MOST_ELEMENTS = 2**31

_WINDOW_S = 1.0
_SAMPLE_S = 0.1
_LOOP_S, _SHORT_LOOP_S, _SHORT_S = 1.0, 0.3, 1e-4  # 0.3 s where one turn of the loop takes less than 0.1 ms
_FEWEST_TURNS, _MOST_TURNS = 6, 3000
# Before the first sample: a dry run, three calls and three replays to warm up.
_WARM_TURNS = 7
# Host time of a layer called eagerly on an x86 host, from which the collector reckons the turns: loops of several layers
# are shorter for it.
_HOST_S = {"bf16": 5e-5, "fp8": 8e-5, "fp8-block": 1.2e-4, "nvfp4": 1.2e-4}
# Block-scaled weights, and vLLM's FP8 ones, take longer to make, and TensorRT-LLM's layer has the scales of FP4 weights
# reordered by the CPU: seconds per weight.
_SCALED_GAP_S = 0.09
_PACKING_S = 1e-8
# Gaps scatter from task to task. Order and lag of the rows of the published tables hardly tell by how much.
_GAP_SCATTER = 0.3
_PASSES = 6


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
    formats: tuple[str, ...] = _FORMATS
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


_TENSORRT = Run(8, TENSORRT_RC15)
_VLLM = Run(8, VLLM, shapes_outside=False, gap_s=0.016)
_VLLM_FORMATS = ("bf16", "fp8-block", "nvfp4")
# Hosts of GB200 take 1.6 times as long to call vLLM's eager layers.
_GRACE = 1.6
_RESUMED_B200 = Task("bf16", 192, 512, 1024)
_RESUMED_H200 = Task("fp8-block", 2, 4096, 16384)
# Which passes the published tables hold (versions 1.3.0rc15 and rc17 of TensorRT-LLM, 0.22.0 of vLLM): formats, and as the
# order of their rows shows them GPUs (how far rows lag behind the list) and tasks at which passes began or were resumed.
# Other devices: both engines, on nodes of eight.
_RUNS = {
    "b200-sxm": (
        _TENSORRT._replace(start=Task("nvfp4", 768, 2560, 51200)),
        _VLLM._replace(workers=1, formats=_VLLM_FORMATS, stop=_RESUMED_B200),
        _VLLM._replace(formats=_VLLM_FORMATS, start=_RESUMED_B200),
    ),
    "gb200": (
        _TENSORRT._replace(workers=4, host_ratio=_GRACE, start=Task("nvfp4", 2304, 65536, 4096)),
        _VLLM._replace(workers=4, formats=_VLLM_FORMATS, eager_s=2.6e-4, host_ratio=_GRACE),
        _VLLM._replace(workers=4, formats=("fp8",), host_ratio=_GRACE),
    ),
    "h200-sxm": (
        _VLLM._replace(workers=1, formats=("bf16", "fp8-block"), eager_s=5.3e-5, token_multiple=1, stop=_RESUMED_H200),
        _VLLM._replace(formats=("bf16", "fp8-block"), eager_s=5.3e-5, token_multiple=1, start=_RESUMED_H200),
    ),
}


class Tasks(NamedTuple):
    """The list of one run in its order; indices into the grid, then what each task is."""

    format: Integers
    m: Integers
    n: Integers
    k: Integers


def _tasks(run: Run, formats: Sequence[str]) -> Tasks:
    kinds = np.array([_FORMATS.index(name) for name in formats])
    grid = np.meshgrid(kinds, *(np.arange(len(axis)) for axis in (_TOKENS, _FEATURES, _FEATURES)), indexing="ij")
    kind, m, n, k = (axis.ravel() for axis in grid)
    out, deep = _FEATURES[n], _FEATURES[k]
    scaled = np.isin(kind, [_FORMATS.index(name) for name in _SCALED_BLOCKS])
    kept = ~(scaled & ((out < 128) | (deep < 128))) & (out * deep < 65536**2)
    if run.shapes_outside:
        kept &= (_TOKENS[m] * out < _MOST_ELEMENTS) & (_TOKENS[m] * deep < _MOST_ELEMENTS)
    else:
        kept &= (kind != _FORMATS.index("fp8-block")) | (_TOKENS[m] % run.token_multiple == 0)
    kind, m, n, k = (axis[kept] for axis in (kind, m, n, k))
    order = np.lexsort((-m, kind, -k, -n) if run.shapes_outside else (kind, -k, -n, -m))
    tasks = Tasks(kind[order], m[order], n[order], k[order])
    first, last = _place_of(run.start, tasks, 0), _place_of(run.stop, tasks, len(order))
    return Tasks(*(column[first:last] for column in tasks))


def _place_of(task: Task | None, tasks: Tasks, otherwise: int) -> int:
    if task is None:
        return otherwise
    same = (tasks.format == _FORMATS.index(task.format)) & (_TOKENS[tasks.m] == task.m)
    same &= (_FEATURES[tasks.n] == task.n) & (_FEATURES[tasks.k] == task.k)
    return int(np.argmax(same)) if same.any() else otherwise


def _copies(run: Run, name: str, weight_bytes: Array, l2_bytes: float) -> Array:
    """Layers with weights of their own that one turn of the loop calls, so that no cache holds them."""
    if run.shapes_outside:
        return np.clip(np.ceil(l2_bytes / weight_bytes), 1, 5)
    return np.full(len(weight_bytes), 1.0 if name in _SCALED_BLOCKS else 6.0)


class Loops(NamedTuple):
    """Of each task: seconds before it, seconds that its kernels run before the first sample and after, their watts.

    And the seconds of one layer.
    """

    gap_s: Array
    warm_s: Array
    loop_s: Array
    watts: Array
    layer_s: Array


def _timed(run: Run, tasks: Tasks, device: Accelerator) -> Loops:
    gap_s = np.full(len(tasks.m), run.gap_s)
    warm_s, loop_s, watts, layer_s = (np.zeros(len(tasks.m)) for _ in range(4))
    for name in run.formats:
        here = np.flatnonzero(tasks.format == _FORMATS.index(name))
        if not len(here):
            continue
        m, n, k = (
            axis[index[here]].astype(float)
            for axis, index in ((_TOKENS, tasks.m), (_FEATURES, tasks.n), (_FEATURES, tasks.k))
        )
        seconds, joules = layer(device, name, (m, n, k, np.ones_like(m)), run.engine)
        if name == "fp8-block" and not run.shapes_outside:  # called eagerly: the device waits for the host
            period_s = np.maximum(seconds, run.eager_s)
            seconds, joules = period_s, joules + _core.active_w(device) * (period_s - seconds)
        copies = _copies(run, name, n * k * _WEIGHT_BYTES[name], device.l2_bytes)
        turn_s = copies * np.maximum(seconds, run.host_ratio * _HOST_S[name])
        wanted_s = np.where(turn_s < _SHORT_S, _SHORT_LOOP_S, _LOOP_S)
        turns = np.clip(np.floor(wanted_s / turn_s) + 1, _FEWEST_TURNS, _MOST_TURNS)
        warm_s[here], loop_s[here] = _WARM_TURNS * copies * seconds, turns * copies * seconds
        layer_s[here], watts[here] = seconds, joules / seconds
        if name in (_SCALED_BLOCKS if run.shapes_outside else _FP8):
            # Weights above the size of the cache are kept from one task to the next.
            packed = np.where(copies > 1, copies * n * k, 0) if name == "nvfp4" else 0
            gap_s[here] = _SCALED_GAP_S + _PACKING_S * packed
    return Loops(gap_s, warm_s, loop_s, watts, layer_s)


def _owners(workers: int, busy_s: Array) -> Integers:
    """Which worker takes each task: the one that is free first."""
    owner = np.zeros(len(busy_s), dtype=int)
    free = [(0.0, worker) for worker in range(workers)]
    for index, task_s in enumerate(busy_s.tolist()):
        free_s, worker = free[0]
        owner[index] = worker
        heapq.heapreplace(free, (free_s + task_s, worker))
    return owner


def _metered(workers: int, loops: Loops, between_w: float) -> Array:
    """Mean of the samples that the meter gives in each loop."""
    gap_s, warm_s, loop_s, watts, _ = loops
    owner = _owners(workers, gap_s + warm_s + loop_s)
    read = np.zeros(len(loop_s))
    for worker in range(workers):
        mine = np.flatnonzero(owner == worker)
        spans = np.column_stack((gap_s[mine], warm_s[mine] + loop_s[mine])).ravel()
        drawn = np.column_stack((np.full(len(mine), between_w), watts[mine])).ravel() * spans
        ends_s = np.concatenate(([-_WINDOW_S, 0.0], np.cumsum(spans)))
        joules = np.concatenate(([-_WINDOW_S * between_w, 0.0], np.cumsum(drawn)))
        starts_s = ends_s[2::2] + warm_s[mine]
        samples = np.floor(loop_s[mine] / _SAMPLE_S).astype(int) + 1
        total_j = np.zeros(len(mine))
        for sample in range(int(samples.max(initial=0))):
            lasting = samples > sample
            at_s = starts_s[lasting] + _SAMPLE_S * sample
            total_j[lasting] += np.interp(at_s, ends_s, joules) - np.interp(at_s - _WINDOW_S, ends_s, joules)
        read[mine] = total_j / (_WINDOW_S * samples)
    return read


def _expected(run: Run, loops: Loops, between_w: float) -> Array:
    """Mean reading of several passes whose gaps scatter, and with them which worker takes which task."""
    if run.workers == 1:
        return _metered(1, loops, between_w)
    rng = np.random.default_rng(0)
    passes = [
        loops._replace(gap_s=loops.gap_s * rng.lognormal(0, _GAP_SCATTER, len(loops.gap_s))) for _ in range(_PASSES)
    ]
    return np.asarray(np.mean([_metered(run.workers, one, between_w) for one in passes], axis=0))


@functools.lru_cache(maxsize=4)
def _table(device: Accelerator) -> npt.NDArray[np.float64]:
    """Return both quantities by format and place in the grid: means over the runs that hold a shape, else NaN."""
    shape = (len(_FORMATS), len(_TOKENS), len(_FEATURES), len(_FEATURES))
    total, count = np.zeros((2, *shape)), np.zeros(shape)
    between_w = _core.device_states(device).stalled_w  # while the host makes tensors and graphs
    for run in _RUNS.get(device.name, (_TENSORRT, _VLLM)):
        formats = [name for name in run.formats if computes_in(device, name)]
        if not formats:
            continue
        tasks = _tasks(run, formats)
        loops = _timed(run, tasks, device)
        np.add.at(total[0], tuple(tasks), loops.layer_s)
        np.add.at(total[1], tuple(tasks), _expected(run, loops, between_w))
        np.add.at(count, tuple(tasks), 1)
    with np.errstate(invalid="ignore"):
        return total / np.where(count > 0, count, np.nan)


def _places(axis: Integers, values: Array) -> tuple[Integers, npt.NDArray[np.bool_]]:
    places = np.clip(np.searchsorted(axis, values), 0, len(axis) - 1)
    return places, axis[places] == values


def readings(group: Group, device: Accelerator, quantity: str, given: Array) -> Array:
    """Return means over the engines that ran a shape: ``"seconds"`` of layers, or the ``"watts"`` that the meter reads.

    Shapes that the collector's list has not stay what was given.
    """
    name, shape = group.key.precision, group.shape
    if name not in _FORMATS:
        return given
    (m, m_known), (n, n_known), (k, k_known) = (
        _places(axis, shape[key]) for axis, key in ((_TOKENS, "m"), (_FEATURES, "n"), (_FEATURES, "k"))
    )
    found = _table(device)[_QUANTITIES.index(quantity), _FORMATS.index(name), m, n, k]
    known = m_known & n_known & k_known & (shape["batch"] == 1) & np.isfinite(found)
    return np.where(known, found, given)
