"""What a job draws at a site, as numbers and as a page: nameplate, peak and mean apart, swings, contract."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ampacity._core import (
    Bill,
    Cluster,
    Curtailment,
    Estimate,
    GridContract,
    InvalidSpec,
    Power,
    Problem,
    Storage,
    Tariff,
)
from ampacity._report import figure, seconds_text
from ampacity.power.analysis import FLICKER_BAND_HZ, LoadStatistics, Spectrum, spectrum, statistics
from ampacity.power.bill import CurtailmentCost, bill, bill_object, curtailment_cost, tariff_of
from ampacity.power.contract import ContractReport, allowed_of, check
from ampacity.power.distribution import BreakerReport, breakers
from ampacity.power.ladder import Feasibility, meet
from ampacity.power.load import JobLoad, LoadTrace, SiteLoad
from ampacity.power.risk import OverloadRisk, oversubscription

_MW = 1e6
_SPECTRUM_S = 600.0

_MEANINGS = {
    "it_nameplate_w": "sum of the ratings of all IT equipment: what is built and bought for (critical IT capacity)",
    "it_peak_w": "every accelerator at its power limit: what breakers and batteries must survive",
    "facility_peak_w": "the same at the meter, on the hottest day",
    "it_mean_w": "training, mean over steps",
    "facility_mean_w": "the same at the meter, yearly mean of cooling: what is billed",
}
_NAMES = {
    "it_nameplate_w": "nameplate, IT",
    "it_peak_w": "peak, IT",
    "facility_peak_w": "peak, meter",
    "it_mean_w": "mean, IT",
    "facility_mean_w": "mean, meter",
}


@dataclass(frozen=True)
class PowerReport:
    """Answer of ``ampacity power``: a job on a site, its load over time, and what its contract says of it."""

    estimate: Estimate
    cluster: Cluster
    load: SiteLoad
    trace: LoadTrace
    contract: ContractReport | None
    feasibility: Feasibility | None
    breakers: BreakerReport | None = None
    tariff: Tariff | None = None
    bill: Bill | None = None
    curtailments: tuple[CurtailmentCost, ...] = ()
    risks: tuple[OverloadRisk, ...] = ()

    @cached_property
    def statistics(self) -> LoadStatistics:
        """Of the trace."""
        return statistics(self.trace)

    @cached_property
    def spectrum(self) -> Spectrum:
        """Of the trace, in pieces of ten minutes."""
        return spectrum(self.trace, window="hann", segment_s=_SPECTRUM_S)

    @property
    def power(self) -> Power:
        """Nameplate, peak and mean of the step that the load is made of."""
        simulation = self.load.jobs[0].simulation
        return self.estimate.power if simulation is None else simulation.power

    @property
    def stall_w(self) -> float:
        """What IT equipment loses within a second when all accelerators stall in their hungriest phase (W)."""
        return self.power.swing_w

    def granted(self) -> dict[str, Any] | None:
        """Say which figure of the whole cluster the power that the site is said to have is."""
        granted = self.cluster.site.power_limit_w
        if granted <= 0:
            return None
        scale = self.cluster.accelerators / self.estimate.accelerators
        values = {key: scale * getattr(self.power, key) for key in _MEANINGS}
        nearest = min(values, key=lambda key: abs(values[key] - granted))
        return {"granted_w": granted, "nearest": nearest, "of_the_cluster_w": values}

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain types."""
        est, job = self.estimate, self.load.jobs[0]
        return {
            "model": est.model,
            "cluster": est.cluster,
            "accelerators": est.accelerators,
            "layout": est.layout.to_dict(),
            "step_time_s": job.shape.step_time_s,
            "power": self.power.to_dict(),
            "meanings": dict(_MEANINGS),
            "granted": self.granted(),
            "phase_w": dict(job.shape.phase_w),
            "phase_share_fraction": {key: float(column.mean()) for key, column in job.shape.shares.items()},
            "events": job.events.to_dict(),
            "mitigations": [{"kind": type(one).__name__} | one.to_dict() for one in self.load.mitigations],
            "load": self.statistics.to_dict() | {"duration_s": self.trace.duration_s, "stall_w": self.stall_w},
            "lines": [{"frequency_hz": f, "amplitude_w": a} for f, a in self.spectrum.lines()],
            "band_hz": list(FLICKER_BAND_HZ),
            "band_energy_fraction": self.spectrum.band_energy_fraction(),
            "contract": None if self.contract is None else self.contract.to_dict(),
            "feasibility": None if self.feasibility is None else self.feasibility.to_dict(),
            "breakers": None if self.breakers is None else self.breakers.to_dict(),
            "tariff": None if self.tariff is None else self.tariff.to_dict(),
            "bill": None if self.bill is None else bill_object(self.bill),
            "curtailments": [one.to_dict() for one in self.curtailments],
            "oversubscription": [one.to_dict() for one in self.risks],
            "state_bytes": self.load.state_bytes,
            "warnings": [str(warning) for warning in est.warnings] + self.caveats(),
        }

    def caveats(self) -> list[str]:
        """Say what the load over time does not model or assumes."""
        return [
            f"cooling follows the heat with {self.load.plant_s:g} s (an assumption) at the site's yearly mean of PUE",
            "excursions of accelerators above their limit (up to 1.5 times for milliseconds) are not modelled",
        ]


