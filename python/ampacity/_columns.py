"""What all results that are made of columns have in common: read-only numpy arrays by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from ampacity import _core

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import polars as pl
    import pyarrow as pa


class Immutable:
    """Base of results: attributes are set once, by the constructor (`_fix`)."""

    __slots__ = ()

    def _fix(self, **values: object) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable")


class Columns(Immutable, Mapping[str, Any]):
    """A mapping of names to read-only numpy arrays of one length; every column is an attribute too.

    A subclass fixes ``_keys`` and makes a column in ``_column``.
    """

    __slots__ = ("_keys",)

    _keys: tuple[str, ...]

    def _column(self, key: str) -> np.ndarray[Any, Any]:
        """Return the column of a known name."""
        raise NotImplementedError

    @property
    def units(self) -> dict[str, str]:
        """What columns hold, with units."""
        return {}

    @property
    def rows(self) -> int:
        """Length of the columns."""
        return len(self[self._keys[0]])

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __getitem__(self, key: str) -> np.ndarray[Any, Any]:
        if key not in self._keys:
            near = _core.nearest_names(str(key), list(self._keys))
            hint = f"; did you mean {near[0]}?" if near else ""
            raise KeyError(f"no column {key!r}{hint}")
        return self._column(key)

    def __getattr__(self, name: str) -> np.ndarray[Any, Any]:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self[name]
        except KeyError as error:
            raise AttributeError(str(error.args[0])) from None

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._keys})

    def to_dict(self) -> dict[str, np.ndarray[Any, Any]]:
        """Return all columns as a dictionary of arrays (the same views as indexing gives)."""
        return {key: self[key] for key in self._keys}

    def to_pandas(self) -> pd.DataFrame:
        """Return all columns as a pandas data frame (needs the extra ``pandas``)."""
        import pandas

        return pandas.DataFrame(self.to_dict())

    def to_arrow(self) -> pa.Table:
        """Return all columns as an Arrow table (needs the extra ``arrow``); columns of numbers are not copied."""
        import numpy
        import pyarrow

        return pyarrow.table({key: pyarrow.array(numpy.ascontiguousarray(self[key])) for key in self._keys})

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Hand the columns to whatever reads Arrow's C interface (needs the extra ``arrow``)."""
        stream: object = self.to_arrow().__arrow_c_stream__(requested_schema)
        return stream

    def to_polars(self) -> pl.DataFrame:
        """Return all columns as a polars data frame (needs the extra ``polars``)."""
        import polars

        return polars.DataFrame(self.to_dict())

    def _repr_html_(self) -> str:
        """Return what the columns hold as a table for notebooks: a line each."""
        lines = []
        for key in self._keys:
            column = self[key]
            numbers = column.dtype.kind in "iufb" and len(column) > 0
            values = (column.min(), column.mean(), column.max()) if numbers else ()
            cells = "".join(f"<td>{value:.6g}</td>" for value in values) or "<td></td>" * 3
            lines.append(f"<tr><td>{key}</td>{cells}<td>{escape(self.units.get(key, ''))}</td></tr>")
        caption = f"{type(self).__name__}: {self.rows:,} rows"
        head = "<tr><th>column</th><th>least</th><th>mean</th><th>most</th><th></th></tr>"
        return f"<table><caption>{caption}</caption>{head}{''.join(lines)}</table>"


class Table(Columns):
    """Columns that are all there; `units` says what each holds."""

    __slots__ = ("_columns", "_units")

    _columns: dict[str, np.ndarray[Any, Any]]
    _units: dict[str, str]

    def __init__(self, columns: dict[str, np.ndarray[Any, Any]], units: dict[str, str]) -> None:
        self._fix(_columns=columns, _units=units, _keys=tuple(columns))

    @property
    def units(self) -> dict[str, str]:
        """What each column holds, with its unit."""
        return dict(self._units)

    def _column(self, key: str) -> np.ndarray[Any, Any]:
        return self._columns[key]


def frozen(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the array, which may be read only from now on."""
    array.setflags(write=False)
    return array


def named(names: Sequence[str], codes: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the name behind each code."""
    import numpy as np

    return frozen(np.array(names)[codes])
