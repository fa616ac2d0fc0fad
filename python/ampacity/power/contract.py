"""A load against what its grid allows: violations by time, size and limit; what would meet the contract."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ampacity._core import (
    ContractMonitor,
    GridContract,
    InvalidSpec,
    PowerFloor,
    Problem,
    Storage,
    Violation,
)
from ampacity.power.analysis import Spectrum, spectrum
from ampacity.power.load import JobLoad, LoadTrace, Mitigation, SiteLoad

IN_TIME = ("maximum_w", "ramp_w_per_s", "ramp_w_per_min", "dynamic_range_w")
LIMITS = (*IN_TIME, "band_energy_fraction", "band_amplitude_w", "ride_through_s")


@dataclass(frozen=True)
class ContractReport:
    """A load against a contract.

    ``reached`` is the largest value of each quantity, limited or not (of ``ride_through_s``: how long storage carries the
    highest load); ``counts`` how often each limit was broken, ``violations`` when, how far and for how long.
    """

    contract: GridContract
    reached: dict[str, float]
    counts: dict[str, int]
    violations: tuple[Violation, ...]
    duration_s: float

    @property
    def met(self) -> bool:
        """Whether no limit was broken."""
        return not any(self.counts.values())

    @property
    def excess(self) -> dict[str, float]:
        """Of each broken limit: the value reached over what is allowed (ride-through: the other way round)."""
        return {key: _excess(self, key) for key, count in self.counts.items() if count}

    @property
    def binding(self) -> str | None:
        """The limit that is broken by most, relatively."""
        excess = self.excess
        return max(excess, key=lambda key: excess[key]) if excess else None

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain types."""
        keys = ("limit", "start_s", "end_s", "worst", "worst_at_s", "allowed")
        return {
            "met": self.met,
            "duration_s": self.duration_s,
            "limits": {key: getattr(self.contract, key) for key in LIMITS if getattr(self.contract, key)},
            "reached": dict(self.reached),
            "counts": dict(self.counts),
            "binding": self.binding,
            "violations": [{key: getattr(one, key) for key in keys} for one in self.violations],
        }


def _excess(report: ContractReport, key: str) -> float:
    allowed, reached = getattr(report.contract, key), report.reached[key]
    if key == "ride_through_s":
        return float(allowed / reached) if reached > 0 else float("inf")
    return float(reached / allowed)


def read_contract(path: str | os.PathLike[str]) -> GridContract:
    """Return the contract of a TOML file: the fields of `GridContract`, with or without a ``[contract]`` heading.

    Raises
    ------
    InvalidSpec
        The file cannot be read, or holds what no contract has.
    """
    import tomllib

    from ampacity._files import file_error, read_text

    try:
        document = tomllib.loads(read_text(path))
    except tomllib.TOMLDecodeError as error:
        raise file_error(path, f"is no TOML: {error}") from None
    inner = document.get("contract", document)
    if not isinstance(inner, dict):
        raise file_error(path, "must hold a table of limits")
    contract = GridContract.from_dict(inner)
    _needs_a_limit(contract)
    return contract


def _needs_a_limit(contract: GridContract) -> None:
    if not any(getattr(contract, key) for key in LIMITS):
        rule = "must have at least one limit"
        raise InvalidSpec([Problem(path="contract", rule=rule, hint=", ".join(LIMITS))])


def _ride_through_s(load: SiteLoad | None, highest_w: float) -> float:
    """Return how long what is stored at rest carries the highest load; 0 where it is too weak for it."""
    if load is None:
        return 0.0
    n = load.accelerators
    units = [one for one in load.mitigations if isinstance(one, Storage)]
    strength = sum(one.power_w + n * one.power_w_per_accelerator for one in units)
    if highest_w <= 0:
        return float("inf")
    if strength < highest_w:
        return 0.0
    energy_j = 0.0
    for one in units:
        usable = one.rest_fraction * float(one.efficiency_fraction) ** 0.5
        energy_j += usable * (one.energy_j + n * one.energy_j_per_accelerator)
    return energy_j / highest_w


def _line(found: Spectrum, low_hz: float, high_hz: float) -> float:
    """Return the largest amplitude of a band; a window spreads each line over three neighbours."""
    energy = found.amplitude_w**2
    lines = np.sqrt(np.convolve(energy, np.ones(3), "same"))
    inside = (found.frequency_hz >= low_hz) & (found.frequency_hz <= high_hz)
    return float(lines[inside].max(initial=0.0))