def power_report(
    load: SiteLoad,
    *,
    contract: GridContract | None = None,
    duration_s: float = 3600.0,
    seek: bool = False,
    with_breakers: bool = False,
    tariff: Tariff | None = None,
    oversubscription_fraction: float | None = None,
    jobs: int | None = None,
) -> PowerReport:
    """Run a load and put together what a power engineer asks of it.

    Parameters
    ----------
    load
        A load of one job that was given as a job and not as a shape.
    contract
        What its grid allows.
    duration_s
        How long it is watched (s), at its resolution.
    seek
        Where the contract is broken: also look for what would meet it (`meet`).
    with_breakers
        Also what the breakers of the job see (`breakers`).
    tariff
        Prices of energy and demand (default: the site's price of energy).
    oversubscription_fraction, jobs
        Also the risk of passing ratings with so many more racks behind them, and ``jobs`` such jobs on the site
        (`oversubscription`; default: as many as it has room for).

    Raises
    ------
    InvalidSpec
        The load is of a shape alone.

    Examples
    --------
    >>> import ampacity as amp
    >>> job = amp.Training("llama-3.1-8b", global_batch=64)
    >>> load = amp.power.SiteLoad(amp.power.JobLoad(job, amp.cluster("dgx-h100-x1"), amp.Layout(dp=8, recompute="full")))
    >>> report = amp.power.power_report(load, duration_s=60)
    >>> report.statistics.highest_w <= report.power.facility_peak_w < 12e3
    True
    """
    job: JobLoad = load.jobs[0]
    if job.estimate is None or job.simulation is None:
        rule = "must be given as a job or a simulation: a shape says nothing of ratings"
        raise InvalidSpec([Problem(path="load", rule=rule, hint="")])
    trace = load.trace(duration_s, load.resolution_s)
    report = None if contract is None else check(contract, trace, site=load)
    found = None
    if seek and contract is not None and report is not None and not report.met:
        found = meet(contract, load, duration_s=min(duration_s, 1800.0), tariff=tariff)
    prices = tariff_of(load) if tariff is None else tariff
    risks: list[OverloadRisk] = []
    if oversubscription_fraction is not None:
        risks = oversubscription(
            list(load.jobs),
            job.simulation.cluster,
            oversubscription_fraction=oversubscription_fraction,
            count=jobs,
            duration_s=min(duration_s, 3600.0),
            seed=load.seed,
        )
    return PowerReport(
        estimate=job.estimate,
        cluster=job.simulation.cluster,
        load=load,
        trace=trace,
        contract=report,
        feasibility=found,
        breakers=breakers(job.simulation) if with_breakers else None,
        tariff=prices,
        bill=bill(trace, prices),
        curtailments=tuple(
            curtailment_cost(load, one, prices) for one in load.mitigations if isinstance(one, Curtailment)
        ),
        risks=tuple(risks),
    )


def text(report: PowerReport) -> str:
    """Return the page."""
    return "\n".join(_lines(report))


def _mw(watts: float) -> str:
    return figure(watts / _MW) if abs(watts) >= 1e3 else f"{watts / _MW:.6f}"


