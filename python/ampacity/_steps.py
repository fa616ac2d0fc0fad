"""Steps one after the other, in columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ampacity import _core
from ampacity._columns import Columns

if TYPE_CHECKING:
    import numpy as np

_UNITS = {
    "step_time_s": "time of the step (s)",
    "joules": "energy of all accelerators over the step (J)",
    "mean_temperature_c": "mean of the dies during the step (degrees Celsius)",
    "hottest_temperature_c": "the hottest die during the step (degrees Celsius)",
}


class StepTable(Columns):
    """Steps one after the other: a mapping of names to read-only numpy arrays, one value per step.

    ``step_time_s``, ``joules`` (of all accelerators), ``mean_temperature_c`` and ``hottest_temperature_c`` (of the dies
    during the step, degrees Celsius).
    """

    __slots__ = ("_columns",)

    _columns: dict[str, np.ndarray[Any, Any]]

    def __init__(self, simulation: _core.Simulation) -> None:
        self._fix(_keys=tuple(_UNITS), _columns=dict(zip(_UNITS, simulation.steps(), strict=True)))

    @property
    def units(self) -> dict[str, str]:
        """What columns hold, with units."""
        return dict(_UNITS)

    def _column(self, key: str) -> np.ndarray[Any, Any]:
        return self._columns[key]

    def to_lists(self) -> dict[str, list[float]]:
        """Return all columns as lists."""
        return {key: self[key].tolist() for key in self}

    def __repr__(self) -> str:
        times = self["step_time_s"]
        return f"<StepTable of {self.rows:,} steps of {times.min():.4g} to {times.max():.4g} s>"
