"""What the power meter of the aiconfigurator collector reads while it times matrix products.

Its watts are no watts of the kernel alone. The collector (NVIDIA, Apache-2.0: ``benchmark_with_power`` and
``PowerMonitor`` of ``collector/helper.py``, ``collect_gemm.py`` of each engine) repeats a kernel and averages samples of
``nvmlDeviceGetPowerUsage``, one at the start of the loop and one every 0.1 s. That call returns the mean of the last
second (NVML documentation, Ampere and newer; "Part-time Power Measurements", arXiv:2312.02741), but the loop lasts 1 s at
most, and a few milliseconds where a kernel takes a few microseconds: a graph is replayed 3,000 times at most. So a
reading is mostly that of the kernels before it. Which they were is known: the collector goes through all shapes in a
fixed order, one worker for each GPU of the node, each taking the next shape as soon as it is free.

This module goes through that list on as many workers, with the seconds and watts that the device model has for each
kernel, and reads the meter. Which worker took which shape hangs on milliseconds. Where the rows of a published table tell it
(`collector_passes`) it is taken from there; elsewhere the list is gone through several times with gaps that scatter, and the
mean taken.

A few numbers are of the protocol, chosen on the watts of both GPUs: the seconds between two loops, those where weights have
block scales, those to pack an FP4 weight, and of a layer called eagerly. B200's rows alone give 0.031 and 0.010 s between
loops, 0.06 s with block scales and 0.5 s before eager layers, and leave GB200 at 5.7 %, near the 5.5 of the numbers below.
Device parameters know nothing of any of this.
"""

from __future__ import annotations

import functools
import heapq
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ampacity import _core
from ampacity._core import Accelerator, computes_in
from ampacity._scoreboard.collector_passes import (
    ABSENT,
    FEATURES,
    FORMATS,
    SCALED_BLOCKS,
    TOKENS,
    Run,
    Tasks,
    known_workers,
    runs_of,
    tasks_of,
)
from ampacity._scoreboard.engines import layer

if TYPE_CHECKING:
    import numpy.typing as npt

    from ampacity._scoreboard.kernel_tables import Group

    Array = npt.NDArray[np.float64]
    Integers = npt.NDArray[np.int64]

_WEIGHT_BYTES = {"bf16": 2.0, "fp8": 1.0, "fp8-block": 1.0, "nvfp4": 0.5}
_FP8 = ("fp8", "fp8-block")
_QUANTITIES = ("seconds", "watts")

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
# The longest are before vLLM's block-scaled FP8 layers, called without a graph: what follows them is read as if after rest.
_BLOCK_GAP_S = 0.4
_PACKING_S = 1e-8
# Gaps scatter from task to task. Order and lag of the rows of the published tables hardly tell by how much.
_GAP_SCATTER = 0.3
_PASSES = 6


def _copies(run: Run, name: str, weight_bytes: Array, l2_bytes: float) -> Array:
    """Layers with weights of their own that one turn of the loop calls, so that no cache holds them."""
    if run.shapes_outside:
        return np.clip(np.ceil(l2_bytes / weight_bytes), 1, 5)
    return np.full(len(weight_bytes), 1.0 if name in SCALED_BLOCKS else 6.0)


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
        here = np.flatnonzero(tasks.format == FORMATS.index(name))
        if not len(here):
            continue
        m, n, k = (
            axis[index[here]].astype(float)
            for axis, index in ((TOKENS, tasks.m), (FEATURES, tasks.n), (FEATURES, tasks.k))
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
        if name in (SCALED_BLOCKS if run.shapes_outside else _FP8):
            # Weights above the size of the cache are kept from one task to the next.
            packed = np.where(copies > 1, copies * n * k, 0) if name == "nvfp4" else 0
            gap_s[here] = _SCALED_GAP_S + _PACKING_S * packed
        if name == "fp8-block" and not run.shapes_outside:
            gap_s[here] = _BLOCK_GAP_S
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


def _metered(owner: Integers, loops: Loops, between_w: float) -> Array:
    """Mean of the samples that the meter gives in each loop, by which worker runs it."""
    gap_s, warm_s, loop_s, watts, _ = loops
    read = np.zeros(len(loop_s))
    for worker in np.unique(owner):
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


def _expected(workers: int, loops: Loops, between_w: float) -> Array:
    """Mean reading of several passes whose gaps scatter, and with them which worker takes which task."""
    rng = np.random.default_rng(0)
    passes = []
    for _ in range(_PASSES if workers > 1 else 1):
        scatter = rng.lognormal(0, _GAP_SCATTER, len(loops.gap_s)) if workers > 1 else 1.0
        one = loops._replace(gap_s=loops.gap_s * scatter)
        passes.append(_metered(_owners(workers, one.gap_s + one.warm_s + one.loop_s), one, between_w))
    return np.asarray(np.mean(passes, axis=0))


def _pass(run: Run, formats: tuple[str, ...], device: Accelerator) -> tuple[Tasks, Array, Array]:
    """Return what one run holds: its tasks, seconds of their layers, and what the meter reads."""
    between_w = _core.device_states(device).stalled_w  # while the host makes tensors and graphs
    tasks = tasks_of(run, formats)
    owner = known_workers(run) if formats == run.formats else None
    if owner is None:
        loops = _timed(run, tasks, device)
        return tasks, loops.layer_s, _expected(run.workers, loops, between_w)
    ran = owner != ABSENT
    tasks = Tasks(*(column[ran] for column in tasks))
    loops = _timed(run, tasks, device)
    return tasks, loops.layer_s, _metered(owner[ran], loops, between_w)


@functools.lru_cache(maxsize=4)
def _table(device: Accelerator) -> npt.NDArray[np.float64]:
    """Return both quantities by format and place in the grid: means over the runs that hold a shape, else NaN."""
    shape = (len(FORMATS), len(TOKENS), len(FEATURES), len(FEATURES))
    total, count = np.zeros((2, *shape)), np.zeros(shape)
    for run in runs_of(device.name):
        formats = tuple(name for name in run.formats if computes_in(device, name))
        if not formats:
            continue
        tasks, seconds, watts = _pass(run, formats, device)
        np.add.at(total[0], tuple(tasks), seconds)
        np.add.at(total[1], tuple(tasks), watts)
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
    if name not in FORMATS:
        return given
    (m, m_known), (n, n_known), (k, k_known) = (
        _places(axis, shape[key]) for axis, key in ((TOKENS, "m"), (FEATURES, "n"), (FEATURES, "k"))
    )
    found = _table(device)[_QUANTITIES.index(quantity), FORMATS.index(name), m, n, k]
    known = m_known & n_known & k_known & (shape["batch"] == 1) & np.isfinite(found)
    return np.where(known, found, given)
