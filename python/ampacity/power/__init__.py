"""Power over time, under limits, and what it allows: `ampacity.power`.

Imported when it is first used: ``import ampacity as amp; amp.power...`` needs no second import.
"""

from __future__ import annotations

from ampacity._core import (
    BreakerLevel,
    CapPoint,
    Curtailment,
    DeviceStates,
    DynamicBreakerLoad,
    Filler,
    GridContract,
    HplPower,
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
from ampacity.power.caps import best_cap, cap_sweep, device_states, hpl_power, peak_over_window_w, with_limits
from ampacity.power.contract import (
    RACK,
    SHELF,
    ContractReport,
    Feasibility,
    Rung,
    check,
    ladder,
    meet,
    read_contract,
    site_battery,
)
from ampacity.power.distribution import BreakerLoad, BreakerReport, breaker_levels, breakers
from ampacity.power.export import write_load
from ampacity.power.load import JobLoad, LoadTrace, SiteLoad, shape_from_watts, staggered, step_shape
from ampacity.power.plots import plot_power
from ampacity.power.report import PowerReport, power_report

__all__ = [
    "RACK",
    "SHELF",
    "BreakerLevel",
    "BreakerLoad",
    "BreakerReport",
    "CapPoint",
    "ContractReport",
    "Curtailment",
    "DeviceStates",
    "DynamicBreakerLoad",
    "Feasibility",
    "Filler",
    "GridContract",
    "HplPower",
    "JobLoad",
    "LoadEvents",
    "LoadStatistics",
    "LoadTrace",
    "PowerFloor",
    "PowerReport",
    "Rung",
    "SiteLoad",
    "Spectrum",
    "StepShape",
    "Storage",
    "Violation",
    "best_cap",
    "breaker_levels",
    "breakers",
    "cap_sweep",
    "check",
    "coincidence_fraction",
    "device_states",
    "duration_curve",
    "hpl_power",
    "ladder",
    "meet",
    "peak_over_window_w",
    "plot_power",
    "power_report",
    "ramps",
    "read_contract",
    "shape_from_watts",
    "site_battery",
    "spectrum",
    "staggered",
    "statistics",
    "step_shape",
    "with_limits",
    "write_load",
]
