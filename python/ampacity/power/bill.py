"""What a load costs in a month: energy, demand, storage, and the speed that a mitigation or a curtailment takes."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ampacity import _core
from ampacity._core import Bill, Cluster, Curtailment, DemandMeter, InvalidSpec, Problem, Storage, Tariff
from ampacity.power.load import JobLoad, LoadTrace, SiteLoad

MONTH_S = 365.25 * 86400 / 12
_JOULES_PER_MWH = 3.6e9
# Lithium batteries of utilities: 15 years (NREL, Cost projections for utility-scale battery storage). Capacitors and
# their converters are written off with the servers: an estimate.
_STORAGE_LIFE_YEARS = {"site": 15.0, "rack": 5.0, "shelf": 5.0}


def read_tariff(path: str | os.PathLike[str]) -> Tariff:
    r"""Return the tariff of a TOML file: the fields of `Tariff`, with or without a ``[tariff]`` heading.

    Raises
    ------
    InvalidSpec
        The file cannot be read, or holds what no tariff has.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import ampacity as amp
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "tariff.toml"
    >>> _ = path.write_text("energy_usd_per_kwh = 0.06\ndemand_usd_per_kw_month = 15")
    >>> amp.power.read_tariff(path).demand_usd_per_kw_month
    15.0
    """
    from ampacity._files import read_table

    return Tariff.from_dict(read_table(path, "tariff", "prices"))


def site_tariff(cluster: Cluster) -> Tariff:
    """Return the tariff that a cluster's site implies: its price of energy, no charge for demand."""
    return Tariff(energy_usd_per_kwh=cluster.site.electricity_usd_per_kwh)


def tariff_of(load: SiteLoad) -> Tariff:
    """Return the tariff of the site of a load's first job that has one; no prices where none has.

    Examples
    --------
    >>> import ampacity as amp
    >>> job = amp.power.JobLoad(amp.Training("llama-3.1-8b", global_batch=64), amp.cluster("dgx-h100-x1"), amp.Layout(dp=8))
    >>> amp.power.tariff_of(amp.power.SiteLoad(job)).energy_usd_per_kwh
    0.078
    """
    for job in load.jobs:
        if job.simulation is not None:
            return site_tariff(job.simulation.cluster)
    return Tariff()


def bill(load: SiteLoad | LoadTrace, tariff: Tariff, *, duration_s: float = 86400.0) -> Bill:
    """Return what a month like this load costs: its energy, and its highest demand.

    Parameters
    ----------
    load
        A load, which is run for ``duration_s`` in rows of a second, or a trace. Demand is that of whole windows
        (``demand_window_s``, a quarter of an hour); the longer the load, the nearer it comes to the month's highest.
    tariff
        Prices of energy and demand, and the least demand that is billed.
    duration_s
        How long a `SiteLoad` is watched (s).

    Raises
    ------
    InvalidSpec
        Prices out of range, a trace with gaps, rows longer than the window of demand.

    Examples
    --------
    A load that alternates every ten minutes between 1 and 0.4 MW is billed for the mean of its worst quarter of an hour:

    >>> import ampacity as amp
    >>> square = amp.power.shape_from_watts([1e6] * 600 + [4e5] * 600, resolution_s=1.0)
    >>> load = amp.power.SiteLoad(amp.power.JobLoad(square, events=amp.power.LoadEvents(step_spread_fraction=0)))
    >>> month = amp.power.bill(load, amp.power.Tariff(energy_usd_per_kwh=0.06, demand_usd_per_kw_month=12))
    >>> round(month.demand_w), round(month.energy_usd_per_month), round(month.demand_usd_per_month)
    (800000, 30681, 9600)
    """
    pieces: Iterable[LoadTrace] = [load] if isinstance(load, LoadTrace) else load.chunks(duration_s)
    meter: DemandMeter | None = None
    for piece in pieces:
        if meter is None:
            meter = DemandMeter(row_s=piece.row_s, window_s=tariff.demand_window_s)
        meter.add(piece["grid_w"])
    if meter is None:
        raise InvalidSpec([Problem(path="load", rule="must have at least one row", hint="")])
    return _core.bill(tariff, meter)


