"""Columns of a simulated step: its accelerators, groups and slices of them, its power over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ampacity import _core
from ampacity._columns import Columns, Table, frozen, named

if TYPE_CHECKING:
    import numpy as np

_TRACE = {
    "start_s": "start of the bin (s)",
    "seconds": "length of the bin (s)",
    "accelerators_w": "all accelerators (W)",
    "it_w": "all IT equipment (W)",
    "facility_w": "at the meter (W)",
}

COLUMNS: tuple[str, ...] = _core.Simulation.keys()
GROUPS: tuple[str, ...] = _core.Simulation.group_kinds()
_PLACES = {name: f"{name} that the device belongs to" for name in GROUPS} | {
    "peer": "rank among the devices of one stage of one replica"
}
_SLICES = {
    "device": "rank of the device",
    "activity": "the column of seconds that the slice counts in",
    "stage": "stage of the model; -1 where the slice belongs to no task",
    "micro_batch": "micro-batch; -1 where the slice belongs to no task",
    "kind": "what the task is; empty where the slice belongs to no task",
    "start_s": "start of the slice (s)",
    "end_s": "end of the slice (s)",
    "watts": "what the device draws meanwhile (W)",
}


class DeviceColumns(Columns):
    """Columns of all accelerators of a simulated step: a mapping of names to read-only numpy arrays, in rank order.

    Columns view the memory of the C++ core without a copy and outlive the simulation; `units` says what each holds. Ranks
    go by tensor (fastest), context, data and pipeline parallelism, and fill the cluster node by node and rack by rack.
    Where a device is (``stage``, ``replica``, ``node``, ``rack``, ``hall``, and ``peer``, its rank among the devices of one
    stage of one replica) is made when asked for.
    """

    __slots__ = ("_simulation",)

    _simulation: _core.Simulation

    def __init__(self, simulation: _core.Simulation) -> None:
        self._fix(_simulation=simulation, _keys=(*_PLACES, *COLUMNS))

    @property
    def units(self) -> dict[str, str]:
        """What each column holds, with its unit."""
        return _PLACES | dict(zip(COLUMNS, self._simulation.docs(), strict=True))

    @property
    def rows(self) -> int:
        """Number of devices."""
        return len(self._simulation)

    def _column(self, key: str) -> np.ndarray[Any, Any]:
        if key in GROUPS:
            return self._simulation.group_of(key)
        if key == "peer":
            import numpy as np

            layout = self._simulation.layout
            return frozen(np.arange(self.rows) % (layout.tp * layout.cp))
        return self._simulation.column(key)

    def __repr__(self) -> str:
        return f"<DeviceColumns of {self.rows:,} devices: {', '.join(self)}>"


class GroupColumns(Table):
    """What groups of devices did: a mapping of names to read-only numpy arrays, one value a group.

    ``devices`` says how many each has. Of every column of the devices there are mean, least and most (``mean_busy_s``,
    ``min_busy_s``, ``max_busy_s``, ...), and the sum where it means something (``sum_joules``).
    """

    __slots__ = ("kind",)

    kind: str

    def __init__(self, simulation: _core.Simulation, kind: str) -> None:
        import numpy as np

        columns = simulation.by(kind)
        number = frozen(np.arange(len(columns[0][2])))
        super().__init__(
            {kind: number} | {key: values for key, _, values in columns},
            {kind: f"number of the {kind}"} | {key: doc for key, doc, _ in columns},
        )
        self._fix(kind=kind)

    def __repr__(self) -> str:
        return f"<GroupColumns by {self.kind}: {self.rows:,} groups, {len(self)} columns>"


class DeviceSlices(Table):
    """What single devices did one after the other, without a gap: one value a slice, device by device.

    ``activity`` names the column of seconds in which a slice counts; ``stage``, ``micro_batch`` and ``kind`` say which task
    it belongs to.
    """

    __slots__ = ()

    def __init__(self, simulation: _core.Simulation, devices: Sequence[int]) -> None:
        import numpy as np

        found = simulation.slices(list(devices))
        lengths = [len(device[0]) for device in found]
        columns: dict[str, np.ndarray[Any, Any]] = {"device": np.repeat(np.array(devices, dtype=np.int64), lengths)}
        for place, key in enumerate(list(_SLICES)[1:]):
            columns[key] = frozen(np.concatenate([device[place] for device in found] or [np.empty(0)]))
        frozen(columns["device"])
        columns["activity"] = named(COLUMNS, columns["activity"].astype(int))
        columns["kind"] = named((*_core.PipelineTimeline.kinds, ""), columns["kind"].astype(int))
        super().__init__(columns, _SLICES)

    def __repr__(self) -> str:
        import numpy as np

        return f"<DeviceSlices of {len(np.unique(self['device'])):,} devices: {self.rows:,} slices>"


class PowerTrace(Table):
    """Power of a job over a simulated step: a mapping of names to read-only numpy arrays, one value per bin of time.

    ``start_s`` and ``seconds`` say when a bin starts and how long it is (the last one ends with the step);
    ``accelerators_w``, ``it_w`` (with hosts, network, storage) and ``facility_w`` (at the meter) are means over the bin.
    """

    __slots__ = ("resolution_s",)

    resolution_s: float

    def __init__(self, simulation: _core.Simulation, resolution_s: float) -> None:
        import numpy as np

        columns = simulation.power_trace(resolution_s)
        start = frozen(np.arange(len(columns[0])) * resolution_s)
        super().__init__(dict(zip(_TRACE, (start, *columns), strict=True)), _TRACE)
        self._fix(resolution_s=resolution_s)

    def __repr__(self) -> str:
        watts = self["facility_w"]
        return (
            f"<PowerTrace of {len(watts):,} bins of {self.resolution_s:g} s, {watts.min() / 1e6:.4g} to "
            f"{watts.max() / 1e6:.4g} MW at the meter>"
        )
