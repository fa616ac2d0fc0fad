"""Which cap, layout and precision do most under a site's power; published power profiles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ampacity._arguments import names_wrong_types
from ampacity._core import CapPoint, Cluster, InvalidSpec, Layout, PowerProfile, Problem, Training
from ampacity._report import figure, seconds_text
from ampacity.power.caps import best_cap, cap_sweep, device_states, with_limits

_WORDS = {
    "tokens_per_s": "most tokens a second of all accelerators that the site carries",
    "tokens_per_j": "most tokens a joule at the meter",
    "tokens_per_usd": "most tokens a dollar (servers, network, plant, energy)",
}
_PROVISION = {
    "peak": "every accelerator at its cap on the hottest day",
    "mean": "what the meter counts on average, which is passed now and then",
}
_SWEEP = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.55, 0.5)


@dataclass(frozen=True)
class CapDecision:
    """Answer of ``ampacity power --best-cap``.

    Attributes
    ----------
    best
        The cap, layout and number of accelerators that do most; ``precision`` is that of the job then.
    by_precision
        The best of each precision that was tried.
    sweep
        The best layout and precision under caps from the device's limit down to half of it.
    limit_w
        Of one accelerator without a cap (W).
    """

    model: str
    cluster: str
    site_mw: float
    objective: str
    provision: str
    precision: str
    best: CapPoint
    by_precision: tuple[tuple[str, CapPoint], ...]
    sweep: tuple[CapPoint, ...]
    limit_w: float
    layouts: int

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain types."""
        keys = ("model", "cluster", "site_mw", "objective", "provision", "precision", "limit_w", "layouts")
        return {key: getattr(self, key) for key in keys} | {
            "best": _point(self.best),
            "by_precision": {name: _point(point) for name, point in self.by_precision},
            "sweep": [_point(point) for point in self.sweep],
        }


def _point(point: CapPoint) -> dict[str, Any]:
    keys = ("cap_w", "step_time_s", "device_mean_w", "provisioned_w", "metered_w", "accelerators", "tokens_per_s")
    more = ("tokens_per_j", "tokens_per_usd", "throughput_fraction", "energy_fraction")
    return {key: getattr(point, key) for key in keys + more} | {"layout": point.layout.to_dict()}


@names_wrong_types
def choose_cap(
    job: Training,
    cluster: Cluster,
    layouts: Layout | Sequence[Layout],
    *,
    site_mw: float = 0.0,
    objective: str = "tokens_per_s",
    provision: str = "peak",
    precisions: Sequence[str] = (),
) -> CapDecision:
    """Return the cap, layout and precision that do most under a site's power, with the caps around it.

    Parameters
    ----------
    job, cluster, site_mw, objective, provision
        As for `best_cap`.
    layouts
        To choose from.
    precisions
        To choose from (default: the job's).

    Raises
    ------
    InvalidSpec
        As `best_cap`; an unknown precision.

    Examples
    --------
    >>> import ampacity as amp
    >>> job = amp.Training("llama-3.1-405b", global_batch=8192)
    >>> layout = amp.Layout(tp=8, pp=8, vp=2, dp=1024)
    >>> found = amp.power.choose_cap(job, amp.cluster("meta-gb200-83k"), layout, site_mw=150, precisions=["bf16", "fp8"])
    >>> found.precision, found.best.cap_w < found.limit_w
    ('fp8', True)
    """
    choices = [layouts] if isinstance(layouts, Layout) else list(layouts)
    jobs = {name: job.replace(precision=name) for name in precisions} or {str(job.precision): job}
    found = {
        name: best_cap(each, cluster, choices, site_mw=site_mw, objective=objective, provision=provision)
        for name, each in jobs.items()
    }
    precision = max(found, key=lambda name: getattr(found[name], objective))
    best = found[precision]
    limit_w = _highest_limit_w(cluster)
    power_mw = site_mw or cluster.site.power_limit_w / 1e6
    sweep = []
    for share in _SWEEP:
        try:
            sweep += cap_sweep(
                jobs[precision],
                cluster,
                best.layout,
                caps_w=[share * limit_w],
                site_mw=power_mw,
                provision=provision,
            )
        except InvalidSpec:  # below what devices draw before any work
            break
    return CapDecision(
        model=job.model.name,
        cluster=cluster.name,
        site_mw=power_mw,
        objective=objective,
        provision=provision,
        precision=precision,
        best=best,
        by_precision=tuple(found.items()),
        sweep=tuple(sweep),
        limit_w=limit_w,
        layouts=len(choices),
    )


def _highest_limit_w(cluster: Cluster) -> float:
    return max(device_states(partition.node.accelerator).limit_w for partition in cluster.partitions)


def decision_text(found: CapDecision) -> str:
    """Return the page."""
    return "\n".join(_lines(found))


