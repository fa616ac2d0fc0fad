"""Load over time: the shape of a step, jobs with their events, a site's load row by row."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import numpy as np

from ampacity import _core
from ampacity._arguments import names_wrong_types
from ampacity._columns import Immutable, Table, frozen
from ampacity._core import (
    Cluster,
    Curtailment,
    Estimate,
    Filler,
    InvalidSpec,
    Layout,
    LoadEvents,
    Partition,
    PowerFloor,
    Problem,
    StepShape,
    Storage,
    Training,
)
from ampacity._simulate import Simulation
from ampacity.power.caps import with_limits

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

Mitigation: TypeAlias = PowerFloor | Filler | Storage | Curtailment
COLUMNS: tuple[str, ...] = _core.SiteLoad.keys()
_ROWS_AT_A_TIME = 65_536
_MOST_ROWS = 100_000_000


@names_wrong_types
def step_shape(
    job: Training | Simulation,
    cluster: Cluster | None = None,
    layout: Layout | None = None,
    *,
    resolution_s: float = 1e-3,
) -> StepShape:
    """Return the load of one step, from a simulation or in closed form.

    Parameters
    ----------
    job
        A simulated step, whose watts are those of its ``power_trace``; or a job, with ``cluster`` and ``layout``: the same
        step with accelerators that are all alike.
    cluster, layout
        Where the job runs, and how.
    resolution_s
        Length of a bin (s).

    Returns
    -------
    StepShape
        ``accelerators_w`` (all of them, W), ``shares`` of them in each phase (forward, backward, exposed communication,
        bubble, optimizer, stall) by bin, ``phase_w`` of one accelerator. Phases are those of the first replica.

    Raises
    ------
    InvalidSpec
        Job, cluster and layout do not fit together, or the resolution is too fine or too coarse.

    Examples
    --------
    >>> import ampacity as amp
    >>> job = amp.Training("llama-3.1-8b", global_batch=64, seq_len=8192)
    >>> shape = amp.power.step_shape(job, amp.cluster("dgx-h100-x1"), amp.Layout(tp=2, dp=4, recompute="full"))
    >>> shape.accelerators
    8
    >>> bool(shape.accelerators_w.max() <= 8 * shape.limit_w * 1.000001)
    True
    """
    if isinstance(job, Simulation):
        return _core.step_shape(job._core, resolution_s)
    if cluster is None or layout is None:
        missing = "cluster" if cluster is None else "layout"
        raise InvalidSpec([Problem(path=missing, rule="must be given with a job", hint="or give a simulation")])
    return _core.closed_step_shape(job, cluster, layout, resolution_s)


def shape_from_watts(
    watts: ArrayLike,
    *,
    resolution_s: float,
    accelerators: int = 1,
    limit_w: float = 0.0,
    idle_w: float = 0.0,
    stalled_w: float | None = None,
    supply_loss: float = 0.0,
    hosts_w: float = 0.0,
    network_w: float = 0.0,
    plant_per_it: float = 0.0,
) -> StepShape:
    """Return a step whose load is given: measured, or a test signal.

    Parameters
    ----------
    watts
        Of all accelerators together, one value for each bin (W).
    resolution_s
        Length of a bin (s).
    accelerators
        How many there are.
    limit_w, idle_w, stalled_w
        One accelerator's power limit (needed by floors and fillers), its power without a job, and while its job stands
        still (default: the least of ``watts``) (W).
    supply_loss, hosts_w, network_w, plant_per_it
        What is added on the way to the meter: a share of the accelerators' watts, fixed watts of hosts and of network, and
        a share of all of these (PUE less 1).

    Returns
    -------
    StepShape
        As `step_shape` makes it, without phases.

    Examples
    --------
    >>> import ampacity as amp
    >>> square = amp.power.shape_from_watts([1000.0] * 50 + [400.0] * 50, resolution_s=0.01)
    >>> square.step_time_s, round(square.mean_w, 6)
    (1.0, 700.0)
    """
    values = np.asarray(watts, dtype=float)
    if values.ndim != 1 or values.size == 0:
        raise InvalidSpec([Problem(path="watts", rule="must be a row of numbers that is not empty", hint="")])
    bad = np.flatnonzero(~np.isfinite(values) | (values < 0))
    if bad.size:
        first = int(bad[0])
        raise InvalidSpec(
            [
                Problem(
                    path=f"watts[{first}]",
                    value=f"{values[first]:g}",
                    rule="must be a finite number of 0 or more",
                    hint=f"{bad.size} such values: fill gaps first",
                )
            ]
        )
    return StepShape(
        values,
        resolution_s=resolution_s,
        step_time_s=resolution_s * values.size,
        accelerators=accelerators,
        limit_w=limit_w,
        idle_w=idle_w,
        stalled_w=float(values.min()) / accelerators if stalled_w is None else stalled_w,
        supply_loss=supply_loss,
        hosts_w=hosts_w,
        network_w=network_w,
        plant_per_it=plant_per_it,
    )


def _with_cap(cluster: Cluster, cap_w: float) -> Cluster:
    """Return a cluster whose accelerators have a power cap, or keep their own where that is lower."""
    capped = with_limits(cluster, cap_w=cap_w)
    pairs = zip(cluster.partitions, capped.partitions, strict=True)
    return cluster.replace(partitions=[old if 0 < _cap_w(old) < _cap_w(new) else new for old, new in pairs])


def _cap_w(partition: Partition) -> float:
    return partition.node.accelerator.power_cap_w


class JobLoad:
    """A job of a site: the load of its step, and what comes between steps.

    Parameters
    ----------
    job, cluster, layout
        As in `step_shape`; or a `StepShape` alone.
    events
        Checkpoints, evaluations, failures (default: checkpoints and failures as ``estimate``'s run has them; none for a
        `StepShape`).
    offset_s
        How far into its step it is at the start (s).
    cap_w
        Power cap of each accelerator (W; default: none), as `with_limits` sets it: the clock falls as far as the
        device's voltage and frequency make it, ratings stay.
    resolution_s
        Of the step (s).

    Examples
    --------
    >>> import ampacity as amp
    >>> job = amp.Training("llama-3.1-8b", global_batch=64, seq_len=8192)
    >>> cluster = amp.cluster("dgx-h100-x1")
    >>> full = amp.power.JobLoad(job, cluster, amp.Layout(tp=2, dp=4, recompute="full"))
    >>> capped = amp.power.JobLoad(job, cluster, amp.Layout(tp=2, dp=4, recompute="full"), cap_w=500)
    >>> capped.shape.step_time_s > full.shape.step_time_s
    True
    """

    __slots__ = ("_question", "cap_w", "estimate", "events", "offset_s", "shape", "simulation")

    shape: StepShape
    events: LoadEvents
    offset_s: float
    cap_w: float | None
    estimate: Estimate | None
    simulation: Simulation | None
    _question: Simulation | tuple[Training, Cluster, Layout] | None

    def __init__(
        self,
        job: Training | Simulation | StepShape,
        cluster: Cluster | None = None,
        layout: Layout | None = None,
        *,
        events: LoadEvents | None = None,
        offset_s: float = 0.0,
        cap_w: float | None = None,
        resolution_s: float = 1e-3,
    ) -> None:
        self.offset_s = offset_s
        self.cap_w = cap_w
        self.estimate, self.simulation, self._question = None, None, None
        if isinstance(job, StepShape):
            self.shape, self.events = job, LoadEvents() if events is None else events
            return
        if isinstance(job, Simulation):
            self._question = job
            self.simulation = job if cap_w is None else job.what_if(cluster=_with_cap(job.cluster, cap_w))
        else:
            if cluster is None or layout is None:
                step_shape(job, cluster, layout)  # says what is missing
                raise AssertionError
            from ampacity._simulate import simulate

            self._question = (job, cluster, layout)
            capped = cluster if cap_w is None else _with_cap(cluster, cap_w)
            self.simulation = simulate(job, capped, layout, variability="none")
        self.estimate = self.simulation.estimate
        self.shape = step_shape(self.simulation, resolution_s=resolution_s)
        self.events = _core.load_events(self.estimate, self.simulation.cluster) if events is None else events

    def capped(self, cap_w: float) -> JobLoad:
        """Return the same job with another power limit of its accelerators (W).

        Raises
        ------
        InvalidSpec
            The job was given as a shape, or the limit is below what an accelerator draws before any work.
        """
        if self._question is None:
            rule = "needs a job: a shape of watts does not say what a lower limit makes of them"
            raise InvalidSpec([Problem(path="cap_w", value=f"{cap_w:g}", rule=rule, hint="")])
        asked = self._question
        job, cluster, layout = asked if isinstance(asked, tuple) else (asked, None, None)
        return JobLoad(
            job,
            cluster,
            layout,
            events=self.events,
            offset_s=self.offset_s,
            cap_w=cap_w if self.cap_w is None else min(cap_w, self.cap_w),
            resolution_s=self.shape.resolution_s,
        )

    def __repr__(self) -> str:
        return (
            f"<JobLoad of {self.shape.accelerators:,} accelerators, {self.shape.step_time_s:.4g} s a step, "
            f"{self.shape.mean_w / 1e6:.4g} MW of accelerators>"
        )


def staggered(jobs: Sequence[JobLoad]) -> list[JobLoad]:
    """Return jobs that start their steps one after the other, evenly spread over a step of each.

    Two jobs in antiphase cancel their fundamental, k jobs all lines but every k-th. Steps that vary drift out of it again,
    by their spread times the root of the steps made, unless something holds them.

    Examples
    --------
    >>> from ampacity import power
    >>> job = power.JobLoad(power.shape_from_watts([2.0, 1.0], resolution_s=0.5))
    >>> [one.offset_s for one in power.staggered([job, job])]
    [0.0, 0.5]
    """
    moved = []
    for index, job in enumerate(jobs):
        one = copy.copy(job)
        one.offset_s = index / len(jobs) * job.shape.step_time_s
        moved.append(one)
    return moved


class LoadTrace(Table):
    """A load over time: a mapping of names to read-only numpy arrays, one value for each row of ``row_s`` seconds.

    `units` says what each column holds. ``grid_w`` is what the meter sees; levels add up: accelerators, hosts and network
    are the IT equipment, with the plant the facility, with what storage takes and loses the grid.
    """

    __slots__ = ("failures", "row_s")

    row_s: float
    failures: int

    units: ClassVar[dict[str, str]] = dict(zip(COLUMNS, _core.SiteLoad.docs(), strict=True))

    def __init__(self, columns: Mapping[str, NDArray[np.float64]], row_s: float, failures: int = 0) -> None:
        super().__init__(dict(columns), {key: LoadTrace.units.get(key, "") for key in columns})
        self._fix(row_s=row_s, failures=failures)

    @property
    def duration_s(self) -> float:
        """Length of the whole (s)."""
        return self.rows * self.row_s

    def __repr__(self) -> str:
        watts = self["grid_w"]
        low = self._columns.get("grid_lowest_w", watts).min()
        high = self._columns.get("grid_highest_w", watts).max()
        return (
            f"<LoadTrace of {self.rows:,} rows of {self.row_s:g} s, {low / 1e6:.4g} to {high / 1e6:.4g} MW at the meter, "
            f"{watts.mean() / 1e6:.4g} MW mean>"
        )


class SiteLoad(Immutable):
    """Jobs side by side behind one connection to the grid, and what evens out their load. Immutable; draws nothing yet.

    Parameters
    ----------
    jobs
        One `JobLoad` or several.
    mitigations
        `PowerFloor`, `Filler`, `Storage`, `Curtailment`, in any order: floors and fillers act in the accelerators, then
        storage from the shelf to the site.
    seed
        Of the lengths of steps and the times of failures.
    resolution_s
        Of everything inside (s).
    plant_s
        With which cooling follows the heat (s). The default is an assumption: water loops and halls take minutes.

    Raises
    ------
    InvalidSpec
        When it is run: names all that is wrong.

    Examples
    --------
    >>> import ampacity as amp
    >>> square = amp.power.shape_from_watts([1e6] * 50 + [4e5] * 50, resolution_s=0.01)
    >>> load = amp.power.SiteLoad(amp.power.JobLoad(square, events=amp.power.LoadEvents(step_spread_fraction=0)))
    >>> trace = load.trace(60)
    >>> round(float(trace.grid_w.mean()))
    700000
    """

    __slots__ = ("jobs", "mitigations", "plant_s", "resolution_s", "seed")

    jobs: tuple[JobLoad, ...]
    mitigations: tuple[Mitigation, ...]
    seed: int
    resolution_s: float
    plant_s: float

    def __init__(
        self,
        jobs: JobLoad | Sequence[JobLoad],
        mitigations: Sequence[Mitigation] = (),
        *,
        seed: int = 0,
        resolution_s: float = 1e-2,
        plant_s: float = 300.0,
    ) -> None:
        self._fix(
            jobs=(jobs,) if isinstance(jobs, JobLoad) else tuple(jobs),
            mitigations=tuple(mitigations),
            seed=seed,
            resolution_s=resolution_s,
            plant_s=plant_s,
        )

    def replace(self, **changes: Any) -> SiteLoad:
        """Return a copy with other values of its parameters."""
        return SiteLoad(**({name: getattr(self, name) for name in self.__slots__} | changes))

    @property
    def accelerators(self) -> int:
        """Of all jobs."""
        return sum(job.shape.accelerators for job in self.jobs)

    def _run(self, output_s: float) -> _core.SiteLoad:
        hours = [one for one in self.mitigations if isinstance(one, Curtailment)]
        jobs = [
            _core.LoadJob(
                job.shape,
                job.events,
                offset_s=job.offset_s,
                curtailed=[job.capped(one.cap_w).shape for one in hours],
            )
            for job in self.jobs
        ]
        return _core.SiteLoad(
            jobs,
            list(self.mitigations),
            seed=self.seed,
            resolution_s=self.resolution_s,
            output_s=output_s,
            plant_s=self.plant_s,
        )

    def chunks(self, duration_s: float, output_s: float = 1.0, *, rows: int = _ROWS_AT_A_TIME) -> Iterator[LoadTrace]:
        """Yield the load piece by piece, so that its length costs no memory.

        Parameters
        ----------
        duration_s
            Length of the whole (s); rounded to whole rows.
        output_s
            Length of a row (s), a multiple of ``resolution_s``.
        rows
            Of a piece, at most.
        """
        run = self._run(output_s)
        left = _rows(duration_s, output_s)
        failures = 0
        while left > 0:
            columns = run.next(min(rows, left))
            left -= len(columns[0])
            yield LoadTrace(dict(zip(COLUMNS, columns, strict=True)), output_s, run.failures - failures)
            failures = run.failures

    def trace(self, duration_s: float, output_s: float = 1.0) -> LoadTrace:
        """Return the load over ``duration_s``, in rows of ``output_s`` (s)."""
        run = self._run(output_s)
        count = _rows(duration_s, output_s)
        if count > _MOST_ROWS:
            rule = f"is more than {_MOST_ROWS:,} rows: use chunks() or write()"
            raise InvalidSpec([Problem(path="duration_s", value=f"{duration_s:g}", rule=rule, hint="")])
        columns = [np.empty(count) for _ in COLUMNS]
        for start in range(0, count, _ROWS_AT_A_TIME):  # Ctrl-C is heard between pieces
            for column, piece in zip(columns, run.next(min(_ROWS_AT_A_TIME, count - start)), strict=True):
                column[start : start + len(piece)] = piece
        found = {key: frozen(column) for key, column in zip(COLUMNS, columns, strict=True)}
        return LoadTrace(found, output_s, run.failures)

    def write(
        self, path: str, duration_s: float, output_s: float = 1.0, *, columns: Sequence[str] | None = None
    ) -> int:
        """Write the load to a file, piece by piece; see `ampacity.power.write_load`."""
        from ampacity.power.export import write_load

        return write_load(self, path, duration_s, output_s, columns=columns)

    @property
    def state_bytes(self) -> int:
        """Memory that a run holds beside the rows that it hands out: one step of each job (bytes)."""
        return self._run(self.resolution_s).state_bytes

    def __repr__(self) -> str:
        return f"<SiteLoad of {len(self.jobs)} jobs, {self.accelerators:,} accelerators, {len(self.mitigations)} mitigations>"


def _rows(duration_s: float, output_s: float) -> int:
    if not (0 < output_s < float("inf") and output_s <= duration_s < float("inf")):
        rule = f"must be a finite number of at least one row ({output_s:g} s)"
        raise InvalidSpec([Problem(path="duration_s", value=f"{duration_s:g}", rule=rule, hint="")])
    if not duration_s / output_s < 2.0**53:
        rule = f"must be fewer than 2**53 rows of {output_s:g} s"
        raise InvalidSpec([Problem(path="duration_s", value=f"{duration_s:g}", rule=rule, hint="")])
    return round(duration_s / output_s)
