"""What can be read off a simulated step: columns, groups, single devices, power over time, pictures, traces."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ampacity import _core, _simulate_plots
from ampacity._columns import Immutable
from ampacity._core import (
    Cluster,
    CriticalDevice,
    Estimate,
    InvalidSpec,
    Layout,
    PipelineTimeline,
    Power,
    Problem,
    StageMemory,
    StepEnergy,
    Training,
)
from ampacity._devices import DeviceColumns, DeviceSlices, GroupColumns, PowerTrace
from ampacity._perfetto import write_perfetto
from ampacity._steps import StepTable

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure


class SimulationViews(Immutable):
    """The answers of a `Simulation`; what was asked and `what_if` are there."""

    __slots__ = ("_core",)

    _core: _core.Simulation

    @property
    def job(self) -> Training:
        """The job."""
        return self._core.job

    @property
    def cluster(self) -> Cluster:
        """The cluster."""
        return self._core.cluster

    @property
    def layout(self) -> Layout:
        """The layout."""
        return self._core.layout

    @property
    def step_time_s(self) -> float:
        """Time of the step (s)."""
        return self._core.step_time_s

    @property
    def tokens_per_s(self) -> float:
        """Tokens a second of the whole job."""
        return self._core.tokens_per_s

    @property
    def joules(self) -> float:
        """Energy of all accelerators over the step (J)."""
        return self._core.joules

    @property
    def power(self) -> Power:
        """Power of accelerators, hosts, network and plant at the mean watts of the accelerators."""
        return self._core.power

    @property
    def estimate(self) -> Estimate:
        """The closed form of the same question."""
        return self._core.estimate

    @property
    def steps(self) -> StepTable:
        """Time, energy and temperatures of all steps; everything else describes the last one."""
        return StepTable(self._core)

    @property
    def critical(self) -> CriticalDevice:
        """The device that holds up the step most, and the step time if it ran at the mean speed."""
        return self._core.critical

    @property
    def memory_stages(self) -> tuple[StageMemory, ...]:
        """Memory of the devices of each pipeline stage at its fullest moment, in the order of its tasks (bytes)."""
        return self._core.memory_stages

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is not modelled or assumed, in words."""
        return self._core.warnings

    @property
    def devices(self) -> DeviceColumns:
        """Columns of all accelerators."""
        return DeviceColumns(self._core)

    @property
    def replica_end_s(self) -> np.ndarray[Any, Any]:
        """When the pipeline of each replica is done (s from the start of the step); a read-only view."""
        return self._core.replica_end_s()

    def power_trace(self, resolution_s: float = 1e-3) -> PowerTrace:
        """Return the power of the job over the step (W), in bins of ``resolution_s``.

        Accelerators change what they draw from task to task; fans, network and cooling do not follow within a step. The
        integral of ``accelerators_w`` is ``joules``. Takes as long as the simulation.

        Raises
        ------
        InvalidSpec
            The resolution is below a microsecond, or gives more than 1e8 bins.

        Examples
        --------
        >>> import ampacity as amp
        >>> job = amp.Training("llama-3.1-8b", global_batch=64, seq_len=8192)
        >>> sim = amp.simulate(job, amp.cluster("dgx-h100-x1"), amp.Layout(tp=2, dp=4, recompute="full"))
        >>> trace = sim.power_trace(0.01)
        >>> bool(abs((trace.accelerators_w * trace.seconds).sum() / sim.joules - 1) < 1e-9)
        True
        """
        return PowerTrace(self._core, resolution_s)

    @property
    def energy(self) -> StepEnergy:
        """Joules of the step from the accelerators to the meter; their sum is the integral of `power_trace`."""
        return self._core.energy

    def by(self, kind: str) -> GroupColumns:
        """Return sums, means and extremes of all columns by group of devices.

        Parameters
        ----------
        kind
            ``"stage"``, ``"replica"``, ``"node"``, ``"rack"`` or ``"hall"``. Ranks fill the cluster in order; a hall is as
            many racks as its switchboard carries (`Site.hall_power_w`).

        Raises
        ------
        InvalidSpec
            There are no such groups.

        Examples
        --------
        >>> import ampacity as amp
        >>> job = amp.Training("llama-3.1-8b", global_batch=64, seq_len=8192)
        >>> sim = amp.simulate(job, amp.cluster("dgx-h100-x1"), amp.Layout(tp=2, dp=4, recompute="full"))
        >>> sim.by("replica").devices.tolist()
        [2, 2, 2, 2]
        >>> bool(abs(sim.by("node").sum_joules.sum() / sim.joules - 1) < 1e-9)
        True
        """
        return GroupColumns(self._core, kind)

    def slices(self, devices: int | Sequence[int]) -> DeviceSlices:
        """Return what single devices did one after the other (s): work, communication, every wait.

        The slices of an activity add up to its column, and seconds times watts to the device's joules.

        Raises
        ------
        InvalidSpec
            A device that the layout does not have.
        """
        return DeviceSlices(self._core, _ranks(devices))

    def plot_heatmap(self, column: str = "wait_peers_s", path: str | os.PathLike[str] | None = None) -> Figure:
        """Draw a column of all devices rack by rack, with the extremes ringed (needs the extra ``plot``).

        Parameters
        ----------
        column
            Any of `devices`.
        path
            Where to write it too (.png, .svg or .pdf).

        Returns
        -------
        matplotlib.figure.Figure
            Colours span all but the outermost 0.1 % of devices at both ends.

        Raises
        ------
        InvalidSpec
            matplotlib is not installed, or the file cannot be written.
        KeyError
            There is no such column; names the nearest.
        """
        return _simulate_plots.heatmap(self, column, path)

    def plot_waits(self, path: str | os.PathLike[str] | None = None) -> Figure:
        """Draw where the seconds of devices go, by stage and spread over all; as `plot_heatmap`."""
        return _simulate_plots.waits(self, path)

    def plot_timeline(self, replica: int = 0, path: str | os.PathLike[str] | None = None, *, peer: int = 0) -> Figure:
        """Draw what one device of each stage of a replica does over the step; as `plot_heatmap`."""
        return _simulate_plots.timeline(self, replica, peer, path)

    def plot_power(self, path: str | os.PathLike[str] | None = None, *, resolution_s: float = 1e-3) -> Figure:
        """Draw the watts of accelerators, IT and site over the step; as `plot_heatmap`."""
        return _simulate_plots.power(self, resolution_s, path)

    def to_perfetto(
        self,
        path: str | os.PathLike[str],
        devices: int | Sequence[int] | None = None,
        *,
        resolution_s: float | None = 1e-2,
    ) -> None:
        """Write a trace of single devices for https://ui.perfetto.dev or chrome://tracing.

        Each device has tracks of compute, communication, host and waits, and a counter of its watts.

        Parameters
        ----------
        path
            JSON in the Trace Event Format; compressed where the name ends in ``.gz``.
        devices
            Ranks; None: the first eight, or all of a smaller job.
        resolution_s
            Bins of the job's power counters; None leaves them out.

        Raises
        ------
        InvalidSpec
            The file cannot be written, or a device that the layout does not have.
        """
        few = range(min(8, self.devices.rows)) if devices is None else devices
        write_perfetto(self, path, list(dict.fromkeys(_ranks(few))), resolution_s)

    def timeline(self, replica: int) -> PipelineTimeline:
        """Return start and end (s) of every task of one replica, computed again bit for bit."""
        return self._core.timeline(replica)

    def task_compute_s(self, device: int) -> np.ndarray[Any, Any]:
        """Return the compute (s) of each task of one device, in the order in which its rank works them off.

        Two passes that run into one another (DualPipe) are one task.
        """
        return self._core.task_compute_s(device)

    def task_fixed_s(self, stage: int, replica: int = 0) -> np.ndarray[Any, Any]:
        """Return what of each of the same tasks does not depend on the device: communication, host, imbalance (s).

        Replicas differ where they meet crowded or failed links.
        """
        return self._core.task_fixed_s(stage, replica)


def _ranks(devices: int | Sequence[int]) -> list[int]:
    """Return one rank or several as a list; numpy's integers and arrays too."""
    import numpy as np

    found = np.atleast_1d(np.asarray(devices, dtype=None if np.size(devices) else np.int64))
    if found.ndim != 1 or found.dtype.kind not in "iu":
        raise InvalidSpec([Problem(path="devices", rule="must be whole numbers, ranks of devices", hint="")])
    return [int(device) for device in found]
