"""Columns of a simulated step: its accelerators, its power over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ampacity import _core
from ampacity._columns import Columns, frozen

if TYPE_CHECKING:
    import numpy as np

_TRACE = ("start_s", "seconds", "accelerators_w", "it_w", "facility_w")

COLUMNS: tuple[str, ...] = _core.Simulation.keys()
_PLACES = ("stage", "replica", "peer")


class DeviceColumns(Columns):
    """Columns of all accelerators of a simulated step: a mapping of names to read-only numpy arrays, in rank order.

    Columns view the memory of the C++ core without a copy and outlive the simulation; `units` says what each holds. Ranks
    go by tensor (fastest), context, data and pipeline parallelism; ``stage``, ``replica`` and ``peer`` (rank among the
    devices of one stage of one replica) say where a device is and are made when asked for.
    """

    __slots__ = ("_simulation",)

    _simulation: _core.Simulation

    def __init__(self, simulation: _core.Simulation) -> None:
        self._fix(_simulation=simulation, _keys=(*_PLACES, *COLUMNS))

    @property
    def units(self) -> dict[str, str]:
        """What each column holds, with its unit."""
        return dict(zip(COLUMNS, self._simulation.docs(), strict=True))

    @property
    def rows(self) -> int:
        """Number of devices."""
        return len(self._simulation)

    def _column(self, key: str) -> np.ndarray[Any, Any]:
        return self._place(key) if key in _PLACES else self._simulation.column(key)

    def _place(self, key: str) -> np.ndarray[Any, Any]:
        import numpy as np

        layout = self._simulation.layout
        peers = layout.tp * layout.cp
        rank = np.arange(self.rows)
        places = {"stage": rank // (peers * layout.dp), "replica": rank // peers % layout.dp, "peer": rank % peers}
        return frozen(places[key])

    def __repr__(self) -> str:
        return f"<DeviceColumns of {self.rows:,} devices: {', '.join(self)}>"


class PowerTrace(Columns):
    """Power of a job over a simulated step: a mapping of names to read-only numpy arrays, one value per bin of time.

    ``start_s`` and ``seconds`` say when a bin starts and how long it is (the last one ends with the step);
    ``accelerators_w``, ``it_w`` (with hosts, network, storage) and ``facility_w`` (at the meter) are means over the bin.
    """

    __slots__ = ("_columns", "resolution_s")

    resolution_s: float
    _columns: dict[str, np.ndarray[Any, Any]]

    def __init__(self, simulation: _core.Simulation, resolution_s: float) -> None:
        import numpy as np

        columns = simulation.power_trace(resolution_s)
        start = frozen(np.arange(len(columns[0])) * resolution_s)
        self._fix(_keys=_TRACE, _columns=dict(zip(_TRACE, (start, *columns), strict=True)), resolution_s=resolution_s)

    def _column(self, key: str) -> np.ndarray[Any, Any]:
        return self._columns[key]

    def __repr__(self) -> str:
        watts = self["facility_w"]
        return (
            f"<PowerTrace of {len(watts):,} bins of {self.resolution_s:g} s, {watts.min() / 1e6:.4g} to "
            f"{watts.max() / 1e6:.4g} MW at the meter>"
        )
