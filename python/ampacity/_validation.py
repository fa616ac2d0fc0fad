"""Predictions beside measurements: how far off Ampacity has been, row by row and source by source."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

from ampacity._core import InvalidSpec, Problem, nearest_names

KINDS = ("training",)
BUILTIN_TRAINING = Path(__file__).parent / "data" / "scoreboard" / "training.csv"


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ValidationRow:
    """One measurement and its prediction.

    Attributes
    ----------
    row_id, source_id
        As in the file (``row_id`` is the 0-based line where the file has none).
    n_gpus
        Accelerators of the run.
    predicted, measured
        Step time (s); None where the row is skipped.
    error_fraction
        ``predicted / measured - 1``.
    skipped
        Why the row is not predicted, or None.
    assumed
        What had to be assumed because the source does not say it.
    """

    row_id: str
    source_id: str
    n_gpus: int | None = None
    predicted: float | None = None
    measured: float | None = None
    error_fraction: float | None = None
    skipped: str | None = None
    assumed: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ValidationSummary:
    """Errors over the predicted rows of one source, as fractions of the measured step time."""

    source_id: str
    n: int
    median_abs_error: float
    mean_error: float
    p90_abs_error: float


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Validation:
    """Every row, and the errors of every source.

    ``mean_median_abs_error`` is the mean over sources of their median absolute error: each source counts once, however
    many rows it has.
    """

    kind: str
    rows: tuple[ValidationRow, ...]
    summary: tuple[ValidationSummary, ...]

    @property
    def mean_median_abs_error(self) -> float | None:
        """Equal-weight mean over sources of the median absolute error; None without any prediction."""
        if not self.summary:
            return None
        return sum(source.median_abs_error for source in self.summary) / len(self.summary)

    def to_dict(self) -> dict[str, object]:
        """Return what ``ampacity validate --json`` prints."""
        return {
            "kind": self.kind,
            "rows": [dataclasses.asdict(row) for row in self.rows],
            "summary": [dataclasses.asdict(source) for source in self.summary],
            "mean_median_abs_error": self.mean_median_abs_error,
        }


def _percentile(ordered: Sequence[float], share: float) -> float:
    """Return a percentile of sorted numbers, linear between neighbours."""
    position = share * (len(ordered) - 1)
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (position - below) * (ordered[above] - ordered[below])


def _summaries(rows: Sequence[ValidationRow]) -> tuple[ValidationSummary, ...]:
    errors: dict[str, list[float]] = {}
    for row in rows:
        if row.error_fraction is not None:
            errors.setdefault(row.source_id, []).append(row.error_fraction)
    summaries = []
    for source_id, found in sorted(errors.items()):
        absolute = sorted(map(abs, found))
        summaries.append(
            ValidationSummary(
                source_id=source_id,
                n=len(found),
                median_abs_error=_percentile(absolute, 0.5),
                mean_error=sum(found) / len(found),
                p90_abs_error=_percentile(absolute, 0.9),
            )
        )
    return tuple(summaries)


def _validated_rows(paths: Sequence[str | os.PathLike[str]]) -> list[ValidationRow]:
    from ampacity._scoreboard.predict import predict
    from ampacity._scoreboard.rows import Row, Skip, read_rows

    def validated(row: Row) -> ValidationRow:
        try:
            n_gpus = row.count("n_gpus")
        except Skip as reason:
            return ValidationRow(row_id=row.row_id, source_id=row.source_id, skipped=str(reason))
        try:
            found = predict(row)
        except Skip as reason:
            return ValidationRow(row_id=row.row_id, source_id=row.source_id, n_gpus=n_gpus, skipped=str(reason))
        return ValidationRow(
            row_id=row.row_id,
            source_id=row.source_id,
            n_gpus=n_gpus,
            predicted=found.predicted_s,
            measured=found.measured_s,
            error_fraction=found.predicted_s / found.measured_s - 1,
            assumed=found.note,
        )

    rows: list[ValidationRow] = []
    for path in paths:
        rows += [validated(row) for row in read_rows(path, len(rows))]
    return rows


def validate(kind: str = "training", data: Sequence[str | os.PathLike[str]] | None = None) -> Validation:
    """Predict measured runs and compare.

    Parameters
    ----------
    kind
        What to validate; this release knows ``"training"``: step times of pre-training runs.
    data
        CSV files with the columns of the built-in scoreboard (default: that scoreboard).

    Returns
    -------
    Validation
        Rows with predicted and measured step time (s), and a summary by source. Rows that cannot be predicted say why.

    Raises
    ------
    InvalidSpec
        An unknown kind, or files that cannot be used (all of them are named).

    Examples
    --------
    >>> result = validate("training")
    >>> len(result.rows) == sum(s.n for s in result.summary) + sum(r.skipped is not None for r in result.rows)
    True
    """
    if kind not in KINDS:
        near = nearest_names(kind, list(KINDS))
        hint = f"did you mean {near[0]}?" if near else ""
        rule = f"must be one of {', '.join(KINDS)}"
        raise InvalidSpec([Problem(path="kind", value=repr(kind), rule=rule, hint=hint)])
    paths = [BUILTIN_TRAINING] if data is None else [data] if isinstance(data, str | os.PathLike) else list(data)
    rows = _validated_rows(paths)
    return Validation(kind=kind, rows=tuple(rows), summary=_summaries(rows))
