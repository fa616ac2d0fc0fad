"""What failed cables cost: the same traffic on a cluster's network before and after, and what a training job feels of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from ampacity._arguments import names_wrong_types
from ampacity._core import Cluster, Estimate, Layout, Training
from ampacity._estimate import estimate
from ampacity._failure_job import QUANTILES, JobStudy, job_study
from ampacity._links import tier_of
from ampacity._network import Network, rules_of
from ampacity._network_results import NetworkTier, Transfer

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Integers = npt.NDArray[np.int64]
    Doubles = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class TrafficResult:
    """One pattern of traffic on one state of the network.

    Attributes
    ----------
    step_s
        When the last rank has sent all (s).
    slowest_rank
        Which one that is.
    rank_s
        When every rank has, shape ``(ranks,)``; infinite for one that is cut off.
    slowest_bytes_per_s, mean_bytes_per_s
        What a rank sends over how long it takes, of the slowest rank and on average.
    ranks_cut_off
        How many ranks cannot send at all; times and rates are those of the others.
    utilisation
        For every tier of the network, the share of the step that its links are busy, by ``QUANTILES``.
    """

    step_s: float
    slowest_rank: int
    rank_s: Doubles
    slowest_bytes_per_s: float
    mean_bytes_per_s: float
    utilisation: dict[str, tuple[float, ...]]
    link_utilisation: dict[str, Doubles]
    ranks_cut_off: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "step_s": self.step_s,
            "slowest_rank": self.slowest_rank,
            "slowest_bytes_per_s": self.slowest_bytes_per_s,
            "mean_bytes_per_s": self.mean_bytes_per_s,
            "ranks_cut_off": self.ranks_cut_off,
            "utilisation": {name: list(values) for name, values in self.utilisation.items()},
        }


@dataclasses.dataclass(frozen=True, eq=False)
class PatternStudy:
    """One pattern before and after. ``bandwidth_ratio``: what is left of the effective bandwidth of the slowest rank."""

    name: str
    meaning: str
    before: TrafficResult
    after: TrafficResult
    flows_affected: int

    @property
    def bandwidth_ratio(self) -> float:
        """Return the step time before over the one after; 0 where nobody can send any more."""
        if self.after.step_s > 0:
            return self.before.step_s / self.after.step_s
        return 0.0 if self.after.ranks_cut_off else 1.0


@dataclasses.dataclass(frozen=True, eq=False)
class FailureStudy:
    """What failed cables cost a cluster.

    Attributes
    ----------
    cluster
        Its name.
    tier
        Whose cables fail.
    cables, failed
        How many that tier has, and how many of them fail.
    cut_off
        Endpoints that nothing reaches any more.
    patterns
        Traffic before and after: ``neighbours`` and ``exchange``.
    estimates
        With a job, its step before, and after with the fabric's efficiency scaled by the ratio of each pattern.
    job
        With a job, its step with the collectives of all its groups on the links, before and after; None where the links
        of a fabric are not simulated (tori between nodes).
    """

    cluster: str
    tier: NetworkTier
    cables: int
    failed: int
    seed: int
    routing: str
    queue_pairs: int
    rank_bytes: float
    cut_off: tuple[int, ...]
    patterns: tuple[PatternStudy, ...]
    estimates: dict[str, Estimate] | None
    job: JobStudy | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as ``ampacity network --fail-links --json`` prints them."""
        found: dict[str, Any] = {
            "cluster": self.cluster,
            "tier": self.tier.name,
            "cables": self.cables,
            "failed_cables": self.failed,
            "seed": self.seed,
            "routing": self.routing,
            "queue_pairs": self.queue_pairs,
            "rank_bytes": self.rank_bytes,
            "cut_off_endpoints": list(self.cut_off),
            "quantiles": list(QUANTILES),
            "patterns": [
                {
                    "name": pattern.name,
                    "meaning": pattern.meaning,
                    "before": pattern.before.to_dict(),
                    "after": pattern.after.to_dict(),
                    "bandwidth_ratio": pattern.bandwidth_ratio,
                    "flows_affected": pattern.flows_affected,
                }
                for pattern in self.patterns
            ],
        }
        if self.estimates is not None:
            found["training_step_time_s"] = {name: est.step_time_s for name, est in self.estimates.items()}
        if self.job is not None:
            found["job"] = self.job.to_dict()
        return found


