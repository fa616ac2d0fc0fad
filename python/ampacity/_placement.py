"""Which rank of a job runs on which endpoint of a network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from ampacity._core import InvalidSpec, Problem

if TYPE_CHECKING:
    import os

    from ampacity._network_arrays import Integers


def read_placement(path: str | os.PathLike[str]) -> Integers:
    r"""Read the endpoint of every rank from a file.

    Parameters
    ----------
    path
        A ``.npy`` file with one whole number a rank, or text: one endpoint a line in order of ranks, or ``rank endpoint``
        (also with a comma) in any order. ``#`` starts a comment.

    Returns
    -------
    numpy.ndarray
        Endpoints, shape ``(ranks,)``; whether a network has them is checked where they are used.

    Raises
    ------
    InvalidSpec
        Names the lines that are no numbers, and ranks that are missing or named twice.
    OSError
        The file cannot be read.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import ampacity as amp
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "ranks.txt"
    >>> _ = file.write_text("0 9\n2 11\n1 8  # the spare\n")
    >>> amp.read_placement(file)
    array([ 9,  8, 11])
    """
    import numpy as np

    file = Path(path)
    if file.suffix == ".npy":
        found = np.load(file, allow_pickle=False)
        if found.ndim != 1 or found.dtype.kind not in "iu":
            _refuse(file, f"{found.dtype} of shape {found.shape}", "must hold one whole number a rank")
        return np.ascontiguousarray(found, dtype=np.int64)
    rows = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        words = line.partition("#")[0].replace(",", " ").split()
        if not words:
            continue
        if len(words) > 2 or not all(word.isdecimal() and len(word) < 19 for word in words):
            _refuse(file, line.strip()[:40], "must be an endpoint, or a rank and an endpoint", number)
        rows.append([int(word) for word in words])
    if not rows:
        _refuse(file, "no ranks", "must name an endpoint for every rank")
    if len({len(row) for row in rows}) > 1:
        _refuse(file, "lines of one and of two numbers", "must have the same columns in every line")
    if len(rows[0]) == 1:
        return np.array([row[0] for row in rows], dtype=np.int64)
    by_rank = {rank: endpoint for rank, endpoint in rows}
    wrong = sorted(set(range(len(rows))) ^ set(by_rank))
    if wrong:
        missing = wrong[0] not in by_rank
        _refuse(file, f"rank {wrong[0]}", "is missing" if missing else f"is beyond the {len(rows)} ranks of the file")
    return np.array([by_rank[rank] for rank in range(len(rows))], dtype=np.int64)


def _refuse(file: Path, value: str, rule: str, line: int | None = None) -> NoReturn:
    path = str(file) if line is None else f"{file}:{line}"
    raise InvalidSpec([Problem(path=path, value=value, rule=rule, hint="")])
