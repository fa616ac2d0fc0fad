"""Calibrating device families with a user's own measurements, and writing what came out as a catalogue file."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ampacity._arguments import names_wrong_types
from ampacity._core import Accelerator, Architecture, Catalogue, __version__
from ampacity._files import file_error
from ampacity._lookup import Name

if TYPE_CHECKING:
    from ampacity._scoreboard.kernel_tables import Table


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
                stated = str(value).lower() if isinstance(value, bool) else repr(float(value))
                yield f'{key} = {{ value = {stated}, source = {_quoted(source)}, confidence = "inferred" }}'


@names_wrong_types
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
    from ampacity._calibrate.run import run

    return run(data, accelerator, catalogue)
