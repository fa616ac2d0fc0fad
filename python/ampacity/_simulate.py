"""Every accelerator of a step an individual: `simulate` and what it returns."""

from __future__ import annotations

import operator
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from ampacity import _core
from ampacity._arguments import names_wrong_types
from ampacity._core import Cluster, Layout, Training
from ampacity._devices import COLUMNS
from ampacity._given import core_options, given_columns
from ampacity._links import LinkColumns, NetworkHealth, core_health, health_dict
from ampacity._simulate_files import load, save
from ampacity._simulate_summary import html_of, summary_of
from ampacity._simulation_views import SimulationViews
from ampacity._variability import Variability, variability_named

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import ArrayLike


class Simulation(SimulationViews):
    """Answer of `simulate`: one training step, device by device. Immutable.

    ``step_time_s``, ``tokens_per_s``, ``joules`` and ``power`` are those of the whole job, ``devices`` holds the columns
    of its accelerators, ``replica_end_s`` when the pipeline of each replica is done, ``critical`` the device that holds
    up the step most, ``estimate`` the closed form of the same question, ``warnings`` what is not modelled.
    """

    __slots__ = (
        "_exclude",
        "_given",
        "_links",
        "_network_health",
        "_seed",
        "_steps",
        "_threads",
        "_variability",
        "_warm_up",
    )

    _seed: int
    _variability: Variability
    _given: dict[str, np.ndarray[Any, Any]]
    _exclude: tuple[int, ...]
    _steps: int
    _warm_up: bool
    _threads: int
    _network_health: NetworkHealth | None
    _links: list[LinkColumns]

    def __init__(
        self,
        job: Training,
        cluster: Cluster,
        layout: Layout,
        *,
        seed: int,
        variability: Variability,
        given: dict[str, np.ndarray[Any, Any]],
        exclude: tuple[int, ...],
        steps: int,
        warm_up: bool,
        threads: int,
        progress: Callable[[float], object] | None = None,
        network_health: NetworkHealth | None = None,
    ) -> None:
        core = _core.simulate(
            job,
            cluster,
            layout,
            seed=seed,
            exclude=list(exclude),
            network=core_health(network_health, cluster),
            steps=steps,
            warm_up=warm_up,
            threads=threads,
            progress=progress,
            **core_options(variability, given),
        )
        self._fix(
            _core=core,
            _seed=seed,
            _variability=variability,
            _given=given,
            _exclude=exclude,
            _steps=steps,
            _warm_up=warm_up,
            _threads=threads,
            _network_health=network_health,
            _links=[],
        )

    @property
    def seed(self) -> int:
        """Seed of all random draws."""
        return self._seed

    @property
    def variability(self) -> Variability:
        """How devices differ."""
        return self._variability

    @property
    def network_health(self) -> NetworkHealth | None:
        """What of the network has failed; None: nothing."""
        return self._network_health

    @property
    def links(self) -> LinkColumns:
        """Columns of all links between scale-up domains, made when first asked for.

        Examples
        --------
        What the cards send is what the cables of the accelerators carry:

        >>> import ampacity as amp
        >>> job = amp.Training("llama-3.1-8b", global_batch=128, seq_len=8192)
        >>> sim = amp.simulate(job, amp.cluster("meta-llama3-16k"), amp.Layout(tp=8, dp=16))
        >>> links = sim.links
        >>> sent = links["bytes"][links["from_node"] < sim.cluster.accelerators].sum()
        >>> bool(abs(sent / sim.devices["sent_bytes"].sum() - 1) < 1e-9)
        True
        """
        if not self._links:
            self._links.append(LinkColumns(self._core))
        return self._links[0]

    @names_wrong_types
    def what_if(
        self,
        *,
        exclude: int | Sequence[int] = (),
        variability: Variability | str | None = None,
        speed_fraction: ArrayLike | None = None,
        devices: Mapping[str, ArrayLike] | None = None,
        cap_w: float | None = None,
        steps: int | None = None,
        warm_up: bool | None = None,
        job: Training | None = None,
        cluster: Cluster | None = None,
        layout: Layout | None = None,
        network_health: NetworkHealth | None = None,
        links: Mapping[int, float] | None = None,
    ) -> Simulation:
        """Return the same step with a change and the same random draws.

        Parameters
        ----------
        exclude
            Devices that run at the mean speed instead of their own (jitter stays), beside those excluded before.
        variability, speed_fraction, devices, cap_w, steps, warm_up, job, cluster, layout
            As in `simulate`; what is None stays as it was. Columns of ``devices`` replace those of their name.
        network_health
            As in `simulate`.
        links
            What is left of the rate of single links, beside those that were not whole before.

        Returns
        -------
        Simulation
            A new one.

        Raises
        ------
        InvalidSpec
            Names every conflict, and devices that the layout does not have.

        Examples
        --------
        >>> import ampacity as amp
        >>> job = amp.Training("llama-3.1-8b", global_batch=64, seq_len=8192)
        >>> sim = amp.simulate(job, amp.cluster("dgx-h100-x1"), amp.Layout(tp=2, dp=4, recompute="full"), seed=7)
        >>> sim.what_if(exclude=sim.critical.device).step_time_s == sim.critical.step_time_without_s
        True
        """
        more = tuple(exclude) if isinstance(exclude, Iterable) else (exclude,)
        health = self._network_health if network_health is None else network_health
        if links is not None:
            health = (NetworkHealth() if health is None else health).with_links(links)
        return Simulation(
            self.job if job is None else job,
            self.cluster if cluster is None else cluster,
            self.layout if layout is None else layout,
            seed=self._seed,
            variability=self._variability if variability is None else variability_named(variability),
            given=self._given | given_columns(speed_fraction, devices, cap_w),
            exclude=(*self._exclude, *map(operator.index, more)),
            steps=self._steps if steps is None else steps,
            warm_up=self._warm_up if warm_up is None else warm_up,
            threads=self._threads,
            network_health=health,
        )

    def summary(self) -> dict[str, Any]:
        """Return what matters about the step: times, energy, where the mean device's seconds go, what holds it up."""
        return summary_of(self)

    def to_dict(self) -> dict[str, Any]:
        """Return the summary with layout and variability; columns of devices are in ``devices.to_dict()``."""
        import dataclasses

        return self.summary() | {
            "layout": self.layout.to_dict(),
            "variability": dataclasses.asdict(dataclasses.replace(self._variability, telemetry=None)),
            "telemetry": None if self._variability.telemetry is None else str(self._variability.telemetry),
            "excluded": list(self._exclude),
            "network_health": None if self._network_health is None else health_dict(self._network_health),
            "steps": self.steps.to_lists(),
        }

    def to_pandas(self) -> pd.DataFrame:
        """Return the columns of all devices as a pandas data frame (needs the extra ``pandas``)."""
        return self.devices.to_pandas()

    def __repr__(self) -> str:
        return (
            f"<Simulation {self.job.model.name} on {self.cluster.name}: {len(self._core):,} devices, "
            f"{self.step_time_s:.4g} s a step, {self.joules / self.step_time_s / 1e6:.4g} MW of accelerators>"
        )

    def _repr_html_(self) -> str:
        return html_of(self)

    def __eq__(self, other: object) -> bool:
        import numpy as np

        if not isinstance(other, Simulation):
            return NotImplemented
        return (self.job, self.cluster, self.layout) == (other.job, other.cluster, other.layout) and all(
            np.array_equal(self._core.column(key), other._core.column(key)) for key in COLUMNS
        )

    __hash__: ClassVar[None] = None  # type: ignore[assignment]

    def _options(self) -> dict[str, Any]:
        """Return what the constructor was given beside job, cluster and layout."""
        return {
            "seed": self._seed,
            "variability": self._variability,
            "given": self._given,
            "exclude": self._exclude,
            "steps": self._steps,
            "warm_up": self._warm_up,
            "threads": self._threads,
            "network_health": self._network_health,
        }

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write question and columns to a file that `load` and ``numpy.load`` read (``.npz``, no pickle).

        Raises
        ------
        InvalidSpec
            The file cannot be written.
        """
        save(self, path, self._options())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Simulation:
        """Return a saved simulation: computed again, which is as quick as reading, and compared with the file.

        Raises
        ------
        InvalidSpec
            The file cannot be read, or this version of Ampacity gives other columns than the one that saved it.
        """
        return load(path, cls)

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (self.job, self.cluster, self.layout, self._options())


def _again(job: Training, cluster: Cluster, layout: Layout, options: dict[str, Any]) -> Simulation:
    """Return the simulation of pickled inputs: computing again gives the same."""
    return Simulation(job, cluster, layout, **options)


@names_wrong_types
def simulate(
    job: Training,
    cluster: Cluster,
    layout: Layout | None = None,
    *,
    seed: int = 0,
    variability: Variability | str = "typical",
    speed_fraction: ArrayLike | None = None,
    devices: Mapping[str, ArrayLike] | None = None,
    cap_w: float | None = None,
    steps: int = 1,
    warm_up: bool = False,
    threads: int = 1,
    network_health: NetworkHealth | None = None,
    progress: Callable[[float], object] | None = None,
) -> Simulation:
    """Simulate one training step with every accelerator an individual.

    Each device has silicon, an inlet temperature and a power limit of its own, from which its clock, temperature and watts
    follow, and a jitter in each of its tasks. Within a task the devices of its tensor- and
    context-parallel group (and of replicas over which experts or sharded weights are spread) wait for the slowest; the
    stages of a pipeline wait for one another as the schedule has it; replicas meet at the end of the step. What groups
    send between scale-up domains are flows on the links of the cluster's fat tree: a group whose links are crowded, failed
    or hit by hash collisions takes longer than with the network to itself.

    Parameters
    ----------
    job
        What is trained.
    cluster
        What it runs on.
    layout
        How the job is spread; None searches the fastest layout that fits in memory, and the batch that it splits
        (``sim.job``) where that of the job does not.
    seed
        Of all random draws; a device's draws depend on seed and rank only.
    variability
        ``"typical"``, ``"none"``, a telemetry file (``.csv``, see `Variability.from_telemetry`) or a `Variability`.
    speed_fraction
        Speed of each device over the mean, in rank order (default: drawn).
    devices
        Columns of single devices in rank order, instead of draws: ``speed_fraction`` (whatever causes it),
        ``power_fraction`` (power at the same clock over the mean device's), ``inlet_c`` or ``temperature_c`` (air or liquid
        that reaches the device, or its die at work; degrees Celsius), ``cap_w`` (power limit, W).
    cap_w
        Power limit of all devices (W; default: the accelerator's).
    steps
        How many steps, one after the other: dies warm up or cool down, jitter is new in each. ``steps`` of the result
        holds a row for each, everything else describes the last one.
    warm_up
        Start with idle dies instead of the temperatures of endless such steps.
    threads
        How many threads share the replicas; 0: as many as the machine has. Results do not depend on it.
    network_health
        What of the network has failed or runs at less than its rate; None: nothing.
    progress
        Called about every tenth of a second with the share of the step that is solved.

    Returns
    -------
    Simulation
        Step time (s), columns of every device (s, J, W), the critical device, and warnings about what is not modelled.

    Raises
    ------
    InvalidSpec
        Names every conflict of job, cluster, layout and options at once.
    Infeasible
        No layout fits in memory (only without a layout).

    Notes
    -----
    Without variability the step time is that of `estimate` without its ``straggler_s``, to 1 % (DualPipe and ZB-V with
    unequal stages: a few per cent, because their closed form is approximate). Half a second for 131,072 devices; stops on
    Ctrl-C. Safe to call from several threads.

    Examples
    --------
    >>> import ampacity as amp
    >>> job = amp.Training("llama-3.1-405b", global_batch=2048, seq_len=8192)
    >>> layout = amp.Layout(tp=8, pp=16, dp=128, recompute="full")
    >>> sim = amp.simulate(job, amp.cluster("meta-llama3-16k"), layout, seed=7)
    >>> sim.devices["busy_s"].shape
    (16384,)
    >>> seconds = sum(sim.devices[key] for key in sim.devices if key.endswith("_s"))
    >>> bool(abs(seconds / sim.step_time_s - 1).max() < 1e-9)
    True
    """
    if layout is None:
        fastest = _core.estimate_fastest(job, cluster)
        layout = fastest.layout
        if fastest.global_batch != job.global_batch:
            job = job.replace(global_batch=fastest.global_batch)
    return Simulation(
        job,
        cluster,
        layout,
        seed=seed,
        variability=variability_named(variability),
        given=given_columns(speed_fraction, devices, cap_w),
        exclude=(),
        steps=steps,
        warm_up=warm_up,
        threads=threads,
        network_health=network_health,
        progress=progress,
    )