def bill_object(month: Bill) -> dict[str, float]:
    """Return a bill as plain types."""
    keys = ("mean_w", "demand_w", "billed_demand_w", "energy_kwh_per_month", "energy_usd_per_month")
    return {key: getattr(month, key) for key in (*keys, "demand_usd_per_month", "usd_per_month")}


def owning_usd_per_s(load: SiteLoad) -> float:
    """Return what servers, network and plant of a load's jobs cost per second, whether they work or not (USD).

    Servers live 5 years, plant 14 (Epoch AI's cost of ownership of a gigawatt); shapes without a job cost nothing here.

    Examples
    --------
    About a dollar an hour for an H100 with its share of everything:

    >>> import ampacity as amp
    >>> job = amp.power.JobLoad(amp.Training("llama-3.1-8b", global_batch=64), amp.cluster("dgx-h100-x1"), amp.Layout(dp=8))
    >>> 0.5 < 3600 * amp.power.owning_usd_per_s(amp.power.SiteLoad(job)) / 8 < 1.5
    True
    """
    return sum(_owning_usd_per_s(job) for job in load.jobs)


def _owning_usd_per_s(job: JobLoad) -> float:
    if job.simulation is None:
        return 0.0
    power = job.simulation.power
    return _core.owning_usd_per_s(job.simulation.cluster, job.shape.accelerators, power.it_peak_w)


