"""A validation as a picture: predicted against measured, and the errors of each source."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ampacity._core import InvalidSpec, Problem
from ampacity._plotting import check_format, new_figure, save
from ampacity._scoreboard.result import Validation, ValidationRow
from ampacity._validation import kind_named

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SPAN = 0.5  # errors beyond this share are drawn at the edge


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
    axes.set(xscale="log", yscale="log", xlim=(low, high), ylim=(low, high), xlabel="measured", ylabel="predicted")
    if high < 5 * low:  # labels of a short logarithmic axis are long, and many
        axes.tick_params(axis="x", which="both", labelrotation=60)
    axes.set_aspect("equal")
    axes.grid(visible=True, linewidth=0.3)


def _draw_errors(axes: Axes, rows: Sequence[ValidationRow], colours: dict[str, Any]) -> None:
    names = list(colours)
    labels = []
    for place, name in enumerate(names):
        errors = sorted(row.error_fraction for row in rows if row.source_id == name and row.error_fraction is not None)
        shown = [100 * max(-_SPAN, min(_SPAN, error)) for error in errors]
        # Points of one source are spread over the height of its line, in the order of their errors.
        heights = [place + 0.3 * ((7 * index % 11) / 5 - 1) for index in range(len(shown))]
        axes.scatter(shown, heights, s=8, color=colours[name], alpha=0.6, linewidths=0)
        middle = shown[len(shown) // 2]
        axes.plot([middle, middle], [place - 0.4, place + 0.4], color="black", linewidth=1.6)
        labels.append(f"{name} ({len(errors)})")
    axes.axvline(0, color="black", linewidth=0.8)
    axes.axvspan(-10, 10, color="black", alpha=0.08, linewidth=0)
    axes.set_yticks(range(len(names)), labels)
    axes.invert_yaxis()
    axes.set(xlim=(-105 * _SPAN, 105 * _SPAN), xlabel="error in % (line: median, band: 10 %)")
    axes.grid(visible=True, axis="x", linewidth=0.3)


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
    height = max(4.2, 0.32 * len(sources) + 1)
    figure = new_figure(11, height * len(quantities))
    figure.suptitle(f"Ampacity against measurements: {kind_named(result.kind).title}")
    for axes, quantity in zip(figure.subplots(len(quantities), 2, squeeze=False), quantities, strict=True):
        rows = [row for row in predicted if row.quantity == quantity]
        colours = _colours([name for name in sources if any(row.source_id == name for row in rows)])
        _draw_points(axes[0], rows, colours)
        _draw_errors(axes[1], rows, colours)
        if len(quantities) > 1:
            axes[0].set_title(quantity)
    save(figure, path)
