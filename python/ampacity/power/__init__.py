"""Power over time, under limits, and what it allows: `ampacity.power`.

Imported when it is first used: ``import ampacity as amp; amp.power...`` needs no second import.
"""

from __future__ import annotations

from ampacity._core import (
    Curtailment,
    Filler,
    GridContract,
    LoadEvents,
    PowerFloor,
    StepShape,
    Storage,
    Violation,
)
from ampacity.power.analysis import (
    LoadStatistics,
    Spectrum,
    coincidence_fraction,
    duration_curve,
    ramps,
    spectrum,
    statistics,
)
from ampacity.power.export import write_load
from ampacity.power.load import JobLoad, LoadTrace, SiteLoad, shape_from_watts, step_shape

__all__ = [
    "Curtailment",
    "Filler",
    "GridContract",
    "JobLoad",
    "LoadEvents",
    "LoadStatistics",
    "LoadTrace",
    "PowerFloor",
    "SiteLoad",
    "Spectrum",
    "StepShape",
    "Storage",
    "Violation",
    "coincidence_fraction",
    "duration_curve",
    "ramps",
    "shape_from_watts",
    "spectrum",
    "statistics",
    "step_shape",
    "write_load",
]