def _lines(found: CapDecision) -> Iterator[str]:
    best = found.best
    where = f"{figure(found.site_mw)} MW" if found.site_mw else "a fixed number of accelerators"
    yield f"{found.model} on {found.cluster}: best cap for {where}"
    yield f"wanted: {_WORDS[found.objective]}; the site gives {_PROVISION[found.provision]}"
    yield ""
    yield f"cap          {best.cap_w:>10,.0f} W of {found.limit_w:,.0f} W ({best.cap_w / found.limit_w:.0%})"
    yield f"accelerators {best.accelerators:>10,}   {best.provisioned_w:,.0f} W of the site for each, {best.metered_w:,.0f} W metered"
    yield f"precision    {found.precision:>10}   best of {', '.join(name for name, _ in found.by_precision)}"
    yield f"layout       {_layout(best.layout)}   best of {found.layouts}"
    replica = best.layout.accelerators // best.layout.dp
    if best.accelerators != best.layout.accelerators:
        more = (
            "; each is taken to do what it does in the layout" if best.accelerators > best.layout.accelerators else ""
        )
        yield f"             of which the site carries {best.accelerators // replica:,} replicas of {replica:,}{more}"
    yield f"step         {seconds_text(best.step_time_s):>10}   {best.throughput_fraction:.1%} of the speed without a cap, for each"
    yield (
        f"all of them  {figure(best.tokens_per_s / 1e6):>10} M tokens/s, {figure(best.tokens_per_j * 3.6e6)} tokens/kWh, "
        + (f"{figure(1e6 / best.tokens_per_usd)} USD a million tokens" if best.tokens_per_usd else "no prices known")
    )
    yield ""
    heads = ("cap W", "of limit", "speed", "energy", "accelerators", "M tokens/s", "tokens/kWh", "USD/M tok")
    yield "".join(f"{head:>13}" for head in heads)
    others = [point for point in found.sweep if abs(point.cap_w / best.cap_w - 1) > 1e-6]
    for point in sorted([*others, best], key=lambda one: -one.cap_w):
        mark = " <- best" if point is best else ""
        usd = figure(1e6 / point.tokens_per_usd) if point.tokens_per_usd else "-"
        cells = (
            f"{point.cap_w:,.0f}",
            f"{point.cap_w / found.limit_w:.0%}",
            f"{point.throughput_fraction:.1%}",
            f"{point.energy_fraction:.1%}",
            f"{point.accelerators:,}",
            figure(point.tokens_per_s / 1e6),
            figure(point.tokens_per_j * 3.6e6),
            usd,
        )
        yield "".join(f"{cell:>13}" for cell in cells) + mark
    yield ""
    yield "speed: of one accelerator, over that without a cap; energy: of the accelerators for the same work"


def _layout(layout: Layout) -> str:
    keys = ("tp", "pp", "vp", "cp", "ep", "dp", "micro_batch")
    return " ".join(f"{key}={getattr(layout, key)}" for key in keys if getattr(layout, key) != 1)


@names_wrong_types
def with_profile(
    cluster: Cluster, profile: PowerProfile | str, job: Training | None = None, layout: Layout | None = None
) -> Cluster:
    """Return the cluster with a power profile on all its accelerators.

    Parameters
    ----------
    cluster
        Any cluster; it stays as it is.
    profile
        A profile, or its name in the catalogue (``ampacity list power_profiles``).
    job, layout
        What the cluster works on: needed by profiles that say what may be lost (``least_throughput_fraction``), whose cap
        depends on it.

    Raises
    ------
    InvalidSpec
        A profile of another accelerator, a cap that leaves nothing for work, or no job where one is needed.

    Examples
    --------
    >>> import ampacity as amp
    >>> cluster = amp.cluster("meta-gb200-83k")
    >>> with_profile(cluster, "meta-gb200-provisioned").partitions[0].node.accelerator.power_cap_w
    960.0
    >>> job = amp.Training("llama-3.1-405b", global_batch=1024)
    >>> layout = amp.Layout(tp=8, pp=8, vp=2, dp=128)
    >>> cap_w = with_profile(cluster, "max-q", job, layout).partitions[0].node.accelerator.power_cap_w
    >>> (point,) = amp.power.cap_sweep(job, cluster, layout, caps_w=[cap_w])
    >>> 0.97 <= point.throughput_fraction < 1
    True
    """
    from ampacity._lookup import power_profile

    chosen = power_profile(profile) if isinstance(profile, str) else profile
    devices = [partition.node.accelerator for partition in cluster.partitions]
    others = [device.name for device in devices if chosen.accelerator and device.name != chosen.accelerator]
    if others:
        rule = f"is for {chosen.accelerator}, and {cluster.name} has {others[0]}"
        raise InvalidSpec([Problem(path="profile", value=chosen.name, rule=rule, hint="")])
    if not chosen.least_throughput_fraction:
        return with_limits(cluster, cap_w=chosen.power_cap_w, locked_clock_hz=chosen.locked_clock_hz)
    if job is None or layout is None:
        rule = "needs a job and a layout: its cap depends on the work"
        raise InvalidSpec([Problem(path="profile", value=chosen.name, rule=rule, hint="")])
    return with_limits(cluster, cap_w=_lowest_cap_w(job, cluster, layout, chosen.least_throughput_fraction))


def _lowest_cap_w(job: Training, cluster: Cluster, layout: Layout, least: float) -> float:
    """Return the lowest cap, in steps of 1 % of the limit, that keeps that share of the speed."""
    limit_w = _highest_limit_w(cluster)
    kept_w = limit_w
    for percent in range(99, 0, -1):
        cap_w = percent / 100 * limit_w
        try:
            (point,) = cap_sweep(job, cluster, layout, caps_w=[cap_w])
        except InvalidSpec:  # below what devices draw before any work
            break
        if point.throughput_fraction < least * (1 - 1e-9):
            break
        kept_w = cap_w
    return kept_w
