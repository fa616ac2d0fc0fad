"""Oversubscription: how often jobs drawn at random pass the rating of a breaker or the limit of a site."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ampacity._arguments import names_wrong_types
from ampacity._core import Cluster, InvalidSpec, Problem
from ampacity.power.distribution import breaker_levels
from ampacity.power.load import JobLoad, SiteLoad

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Windows are drawn from a run so much longer than they are, and of so many steps, so that they see different phases,
# failures and checkpoints.
_RUN_OVER_WINDOW = 4
_RUN_STEPS = 32
_MOST_SAMPLES = 2_000_000_000
_TOLERANCE = 1 + 1e-9  # a load that equals its rating is not beyond it


@dataclass(frozen=True)
class OverloadRisk:
    """One level of the distribution under jobs drawn at random.

    Attributes
    ----------
    level
        ``row panel``, ``switch board``, ``main board`` or ``site``.
    rating_w
        Of one breaker, or what the grid grants the site (W).
    accelerators
        Behind it.
    jobs
        Drawn for it, mean.
    mean_w, highest_w
        Mean load, and the highest mean of a second in any draw (W).
    over_fraction
        Share of all seconds above the rating.
    risk_fraction
        Share of draws with at least one second above the rating: the probability that it is passed within ``duration_s``.
    standard_error
        Of ``risk_fraction``, from the number of draws.
    """

    level: str
    rating_w: float
    accelerators: int
    jobs: float
    mean_w: float
    highest_w: float
    over_fraction: float
    risk_fraction: float
    standard_error: float
    duration_s: float

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain types."""
        return asdict(self)


@dataclass(frozen=True)
class _Run:
    accelerators: int
    watts: NDArray[np.float64]  # of one accelerator


def _runs(jobs: Sequence[JobLoad], column: str, duration_s: float, seed: int) -> list[_Run]:
    runs = []
    for index, job in enumerate(jobs):
        run_s = max(_RUN_OVER_WINDOW * duration_s, _RUN_STEPS * job.shape.step_time_s)
        trace = SiteLoad(job, seed=seed + index).trace(run_s)
        watts = trace["accelerators_w"] + trace["hosts_w"] if column == "racks" else trace[column]
        runs.append(_Run(job.shape.accelerators, watts / job.shape.accelerators))
    return runs


def _draw(runs: Sequence[_Run], accelerators: int, rows: int, dice: np.random.Generator) -> tuple[Any, int]:
    """Return the load of one draw, second by second, and how many jobs it took."""
    total = np.zeros(rows)
    left, count = accelerators, 0
    while left > 0:
        run = runs[int(dice.integers(len(runs)))]
        start = int(dice.integers(len(run.watts) - rows + 1))
        taken = min(left, run.accelerators)
        total += taken * run.watts[start : start + rows]
        left -= taken
        count += 1
    return total, count


def overload_risk(
    jobs: JobLoad | Sequence[JobLoad],
    rating_w: float,
    accelerators: int,
    *,
    level: str = "site",
    draws: int = 1000,
    duration_s: float = 3600.0,
    seed: int = 0,
) -> OverloadRisk:
    """Return the probability that jobs drawn at random pass a rating.

    Parameters
    ----------
    jobs
        What is drawn from, each as often as the others; a draw takes jobs, in random places of their runs, until the
        accelerators are used. A job larger than they are fills them alone: what it does, all of them do together.
    rating_w
        What may not be passed, as a mean over a second (W).
    accelerators
        Behind the breaker, or of the site.
    level
        ``"site"``: the meter's watts count; anything else: racks' watts (accelerators with their hosts).
    draws
        How many. The standard error of the answer is in it.
    duration_s
        Length of each draw (s).
    seed
        Of draws and of the jobs' events.

    Raises
    ------
    InvalidSpec
        No jobs, a rating or numbers out of range.

    Examples
    --------
    Two square waves that meet at random are both high at once for part of the time, whatever their mean:

    >>> import ampacity as amp
    >>> square = amp.power.shape_from_watts([1000.0] * 10 + [400.0] * 10, resolution_s=1.0)
    >>> job = amp.power.JobLoad(square, events=amp.power.LoadEvents(step_spread_fraction=0))
    >>> amp.power.overload_risk(job, 1900, 1, draws=50, duration_s=60).risk_fraction
    0.0
    >>> amp.power.overload_risk(job, 1500, 2, draws=200, duration_s=60).risk_fraction > 0.8
    True
    """
    chosen = [jobs] if isinstance(jobs, JobLoad) else list(jobs)
    _check(chosen, rating_w, accelerators, draws, duration_s)
    runs = _runs(chosen, "grid_w" if level == "site" else "racks", duration_s, seed)
    rows = round(duration_s)
    dice = np.random.Generator(np.random.Philox(seed))
    passed, over, mean, highest, count = 0, 0, 0.0, 0.0, 0
    for _ in range(draws):
        watts, taken = _draw(runs, accelerators, rows, dice)
        above = int((watts > rating_w * _TOLERANCE).sum())
        passed += above > 0
        over += above
        mean += float(watts.mean()) / draws
        highest = max(highest, float(watts.max()))
        count += taken
    risk = passed / draws
    # Never 0 or 1 without doubt: the rule of three's scale, 1 / draws, is the least error.
    error = max((risk * (1 - risk) / draws) ** 0.5, 1 / draws)
    return OverloadRisk(
        level=level,
        rating_w=rating_w,
        accelerators=accelerators,
        jobs=count / draws,
        mean_w=mean,
        highest_w=highest,
        over_fraction=over / (draws * rows),
        risk_fraction=risk,
        standard_error=error,
        duration_s=float(rows),
    )


