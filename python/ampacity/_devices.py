"""Columns of the accelerators of a simulated step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ampacity import _core

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

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
