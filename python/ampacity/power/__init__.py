"""Power over time, under limits, and what it allows: `ampacity.power`.

Imported when it is first used: ``import ampacity as amp; amp.power...`` needs no second import.
"""

from __future__ import annotations

from ampacity._core import (
    Bill,
    BreakerLevel,
    CapPoint,
    Curtailment,
    DemandMeter,
    DeviceStates,
    DynamicBreakerLoad,
    Filler,
    GridContract,
    HplPower,
    LoadEvents,
    MaskPoint,
    PowerFloor,
    StepShape,
    Storage,
    Tariff,
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
from ampacity.power.bill import (
    CurtailmentCost,
    LoadCost,
    bill,
    curtailment_cost,
    load_cost,
    owning_usd_per_s,
    read_tariff,
    tariff_of,
)
from ampacity.power.caps import best_cap, cap_sweep, device_states, hpl_power, peak_over_window_w, with_limits
from ampacity.power.contract import ContractReport, check, read_contract
from ampacity.power.decision import CapDecision, choose_cap, with_profile
from ampacity.power.distribution import BreakerLoad, BreakerReport, breaker_levels, breakers
from ampacity.power.export import write_load
from ampacity.power.ladder import RACK, SHELF, Feasibility, Rung, ladder, meet, site_battery
from ampacity.power.load import JobLoad, LoadTrace, SiteLoad, shape_from_watts, staggered, step_shape
from ampacity.power.mask import MaskExcess, mask_excess, mask_w
from ampacity.power.plots import plot_power
from ampacity.power.report import PowerReport, power_report
from ampacity.power.risk import OverloadRisk, overload_risk, oversubscription

__all__ = [
    "RACK",
    "SHELF",
    "Bill",
    "BreakerLevel",
    "BreakerLoad",
    "BreakerReport",
    "CapDecision",
    "CapPoint",
    "ContractReport",
    "Curtailment",
    "CurtailmentCost",
    "DemandMeter",
    "DeviceStates",
    "DynamicBreakerLoad",
    "Feasibility",
    "Filler",
    "GridContract",
    "HplPower",
    "JobLoad",
    "LoadCost",
    "LoadEvents",
    "LoadStatistics",
    "LoadTrace",
    "MaskExcess",
    "MaskPoint",
    "OverloadRisk",
    "PowerFloor",
    "PowerReport",
    "Rung",
    "SiteLoad",
    "Spectrum",
    "StepShape",
    "Storage",
    "Tariff",
    "Violation",
    "best_cap",
    "bill",
    "breaker_levels",
    "breakers",
    "cap_sweep",
    "check",
    "choose_cap",
    "coincidence_fraction",
    "curtailment_cost",
    "device_states",
    "duration_curve",
    "hpl_power",
    "ladder",
    "load_cost",
    "mask_excess",
    "mask_w",
    "meet",
    "overload_risk",
    "oversubscription",
    "owning_usd_per_s",
    "peak_over_window_w",
    "plot_power",
    "power_report",
    "ramps",
    "read_contract",
    "read_tariff",
    "shape_from_watts",
    "site_battery",
    "spectrum",
    "staggered",
    "statistics",
    "step_shape",
    "tariff_of",
    "with_limits",
    "with_profile",
    "write_load",
]