def _check(jobs: Sequence[JobLoad], rating_w: float, accelerators: int, draws: int, duration_s: float) -> None:
    problems = []
    if not jobs:
        problems.append(Problem(path="jobs", rule="must not be empty", hint=""))
    if not 0 < rating_w < float("inf"):
        problems.append(Problem(path="rating_w", value=f"{rating_w:g}", rule="must be a number above 0", hint=""))
    if accelerators < 1:
        problems.append(Problem(path="accelerators", value=str(accelerators), rule="must be 1 or more", hint=""))
    if draws < 1 or not 2 <= duration_s <= 1e6:
        rule = "must be 1 or more, of 2 s to 1e6 s each"
        problems.append(Problem(path="draws", value=f"{draws} of {duration_s:g} s", rule=rule, hint=""))
    elif jobs:
        least = min(job.shape.accelerators for job in jobs)
        samples = draws * duration_s * max(1.0, accelerators / least)
        if samples > _MOST_SAMPLES:
            rule = f"take {samples:.2g} samples, more than {_MOST_SAMPLES:.0e}"
            problems.append(Problem(path="draws", value=str(draws), rule=rule, hint="fewer, shorter, or larger jobs"))
    if problems:
        raise InvalidSpec(problems)


@names_wrong_types
def oversubscription(
    jobs: JobLoad | Sequence[JobLoad],
    cluster: Cluster,
    *,
    oversubscription_fraction: float = 0.0,
    count: int | None = None,
    draws: int = 500,
    duration_s: float = 3600.0,
    seed: int = 0,
) -> list[OverloadRisk]:
    """Return the risk of every level of a cluster's site when it carries more than its ratings allow.

    Parameters
    ----------
    jobs
        As for `overload_risk`.
    cluster
        Its plant has the boards, its site what the grid grants (``power_limit_w``; without it the site is left out).
    oversubscription_fraction
        Racks behind each board, and accelerators of the site, beyond what ratings allow and the cluster has.
    count
        Jobs that the site runs, each of the size of one of ``jobs`` (default: as many as fill its accelerators).
    draws, duration_s, seed
        As for `overload_risk`.

    Returns
    -------
    list of OverloadRisk
        Row panel, switch board, main board, site.

    Raises
    ------
    InvalidSpec
        As `overload_risk` and `breaker_levels`.

    Examples
    --------
    Boards that are filled up to their ratings are never passed:

    >>> import ampacity as amp
    >>> cluster = amp.cluster("deepseek-h800-2k")
    >>> job = amp.power.JobLoad(amp.Training("llama-3.1-8b", global_batch=512), cluster, amp.Layout(tp=2, dp=256))
    >>> risks = amp.power.oversubscription(job, cluster, draws=20, duration_s=60)
    >>> [risk.risk_fraction for risk in risks]
    [0.0, 0.0, 0.0]
    """
    chosen = [jobs] if isinstance(jobs, JobLoad) else list(jobs)
    if count is not None and count < 1:
        raise InvalidSpec([Problem(path="jobs", value=str(count), rule="must be 1 or more", hint="")])
    node = cluster.partitions[0].node
    of_rack = max(1, round(node.accelerators * node.nodes_per_rack))
    found = []
    for level in breaker_levels(cluster, oversubscription_fraction=oversubscription_fraction)[1:]:
        behind = min(level.racks * of_rack, cluster.accelerators)
        found.append(
            overload_risk(
                chosen, level.rating_w, behind, level=level.name, draws=draws, duration_s=duration_s, seed=seed
            )
        )
    if cluster.site.power_limit_w > 0:
        whole = int(cluster.accelerators * (1 + oversubscription_fraction))
        if count is not None and chosen:
            whole = round(count * sum(job.shape.accelerators for job in chosen) / len(chosen))
        found.append(
            overload_risk(chosen, cluster.site.power_limit_w, whole, draws=draws, duration_s=duration_s, seed=seed)
        )
    return found
