"""A validation as a picture: predicted against measured, and the errors of each source."""

from __future__ import annotations

import os
import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ampacity._core import InvalidSpec, Problem
from ampacity._plotting import check_format, new_figure, save
from ampacity._scoreboard.result import Validation, ValidationRow
from ampacity._validation import kind_named

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SPAN = 0.5  # errors beyond this share are drawn at the edge
_LEAST_SPAN = 0.12  # the band of 10 % shows, and errors of 1 % look as small as they are
_LEAST_LINES = 6  # fewer sources leave room above and below
_FEW = 4.0  # ratio of the largest to the smallest number up to which scales are linear


def _colours(names: Sequence[str]) -> dict[str, Any]:
    import matplotlib

    palette = matplotlib.colormaps["tab20"]
    return {name: palette(index % 20) for index, name in enumerate(names)}


def _draw_points(axes: Axes, rows: Sequence[ValidationRow], colours: dict[str, Any]) -> None:
    for name, colour in colours.items():
        found = [row for row in rows if row.source_id == name]
        measured = [row.measured for row in found if row.measured is not None]
        predicted = [row.predicted for row in found if row.predicted is not None]
        axes.scatter(measured, predicted, s=10, color=colour, alpha=0.7, linewidths=0)
    values = [value for row in rows for value in (row.measured, row.predicted) if value]
    low, high = min(values) / 1.3, max(values) * 1.3
    axes.plot([low, high], [low, high], color="black", linewidth=0.8)
    axes.fill_between(
        [low, high], [0.9 * low, 0.9 * high], [1.1 * low, 1.1 * high], color="black", alpha=0.08, linewidth=0
    )
    axes.set(xlabel="measured", ylabel="predicted")
    _set_scales(axes, low, high)
    axes.set_aspect("equal")
    axes.grid(visible=True, linewidth=0.3)


def _set_scales(axes: Axes, low: float, high: float) -> None:
    """Set both scales, logarithmic where numbers differ by more than a few times, with a handful of short labels."""
    from matplotlib import ticker

    spread = high / low
    for axis, set_scale in ((axes.xaxis, axes.set_xscale), (axes.yaxis, axes.set_yscale)):
        set_scale("log" if spread > _FEW else "linear")
        if spread <= _FEW:
            axis.set_major_locator(ticker.MaxNLocator(4))
        elif spread < 100:
            axis.set_major_locator(ticker.LogLocator(subs=(1.0, 2.0, 5.0)))
        else:
            axis.set_major_locator(ticker.LogLocator(numticks=6))
        axis.set_major_formatter(ticker.EngFormatter(sep="", places=None))
        axis.set_minor_formatter(ticker.NullFormatter())
    axes.set(xlim=(low, high), ylim=(low, high))


def _draw_errors(axes: Axes, rows: Sequence[ValidationRow], colours: dict[str, Any]) -> None:
    names = list(colours)
    labels = []
    largest = max(abs(row.error_fraction) for row in rows if row.error_fraction is not None)
    span = min(_SPAN, max(_LEAST_SPAN, 1.1 * largest))
    for place, name in enumerate(names):
        errors = sorted(row.error_fraction for row in rows if row.source_id == name and row.error_fraction is not None)
        shown = [100 * max(-span, min(span, error)) for error in errors]
        # Points of one source are spread over the height of its line, in the order of their errors.
        heights = [place + 0.3 * ((7 * index % 11) / 5 - 1) for index in range(len(shown))]
        axes.scatter(shown, heights, s=8, color=colours[name], alpha=0.6, linewidths=0)
        middle = statistics.median(shown)
        axes.plot([middle, middle], [place - 0.4, place + 0.4], color="black", linewidth=1.6)
        labels.append(f"{name} ({len(errors)})")
    axes.axvline(0, color="black", linewidth=0.8)
    axes.axvspan(-10, 10, color="black", alpha=0.08, linewidth=0)
    axes.set_yticks(range(len(names)), labels)
    room = max(0.0, (_LEAST_LINES - len(names)) / 2)
    edge = f"\nlarger ones at the edge, {100 * span:.0f} %" if largest > span else ""
    axes.set(xlim=(-105 * span, 105 * span), xlabel=f"error in % (line: median, band: 10 %){edge}")
    axes.set_ylim(len(names) - 0.5 + room, -0.5 - room)
    axes.grid(visible=True, axis="x", linewidth=0.3)


def _title(quantity: str) -> str:
    """Return the words of a quantity, its unit in brackets."""
    name, unit = quantity, ""
    for ending, text in (("_bytes_per_s", " (bytes/s)"), ("_w", " (W)"), ("_s", " (s)")):
        if name.endswith(ending):
            name, unit = name.removesuffix(ending), text
            break
    return name.replace("_", " ").replace("mib", "MiB").replace("gib", "GiB") + unit


def plot_validation(result: Validation, path: str | os.PathLike[str]) -> None:
    """Write a picture of a validation: one line of panels per quantity.

    Parameters
    ----------
    result
        What `validate` returned.
    path
        File to write; its ending (.png, .svg or .pdf) says which format.

    Raises
    ------
    InvalidSpec
        Nothing was predicted, the ending is unknown, the file cannot be written, or matplotlib is not installed.
    """
    check_format(path)
    predicted = [row for row in result.rows if row.error_fraction is not None]
    if not predicted:
        raise InvalidSpec(
            [Problem(path="plot", value=os.fspath(path), rule="needs at least one predicted row", hint="")]
        )
    quantities = list(dict.fromkeys(row.quantity for row in predicted))
    sources = sorted({row.source_id for row in predicted})
    rows_of = {quantity: [row for row in predicted if row.quantity == quantity] for quantity in quantities}
    heights = [max(3.6, 0.32 * len({row.source_id for row in rows}) + 1) for rows in rows_of.values()]
    figure = new_figure(11, sum(heights) + 0.3)
    figure.suptitle(f"Ampacity against measurements: {kind_named(result.kind).title}")
    panels = figure.subplots(len(quantities), 2, squeeze=False, height_ratios=heights)
    for axes, (quantity, rows) in zip(panels, rows_of.items(), strict=True):
        colours = _colours([name for name in sources if any(row.source_id == name for row in rows)])
        _draw_points(axes[0], rows, colours)
        _draw_errors(axes[1], rows, colours)
        if len(quantities) > 1:
            axes[0].set_title(_title(quantity))
    save(figure, path)