@dataclass(frozen=True)
class LoadCost:
    """What a month of a load costs, beside the load as it was.

    Attributes
    ----------
    bill
        Energy and demand.
    extra_w
        Mean at the meter above that of the load as it was (W); negative: less.
    loss_w
        Lost in storage, mean (W).
    lost_throughput_fraction
        Speed that it takes from the load as it was.
    storage_usd, storage_usd_per_month
        Price of what is stored in, and a month's share of its life (battery 15 years, capacitors 5).
    lost_usd_per_month
        What servers, network and plant cost for the time that the lost speed wastes.
    """

    bill: Bill
    extra_w: float
    loss_w: float
    lost_throughput_fraction: float
    storage_usd: float
    storage_usd_per_month: float
    lost_usd_per_month: float

    @property
    def usd_per_month(self) -> float:
        """Bill, storage and lost speed together (USD)."""
        return self.bill.usd_per_month + self.storage_usd_per_month + self.lost_usd_per_month

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain types."""
        keys = ("extra_w", "loss_w", "lost_throughput_fraction", "storage_usd", "storage_usd_per_month")
        more = ("lost_usd_per_month", "usd_per_month")
        return {"bill": bill_object(self.bill)} | {key: getattr(self, key) for key in keys + more}


def storage_usd(load: SiteLoad) -> tuple[float, float]:
    """Return the price of a load's storage and a month's share of its life (USD); unknown prices count nothing."""
    whole, monthly = 0.0, 0.0
    for one in load.mitigations:
        if isinstance(one, Storage):
            joules = one.energy_j + load.accelerators * one.energy_j_per_accelerator
            usd = joules / 3.6e6 * one.price_usd_per_kwh
            whole += usd
            monthly += usd / (12 * _STORAGE_LIFE_YEARS[one.level])
    return whole, monthly


def load_cost(
    load: SiteLoad, trace: LoadTrace, tariff: Tariff, *, base: SiteLoad, base_mean_w: float, lost_fraction: float
) -> LoadCost:
    """Return what a load that was run costs, beside the load as it was (``base``, ``base_mean_w`` at the meter).

    `ladder` and `meet` call it for each of their settings.

    Parameters
    ----------
    load, trace
        The load with its mitigations, and what it drew.
    tariff
        Prices of energy and demand.
    base, base_mean_w
        The load without them, and its mean at the meter (W).
    lost_fraction
        Share of the training that the mitigations take.
    """
    whole, monthly = storage_usd(load)
    # What storage gave out while it was watched has to be bought back: a month ends as charged as it began.
    charge_j = trace["stored_j"][0] - trace["storage_w"][0] * trace.row_s
    owed_w = float(charge_j - trace["stored_j"][-1]) / trace.duration_s
    meter = DemandMeter(row_s=trace.row_s, window_s=tariff.demand_window_s)
    meter.add(trace["grid_w"] + owed_w)
    return LoadCost(
        bill=_core.bill(tariff, meter),
        extra_w=float(trace["grid_w"].mean()) + owed_w - base_mean_w,
        loss_w=float(trace["storage_loss_w"].mean()),
        lost_throughput_fraction=lost_fraction,
        storage_usd=whole,
        storage_usd_per_month=monthly,
        lost_usd_per_month=max(0.0, lost_fraction) * owning_usd_per_s(base) * MONTH_S,
    )


@dataclass(frozen=True)
class CurtailmentCost:
    """What one curtailment of a load does and costs, and what it must earn.

    Attributes
    ----------
    reduced_w
        Less at the meter while it lasts (W), cooling included.
    avoided_j
        Energy that it avoids (J).
    lost_throughput_fraction
        Speed lost meanwhile.
    lost_s
        Training at full speed that it costs (s).
    lost_usd
        What servers, network and plant cost for that time (USD).
    energy_usd
        Energy that is not bought (USD).
    events_per_year
        How often it comes; 0: once.
    """

    cap_w: float
    duration_s: float
    reduced_w: float
    avoided_j: float
    lost_throughput_fraction: float
    lost_s: float
    lost_usd: float
    energy_usd: float
    events_per_year: float

    @property
    def net_usd(self) -> float:
        """Cost of one of them, the energy saved taken off (USD)."""
        return self.lost_usd - self.energy_usd

    @property
    def usd_per_mwh(self) -> float:
        """What the grid has to pay for each MWh that is not drawn, so that it costs nothing (USD per MWh)."""
        return self.net_usd / (self.avoided_j / _JOULES_PER_MWH) if self.avoided_j > 0 else float("inf")

    def to_dict(self) -> dict[str, float]:
        """Return everything as plain types."""
        keys = ("cap_w", "duration_s", "reduced_w", "avoided_j", "lost_throughput_fraction", "lost_s", "lost_usd")
        more = ("energy_usd", "net_usd", "usd_per_mwh", "events_per_year")
        return {key: getattr(self, key) for key in keys + more}


def curtailment_cost(load: SiteLoad, hours: Curtailment, tariff: Tariff | None = None) -> CurtailmentCost:
    """Return what a curtailment of a load costs: the speed that the lower limit takes, less the energy that it saves.

    Parameters
    ----------
    load
        Jobs that were given as jobs, not as shapes.
    hours
        The power limit, how long it lasts and how often it comes.
    tariff
        Price of energy (default: the site's).

    Raises
    ------
    InvalidSpec
        A job was given as a shape, or the limit leaves nothing for work.

    Examples
    --------
    >>> import ampacity as amp
    >>> job = amp.Training("llama-3.1-405b", global_batch=512, seq_len=8192)
    >>> load = amp.power.SiteLoad(amp.power.JobLoad(job, amp.cluster("meta-llama3-16k"), amp.Layout(tp=8, pp=16, dp=32)))
    >>> cut = amp.power.curtailment_cost(load, amp.power.Curtailment(start_s=0, duration_s=7200, period_s=86400, cap_w=400))
    >>> 0 < cut.lost_throughput_fraction < 0.43 and cut.usd_per_mwh > 100
    True
    """
    prices = tariff_of(load) if tariff is None else tariff
    reduced_w, lost_usd_per_s, lost = 0.0, 0.0, 0.0
    for job in load.jobs:
        capped = job.capped(hours.cap_w)
        slower = 1 - job.shape.step_time_s / capped.shape.step_time_s
        reduced_w += _meter_w(job) - _meter_w(capped)
        lost += slower * job.shape.accelerators / load.accelerators
        lost_usd_per_s += slower * _owning_usd_per_s(job)
    avoided_j = reduced_w * hours.duration_s
    return CurtailmentCost(
        cap_w=hours.cap_w,
        duration_s=hours.duration_s,
        reduced_w=reduced_w,
        avoided_j=avoided_j,
        lost_throughput_fraction=lost,
        lost_s=lost * hours.duration_s,
        lost_usd=lost_usd_per_s * hours.duration_s,
        energy_usd=avoided_j / 3.6e6 * prices.energy_usd_per_kwh,
        events_per_year=365.25 * 86400 / hours.period_s if hours.period_s else 0.0,
    )


def _meter_w(job: JobLoad) -> float:
    shape = job.shape
    it_w = shape.mean_w * (1 + shape.supply_loss) + shape.hosts_w + shape.network_w
    return float(it_w * (1 + shape.plant_per_it))