def _lines(report: PowerReport) -> Iterator[str]:
    est, job, stats = report.estimate, report.load.jobs[0], report.statistics
    n = est.accelerators
    yield f"{est.model} on {est.cluster}: {n:,} accelerators, {seconds_text(job.shape.step_time_s)} a step"
    yield ""
    yield f"{'':<16}{'MW':>10}{'W each':>9}"
    for key, name in _NAMES.items():
        watts = getattr(report.power, key)
        yield f"{name:<16}{_mw(watts):>10}{watts / n:>9,.0f}   {_MEANINGS[key]}"
    granted = report.granted()
    if granted is not None:
        nearest, watts = granted["nearest"], granted["of_the_cluster_w"][granted["nearest"]]
        yield ""
        also = ", not its mean power" if "mean" not in nearest else ", not its nameplate"
        yield f"The {_mw(granted['granted_w'])} MW said of {report.cluster.site.name} are nearest the {_NAMES[nearest]} of the"
        yield f"whole cluster ({report.cluster.accelerators:,} accelerators, {_mw(watts)} MW){also}."
    yield ""
    yield "one accelerator by phase of a step"
    for phase, watts in job.shape.phase_w.items():
        share = float(job.shape.shares[phase].mean())
        yield f"  {phase:<15}{watts:>8,.0f} W{share:>8.1%} of the time"
    yield ""
    yield from _load_lines(report, stats)
    if report.contract is not None:
        yield ""
        yield from contract_lines(report.contract)
    if report.feasibility is not None:
        yield ""
        yield from feasibility_lines(report.feasibility)
    yield from _money_lines(report)
    if report.risks:
        yield ""
        yield from _risk_lines(report.risks)
        if not report.cluster.site.power_limit_w:
            yield "  the site is left out: what its grid grants is not known (power_limit_w)"
    if report.breakers is not None:
        yield ""
        yield "breakers of this job from second to second"
        yield from (f"  {line}" for line in report.breakers.text().splitlines())
    yield ""
    yield from (f"warning: {warning}" for warning in est.warnings)
    yield from (f"warning: {words}" for words in report.caveats())


def _load_lines(report: PowerReport, stats: LoadStatistics) -> Iterator[str]:
    yield f"load at the meter over {report.trace.duration_s:,.0f} s ({stats.failures} failures)"
    yield f"  mean            {_mw(stats.mean_w):>9} MW   ({stats.load_factor_fraction:.0%} of its highest)"
    yield f"  range           {_mw(stats.lowest_w):>9} to {_mw(stats.highest_w)} MW: {_mw(stats.dynamic_range_w)} MW"
    yield f"  steepest        {_mw(stats.ramp_w_per_s):>9} MW/s, {_mw(stats.ramp_w_per_min)} MW/min"
    yield f"  a stall of all  {_mw(report.stall_w):>9} MW within a second (IT)"
    low, high = FLICKER_BAND_HZ
    yield f"  {low:g} to {high:g} Hz     {report.spectrum.band_energy_fraction():>9.0%} of the energy of all swings"
    for frequency, amplitude in report.spectrum.lines(4):
        yield f"  {frequency:>12.4g} Hz {_mw(amplitude):>9} MW amplitude"
    if report.load.mitigations:
        names = ", ".join(_name_of(one) for one in report.load.mitigations)
        yield f"  with {names}: {stats.throughput_fraction:.2%} of undisturbed training"
    else:
        yield f"  training        {stats.throughput_fraction:>9.2%} of undisturbed"


def _usd(value: float) -> str:
    return f"{figure(value / 1e6)} M USD" if abs(value) >= 1e4 else f"{value:,.0f} USD"


def _money_lines(report: PowerReport) -> Iterator[str]:
    month, tariff = report.bill, report.tariff
    if month is None or tariff is None or not (tariff.energy_usd_per_kwh or tariff.demand_usd_per_kw_month):
        return
    yield ""
    yield f"a month like this{' at ' + tariff.name if tariff.name else ''}"
    energy = f"{figure(month.energy_kwh_per_month / 1e6)} GWh at {tariff.energy_usd_per_kwh:g} USD/kWh"
    yield f"  energy          {_usd(month.energy_usd_per_month):>14}   {energy}"
    if tariff.demand_usd_per_kw_month:
        least = " (the contract's least)" if month.billed_demand_w > month.demand_w else ""
        demand = (
            f"{_mw(month.billed_demand_w)} MW{least} at {tariff.demand_usd_per_kw_month:g} USD/kW, highest "
            f"{tariff.demand_window_s / 60:g} minutes of those watched"
        )
        yield f"  demand          {_usd(month.demand_usd_per_month):>14}   {demand}"
        yield f"  together        {_usd(month.usd_per_month):>14}"
    for one in report.curtailments:
        yield (
            f"  curtailment to {one.cap_w:g} W for {one.duration_s / 3600:g} h: {_mw(one.reduced_w)} MW less, "
            f"{figure(one.avoided_j / 3.6e9)} MWh; {one.lost_throughput_fraction:.1%} slower, "
            f"{_usd(one.lost_usd)} of servers and plant"
        )
        yield f"    less {_usd(one.energy_usd)} of energy: pays above {one.usd_per_mwh:,.0f} USD for each MWh not drawn"


