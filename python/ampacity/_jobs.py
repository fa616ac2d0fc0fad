"""Several jobs on one cluster: each simulated on accelerators of its own, their power added up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ampacity._arguments import names_wrong_types
from ampacity._columns import Immutable
from ampacity._core import Cluster, InvalidSpec, Layout, Partition, Problem, Training
from ampacity._simulate import Simulation, simulate


@names_wrong_types
def starting_at(cluster: Cluster, accelerator: int) -> Cluster:
    """Return the cluster with its accelerators counted from that one on; those before it come last.

    A job fills a cluster from its first accelerator on, so that this is where the job is placed. The cluster keeps its
    size, and with it its network.

    Parameters
    ----------
    cluster
        The cluster.
    accelerator
        Index of the accelerator that becomes the first.

    Returns
    -------
    Cluster
        The same accelerators in another order.

    Raises
    ------
    InvalidSpec
        There is no such accelerator.

    Examples
    --------
    >>> import ampacity as amp
    >>> [p.accelerators for p in amp.starting_at(amp.cluster("colossus-200k"), 100_000).partitions]
    [50000, 50000, 100000]
    """
    if not 0 <= accelerator < cluster.accelerators:
        rule = f"must be between 0 and {cluster.accelerators - 1}"
        raise InvalidSpec([Problem(path="accelerator", value=str(accelerator), rule=rule)])
    before: list[Partition] = []
    behind: list[Partition] = []
    left = accelerator
    for partition in cluster.partitions:
        taken = min(left, partition.accelerators)
        left -= taken
        if taken > 0:
            before.append(partition.replace(accelerators=taken))
        if partition.accelerators > taken:
            behind.append(partition.replace(accelerators=partition.accelerators - taken))
    return cluster.replace(partitions=[*behind, *before])


class Jobs(Immutable):
    """Answer of `simulate_jobs`: the simulations of jobs that share a cluster. Immutable.

    Iterating gives the simulations in order; ``first_accelerators`` says where each begins.
    """

    __slots__ = ("cluster", "first_accelerators", "simulations")

    cluster: Cluster
    simulations: tuple[Simulation, ...]
    first_accelerators: tuple[int, ...]

    def __init__(self, cluster: Cluster, simulations: Sequence[Simulation], first_accelerators: Sequence[int]) -> None:
        self._fix(cluster=cluster, simulations=tuple(simulations), first_accelerators=tuple(first_accelerators))

    def __len__(self) -> int:
        return len(self.simulations)

    def __iter__(self) -> Iterator[Simulation]:
        return iter(self.simulations)

    def __getitem__(self, index: int) -> Simulation:
        return self.simulations[index]

    @property
    def accelerators(self) -> int:
        """Accelerators of all jobs."""
        return sum(sim.layout.accelerators for sim in self.simulations)

    @property
    def accelerators_mean_w(self) -> float:
        """Mean power of the accelerators of all jobs (W)."""
        return sum(sim.joules / sim.step_time_s for sim in self.simulations)

    @property
    def it_mean_w(self) -> float:
        """Mean power of all jobs with their hosts, network and storage (W)."""
        return sum(sim.power.it_mean_w for sim in self.simulations)

    @property
    def facility_mean_w(self) -> float:
        """Mean power of all jobs at the meter (W)."""
        return sum(sim.power.facility_mean_w for sim in self.simulations)

    @property
    def facility_peak_w(self) -> float:
        """Power of all jobs at the meter where all peak at once, the worst that a feed must carry (W)."""
        return sum(sim.power.facility_peak_w for sim in self.simulations)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is not modelled: of the jobs together first, then what each of them says."""
        own = dict.fromkeys(text for sim in self.simulations for text in sim.warnings)
        shared = (
            "jobs do not slow one another down: their traffic does not meet on shared links",
            "accelerators without a job draw nothing",
        )
        return (*shared, *own)

    def __repr__(self) -> str:
        return (
            f"<Jobs: {len(self)} on {self.accelerators:,} of {self.cluster.accelerators:,} accelerators of "
            f"{self.cluster.name}, {self.facility_mean_w / 1e6:,.2f} MW at the meter>"
        )


@names_wrong_types
def simulate_jobs(jobs: Sequence[tuple[Training, Layout]], cluster: Cluster, *, seed: int = 0, **options: Any) -> Jobs:
    """Simulate a step of each of several jobs that share a cluster, one behind the other.

    Parameters
    ----------
    jobs
        Pairs of job and layout. The first takes the first accelerators of the cluster, the next those behind.
    cluster
        What they share.
    seed
        Seed of the first job's draws; each further job has the next one.
    **options
        What else `simulate` takes.

    Returns
    -------
    Jobs
        The simulations and the sum of their power (W).

    Raises
    ------
    InvalidSpec
        The jobs need more accelerators than there are, or one of them cannot run.

    Examples
    --------
    >>> import ampacity as amp
    >>> job = amp.Training("llama-3.1-8b", global_batch=64, seq_len=8192)
    >>> layout = amp.Layout(dp=32, recompute="full")
    >>> amp.simulate_jobs([(job, layout), (job, layout)], amp.cluster("meta-llama3-16k")).first_accelerators
    (0, 32)
    """
    needed = sum(layout.accelerators for _, layout in jobs)
    if needed > cluster.accelerators:
        rule = f"accelerators of all jobs must not exceed those of the cluster ({cluster.accelerators})"
        raise InvalidSpec([Problem(path="jobs", value=str(needed), rule=rule)])
    simulations = []
    firsts = []
    first = 0
    for index, (job, layout) in enumerate(jobs):
        simulations.append(simulate(job, starting_at(cluster, first), layout, seed=seed + index, **options))
        firsts.append(first)
        first += layout.accelerators
    return Jobs(cluster, simulations, firsts)