class _Spectra:
    """Averages the spectra of pieces of a load, ten periods of the lowest frequency each."""

    def __init__(self, contract: GridContract, row_s: float) -> None:
        self.row_s = row_s
        self.rows = max(4, round(10 / contract.band_low_hz / row_s))
        self.kept: list[np.ndarray[Any, Any]] = []
        self.count = 0
        self.energy: np.ndarray[Any, Any] | None = None
        self.frequency: np.ndarray[Any, Any] = np.zeros(0)
        self.mean = 0.0

    def add(self, watts: np.ndarray[Any, Any]) -> None:
        self.kept.append(watts)
        have = np.concatenate(self.kept)
        while have.size >= self.rows:
            self._take(have[: self.rows])
            have = have[self.rows :]
        self.kept = [have]

    def _take(self, piece: np.ndarray[Any, Any]) -> None:
        found = spectrum(piece, row_s=self.row_s, window="hann")
        energy = found.amplitude_w**2
        self.energy = energy if self.energy is None else self.energy + energy
        self.frequency = found.frequency_hz
        self.mean += found.mean_w
        self.count += 1

    def result(self) -> Spectrum:
        left = np.concatenate(self.kept) if self.kept else np.zeros(0)
        if self.energy is None and left.size >= 2:
            self._take(left)
        if self.energy is None:
            return Spectrum(np.zeros(0), np.zeros(0), 0.0)
        return Spectrum(self.frequency, np.sqrt(self.energy / self.count), self.mean / self.count)


def _pieces(load: SiteLoad | LoadTrace, duration_s: float) -> tuple[Iterable[LoadTrace], float]:
    if isinstance(load, LoadTrace):
        return [load], load.row_s
    return load.chunks(duration_s, load.resolution_s), load.resolution_s


def check(
    contract: GridContract, load: SiteLoad | LoadTrace, *, duration_s: float = 3600.0, site: SiteLoad | None = None
) -> ContractReport:
    """Check a load against a contract.

    Parameters
    ----------
    contract
        The limits.
    load
        A load, which is run for ``duration_s`` at its resolution, or a trace. Rows of a trace should be fine enough for the
        band of the contract; frequencies above half the inverse of a row are not seen.
    duration_s
        How long a `SiteLoad` is watched (s).
    site
        Where ``load`` is a trace: the load that it is of, whose storage rides through faults.

    Returns
    -------
    ContractReport
        Violations by time, size and limit.

    Raises
    ------
    InvalidSpec
        A contract without limits; a trace with gaps.

    Examples
    --------
    >>> import ampacity as amp
    >>> square = amp.power.shape_from_watts([1e6] * 100 + [4e5] * 100, resolution_s=0.01)
    >>> load = amp.power.SiteLoad(amp.power.JobLoad(square))
    >>> report = amp.power.check(amp.power.GridContract(ramp_w_per_s=1e5, maximum_w=2e6), load, duration_s=60)
    >>> report.met, report.binding
    (False, 'ramp_w_per_s')
    """
    _needs_a_limit(contract)
    pieces, row_s = _pieces(load, duration_s)
    monitor = ContractMonitor(contract, row_s=row_s)
    spectra = _Spectra(contract, row_s)
    rows, highest = 0, 0.0
    for piece in pieces:
        grid, low, high = piece["grid_w"], piece["grid_lowest_w"], piece["grid_highest_w"]
        monitor.add(grid, low, high)
        spectra.add(grid)
        rows += len(grid)
        highest = max(highest, float(high.max()))
    return _report(
        contract=contract,
        monitor=monitor,
        found=spectra.result(),
        end_s=rows * row_s,
        highest_w=highest,
        load=load if site is None else site,
    )


def _report(
    *,
    contract: GridContract,
    monitor: ContractMonitor,
    found: Spectrum,
    end_s: float,
    highest_w: float,
    load: SiteLoad | LoadTrace,
) -> ContractReport:
    reached = {key: monitor.reached(key) for key in IN_TIME}
    counts = {key: monitor.count(key) for key in IN_TIME}
    low, high = contract.band_low_hz, contract.band_high_hz
    # Swings of less than a millionth of the load are rounding and have no shape.
    swings = float((found.amplitude_w**2).sum()) ** 0.5 > 1e-6 * abs(found.mean_w)
    reached["band_energy_fraction"] = found.band_energy_fraction(low, high) if swings else 0.0
    reached["band_amplitude_w"] = _line(found, low, high) if swings else 0.0
    reached["ride_through_s"] = _ride_through_s(load if isinstance(load, SiteLoad) else None, highest_w)
    violations = list(monitor.violations())
    for key in LIMITS[len(IN_TIME) :]:
        allowed, value = getattr(contract, key), reached[key]
        broken = bool(allowed) and (value < allowed if key == "ride_through_s" else value > allowed)
        counts[key] = int(broken)
        if broken:
            violations.append(
                Violation(limit=key, start_s=0.0, end_s=end_s, worst=value, worst_at_s=0.0, allowed=allowed)
            )
    return ContractReport(contract, reached, counts, tuple(violations), end_s)