@names_wrong_types
def fail_links(
    cluster: Cluster,
    fraction: float,
    *,
    tier: int | str = "spine",
    seed: int = 0,
    rank_bytes: float = 64e6,
    job: Training | None = None,
    layout: Layout | None = None,
    threads: int = 1,
) -> FailureStudy:
    """Let a share of a tier's cables fail at random, and compare the same traffic before and after.

    Two patterns are tried, with all accelerators as ranks in order: ``neighbours``, where everybody sends to the rank one
    node further (with a layout: to the next rank of its data-parallel group), and ``exchange``, where everybody sends to
    another rank at random, as in one step of an all-to-all. Routing and queue pairs are those of the fabric.

    Parameters
    ----------
    cluster
        From the catalogue, or your own.
    fraction
        Share of the tier's cables that fail, both directions.
    tier
        ``"spine"`` (the highest), ``"leaf"`` (endpoints to their switches), a place in `Network.tiers`, or its name.
    seed
        Of the cables, the permutation and the hashes.
    rank_bytes
        What every rank sends.
    job, layout
        With a training job, its step is simulated before and after (see `simulate`): the tensor, context, expert, data
        and pipeline groups of the whole job on the links, all devices alike. Beside that it is estimated with the
        fabric's ``efficiency_fraction`` scaled by what each pattern has left of its bandwidth, an approximation that
        takes all communication across nodes to behave as that pattern; without patterns whose ranks are cut off.
    threads
        How many patterns run at a time, and threads of the simulation; results are the same, bit for bit.

    Raises
    ------
    InvalidSpec
        A share outside 0 to 1, or a tier that does not exist.
    Infeasible
        The cluster has no scale-out switches.

    Examples
    --------
    One of four cables fails, and the leaf with the fewest left has 17 of 32:

    >>> import ampacity as amp
    >>> study = amp.fail_links(amp.cluster("deepseek-h800-2k"), 0.25, seed=0)
    >>> study.failed, study.cables
    (512, 2048)
    >>> [(pattern.name, round(pattern.bandwidth_ratio, 2)) for pattern in study.patterns]
    [('neighbours', 1.0), ('exchange', 0.53)]
    """
    import numpy as np

    before = Network.of(cluster)
    place = tier_of(before, tier)
    links = before.random_cables(place, fraction, seed=seed)
    after = before.with_links_at(links, 0.0)
    ranks = np.arange(cluster.accelerators)
    stride = layout.tp * layout.cp * layout.pp if layout is not None else cluster.partitions[0].node.accelerators
    targets = {
        "neighbours": (f"every rank to the one {stride} further", (ranks + stride) % ranks.size),
        "exchange": ("every rank to another one at random", np.random.default_rng(seed).permutation(ranks.size)),
    }
    rules = rules_of(cluster.fabric, seed=seed)
    tasks: list[Callable[[], Any]] = []
    for _, target in targets.values():
        tasks += [_task(network, ranks, target, rank_bytes, rules) for network in (before, after)]
        tasks.append(_affected(before, after, ranks, target, rules))
    with ThreadPoolExecutor(max_workers=max(1, threads)) as pool:
        done = list(pool.map(lambda task: task(), tasks))
    patterns = tuple(
        PatternStudy(name, meaning, done[3 * i], done[3 * i + 1], int(done[3 * i + 2]))
        for i, (name, (meaning, _)) in enumerate(targets.items())
    )
    estimates = None if job is None else _estimates(job, cluster, layout, patterns)
    step = None
    if job is not None and estimates is not None:
        chosen = estimates["before"].layout if layout is None else layout
        step = job_study(job, cluster, chosen, fraction=fraction, tier=place, seed=seed, threads=threads)
    return FailureStudy(
        cluster=cluster.name,
        tier=before.tiers[place],
        cables=before.tiers[place].cables,
        failed=links.size // 2,
        seed=seed,
        routing=cluster.fabric.routing,
        queue_pairs=rules["queue_pairs"],
        rank_bytes=rank_bytes,
        cut_off=after.cut_off,
        patterns=patterns,
        estimates=estimates,
        job=step,
    )


def _task(
    network: Network, ranks: Integers, target: Integers, rank_bytes: float, rules: dict[str, Any]
) -> Callable[[], TrafficResult]:
    return lambda: _result(network, network.transfer(ranks, target, rank_bytes, **rules), rank_bytes)


def _affected(
    before: Network, after: Network, ranks: Integers, target: Integers, rules: dict[str, Any]
) -> Callable[[], int]:
    return lambda: int(before.affected(after, ranks, target, **rules).flow.size)


def _result(network: Network, moved: Transfer, rank_bytes: float) -> TrafficResult:
    import numpy as np

    rank_s = moved.completion_s
    ended = np.isfinite(rank_s) & (rank_s > 0)
    step_s = float(moved.end_s)
    rates = rank_bytes / rank_s[ended]
    capacity, tiers = network.link_columns()
    able = (capacity > 0) & (step_s > 0)
    busy = np.divide(moved.link_bytes, capacity * step_s, out=np.zeros_like(capacity), where=able)
    working = {tier.name: np.sort(busy[(tiers == place) & (capacity > 0)]) for place, tier in enumerate(network.tiers)}
    return TrafficResult(
        step_s=step_s,
        slowest_rank=int(np.argmax(np.where(np.isfinite(rank_s), rank_s, -1.0))),
        rank_s=rank_s,
        slowest_bytes_per_s=rank_bytes / step_s if step_s > 0 else 0.0,
        mean_bytes_per_s=float(rates.mean()) if rates.size else 0.0,
        utilisation={
            name: tuple(float(q) for q in np.quantile(column, QUANTILES)) if column.size else (0.0,) * len(QUANTILES)
            for name, column in working.items()
        },
        link_utilisation=working,
        ranks_cut_off=int(rank_s.size - np.isfinite(rank_s).sum()),
    )


@names_wrong_types
def with_bandwidth_ratio(cluster: Cluster, ratio: float) -> Cluster:
    """Return a cluster whose fabric reaches that share of the bandwidth that it did.

    Examples
    --------
    >>> import ampacity as amp
    >>> cluster = amp.cluster("meta-24k-roce")
    >>> hurt = amp.with_bandwidth_ratio(cluster, 0.5)
    >>> hurt.fabric.efficiency_fraction == 0.5 * cluster.fabric.efficiency_fraction
    True
    """
    fabric = cluster.fabric
    return cluster.replace(fabric=fabric.replace(efficiency_fraction=ratio * fabric.efficiency_fraction))


def _estimates(
    job: Training, cluster: Cluster, layout: Layout | None, patterns: tuple[PatternStudy, ...]
) -> dict[str, Estimate]:
    found = {"before": estimate(job, cluster, layout)}
    chosen = found["before"].layout if layout is None else layout
    for pattern in patterns:
        if pattern.after.ranks_cut_off:
            continue  # nothing of its bandwidth is left to a rank that the job waits for
        hurt = with_bandwidth_ratio(cluster, min(1.0, pattern.bandwidth_ratio))
        found[f"after, all traffic as {pattern.name}"] = estimate(job, hurt, chosen)
    return found
