"""What every picture needs: matplotlib where it is installed, a file that can be written (extra ``plot``)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ampacity._core import InvalidSpec, Problem
from ampacity._files import file_error

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_FORMATS = (".png", ".svg", ".pdf")


def check_format(path: str | os.PathLike[str]) -> None:
    """Refuse a path whose ending is no kind of picture, before anything is drawn."""
    if not os.fspath(path).lower().endswith(_FORMATS):
        raise file_error(path, f"must end in one of {', '.join(_FORMATS)}")


def check_picture(path: str | os.PathLike[str]) -> None:
    """Refuse a path that no picture can be written to, before anything is computed."""
    check_format(path)
    if not Path(path).absolute().parent.is_dir():
        raise file_error(path, "cannot be written: there is no such folder")


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure (inches); raises InvalidSpec where matplotlib is not installed."""
    try:
        import matplotlib.figure
    except ImportError:
        rule = "needs matplotlib"
        raise InvalidSpec([Problem(path="plot", value="", rule=rule, hint="pip install 'ampacity[plot]'")]) from None
    return matplotlib.figure.Figure(figsize=(width, height), layout="constrained")


def save(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write the figure."""
    check_format(path)
    try:
        figure.savefig(path, dpi=150)
    except OSError as error:
        raise file_error(path, f"cannot be written: {error.strerror or error}") from None
