"""What would meet a contract: a ladder of settings, each with its losses, the speed that it takes and what it costs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ampacity._core import Filler, GridContract, InvalidSpec, PowerFloor, Storage, Tariff
from ampacity.power.bill import LoadCost, load_cost, tariff_of
from ampacity.power.contract import ContractReport, check, needs_a_limit
from ampacity.power.load import JobLoad, Mitigation, SiteLoad, staggered


@dataclass(frozen=True)
class Rung:
    """One setting of the ladder of `meet`, with what it does and costs."""

    name: str
    load: SiteLoad
    report: ContractReport
    throughput_fraction: float
    mean_w: float
    cost: LoadCost

    @property
    def storage_usd(self) -> float:
        """Price of what is stored in (USD)."""
        return self.cost.storage_usd

    def to_dict(self) -> dict[str, Any]:
        """Return what matters as plain types."""
        return {
            "name": self.name,
            "met": self.report.met,
            "reached": dict(self.report.reached),
            "throughput_fraction": self.throughput_fraction,
            "mean_w": self.mean_w,
            "storage_usd": self.storage_usd,
            "cost": self.cost.to_dict(),
        }


@dataclass(frozen=True)
class Feasibility:
    """Which setting meets a contract; where none does, what stands in the way and what could be had.

    ``chosen`` is the first rung that meets it, or None; ``binding`` the limit that the nearest rung breaks by most;
    ``nearest`` that rung, and ``nearest_feasible`` the contract that it would meet: the broken limits at what it reaches.
    """

    rungs: tuple[Rung, ...]
    chosen: Rung | None
    nearest: Rung
    binding: str | None
    nearest_feasible: GridContract

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain types."""
        return {
            "met": self.chosen is not None,
            "chosen": None if self.chosen is None else self.chosen.name,
            "binding": self.binding,
            "nearest": self.nearest.name,
            "nearest_feasible": self.nearest_feasible.to_dict(),
            "rungs": [rung.to_dict() for rung in self.rungs],
        }


# Electrolytic capacitors of GB300's power shelves: about 65 J for each GPU, a dip of 400 W for 0.16 s (NVIDIA developer
# blog, July 2025). Losses of capacitors and their converter: an estimate.
SHELF = Storage(
    level="shelf",
    name="power-shelf capacitors",
    energy_j_per_accelerator=65,
    power_w_per_accelerator=400,
    efficiency_fraction=0.95,
)
# What 600 W for each accelerator over more than the longest step of a few seconds would take: a size to try, no product.
RACK = Storage(
    level="rack",
    name="rack supercapacitors",
    energy_j_per_accelerator=3000,
    power_w_per_accelerator=600,
    efficiency_fraction=0.95,
)
# Megapacks at Colossus: 208 x 3.9 MWh and 150 MW for 230 M USD are 283 USD a kWh and 5.4 hours; 0.9 there and back is a
# usual figure for lithium iron phosphate with its converters, an estimate here; so are the 0.1 s in which it answers.
BATTERY_USD_PER_KWH = 283.0


def site_battery(power_w: float, *, hours: float = 1.0, ramp_w_per_s: float | None = None) -> Storage:
    """Return a lithium battery for a whole site: so many watts for so many hours.

    Examples
    --------
    >>> from ampacity import power
    >>> power.site_battery(50e6, hours=2).energy_j / 3.6e9
    100.0
    """
    ramp = {} if ramp_w_per_s is None else {"ramp_w_per_s": ramp_w_per_s}
    return Storage(
        level="site",
        name="battery",
        energy_j=power_w * hours * 3600,
        power_w=power_w,
        efficiency_fraction=0.9,
        smoothing_s=30,
        response_s=0.1,
        price_usd_per_kwh=BATTERY_USD_PER_KWH,
        **ramp,
    )


def ladder(load: SiteLoad, contract: GridContract) -> list[tuple[str, SiteLoad]]:
    """Return the settings that `meet` tries, one after the other.

    Staggered jobs (where there are several), device power floors, filler work, floors with ramp limits of devices (where
    the contract limits ramps), shelf and rack capacitors, a site battery, power caps (where it limits power).

    Parameters
    ----------
    load
        The load as it is; its own mitigations stay.
    contract
        What its grid allows.

    Examples
    --------
    >>> import ampacity as amp
    >>> job = amp.power.JobLoad(amp.Training("llama-3.1-8b", global_batch=64), amp.cluster("dgx-h100-x1"), amp.Layout(dp=8))
    >>> [name for name, _ in amp.power.ladder(amp.power.SiteLoad(job), amp.power.GridContract(maximum_w=9e3))][:3]
    ['as it is', 'power floor 50%', 'power floor 80%']
    """
    own = list(load.mitigations)
    rungs: list[tuple[str, SiteLoad]] = [("as it is", load)]

    def add(name: str, more: Sequence[Mitigation], base: SiteLoad = load) -> None:
        rungs.append((name, base.replace(mitigations=(*own, *more))))

    if len(load.jobs) > 1:
        rungs.append(("staggered jobs", load.replace(jobs=staggered(load.jobs))))
    ramps = [value for value in (contract.ramp_w_per_s, contract.ramp_w_per_min / 60) if value]
    low: list[Mitigation] = []
    high: list[Mitigation] = []
    if all(job.shape.limit_w > 0 for job in load.jobs):
        for share in (0.5, 0.8, 0.9):
            high = [PowerFloor(floor_fraction=share)]
            add(f"power floor {share:.0%}", high)
        low = [PowerFloor(floor_fraction=0.5)]
        add("filler 80%", [Filler(level_fraction=0.8)])
        if ramps:
            add("power floor 90%, ramp limits of devices", [_ramped_floor(load, 0.9, min(ramps))])
    at_half, at_most = ("power floor 50%, ", "power floor 90%, ") if low else ("", "")
    add(f"{at_half}shelf capacitors", [*low, SHELF])
    swing = sum(float(job.shape.accelerators_w.max()) for job in load.jobs)
    # Some of what is allowed is left for what the battery cannot see coming.
    battery = site_battery(max(swing, 1.0), ramp_w_per_s=0.8 * min(ramps) if ramps else None)
    add("a site battery", [battery])
    add(f"{at_half}shelves, a site battery", [*low, SHELF, battery])
    add("rack supercapacitors, a site battery", [RACK, battery])
    if high:
        add(f"{at_most}shelves, a site battery", [*high, SHELF, battery])
        add(f"{at_most}rack supercapacitors, a site battery", [*high, RACK, battery])
    if contract.maximum_w and all(job._question is not None for job in load.jobs):
        for share in (0.9, 0.8, 0.7, 0.6, 0.5):
            try:
                capped = [job.capped(share * job.shape.limit_w) for job in load.jobs]
            except InvalidSpec:  # below what devices draw before any work
                break
            name = f"power cap {share:.0%}"
            rungs.append((name, load.replace(jobs=capped)))
            rungs.append((f"{name}, a site battery", load.replace(jobs=capped, mitigations=(*own, battery))))
    return rungs