@dataclass(frozen=True)
class Rung:
    """One setting of the ladder of `meet`, with what it does and costs."""

    name: str
    load: SiteLoad
    report: ContractReport
    throughput_fraction: float
    mean_w: float
    storage_usd: float

    def to_dict(self) -> dict[str, Any]:
        """Return what matters as plain types."""
        return {
            "name": self.name,
            "met": self.report.met,
            "reached": dict(self.report.reached),
            "throughput_fraction": self.throughput_fraction,
            "mean_w": self.mean_w,
            "storage_usd": self.storage_usd,
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
    """Return the settings that `meet` tries, one after the other: floors, shelf and rack capacitors, battery, caps."""
    own = list(load.mitigations)
    rungs: list[tuple[str, SiteLoad]] = [("as it is", load)]

    def add(name: str, more: Sequence[Mitigation], base: SiteLoad = load) -> None:
        rungs.append((name, base.replace(mitigations=(*own, *more))))

    low: list[Mitigation] = []
    high: list[Mitigation] = []
    if all(job.shape.limit_w > 0 for job in load.jobs):
        for share in (0.5, 0.8, 0.9):
            high = [PowerFloor(floor_fraction=share)]
            add(f"power floor {share:.0%}", high)
        low = [PowerFloor(floor_fraction=0.5)]
    at_half, at_most = ("power floor 50%, ", "power floor 90%, ") if low else ("", "")
    add(f"{at_half}shelf capacitors", [*low, SHELF])
    swing = sum(float(job.shape.accelerators_w.max()) for job in load.jobs)
    ramps = [value for value in (contract.ramp_w_per_s, contract.ramp_w_per_min / 60) if value]
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
            capped = [job.capped(share * job.shape.limit_w) for job in load.jobs]
            name = f"power cap {share:.0%}"
            rungs.append((name, load.replace(jobs=capped)))
            rungs.append((f"{name}, a site battery", load.replace(jobs=capped, mitigations=(*own, battery))))
    return rungs


def _speed(load: SiteLoad, base: SiteLoad, trace_fraction: float) -> float:
    """Return steps made in the time of one undisturbed step of the load as it was, by accelerators."""
    total = sum(job.shape.accelerators for job in base.jobs)
    pairs: Iterable[tuple[JobLoad, JobLoad]] = zip(base.jobs, load.jobs, strict=True)
    caps = sum(a.shape.accelerators * a.shape.step_time_s / b.shape.step_time_s for a, b in pairs) / total
    return trace_fraction * caps


def _try(name: str, load: SiteLoad, base: SiteLoad, contract: GridContract, duration_s: float) -> Rung:
    trace = load.trace(duration_s, load.resolution_s)
    report = check(contract, trace, site=load)
    n = load.accelerators
    usd = sum(
        (one.energy_j + n * one.energy_j_per_accelerator) / 3.6e6 * one.price_usd_per_kwh
        for one in load.mitigations
        if isinstance(one, Storage)
    )
    speed = _speed(load, base, float(trace["throughput_fraction"].mean()))
    return Rung(name, load, report, speed, float(trace["grid_w"].mean()), usd)


def meet(
    contract: GridContract,
    load: SiteLoad,
    *,
    duration_s: float = 1800.0,
    rungs: Sequence[tuple[str, SiteLoad]] | None = None,
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
        Settings with names (default: `ladder`).

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
    _needs_a_limit(contract)
    tried: list[Rung] = []
    for name, setting in ladder(load, contract) if rungs is None else rungs:
        tried.append(_try(name, setting, load, contract, duration_s))
        if tried[-1].report.met:
            break
    chosen = tried[-1] if tried[-1].report.met else None
    nearest = min(tried, key=lambda rung: max(rung.report.excess.values(), default=0.0))
    changes: Mapping[str, float] = {
        key: nearest.report.reached[key] for key in nearest.report.excess if nearest.report.reached[key] > 0
    }
    feasible = contract.to_dict() | dict(changes)
    for key in nearest.report.excess:
        if key not in changes:
            feasible.pop(key, None)  # nothing is stored: no ride-through at all
    return Feasibility(tuple(tried), chosen, nearest, nearest.report.binding, GridContract.from_dict(feasible))