def _risk_lines(risks: tuple[OverloadRisk, ...]) -> Iterator[str]:
    hours = risks[0].duration_s / 3600
    yield f"oversubscription: jobs drawn at random, probability of passing a rating within {hours:.3g} h"
    yield f"  {'':<14}{'rating MW':>11}{'behind it':>11}{'jobs':>6}{'mean MW':>10}{'highest':>10}{'risk':>8}{'of seconds':>12}"
    for one in risks:
        yield (
            f"  {one.level:<14}{_mw(one.rating_w):>11}{one.accelerators:>11,}{one.jobs:>6.3g}{_mw(one.mean_w):>10}"
            f"{_mw(one.highest_w):>10}{one.risk_fraction:>8.1%}{one.over_fraction:>12.3%}"
        )


def _name_of(mitigation: Any) -> str:
    words = {"PowerFloor": "power floor", "Filler": "filler", "Curtailment": "curtailment"}
    return words.get(type(mitigation).__name__) or mitigation.name or f"{mitigation.level} storage"


_UNITS = {
    "maximum_w": (1e6, "MW"),
    "ramp_w_per_s": (1e6, "MW/s"),
    "ramp_w_per_min": (1e6, "MW/min"),
    "dynamic_range_w": (1e6, "MW"),
    "band_energy_fraction": (0.01, "%"),
    "band_amplitude_w": (1e6, "MW"),
    "ride_through_s": (1.0, "s"),
}


def _quantity(key: str, value: float) -> str:
    scale, unit = _UNITS[key]
    return f"{figure(value / scale)} {unit}"


def _factor(value: float) -> str:
    return f"{value:.2g}" if value < 100 or value == float("inf") else figure(value, 2)


def _times(value: float) -> str:
    return f"{figure(value, 3)} times"


def contract_lines(report: ContractReport) -> Iterator[str]:
    """Yield the lines of a contract's verdict."""
    name = report.contract.name or "contract"
    yield f"{name}: {'met' if report.met else 'broken'} over {report.duration_s:,.0f} s"
    for key, count in report.counts.items():
        allowed = allowed_of(report.contract, key)
        if not allowed:
            continue
        verdict = "within" if count == 0 else "broken" if count == 1 else f"broken {count:,} times"
        if key == "spectral_mask":
            yield f"  {key:<22}{_times(report.reached[key]):>14} what it allows   {verdict}"
            continue
        yield f"  {key:<22}{_quantity(key, report.reached[key]):>14} of {_quantity(key, allowed):<16}{verdict}"
    worst = sorted(report.violations, key=lambda one: one.worst / one.allowed, reverse=True)[:5]
    for one in worst:
        if one.limit == "spectral_mask":
            yield f"    {one.limit} at {one.frequency_hz:.3g} Hz: {_times(one.worst)} what it allows there"
            continue
        where = f"{one.frequency_hz:.3g} Hz" if one.frequency_hz else f"{one.worst_at_s:,.1f} s"
        yield (
            f"    {one.limit} at {where}: {_quantity(one.limit, one.worst)}, allowed "
            f"{_quantity(one.limit, one.allowed)} (from {one.start_s:,.1f} to {one.end_s:,.1f} s)"
        )


def feasibility_lines(found: Feasibility) -> Iterator[str]:
    """Yield the lines of what would meet a contract."""
    yield "what would meet it, and what a month of it costs (bill, storage over its life, hardware that lost speed wastes)"
    heads = f"{'speed':>8}{'MW':>9}{'lost MW':>9}{'storage':>14}{'bill':>14}{'speed lost':>14}{'a month':>14}"
    yield f"  {'':<55}{heads}"
    for rung in found.rungs:
        broken = ", ".join(f"{key} x{_factor(value)}" for key, value in rung.report.excess.items()) or "meets it"
        cost = rung.cost
        usd = (cost.storage_usd, cost.bill.usd_per_month, cost.lost_usd_per_month, cost.usd_per_month)
        money = "".join(f"{_usd(value) if value else '-':>14}" for value in usd)
        watts = f"{_mw(rung.mean_w):>9}{_mw(cost.loss_w) if cost.loss_w else '-':>9}"
        yield f"  {rung.name:<55}{rung.throughput_fraction:>8.1%}{watts}{money}  {broken}"
    unpriced = {
        one.name or f"{one.level} storage"
        for rung in found.rungs
        for one in rung.load.mitigations
        if isinstance(one, Storage) and not one.price_usd_per_kwh
    }
    if unpriced:
        yield f"  no price is known of {', '.join(sorted(unpriced))}: not counted"
    if found.chosen is not None:
        yield f"  chosen: {found.chosen.name}"
        return
    yield f"  nothing tried meets it: {found.binding} binds. Nearest: {found.nearest.name}, which would meet"
    for key in found.nearest.report.excess:
        value = getattr(found.nearest_feasible, key)
        if key == "spectral_mask":
            yield f"    {key}: all amplitudes {_times(found.nearest.report.reached[key])} as high"
            continue
        yield f"    {key} = {_quantity(key, value) if value else 'no limit'}"
