"""Breakers between racks and the site, and the controllers that keep a job below their ratings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ampacity import _core
from ampacity._arguments import names_wrong_types
from ampacity._core import BreakerLevel, Cluster, DynamicBreakerLoad
from ampacity._simulate import Simulation

BreakerLoad = DynamicBreakerLoad  # earlier name
_KEYS = (
    "level",
    "stage",
    "breakers",
    "racks",
    "rating_w",
    "mean_w",
    "highest_w",
    "highest_at_s",
    "over_fraction",
    "trips_at_s",
    "controlled_w",
    "controlled_trips_at_s",
    "slowed_fraction",
)


@dataclass(frozen=True)
class BreakerReport:
    """Breakers of a job from second to second, level by level and pipeline stage by stage.

    What the whole site's mean, peak and nameplate do to the same breakers is `SitePower.breakers`.
    """

    loads: tuple[DynamicBreakerLoad, ...]
    duration_s: float

    @property
    def overloads(self) -> tuple[DynamicBreakerLoad, ...]:
        """Those whose highest second is above their rating, the worst first."""
        over = [one for one in self.loads if one.overloaded]
        return tuple(sorted(over, key=lambda one: one.highest_w / one.rating_w, reverse=True))

    @property
    def slowed_fraction(self) -> float:
        """Speed that controllers cost the job: the slowest stage holds up all others."""
        return max((one.slowed_fraction for one in self.loads), default=0.0)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain types."""
        rows = [{key: getattr(one, key) for key in _KEYS} for one in self.loads]
        return {"duration_s": self.duration_s, "slowed_fraction": self.slowed_fraction, "breakers": rows}

    def text(self) -> str:
        """Return which are overloaded, by how much and when; or how near each level comes."""
        lines = []
        for one in self.overloads:
            trips = "does not trip" if one.trips_at_s < 0 else f"trips after {one.trips_at_s:,.0f} s"
            lines.append(
                f"{one.breakers:,} x {one.level} of stage {one.stage}: {one.highest_w / 1e3:,.1f} kW of "
                f"{one.rating_w / 1e3:,.1f} kW ({one.highest_w / one.rating_w - 1:+.1%}) at {one.highest_at_s:,.1f} s, above it "
                f"{one.over_fraction:.1%} of the time; {trips}; controllers cost {one.slowed_fraction:.1%} of speed"
            )
        if not lines:
            for level in dict.fromkeys(one.level for one in self.loads):
                near = max((one.highest_w / one.rating_w for one in self.loads if one.level == level), default=0.0)
                lines.append(f"{level}: at most {near:.1%} of the rating")
        return "\n".join(lines)


@names_wrong_types
def breaker_levels(cluster: Cluster, *, oversubscription_fraction: float = 0.0) -> list[BreakerLevel]:
    """Return a rack and the boards above it as the site's plant has them, filled with racks by their ratings.

    Parameters
    ----------
    cluster
        Its first kind of node says what a rack is rated at; ratings and ``provision_fraction`` are those of its plant
        (default: 190 kW, 1.25 and 2.5 MW, as in Dynamo, Wu et al., ISCA 2016).
    oversubscription_fraction
        Racks beyond what ratings allow: 0.3 puts 30 % more behind each breaker.

    Returns
    -------
    list of BreakerLevel
        Rack, row panel, switch board, main board: the same as in `site_power`. A board that is too small for one of what
        it feeds carries one all the same, and is overloaded.

    Raises
    ------
    InvalidSpec
        A negative fraction.

    Examples
    --------
    >>> import ampacity as amp
    >>> [(level.name, level.racks) for level in amp.power.breaker_levels(amp.cluster("meta-llama3-16k"))]
    [('rack', 1), ('row panel', 9), ('switch board', 54), ('main board', 108)]
    """
    return _core.breaker_levels(cluster, oversubscription_fraction=oversubscription_fraction)


def breakers(
    simulation: Simulation,
    levels: Sequence[BreakerLevel] | None = None,
    *,
    duration_s: float = 1800.0,
    control: bool = True,
    period_s: float = 3.0,
) -> BreakerReport:
    """Return what the breakers of a job see, and what controllers of each level do about it.

    Parameters
    ----------
    simulation
        The step, which repeats itself.
    levels
        From the rack upwards (default: `breaker_levels` of the cluster).
    duration_s
        How long (s).
    control
        Whether controllers cap the accelerators behind a breaker to 95 % of its rating when its mean over ``period_s`` is
        above 99 %, and let them go below 90 %.
    period_s
        How often controllers read (s); 3 in Dynamo.

    Returns
    -------
    BreakerReport
        Which are overloaded, by how much, when, and when they would trip.

    Raises
    ------
    InvalidSpec
        A level that does not carry one rack, or values out of range.

    Examples
    --------
    >>> import ampacity as amp
    >>> job = amp.Training("llama-3.1-405b", global_batch=128, seq_len=8192)
    >>> sim = amp.simulate(job, amp.cluster("meta-llama3-16k"), amp.Layout(tp=8, pp=16, dp=8), variability="none")
    >>> amp.power.breakers(sim).overloads
    ()
    """
    chosen = breaker_levels(simulation.cluster) if levels is None else list(levels)
    found = _core.breaker_loads(simulation._core, chosen, control=control, period_s=period_s, duration_s=duration_s)
    return BreakerReport(tuple(found), duration_s)
