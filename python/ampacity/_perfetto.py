"""A simulated step as a trace that the Perfetto UI (https://ui.perfetto.dev) and chrome://tracing load.

The format is the Trace Event Format: one process per device with a track for each kind of activity, and a counter of what
it draws; one more process for the job with its watts over time.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
from collections.abc import Iterator, Sequence
from typing import IO, TYPE_CHECKING, Any, cast

from ampacity._files import file_error

if TYPE_CHECKING:
    from ampacity._simulation_views import SimulationViews

_JOB = 1_000_000_000  # the process of the job: behind all devices
_TRACKS = (("compute", 1), ("communication", 2), ("host", 3), ("wait", 4))


def _track(activity: str) -> int:
    """Return the track of an activity, by what its column is called."""
    return next((number for name, number in _TRACKS if activity.startswith(name)), 1)


def _microseconds(seconds: float) -> float:
    """Return microseconds, to the nanosecond: slices that touch must not overlap."""
    return round(seconds * 1e9) / 1000


def _metadata(process: int, what: str, value: object, thread: int = 0) -> dict[str, Any]:
    key = "sort_index" if what.endswith("sort_index") else "name"
    return {"ph": "M", "pid": process, "tid": thread, "name": what, "args": {key: value}}


def _counter(process: int, name: str, seconds: float, values: dict[str, float]) -> dict[str, Any]:
    return {"ph": "C", "pid": process, "tid": 0, "name": name, "ts": _microseconds(seconds), "args": values}


def _device_events(sim: SimulationViews, devices: Sequence[int]) -> Iterator[dict[str, Any]]:
    import numpy as np

    table = sim.slices(devices)
    places = {name: sim.devices[name] for name in ("stage", "replica", "node", "rack")}
    columns = {key: table[key].tolist() for key in table}
    bounds = [0, *(np.flatnonzero(np.diff(table["device"])) + 1).tolist(), table.rows]
    for place, device in enumerate(devices):
        where = ", ".join(f"{name} {column[device]}" for name, column in places.items())
        yield _metadata(device, "process_name", f"device {device} ({where})")
        yield _metadata(device, "process_sort_index", device)
        for name, thread in _TRACKS:
            yield _metadata(device, "thread_name", name, thread)
            yield _metadata(device, "thread_sort_index", thread, thread)
        drawn = None
        for row in range(bounds[place], bounds[place + 1]):
            activity = columns["activity"][row].removesuffix("_s")
            kind = columns["kind"][row]
            start, end = _microseconds(columns["start_s"][row]), _microseconds(columns["end_s"][row])
            name = "compute" if activity == "busy" else activity.replace("_", " ")
            event = {"ph": "X", "pid": device, "tid": _track(name), "name": name, "cat": activity}
            event |= {"ts": start, "dur": max(0.0, round(end - start, 3))}
            if kind:
                micro_batch = columns["micro_batch"][row]
                event["args"] = {"task": kind, "stage": columns["stage"][row], "micro_batch": micro_batch}
                if name == "compute":
                    event["name"] = f"{kind} {micro_batch}"
            elif name == "compute":
                event["name"] = "optimizer"
            yield event
            if columns["watts"][row] != drawn:
                drawn = columns["watts"][row]
                yield _counter(device, "power (W)", columns["start_s"][row], {"W": drawn})


def _job_events(sim: SimulationViews, resolution_s: float) -> Iterator[dict[str, Any]]:
    trace = sim.power_trace(resolution_s)
    yield _metadata(_JOB, "process_name", f"{sim.job.model.name} on {sim.cluster.name}")
    columns = {key: trace[key].tolist() for key in trace if key.endswith("_w")}
    for row, start in enumerate(trace["start_s"].tolist()):
        for key, values in columns.items():
            yield _counter(_JOB, f"{key.removesuffix('_w')} (MW)", start, {"MW": values[row] / 1e6})


@contextlib.contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[IO[str]]:
    try:
        if os.fspath(path).endswith(".gz"):
            with gzip.open(path, "wt", encoding="utf-8", compresslevel=6) as file:
                yield cast("IO[str]", file)
        else:
            with open(path, "w", encoding="utf-8") as file:  # noqa: PTH123 (str and PathLike alike)
                yield file
    except OSError as error:
        raise file_error(path, f"cannot be written: {error.strerror or error}") from None


def write_perfetto(
    sim: SimulationViews, path: str | os.PathLike[str], devices: Sequence[int], resolution_s: float | None
) -> None:
    """Write the trace event by event, so that its size is on disk only."""
    with _opened(path) as file:
        file.write('{"displayTimeUnit": "ms", "otherData": ')
        file.write(json.dumps({"model": sim.job.model.name, "cluster": sim.cluster.name}))
        file.write(', "traceEvents": [')
        separator = "\n"
        sources = [_device_events(sim, devices)]
        if resolution_s is not None:
            sources.append(_job_events(sim, resolution_s))
        for events in sources:
            for event in events:
                file.write(separator + json.dumps(event, allow_nan=False))
                separator = ",\n"
        file.write("\n]}\n")
