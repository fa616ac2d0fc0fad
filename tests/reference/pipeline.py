"""Pipeline schedules by a heap of events: slow, and written without looking at `cpp/src/schedule`.

A schedule is, for every rank, a list of slots that it works off in order. A slot is one task, or a forward and a
backward task that run into one another (DualPipe). A task is ``(kind, stage, micro_batch)`` with kind ``F`` forward,
``I`` backward for the input, ``W`` backward for the weights, ``B`` both at once. Stages are those of the model, first to
last. A slot starts when its rank is free and everything that its tasks wait for has arrived.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

Task = tuple[str, int, int]
Slot = tuple[Task, ...]
Order = list[list[Slot]]


def rank_of(schedule: str, pp: int, stage: int, micro_batch: int, micro_batches: int) -> int:
    """Return the rank that holds a stage (of the copy of the model that a micro-batch goes through)."""
    if schedule in ("zb-v", "dualpipe-v"):
        return min(stage, 2 * pp - 1 - stage)
    if schedule == "dualpipe":
        return stage if micro_batch < micro_batches // 2 else pp - 1 - stage
    return stage % pp


def gpipe(pp: int, vp: int, m: int) -> Order:
    """All forward, then all backward (Huang et al. 2019)."""
    order: Order = []
    for r in range(pp):
        forward: list[tuple[Task, ...]] = [(("F", r, i),) for i in range(m)]
        order.append([*forward, *[(("B", r, i),) for i in range(m)]])
    return order


def one_f_one_b(pp: int, vp: int, m: int) -> Order:
    """Plain and interleaved (Narayanan et al. 2021): micro-batches pass the chunks of a rank in groups of `pp`."""
    order: Order = []
    for r in range(pp):
        pairs = [(c, i) for c in range(vp) for i in range(m)]
        forward = sorted(pairs, key=lambda p: (p[1] // pp, p[0], p[1]) if vp > 1 else (p[1],))
        backward = sorted(pairs, key=lambda p: (p[1] // pp, -p[0], p[1]) if vp > 1 else (p[1],))
        ahead = min(len(pairs), pp - 1 - r if vp == 1 else 2 * (pp - 1 - r) + (vp - 1) * pp)
        slots = [("F", c * pp + r, i) for c, i in forward[:ahead]]
        for n, (c, i) in enumerate(backward):
            if ahead + n < len(forward):
                cf, jf = forward[ahead + n]
                slots.append(("F", cf * pp + r, jf))
            slots.append(("B", c * pp + r, i))
        order.append([(task,) for task in slots])
    return order


def zb_h1(pp: int, vp: int, m: int) -> Order:
    """As 1F1B, but rank r puts off r weight gradients (Qi et al. 2024, arXiv:2401.10241, section 2.1)."""
    order: Order = []
    for r in range(pp):
        slots: list[Task] = []
        for task in (slot[0] for slot in one_f_one_b(pp, 1, m)[r]):
            kind, stage, i = task
            slots.append(("I", stage, i) if kind == "B" else task)
            if kind == "B" and i >= r:
                slots.append(("W", stage, i - r))
        slots += [("W", r, i) for i in range(max(0, m - r), m)]
        order.append([(task,) for task in slots])
    return order


class _Counter:
    """Writes down tasks, each kind of each stage in the order of the micro-batches."""

    def __init__(self) -> None:
        self.slots: list[Task] = []
        self.count: dict[tuple[str, int], int] = defaultdict(int)

    def __call__(self, kinds: str, stage: int) -> None:
        for kind in kinds:
            self.slots.append((kind, stage, self.count[kind, stage]))
            self.count[kind, stage] += 1


def zb_v(pp: int, vp: int, m: int) -> Order:
    """Two chunks a rank, placed as a V (section 6 of the same paper; order of its release in torchtitan)."""
    order: Order = []
    n = max(m, 2 * pp - 1)
    for r in range(pp):
        down, up = r, 2 * pp - 1 - r
        do = _Counter()
        for _ in range(2 * (pp - r) - 1):
            do("F", down)
        for _ in range(r):
            do("F", up)
            do("F", down)
        for _ in range(pp - r):
            do("FIW", up)
        for _ in range(n - (2 * pp - 1 - r)):
            do("F", down)
            do("IW", down)
            do("FIW", up)
        for _ in range(pp - r - 1):  # forwards that are left over on the way up
            do("IW", down)
            do("FIW", up)
        for _ in range(r):
            do("I", down)
            do("I", up)
        for _ in range(pp - r):
            do("IW", down)
        for stage in (up, down):
            do("W" * (n - do.count["W", stage]), stage)
        order.append([(task,) for task in do.slots if task[2] < m])
    return order


def _folded(h: int, halves: int, n: int) -> Iterator[tuple[str, ...]]:
    """Yield the slots of DualPipe: rank `h` of `halves`, `n` micro-batches each way; 0 and 1 are the two ways."""
    yield from [("F0",)] * (2 * (halves - h - 1))
    yield from [("F0",), ("F1",)] * (h + 1)
    yield from [("I1",), ("W",), ("F1",)] * (halves - h - 1)
    for i in range(n - 2 * halves + h + 1):
        yield from [("F0",), ("B1",)] if i == 0 and h == halves - 1 else [("F0", "B1")]
        yield ("F1", "B0")
    yield from [("B1",), ("F1", "B0")] * (halves - h - 1)
    # Half of the last backward passes leave their weights for the end.
    for i in range(2 * (h + 1)):
        split = i >= h + 1
        yield (("I" if split else "B") + str((i + 1) % 2),)
    yield from [("W",), ("I0",)] * (halves - h - 1)
    yield from [("W",)] * (h + 1)


def _unfold(steps: Iterator[tuple[str, ...]], stages: tuple[int, int], first: tuple[int, int]) -> list[Slot]:
    count: dict[str, int] = defaultdict(int)
    put_off: list[Task] = []
    slots: list[Slot] = []
    for step in steps:
        slot = []
        for word in step:
            kind = word[0]
            if kind == "W":
                slot.append(put_off.pop(0))
                continue
            way = int(word[1])
            key = ("F" if kind == "F" else "B") + word[1]
            task = (kind, stages[way], first[way] + count[key])
            count[key] += 1
            slot.append(task)
            if kind == "I":
                put_off.append(("W", task[1], task[2]))
        slots.append(tuple(slot))
    assert not put_off
    return slots


def dualpipe(pp: int, vp: int, m: int) -> Order:
    """Two copies of the model in opposite directions (DeepSeek-V3, arXiv:2412.19437, section 3.2.1)."""
    order: Order = []
    for r in range(pp):
        h, half = min(r, pp - 1 - r), m // 2
        ways = ((r, 0), (pp - 1 - r, half))
        near, far = ways if r < pp // 2 else ways[::-1]
        order.append(_unfold(_folded(h, pp // 2, half), (near[0], far[0]), (near[1], far[1])))
    return order


def dualpipe_v(pp: int, vp: int, m: int) -> Order:
    """DualPipe cut in half: one copy, two chunks a rank as a V."""
    return [_unfold(_folded(r, pp, m), (r, 2 * pp - 1 - r), (0, 0)) for r in range(pp)]


ORDERS: dict[str, Callable[[int, int, int], Order]] = {
    "gpipe": gpipe,
    "1f1b": one_f_one_b,
    "zb-h1": zb_h1,
    "zb-v": zb_v,
    "dualpipe": dualpipe,
    "dualpipe-v": dualpipe_v,
}


def stage_count(schedule: str, pp: int, vp: int) -> int:
    """Return the stages that the model is cut into."""
    return 2 * pp if schedule in ("zb-v", "dualpipe-v") else pp * vp


def timeline(
    schedule: str,
    pp: int,
    vp: int,
    m: int,
    *,
    seconds: Callable[[Task], float],
    transfer_s: Sequence[float] | Callable[[Task, int], float],
    saved_s: Callable[[int], float] = lambda rank: 0.0,
) -> dict[Task, tuple[float, float]]:
    """Return start and end of every task (s); `seconds` is asked for F, I and W; an I that runs as a B ends with its W.

    ``transfer_s`` is that between a stage and the next, or is asked for the task that waits and the lower of the stages.
    """
    order = ORDERS[schedule](pp, vp, m)
    last = stage_count(schedule, pp, vp) - 1
    waits: dict[tuple[int, int], int] = {}
    followers: dict[Task, list[tuple[tuple[int, int], float]]] = defaultdict(list)
    for r, slots in enumerate(order):
        for n, slot in enumerate(slots):
            needs = 1 if n > 0 else 0
            for kind, stage, i in slot:
                gives = None
                if kind == "F" and stage > 0:
                    gives = ("F", stage - 1, i), stage - 1
                elif kind in "IB" and stage < last:
                    gives = ("I", stage + 1, i), stage
                if gives is not None:
                    here = rank_of(schedule, pp, gives[0][1], i, m) == r
                    delay = transfer_s((kind, stage, i), gives[1]) if callable(transfer_s) else transfer_s[gives[1]]
                    followers[gives[0]].append(((r, n), 0.0 if here else delay))
                    needs += 1
            waits[r, n] = needs

    def work(r: int, slot: Slot) -> float:
        parts = [seconds(("I", *t[1:])) + seconds(("W", *t[1:])) if t[0] == "B" else seconds(t) for t in slot]
        return max(*parts, sum(parts) - saved_s(r)) if len(slot) > 1 else parts[0]

    times: dict[Task, tuple[float, float]] = {}
    ready: dict[tuple[int, int], float] = defaultdict(float)
    heap: list[tuple[float, int, tuple[int, int]]] = []
    serial = 0

    def arrive(key: tuple[int, int], at: float) -> None:
        nonlocal serial
        ready[key] = max(ready[key], at)
        waits[key] -= 1
        if waits[key] <= 0:
            serial += 1
            heapq.heappush(heap, (ready[key], serial, key))

    for key in [key for key, needs in waits.items() if needs == 0]:
        arrive(key, 0.0)
    while heap:
        start, _, (r, n) = heapq.heappop(heap)
        end = start + work(r, order[r][n])
        for task in order[r][n]:
            name = ("I", *task[1:]) if task[0] == "B" else task
            times[task] = times[name] = (start, end)
            for key, delay in followers[name]:
                arrive(key, end + delay)
        if n + 1 < len(order[r]):
            arrive((r, n + 1), end)
    assert all(needs <= 0 for needs in waits.values()), "the schedule waits for itself"
    return times
