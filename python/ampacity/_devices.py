"""Columns of a simulated step: its accelerators, its power over time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ampacity import _core

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

_TRACE = ("start_s", "seconds", "accelerators_w", "it_w", "facility_w")

COLUMNS: tuple[str, ...] = _core.Simulation.keys()
_PLACES = ("stage", "replica", "peer")


class DeviceColumns(Mapping[str, Any]):
    """Columns of all accelerators of a simulated step: a mapping of names to read-only numpy arrays, in rank order.

    Columns view the memory of the C++ core without a copy and outlive the simulation; `units` says what each holds. Ranks
    go by tensor (fastest), context, data and pipeline parallelism; ``stage``, ``replica`` and ``peer`` (rank among the
    devices of one stage of one replica) say where a device is and are made when asked for.
    """

    __slots__ = ("_simulation",)

    _simulation: _core.Simulation

    def __init__(self, simulation: _core.Simulation) -> None:
        object.__setattr__(self, "_simulation", simulation)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable")

    @property
    def units(self) -> dict[str, str]:
        """What each column holds, with its unit."""
        return dict(zip(COLUMNS, self._simulation.docs(), strict=True))

    def __len__(self) -> int:
        return len(_PLACES) + len(COLUMNS)

    def __iter__(self) -> Iterator[str]:
        return iter((*_PLACES, *COLUMNS))

    def __getitem__(self, key: str) -> np.ndarray[Any, Any]:
        if key in _PLACES:
            return self._place(key)
        if key not in COLUMNS:
            near = _core.nearest_names(str(key), list(self))
            hint = f"; did you mean {near[0]}?" if near else ""
            raise KeyError(f"no column {key!r}{hint}")
        return self._simulation.column(key)

    def _place(self, key: str) -> np.ndarray[Any, Any]:
        import numpy as np

        layout = self._simulation.layout
        peers = layout.tp * layout.cp
        rank = np.arange(len(self._simulation))
        places = {"stage": rank // (peers * layout.dp), "replica": rank // peers % layout.dp, "peer": rank % peers}
        column = places[key]
        column.setflags(write=False)
        return column

    def __getattr__(self, name: str) -> np.ndarray[Any, Any]:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self[name]
        except KeyError as error:
            raise AttributeError(str(error.args[0])) from None

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self})

    def to_dict(self) -> dict[str, np.ndarray[Any, Any]]:
        """Return all columns as a dictionary of arrays (the same views as indexing gives)."""
        return {key: self[key] for key in self}

    def to_pandas(self) -> pd.DataFrame:
        """Return all columns as a pandas data frame, one row per device (needs the extra ``pandas``)."""
        import pandas

        return pandas.DataFrame(self.to_dict())

    def __repr__(self) -> str:
        return f"<DeviceColumns of {len(self._simulation):,} devices: {', '.join(self)}>"


class PowerTrace(Mapping[str, Any]):
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
        start = np.arange(len(columns[0])) * resolution_s
        start.setflags(write=False)
        object.__setattr__(self, "_columns", dict(zip(_TRACE, (start, *columns), strict=True)))
        object.__setattr__(self, "resolution_s", resolution_s)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable")

    def __len__(self) -> int:
        return len(_TRACE)

    def __iter__(self) -> Iterator[str]:
        return iter(_TRACE)

    def __getitem__(self, key: str) -> np.ndarray[Any, Any]:
        try:
            return self._columns[key]
        except KeyError:
            near = _core.nearest_names(str(key), list(_TRACE))
            hint = f"; did you mean {near[0]}?" if near else ""
            raise KeyError(f"no column {key!r}{hint}") from None

    @property
    def start_s(self) -> np.ndarray[Any, Any]:
        """Start of each bin (s)."""
        return self["start_s"]

    @property
    def seconds(self) -> np.ndarray[Any, Any]:
        """Length of each bin (s)."""
        return self["seconds"]

    @property
    def accelerators_w(self) -> np.ndarray[Any, Any]:
        """Watts of all accelerators."""
        return self["accelerators_w"]

    @property
    def it_w(self) -> np.ndarray[Any, Any]:
        """Watts of all IT equipment."""
        return self["it_w"]

    @property
    def facility_w(self) -> np.ndarray[Any, Any]:
        """Watts at the meter."""
        return self["facility_w"]

    def to_dict(self) -> dict[str, np.ndarray[Any, Any]]:
        """Return all columns as a dictionary of arrays."""
        return dict(self._columns)

    def to_pandas(self) -> pd.DataFrame:
        """Return all columns as a pandas data frame, one row per bin (needs the extra ``pandas``)."""
        import pandas

        return pandas.DataFrame(self._columns)

    def __repr__(self) -> str:
        watts = self["facility_w"]
        return (
            f"<PowerTrace of {len(watts):,} bins of {self.resolution_s:g} s, {watts.min() / 1e6:.4g} to "
            f"{watts.max() / 1e6:.4g} MW at the meter>"
        )
