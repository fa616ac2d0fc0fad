"""Calibrating device families with a user's own measurements, and writing what came out as a catalogue file."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ampacity._calibrate import fit as fitting
from ampacity._core import Accelerator, Architecture, Catalogue, InvalidSpec, Problem, __version__
from ampacity._files import file_error, read_text
from ampacity._lookup import Name
from ampacity._lookup import accelerator as find_accelerator
from ampacity._measured import MeasuredKernels
from ampacity._scoreboard import gemm_power, kernels
from ampacity._scoreboard.kernel_tables import Group, Rows, Table, read_tables

if TYPE_CHECKING:
    from ampacity._scoreboard.kernel_tables import Array

_MOST_REASONS = 5


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class CalibrationError:
    """Median absolute errors of one source, GPU, kernel and format, as fractions of what was measured."""

    source: str
    quantity: str
    n: int
    before: float
    after: float


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class CalibratedFamily:
    """One device family: what it was, what it became, which parameters the rows told, how far off it was and is."""

    name: str
    before: Architecture
    after: Architecture
    fitted: tuple[str, ...]
    errors: tuple[CalibrationError, ...]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Calibration:
    """What `calibrate` found.

    Attributes
    ----------
    sources
        Files (or packages) that the rows came from.
    n, skipped
        Rows that were used; how many were not, by reason.
    families
        Fitted families.
    """

    sources: tuple[str, ...]
    n: int
    skipped: dict[str, int]
    families: tuple[CalibratedFamily, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return what ``ampacity calibrate --json`` prints."""
        return {
            "sources": list(self.sources),
            "n": self.n,
            "skipped": dict(self.skipped),
            "families": [
                {
                    "name": family.name,
                    "parameters": {
                        key: {"before": getattr(family.before, key), "after": getattr(family.after, key)}
                        for key in family.fitted
                    },
                    "errors": [dataclasses.asdict(error) for error in family.errors],
                }
                for family in self.families
            ],
        }

    def to_toml(self) -> str:
        """Return a catalogue file with the fitted families, under the names that they replace."""
        return "\n".join(_toml(self)) + "\n"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write `to_toml` to a file, for `load_catalogue` and ``--catalogue``."""
        try:
            Path(path).write_text(self.to_toml(), encoding="utf-8")
        except OSError as error:
            raise file_error(path, f"cannot be written: {error.strerror}") from None


def error_lines(family: CalibratedFamily) -> Iterator[str]:
    """Yield the errors of a family as a table."""
    width = max(len(error.source) for error in family.errors)
    yield f"{'rows of ' + family.name:<{width}}  {'quantity':<8}  {'rows':>6}  {'before':>7}  {'after':>7}"
    for e in family.errors:
        yield f"{e.source:<{width}}  {e.quantity:<8}  {e.n:>6}  {e.before:>7.1%}  {e.after:>7.1%}"


def calibration_text(result: Calibration) -> str:
    """Return what was fitted, and the errors before and after, as text."""
    lines = [f"{result.n} rows of {', '.join(result.sources)}"]
    for family in result.families:
        lines += ["", *error_lines(family), ""]
        lines += [
            f"{key:<40}  {getattr(family.before, key):>10.4g} -> {getattr(family.after, key):.4g}"
            for key in family.fitted
        ]
    if result.skipped:
        lines += ["", f"{sum(result.skipped.values())} rows not used"]
        lines += [f"  {n:>4}  {reason}" for reason, n in result.skipped.items()]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else " " for c in escaped) + '"'


def _toml(result: Calibration) -> Iterator[str]:
    origin = ", ".join(result.sources)
    yield f"# Written by `ampacity calibrate` {__version__} from {len(result.sources)} source(s), {result.n} rows."
    yield "# Use it with `--catalogue THIS_FILE` or `ampacity.load_catalogue(THIS_FILE)`."
    for family in result.families:
        yield ""
        yield f"# {family.name}: median absolute error before and after"
        yield from (f"# {line}" for line in error_lines(family))
        yield "[[architecture]]"
        for key, value in family.after.to_dict().items():
            if isinstance(value, str):
                yield f"{key} = {_quoted(value)}"
            elif key in family.fitted:
                source = f"ampacity calibrate, {result.n} rows of {origin}; was {getattr(family.before, key):.4g}"
                yield f'{key} = {{ value = {float(value)!r}, source = {_quoted(source)}, confidence = "measured" }}'
            else:
                source = f"as the catalogue's {family.name}: these measurements do not tell it"
                yield f'{key} = {{ value = {float(value)!r}, source = {_quoted(source)}, confidence = "inferred" }}'


def _has_watts(table: Table) -> bool:
    if isinstance(table, MeasuredKernels):
        return False
    header = read_text(table).split("\n", 1)[0]
    return "power_w" in [name.strip() for name in header.split(",")]


def _read(tables: Sequence[Table], device: Accelerator | None) -> list[Rows]:
    """Read all tables; the problems of all files are named at once."""
    found: list[Rows] = []
    problems: list[Problem] = []
    for table in tables:
        try:
            power = _has_watts(table)
            kind = gemm_power if power else kernels
            found.append(read_tables([table], kind.REQUIRED_COLUMNS, kind.SPEED_COLUMNS, power=power, device=device))
        except InvalidSpec as error:
            problems += error.problems
    if problems:
        raise InvalidSpec(problems)
    return found


def _median(logs: Array) -> float:
    import numpy as np

    return float(np.median(np.abs(np.expm1(logs))))


def _errors(groups: Sequence[Group], before: Architecture, after: Architecture) -> Iterator[CalibrationError]:
    for group in groups:
        was, is_ = fitting.errors(group, before), fitting.errors(group, after)
        name = "/".join(
            (group.key.source, group.key.gpu or group.key.device.name, group.key.kernel, group.key.precision)
        )
        yield CalibrationError(
            source=name, quantity="latency", n=len(was.seconds), before=_median(was.seconds), after=_median(is_.seconds)
        )
        if was.watts is not None and is_.watts is not None and len(was.watts):
            yield CalibrationError(
                source=name, quantity="watts", n=len(was.watts), before=_median(was.watts), after=_median(is_.watts)
            )


def _name_of(table: Table) -> str:
    return table.source if isinstance(table, MeasuredKernels) else Path(table).name


def calibrate(
    data: Table | Sequence[Table], *, accelerator: Accelerator | Name | None = None, catalogue: Catalogue | None = None
) -> Calibration:
    r"""Fit the parameters of device families to measured kernels.

    Only what the rows tell is fitted: matrix products say how close tiles come to the peak and, through the power limit,
    what arithmetic costs; formats, watts and attention say their own. The catalogue's values are the prior.

    Parameters
    ----------
    data
        CSV files with the columns of the built-in tables (``kernel, gpu, dtype, m, n, k, latency_ms``, ... or, with
        ``power_w``, those of ``gemm_power``), or what `measured_kernels` returns. Matrix products above 1 GFLOP count.
    accelerator
        What the rows were measured on, whatever their column ``gpu`` says (default: what it says).
    catalogue
        Where ``accelerator`` is looked up (default: the built-in catalogue).

    Returns
    -------
    Calibration
        ``save`` it and load the file with `load_catalogue`.

    Raises
    ------
    InvalidSpec
        Files that cannot be used (all are named), or no usable row in any (with the reasons).

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from ampacity import gemm
    >>> cost = gemm("h100-sxm", 8192, 8192, 8192)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder, "mine.csv")
    ...     _ = file.write_text("kernel,gpu,dtype,m,n,k,latency_ms,source_id\n"
    ...                         f"gemm,H100,bf16,8192,8192,8192,{1.1e3 * cost.seconds},mine\n")
    ...     result = calibrate(file)
    >>> result.families[0].errors[0].after < result.families[0].errors[0].before
    True
    """
    tables = [data] if isinstance(data, str | os.PathLike | MeasuredKernels) else list(data)
    device = None
    if accelerator is not None:
        found = accelerator
        device = found if isinstance(found, Accelerator) else find_accelerator(found, catalogue=catalogue)
    read = _read(tables, device)
    skipped = Counter(reason for rows in read for reason in rows.skipped.values())
    groups = [group for rows in read for group in map(fitting.usable, rows.groups) if group is not None]
    total = sum(len(rows.rows) for rows in read)
    used = sum(len(group.places) for group in groups)
    if total - used > skipped.total():
        skipped["no more than 1 GFLOP, or not written for this device"] = total - used - skipped.total()
    if not groups:
        reasons = "; ".join(f"{n} x {reason}" for reason, n in skipped.most_common(_MOST_REASONS)) or "no rows"
        names = ", ".join(map(_name_of, tables)) or "nothing"
        raise InvalidSpec([Problem(path=names, value="", rule=f"has no row that can be used: {reasons}", hint="")])
    by_family: dict[str, list[Group]] = {}
    for group in groups:
        by_family.setdefault(group.key.device.architecture.name, []).append(group)
    families = []
    for name, members in sorted(by_family.items()):
        before = members[0].key.device.architecture
        after, fitted = fitting.fit(before, members)
        families.append(
            CalibratedFamily(
                name=name,
                before=before,
                after=after,
                fitted=tuple(fitted),
                errors=tuple(_errors(members, before, after)),
            )
        )
    sources = tuple(map(_name_of, tables))
    return Calibration(sources=sources, n=used, skipped=dict(skipped), families=tuple(families))
