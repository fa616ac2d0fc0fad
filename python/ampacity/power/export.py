"""A load as a file for power engineers: CSV, numpy or Parquet, written piece by piece."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ampacity import _core
from ampacity._core import InvalidSpec, Problem
from ampacity._files import file_error
from ampacity.power.load import COLUMNS, LoadTrace, SiteLoad, _rows

_FORMATS = (".csv", ".npy", ".parquet")
Writer = Callable[[dict[str, Any]], None]


@contextmanager
def _csv(path: Path, columns: Sequence[str], _: int) -> Iterator[Writer]:
    with path.open("wb") as file:
        file.write((",".join(columns) + "\n").encode())
        yield lambda piece: _discard(file.write(_core.csv_rows([piece[key] for key in columns])))


@contextmanager
def _npy(path: Path, columns: Sequence[str], rows: int) -> Iterator[Writer]:
    kind = np.dtype([(key, "<f8") for key in columns])
    header = {"descr": np.lib.format.dtype_to_descr(kind), "fortran_order": False, "shape": (rows,)}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)

        def write(piece: dict[str, Any]) -> None:
            records = np.empty(len(piece[columns[0]]), dtype=kind)
            for key in columns:
                records[key] = piece[key]
            file.write(records.tobytes())

        yield write


@contextmanager
def _parquet(path: Path, columns: Sequence[str], _: int) -> Iterator[Writer]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        rule = "needs pyarrow"
        raise InvalidSpec(
            [Problem(path=str(path), rule=rule, hint="pip install pyarrow, or write .csv or .npy")]
        ) from None
    fields = [pyarrow.field(key, pyarrow.float64(), metadata={"description": LoadTrace.units[key]}) for key in columns]
    schema = pyarrow.schema(fields)
    with pyarrow.parquet.ParquetWriter(str(path), schema) as writer:
        yield lambda piece: writer.write_table(pyarrow.table({key: piece[key] for key in columns}, schema=schema))


def _discard(_: object) -> None:
    """Take a result that nobody needs."""


def _checked(columns: Sequence[str] | None) -> tuple[str, ...]:
    if columns is None:
        return COLUMNS
    problems = []
    for key in columns:
        if key not in COLUMNS:
            near = _core.nearest_names(key, list(COLUMNS))
            hint = f"did you mean {near[0]}?" if near else ""
            problems.append(Problem(path="columns", value=key, rule="is not a column of a load", hint=hint))
    if not columns:
        problems.append(Problem(path="columns", rule="must not be empty", hint=""))
    if problems:
        raise InvalidSpec(problems)
    return tuple(columns)


def write_load(
    load: SiteLoad,
    path: str | os.PathLike[str],
    duration_s: float,
    output_s: float = 1.0,
    *,
    columns: Sequence[str] | None = None,
) -> int:
    """Write a load to a file, piece by piece: memory does not grow with its length.

    Parameters
    ----------
    load
        The load.
    path
        File to write: ``.csv`` (nine significant digits), ``.npy`` (records; ``numpy.load(path, mmap_mode="r")``) or
        ``.parquet`` (needs pyarrow; descriptions are the fields' metadata).
    duration_s, output_s
        Length of the whole and of a row (s).
    columns
        Which of `LoadTrace.units`, in which order (default: all).

    Returns
    -------
    int
        How many rows were written.

    Raises
    ------
    InvalidSpec
        Another kind of file, an unknown column, a file that cannot be written, pyarrow missing.

    Examples
    --------
    >>> import ampacity as amp, numpy as np, pathlib, tempfile
    >>> square = amp.power.shape_from_watts([1e6, 4e5], resolution_s=0.5)
    >>> load = amp.power.SiteLoad(amp.power.JobLoad(square))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     rows = amp.power.write_load(load, pathlib.Path(folder, "load.npy"), 3600, columns=["start_s", "grid_w"])
    ...     last = float(np.load(pathlib.Path(folder, "load.npy"))["start_s"][-1])
    >>> rows, last
    (3600, 3599.0)
    """
    target = Path(path)
    names = _checked(columns)
    writers = {".csv": _csv, ".npy": _npy, ".parquet": _parquet}
    make = writers.get(target.suffix.lower())
    if make is None:
        raise file_error(path, f"must end in {', '.join(_FORMATS)}")
    rows = _rows(duration_s, output_s)
    pieces = load.chunks(duration_s, output_s)
    first = next(pieces)  # what is wrong with the load shows before a file is there
    try:
        with make(target, names, rows) as write:
            write(first.to_dict())
            for piece in pieces:
                write(piece.to_dict())
    except OSError as error:
        raise file_error(path, f"cannot be written: {error.strerror or error}") from None
    return rows
