"""What failed cables cost a training step: the collectives of all its groups on the links, before and after."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from ampacity._core import Cluster, Infeasible, Layout, Training
from ampacity._links import NetworkHealth

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from ampacity._simulate import Simulation

    Doubles = npt.NDArray[np.float64]

QUANTILES = (0.5, 0.9, 0.99, 1.0)


@dataclasses.dataclass(frozen=True, eq=False)
class JobOnLinks:
    """One step of a job on one state of the network, all devices alike.

    Attributes
    ----------
    step_time_s
        Of the whole job.
    rank_s
        What every rank waits for the network beyond having it to itself (s), shape ``(ranks,)``.
    slowest_rank
        The rank with most of it.
    communication_s
        Exposed communication of the mean rank, that waiting included (s).
    utilisation
        For every tier that the job's groups cross, the share of the step that its links are busy, by ``QUANTILES``.
    """

    step_time_s: float
    rank_s: Doubles
    slowest_rank: int
    communication_s: float
    utilisation: dict[str, tuple[float, ...]]
    link_utilisation: dict[str, Doubles]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "step_time_s": self.step_time_s,
            "slowest_rank": self.slowest_rank,
            "network_wait_s": {"mean": float(self.rank_s.mean()), "most": float(self.rank_s.max())},
            "communication_s": self.communication_s,
            "utilisation": {name: list(values) for name, values in self.utilisation.items()},
        }


@dataclasses.dataclass(frozen=True, eq=False)
class JobStudy:
    """A job's step before and after; ``after`` is None where failures cut its ranks off (``reason``)."""

    before: JobOnLinks
    after: JobOnLinks | None
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        after = None if self.after is None else self.after.to_dict()
        return {"before": self.before.to_dict(), "after": after, "reason": self.reason}


def job_study(
    job: Training, cluster: Cluster, layout: Layout, *, fraction: float, tier: int | str, seed: int, threads: int
) -> JobStudy | None:
    """Simulate the step before and after; None where the links of a fabric are not simulated."""
    from ampacity._simulate import simulate

    if len(cluster.partitions) > 1:
        return None
    options: dict[str, Any] = {"seed": seed, "variability": "none", "threads": threads}
    whole = simulate(job, cluster, layout, **options)
    if whole.links.network is None:
        return None
    before = _on_links(whole)
    health = NetworkHealth(failed_fraction=fraction, tier=tier)
    try:
        after = simulate(job, cluster, layout, network_health=health, **options)
    except Infeasible as error:
        return JobStudy(before, None, str(error))
    return JobStudy(before, _on_links(after))


def _on_links(step: Simulation) -> JobOnLinks:
    import numpy as np

    waits = step.devices["wait_network_s"]
    links = step.links
    network = links.network
    found: dict[str, Doubles] = {}
    for place, tier in enumerate(() if network is None else network.tiers):
        column = np.sort(links["utilisation_fraction"][(links["tier"] == place) & (links["bytes_per_s"] > 0)])
        if column.size and column[-1] > 0:
            found[tier.name] = column
    return JobOnLinks(
        step_time_s=step.step_time_s,
        rank_s=waits,
        slowest_rank=int(waits.argmax()),
        communication_s=float((step.devices["communication_s"] + waits).mean()),
        utilisation={name: tuple(float(q) for q in np.quantile(column, QUANTILES)) for name, column in found.items()},
        link_utilisation=found,
    )
