"""Pictures of a simulated step: devices by rack, where seconds go, tasks of a replica, power (extra ``plot``)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from ampacity._core import InvalidSpec, PipelineTimeline, Problem
from ampacity._plotting import new_figure, save
from ampacity._simulate_summary import seconds_columns

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure

    from ampacity._simulation_views import SimulationViews

_MOST_POINTS = 2000  # of a line or row: about what a screen shows
_MARKED = 3  # extremes that a heat map rings, in nodes of their own
_ASPECT = 1.6

# Colour-blind safe (Okabe and Ito 2008). Work in full colours, waits pale, so that what is lost reads as background.
_TASKS = ("#0072B2", "#009E73", "#00796B", "#56B4E9")  # forward, backward, and its two halves
_OPTIMIZER = "#5D3A9B"
_ACTIVITIES = {
    "busy_s": "#0072B2",
    "communication_s": "#E69F00",
    "wait_network_s": "#F6CF8F",
    "host_s": "#CC79A7",
    "wait_peers_s": "#D55E00",
    "wait_pipeline_s": "#D9D9D9",
    "wait_replicas_s": "#F0E442",
}
_OTHERS = ("#56B4E9", "#000000", "#8C564B", "#7F7F7F")


def saved(figure: Figure, path: str | os.PathLike[str] | None) -> Figure:
    """Return the figure, after writing it where a path is given."""
    if path is not None:
        save(figure, path)
    return figure


def _colours(keys: list[str]) -> dict[str, str]:
    others = iter(_OTHERS * len(keys))
    return {key: _ACTIVITIES.get(key) or next(others) for key in keys}


def _words(key: str) -> str:
    return key.removesuffix("_s").replace("_", " ")


def _title(sim: SimulationViews) -> str:
    return f"{sim.job.model.name} on {sim.cluster.name}: {sim.devices.rows:,} devices, {sim.step_time_s:.4g} s a step"


# ------------------------------------------------------------------------------------------------------------- heat map


def _floor(rack: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], int, int]:
    """Return line and column of each device on a floor plan, racks per row, lines of a row.

    Racks stand side by side in rows, a rack is one column of its devices; a blank line parts the rows.
    """
    import numpy as np

    devices = np.bincount(rack)
    order = np.argsort(rack, kind="stable")  # ranks need not lie rack by rack
    within = np.empty_like(rack)
    within[order] = np.arange(len(rack)) - np.repeat(np.cumsum(devices) - devices, devices)
    tall = int(within.max()) + 2
    racks = len(devices)
    wanted = min(racks, float(np.sqrt(racks * tall * _ASPECT)))
    a_row = max(1, round(float(f"{wanted:.2g}")))  # two digits: the first rack of a row can be read off
    return rack // a_row * tall + within, rack % a_row, a_row, tall


def heatmap(sim: SimulationViews, column: str, path: str | os.PathLike[str] | None) -> Figure:
    """Draw a column of all devices on a floor plan."""
    import numpy as np

    values = sim.devices[column]
    figure = new_figure(12, 7.5)
    line, place, a_row, tall = _floor(sim.devices["rack"])
    picture = np.full((int(line.max()) + 1, a_row), np.nan)
    picture[line, place] = values
    low, high = (float(limit) for limit in np.quantile(values, (0.001, 0.999)))
    if not high - low > 1e-12 * max(abs(low), abs(high)):
        low, high = low - 0.5 * abs(low) - 1e-9, high + 0.5 * abs(high) + 1e-9
    axes = figure.add_subplot()
    image = axes.imshow(picture, aspect="auto", interpolation="nearest", cmap="viridis", vmin=low, vmax=high)
    lines = range(0, picture.shape[0], tall)
    shown = lines[:: max(1, len(lines) // 20)]
    axes.set_yticks([start + (tall - 2) / 2 for start in shown], [f"{start // tall * a_row:,}" for start in shown])
    axes.locator_params(axis="x", integer=True)
    axes.set(xlabel="rack of the row", ylabel="first rack of the row (a rack is a column of its devices)")
    marked = _outermost(values, sim.devices["node"])
    ring: dict[str, Any] = {"s": 120, "facecolors": "none", "edgecolors": "red", "linewidths": 1.4, "clip_on": False}
    axes.scatter(place[marked], line[marked], **ring)
    figure.colorbar(image, ax=axes, extend="both", pad=0.01, label=column)
    ends = "; ringed: " * bool(marked) + ", ".join(f"device {d:,}: {values[d]:.4g}" for d in marked)
    axes.set_title(f"{_title(sim)}\n{column}: {values.min():.4g} to {values.max():.4g}{ends}", fontsize=10)
    return saved(figure, path)


def _outermost(values: np.ndarray[Any, Any], node: np.ndarray[Any, Any]) -> list[int]:
    """Return the devices furthest from the median, furthest first, one a node: peers of a slow device wait alike."""
    import numpy as np

    far = np.abs(values - np.median(values))
    count = min(_MARKED * int(np.bincount(node).max()), len(values))
    candidates = np.argpartition(-far, count - 1)[:count]
    found: dict[int, int] = {}
    for device in candidates[np.argsort(-far[candidates], kind="stable")].tolist():
        if far[device] > 0 and len(found) < _MARKED:
            found.setdefault(int(node[device]), device)
    return list(found.values())


# ---------------------------------------------------------------------------------------------------------------- waits


def waits(sim: SimulationViews, path: str | os.PathLike[str] | None) -> Figure:
    """Draw where seconds go: by stage, and spread over the devices."""
    import numpy as np

    keys = seconds_columns()
    colours = _colours(keys)
    figure = new_figure(13, 5.2)
    figure.suptitle(_title(sim), fontsize=10)
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    stages = sim.by("stage")
    bottom = np.zeros(stages.rows)
    for key in keys:
        mean = stages[f"mean_{key}"]
        left.bar(stages["stage"], mean, bottom=bottom, width=0.85, color=colours[key], label=_words(key))
        bottom = bottom + mean
    left.set(xlabel="pipeline stage", ylabel="seconds of its mean device", xlim=(-0.6, stages.rows - 0.4))
    left.locator_params(axis="x", integer=True)
    figure.legend(*left.get_legend_handles_labels(), ncols=len(keys), loc="outside lower center", frameon=False)
    for row, key in enumerate(keys):
        share = 100 * sim.devices[key] / sim.step_time_s
        least, low, middle, high, most = np.quantile(share, (0, 0.05, 0.5, 0.95, 1))
        right.plot([least, most], [row, row], color=colours[key], linewidth=1.5)
        right.plot([low, high], [row, row], color=colours[key], linewidth=11, solid_capstyle="butt")
        right.plot([middle, middle], [row - 0.3, row + 0.3], color="black", linewidth=1.5)
        right.annotate(f"{middle:.2g}", (middle, row - 0.34), ha="center", va="bottom", fontsize=8)
    right.set_yticks(range(len(keys)), [_words(key) for key in keys])
    right.invert_yaxis()
    right.set(xlabel="% of the step (bar: 5 to 95 % of devices)")
    right.grid(visible=True, axis="x", linewidth=0.3)
    return saved(figure, path)


# ------------------------------------------------------------------------------------------------------------- timeline


def timeline(sim: SimulationViews, replica: int, peer: int, path: str | os.PathLike[str] | None) -> Figure:
    """Draw the slices of one device of each stage of a replica."""
    import numpy as np
    from matplotlib.colors import to_rgb
    from matplotlib.patches import Patch

    layout = sim.layout
    peers = layout.tp * layout.cp
    _check("replica", replica, layout.dp)
    _check("peer", peer, peers)
    devices = [peer + peers * (replica + layout.dp * stage) for stage in range(layout.pp)]
    table = sim.slices(devices)
    figure = new_figure(14, 1.6 + 0.34 * layout.pp)
    axes = figure.add_subplot()
    busy = table["activity"] == "busy_s"
    keys = seconds_columns()
    colours = _colours(keys)
    stage = (table["device"] // peers) // layout.dp
    kinds = PipelineTimeline.kinds
    tasks = dict(zip(kinds, _TASKS + _OTHERS * len(kinds), strict=False)) | {"": _OPTIMIZER}
    parts = [(busy & (table["kind"] == kind), colour, kind or "optimizer") for kind, colour in tasks.items()]
    parts += [(table["activity"] == key, colours[key], _words(key)) for key in keys if key != "busy_s"]
    parts = [part for part in parts if part[0].any()]
    palette = [to_rgb(colour) for _, colour, _ in parts]
    for row in range(layout.pp):
        lengths = [np.where(chosen, table["end_s"] - table["start_s"], 0.0)[stage == row] for chosen, _, _ in parts]
        line = np.array(palette)[_largest(table["end_s"][stage == row], lengths)]
        axes.imshow(
            line[None], extent=(0, sim.step_time_s, row + 0.42, row - 0.42), aspect="auto", interpolation="nearest"
        )
    handles = [Patch(facecolor=colour, label=name.replace("_", " ")) for _, colour, name in parts]
    axes.set(xlim=(0, sim.step_time_s), ylim=(layout.pp - 0.5, -0.5), xlabel="seconds of the step", ylabel="stage")
    axes.set_yticks(np.arange(0, layout.pp, max(1, layout.pp // 16)))
    figure.legend(handles=handles, ncols=len(handles), loc="outside lower center", frameon=False)
    axes.set_title(f"{_title(sim)}\nreplica {replica}, peer {peer} of each stage", fontsize=10)
    return saved(figure, path)


def _check(path: str, index: int, count: int) -> None:
    if not 0 <= index < count:
        raise InvalidSpec([Problem(path=path, value=str(index), rule=f"must be between 0 and {count - 1}", hint="")])


def _largest(end_s: np.ndarray[Any, Any], lengths: list[np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
    """Return what takes most of each of many equal parts of the step: short slices leave no gaps in the picture."""
    import numpy as np

    edges = np.linspace(0, end_s[-1], _MOST_POINTS + 1)
    times = np.concatenate([[0.0], end_s])
    until = [np.interp(edges, times, np.concatenate([[0.0], np.cumsum(length)])) for length in lengths]
    found: np.ndarray[Any, Any] = np.argmax(np.diff(until, axis=1), axis=0)
    return found


# ---------------------------------------------------------------------------------------------------------------- power


def power(sim: SimulationViews, resolution_s: float, path: str | os.PathLike[str] | None) -> Figure:
    """Draw the watts of the job over the step."""
    import numpy as np

    trace = sim.power_trace(resolution_s)
    figure = new_figure(12, 4.6)
    axes = figure.add_subplot()
    colours = ("#0072B2", "#E69F00", "#000000", *_OTHERS)
    seconds = trace["start_s"] + trace["seconds"] / 2
    for key, colour in zip((key for key in trace if key.endswith("_w")), colours, strict=False):
        megawatts = trace[key] / 1e6
        mean = float((megawatts * trace["seconds"]).sum() / trace["seconds"].sum())
        name = key.removesuffix("_w").replace("_", " ")
        label = f"{name.upper() if len(name) == 2 else name} (mean {mean:.4g} MW)"
        wide = -(-len(megawatts) // _MOST_POINTS)
        starts = np.arange(0, len(megawatts), wide)
        if wide > 1:
            low, high = np.minimum.reduceat(megawatts, starts), np.maximum.reduceat(megawatts, starts)
            axes.fill_between(seconds[starts], low, high, color=colour, alpha=0.35, linewidth=0)
        lengths = np.add.reduceat(trace["seconds"], starts)
        middle = np.add.reduceat(megawatts * trace["seconds"], starts) / lengths
        axes.plot(seconds[starts], middle, color=colour, linewidth=1, label=label)
    axes.set(xlim=(0, sim.step_time_s), xlabel="seconds of the step", ylabel="MW")
    axes.set_ylim(bottom=0)
    axes.grid(visible=True, linewidth=0.3)
    axes.legend(loc="lower center", ncols=3, frameon=False)
    axes.set_title(f"{_title(sim)}\nmeans of {resolution_s:g} s", fontsize=10)
    return saved(figure, path)