def _ramped_floor(load: SiteLoad, share: float, ramp_w_per_s: float) -> PowerFloor:
    """Return a floor whose devices ramp no faster than the grid allows all of them together, losses included."""
    at_meter = max((1 + job.shape.supply_loss) * (1 + job.shape.plant_per_it) for job in load.jobs)
    each = ramp_w_per_s / load.accelerators / at_meter
    return PowerFloor(floor_fraction=share, ramp_up_w_per_s=each, ramp_down_w_per_s=each)


def _speed(load: SiteLoad, base: SiteLoad, trace_fraction: float) -> float:
    """Return steps made in the time of one undisturbed step of the load as it was, by accelerators."""
    total = sum(job.shape.accelerators for job in base.jobs)
    pairs: Iterable[tuple[JobLoad, JobLoad]] = zip(base.jobs, load.jobs, strict=True)
    caps = sum(a.shape.accelerators * a.shape.step_time_s / b.shape.step_time_s for a, b in pairs) / total
    return trace_fraction * caps


def _try(
    name: str,
    load: SiteLoad,
    contract: GridContract,
    *,
    base: SiteLoad,
    first: Rung | None,
    tariff: Tariff,
    duration_s: float,
) -> Rung:
    trace = load.trace(duration_s, load.resolution_s)
    report = check(contract, trace, site=load)
    speed = _speed(load, base, float(trace["throughput_fraction"].mean()))
    mean_w = float(trace["grid_w"].mean())
    cost = load_cost(
        load,
        trace,
        tariff,
        base=base,
        base_mean_w=mean_w if first is None else first.mean_w,
        lost_fraction=0.0 if first is None else first.throughput_fraction - speed,
    )
    return Rung(name, load, report, speed, mean_w, cost)


def meet(
    contract: GridContract,
    load: SiteLoad,
    *,
    duration_s: float = 1800.0,
    rungs: Sequence[tuple[str, SiteLoad]] | None = None,
    tariff: Tariff | None = None,
) -> Feasibility:
    """Find what meets a contract, trying one setting after the other.

    Parameters
    ----------
    contract
        The limits.
    load
        The load as it is.
    duration_s
        How long each setting is watched (s).
    rungs
        Settings with names, the load as it is first (default: `ladder`).
    tariff
        Prices that each setting is billed with (default: the site's price of energy).

    Returns
    -------
    Feasibility
        The first setting that meets it; where none does, the limit that binds and the nearest contract that can be met.

    Examples
    --------
    >>> import ampacity as amp
    >>> square = amp.power.shape_from_watts([1e6] * 100 + [4e5] * 100, resolution_s=0.01)
    >>> load = amp.power.SiteLoad(amp.power.JobLoad(square))
    >>> found = amp.power.meet(amp.power.GridContract(ramp_w_per_s=2e5), load, duration_s=600)
    >>> found.chosen.name
    'a site battery'
    >>> found = amp.power.meet(amp.power.GridContract(maximum_w=1e5), load, duration_s=60)
    >>> found.chosen, found.binding
    (None, 'maximum_w')
    """
    needs_a_limit(contract)
    prices = tariff_of(load) if tariff is None else tariff
    tried: list[Rung] = []
    for name, setting in ladder(load, contract) if rungs is None else rungs:
        first = tried[0] if tried else None
        tried.append(_try(name, setting, contract, base=load, first=first, tariff=prices, duration_s=duration_s))
        if tried[-1].report.met:
            break
    chosen = tried[-1] if tried[-1].report.met else None
    nearest = min(tried, key=lambda rung: max(rung.report.excess.values(), default=0.0))
    return Feasibility(tuple(tried), chosen, nearest, nearest.report.binding, _feasible(contract, nearest.report))


def _feasible(contract: GridContract, report: ContractReport) -> GridContract:
    """Return the contract with the limits that a load breaks moved to what it reaches."""
    fields = contract.to_dict()
    for key in report.excess:
        reached = report.reached[key]
        if key == "spectral_mask":
            points = [point.to_dict() for point in contract.spectral_mask]
            # The logarithm of the factor is rounded on its way through the mask's lines.
            fields[key] = [point | {"amplitude_w": point["amplitude_w"] * reached * (1 + 1e-9)} for point in points]
        elif reached > 0:
            fields[key] = reached
        else:
            fields.pop(key, None)  # nothing is stored: no ride-through at all
    return GridContract.from_dict(fields)
