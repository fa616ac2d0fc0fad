"""The command ``ampacity power``: what its words mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ampacity import _core
from ampacity._core import (
    Cluster,
    Curtailment,
    Estimate,
    Filler,
    InvalidSpec,
    Layout,
    PowerFloor,
    Problem,
    Storage,
    Tariff,
    Training,
)
from ampacity._simulate import simulate
from ampacity.power.bill import read_tariff, site_tariff
from ampacity.power.contract import read_contract
from ampacity.power.decision import CapDecision, choose_cap, with_profile
from ampacity.power.ladder import SHELF, site_battery
from ampacity.power.load import JobLoad, Mitigation, SiteLoad
from ampacity.power.report import PowerReport, power_report


def _floor(first: float | None, fields: dict[str, Any]) -> Mitigation:
    return PowerFloor(**({} if first is None else {"floor_fraction": first}) | fields)


def _filler(first: float | None, fields: dict[str, Any]) -> Mitigation:
    return Filler(**({} if first is None else {"level_fraction": first}) | fields)


def _shelf(first: float | None, fields: dict[str, Any]) -> Mitigation:
    return SHELF.replace(**({} if first is None else {"energy_j_per_accelerator": first}) | fields)


def _battery(first: float | None, fields: dict[str, Any]) -> Mitigation:
    hours = fields.pop("hours", 1.0)
    power_w = fields.pop("power_w", first)
    if not isinstance(power_w, int | float) or not isinstance(hours, int | float):
        raise InvalidSpec([_problem("battery", "needs watts", "battery:50e6 or battery:50e6,hours=2")])
    for path, value in (("power_w", power_w), ("hours", hours)):
        if not 0 < value < float("inf"):
            raise InvalidSpec([Problem(path=f"battery.{path}", value=f"{value:g}", rule="must be above 0", hint="")])
    return site_battery(float(power_w), hours=float(hours)).replace(**fields)


def _storage(first: float | None, fields: dict[str, Any]) -> Mitigation:
    if first is not None:
        raise InvalidSpec(
            [_problem("storage", "takes named values only", "storage:level=rack,energy_j=1e9,power_w=1e6")]
        )
    return Storage(**fields)


def _curtailment(first: float | None, fields: dict[str, Any]) -> Mitigation:
    return Curtailment(**({} if first is None else {"cap_w": first}) | fields)


_KINDS: dict[str, Callable[[float | None, dict[str, Any]], Mitigation]] = {
    "floor": _floor,
    "filler": _filler,
    "shelf": _shelf,
    "battery": _battery,
    "storage": _storage,
    "curtailment": _curtailment,
}


def _problem(path: str, rule: str, hint: str = "", value: str = "") -> Problem:
    return Problem(path=f"mitigate.{path}", value=value, rule=rule, hint=hint)


def _value(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def mitigation(words: str) -> Mitigation:
    """Return the mitigation that such words say: a kind, and after a colon its main value and others by name.

    Examples
    --------
    >>> from ampacity.power.command import mitigation
    >>> mitigation("floor:0.8,ramp_down_w_per_s=500").floor_fraction
    0.8
    >>> mitigation("battery:50e6,hours=2").energy_j / 3.6e9
    100.0
    """
    kind, _, rest = words.partition(":")
    make = _KINDS.get(kind)
    if make is None:
        near = _core.nearest_names(kind, [*_KINDS, "cap"])
        hint = f"did you mean {near[0]}?" if near else ", ".join([*_KINDS, "cap"])
        raise InvalidSpec([_problem("kind", "is not a mitigation", hint, kind)])
    first: float | None = None
    fields: dict[str, Any] = {}
    for place, part in enumerate(piece for piece in rest.split(",") if piece):
        key, equals, value = part.partition("=")
        if equals:
            fields[key.strip()] = _value(value.strip())
        elif place == 0 and isinstance(_value(part), float):
            first = float(part)
        else:
            raise InvalidSpec([_problem(kind, "must be a number first, then name=value", "", part)])
    return make(first, fields)


def mitigations(words: Sequence[str]) -> tuple[list[Mitigation], float | None]:
    """Return the mitigations of a command line, and the power limit of accelerators (``cap:600``), if any."""
    found: list[Mitigation] = []
    cap_w: float | None = None
    problems: list[Problem] = []
    for each in words:
        try:
            if each.startswith("cap:"):
                cap_w = _cap(each.removeprefix("cap:"))
            else:
                found.append(mitigation(each))
        except InvalidSpec as error:
            problems += error.problems
    if problems:
        raise InvalidSpec(problems)
    return found, cap_w


def _cap(text: str) -> float:
    value = _value(text)
    if not isinstance(value, float) or not 0 < value < float("inf"):
        raise InvalidSpec([_problem("cap", "must be watts above 0", "cap:600", text)])
    return value


def run(
    job: Training,
    cluster: Cluster,
    estimate: Estimate,
    *,
    words: Sequence[str] = (),
    contract: str | None = None,
    duration_s: float = 3600.0,
    seed: int = 0,
    seek: bool = False,
    breakers: bool = False,
    variability: str = "none",
    profile: str | None = None,
    prices: Mapping[str, Any] | None = None,
    oversubscribe: float | None = None,
    jobs: int | None = None,
) -> PowerReport:
    """Return the report that a command line asks for."""
    settings, cap_w = mitigations(words)
    limits = None if contract is None else read_contract(contract)
    tariff = tariff_from(cluster, **(prices or {}))
    if profile is not None:
        cluster = with_profile(cluster, profile, job, estimate.layout)
    step = simulate(job, cluster, estimate.layout, seed=seed, variability=variability)
    load = SiteLoad(JobLoad(step, cap_w=cap_w), settings, seed=seed)
    return power_report(
        load,
        contract=limits,
        duration_s=duration_s,
        seek=seek,
        with_breakers=breakers,
        tariff=tariff,
        oversubscription_fraction=0.0 if oversubscribe is None and jobs is not None else oversubscribe,
        jobs=jobs,
    )


def tariff_from(
    cluster: Cluster,
    path: str | None = None,
    energy_usd_per_kwh: float | None = None,
    demand_usd_per_kw_month: float | None = None,
) -> Tariff:
    """Return the tariff of a file (default: the site's price of energy), with the prices that are given instead."""
    tariff = site_tariff(cluster) if path is None else read_tariff(path)
    given: dict[str, Any] = {
        "energy_usd_per_kwh": energy_usd_per_kwh,
        "demand_usd_per_kw_month": demand_usd_per_kw_month,
    }
    return tariff.replace(**{key: value for key, value in given.items() if value is not None})


def run_best_cap(
    job: Training,
    cluster: Cluster,
    layouts: Sequence[Layout],
    *,
    site_mw: float | None,
    objective: str,
    provision: str,
    precisions: Sequence[str],
) -> CapDecision:
    """Return the decision that a command line asks for."""
    if site_mw is not None and not 0 < site_mw < float("inf"):
        rule = "must be megawatts above 0"
        raise InvalidSpec([Problem(path="site_mw", value=f"{site_mw:g}", rule=rule, hint="--site-mw 150")])
    return choose_cap(
        job,
        cluster,
        layouts,
        site_mw=site_mw or 0.0,
        objective=objective,
        provision=provision,
        precisions=precisions,
    )
