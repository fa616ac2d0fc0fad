"""Which rank of a job runs on which endpoint of a network, and which ranks talk to each other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from ampacity._arguments import names_wrong_types
from ampacity._core import InvalidSpec, Problem
from ampacity._files import file_error

if TYPE_CHECKING:
    import os

    from ampacity._network_arrays import Integers


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise file_error(file, "is not a UTF-8 text file") from None


@names_wrong_types
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
        try:
            found = np.load(file, allow_pickle=False)
        except (ValueError, EOFError):
            raise file_error(file, "must be an array that numpy.save wrote") from None
        if found.ndim != 1 or found.dtype.kind not in "iu":
            _refuse(file, f"{found.dtype} of shape {found.shape}", "must hold one whole number a rank")
        return np.ascontiguousarray(found, dtype=np.int64)
    rows = []
    for number, line in enumerate(_text(file).splitlines(), start=1):
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


@names_wrong_types
def parallel_groups(
    *, tp: int = 1, cp: int = 1, ep: int = 1, dp: int = 1, pp: int = 1, etp: int | None = None
) -> dict[str, Integers]:
    """Return the ranks of every group of a parallel layout, in Megatron-Core's order (tp, cp, dp, pp from the inside).

    Parameters
    ----------
    tp, cp, dp, pp
        Tensor, context, data and pipeline parallelism; their product is the number of ranks.
    ep, etp
        Expert and expert-tensor parallelism (``tp``, if not given): expert groups share out the ranks of a pipeline stage,
        expert-tensor groups inside.

    Returns
    -------
    dict
        For ``"tp"``, ``"cp"``, ``"dp"``, ``"pp"``, ``"ep"``, ``"dp_cp"`` (over which gradients of dense layers are reduced)
        and ``"expert_dp"`` (those of experts): ranks, shape ``(groups, size)``. Index a placement with it to get endpoints.

    Raises
    ------
    InvalidSpec
        Sizes below 1, or experts that do not divide the ranks of a stage.

    Examples
    --------
    >>> import ampacity as amp
    >>> groups = amp.parallel_groups(tp=2, dp=2, pp=2)
    >>> groups["dp"].tolist()
    [[0, 2], [1, 3], [4, 6], [5, 7]]
    >>> groups["pp"].tolist()
    [[0, 4], [1, 5], [2, 6], [3, 7]]
    """
    import numpy as np

    etp = tp if etp is None else etp
    sizes = {"tp": tp, "cp": cp, "ep": ep, "dp": dp, "pp": pp, "etp": etp}
    problems = [
        Problem(path=name, value=str(size), rule="must be at least 1", hint="")
        for name, size in sizes.items()
        if size < 1
    ]
    if problems:
        raise InvalidSpec(problems)
    stage = tp * cp * dp
    if stage % (ep * etp) != 0:
        rule = f"times etp ({etp}) must divide the {stage} ranks of a pipeline stage"
        raise InvalidSpec([Problem(path="ep", value=str(ep), rule=rule, hint="")])
    dense = np.arange(stage * pp, dtype=np.int64).reshape(pp, dp, cp, tp)
    experts = dense.reshape(pp, stage // (ep * etp), ep, etp)

    def along(ranks: Integers, *axes: int) -> Integers:
        size = int(np.prod([ranks.shape[axis] for axis in axes]))
        return np.moveaxis(ranks, axes, range(-len(axes), 0)).reshape(-1, size)

    return {
        "tp": along(dense, 3),
        "cp": along(dense, 2),
        "dp": along(dense, 1),
        "pp": along(dense, 0),
        "dp_cp": along(dense, 1, 2),
        "ep": along(experts, 2),
        "expert_dp": along(experts, 1),
    }


def _refuse(file: Path, value: str, rule: str, line: int | None = None) -> NoReturn:
    path = str(file) if line is None else f"{file}:{line}"
    raise InvalidSpec([Problem(path=path, value=value, rule=rule, hint="")])
