"""Slow reference of the fluid network engine: plain progressive filling, solved anew at every event."""

from __future__ import annotations

import math
from collections.abc import Sequence


def max_min(paths: Sequence[Sequence[int]], weights: Sequence[float], capacity: Sequence[float]) -> list[float]:
    """Return weighted max-min fair rates (Bertsekas and Gallager, Data Networks, section 6.5.2)."""
    rates = [0.0] * len(paths)
    left = list(capacity)
    open_flows = {flow for flow, path in enumerate(paths) if path}
    while open_flows:
        wanted: dict[int, float] = {}
        for flow in open_flows:
            for link in paths[flow]:
                wanted[link] = wanted.get(link, 0.0) + weights[flow]
        tightest = min(wanted, key=lambda link: left[link] / wanted[link])
        level = max(0.0, left[tightest]) / wanted[tightest]
        for flow in [flow for flow in open_flows if tightest in paths[flow]]:
            rates[flow] = level * weights[flow]
            open_flows.discard(flow)
            for link in paths[flow]:
                left[link] -= rates[flow]
    return rates


def transfer(
    paths: Sequence[Sequence[int]],
    weights: Sequence[float],
    capacity: Sequence[float],
    size: Sequence[float],
    arrival: Sequence[float],
) -> list[float]:
    """Return when every flow ends; infinite for one that never gets any bandwidth."""
    left = list(size)
    done = [math.inf] * len(paths)
    running: set[int] = set()
    waiting = sorted(range(len(paths)), key=lambda flow: arrival[flow])
    now = 0.0
    while running or waiting:
        chosen = sorted(running)
        found = max_min([paths[flow] for flow in chosen], [weights[flow] for flow in chosen], capacity)
        rate = dict(zip(chosen, found, strict=True))
        ends = {flow: now + left[flow] / rate[flow] for flow in chosen if rate[flow] > 0}
        event = min([*ends.values(), *(arrival[flow] for flow in waiting[:1])], default=math.inf)
        if event == math.inf:
            break
        for flow in chosen:
            left[flow] = max(0.0, left[flow] - rate[flow] * (event - now))
        now = event
        for flow in [flow for flow, end in ends.items() if end <= event]:
            running.discard(flow)
            done[flow] = event
        while waiting and arrival[waiting[0]] <= event:
            flow = waiting.pop(0)
            if paths[flow] and size[flow] > 0:
                running.add(flow)
            else:
                done[flow] = event
    return done


def transfer_through(
    stretches: Sequence[tuple[float, Sequence[Sequence[int] | None], Sequence[float]]],
    size: Sequence[float],
    start: Sequence[float],
    hop_s: float,
) -> list[float]:
    """Return when every flow ends on a network that changes.

    ``stretches`` are the times at which it changes (the first is 0), each with the path of every flow (None: there is
    none) and the capacity of every link from then on. A flow sets out at its start, or when it first has a path; its bytes
    flow one latency of that path later, on whatever path it then has.
    """
    count = len(size)
    left = list(size)
    done = [math.inf] * count
    arrival: list[float | None] = [None] * count
    for index, (begin, paths, capacity) in enumerate(stretches):
        end = stretches[index + 1][0] if index + 1 < len(stretches) else math.inf
        for flow, path in enumerate(paths):
            if arrival[flow] is None and path is not None and start[flow] < end:
                arrival[flow] = max(start[flow], begin) + hop_s * len(path)
                if not path or size[flow] == 0:
                    done[flow] = max(start[flow], begin) + hop_s * len(path)
        now = begin
        while now < end:
            open_flows = [flow for flow in range(count) if arrival[flow] is not None and math.isinf(done[flow])]
            running = [flow for flow in open_flows if arrival[flow] <= now and paths[flow]]  # type: ignore[operator]
            rates = max_min([paths[flow] for flow in running], [1.0] * len(running), capacity)  # type: ignore[misc]
            moments = [at for flow in open_flows if (at := arrival[flow]) is not None and at > now]
            moments += [now + left[flow] / rate for flow, rate in zip(running, rates, strict=True) if rate > 0]
            event = min([*moments, end])
            if event == math.inf:
                break
            for flow, rate in zip(running, rates, strict=True):
                if rate > 0 and now + left[flow] / rate <= event:
                    left[flow], done[flow] = 0.0, event
                else:
                    left[flow] -= rate * (event - now)
            now = event
    return done
