"""What a validation answers: rows, and the errors of every source."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from ampacity._scoreboard.rows import Row, Skip


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ValidationRow:
    """One measurement and its prediction.

    Attributes
    ----------
    row_id, source_id
        As in the file (``row_id`` is the 0-based line where the file has none).
    quantity
        What was measured: ``"step_time"`` (s), or a quantity of another kind (see `validate`).
    n_gpus
        Accelerators of the run.
    predicted, measured
        In the unit of the quantity; None where the row is skipped.
    error_fraction
        ``predicted / measured - 1``.
    skipped
        Why the row is not predicted, or None.
    assumed
        What had to be assumed because the source does not say it.
    low_90, high_90
        The 90 % interval of the prediction; None where the quantity has none.
    rule_of_thumb
        What the usual rule says (power of machines: accelerators times TDP), in the unit of the quantity; None where
        there is none.
    """

    row_id: str
    source_id: str
    quantity: str
    n_gpus: int | None = None
    predicted: float | None = None
    measured: float | None = None
    error_fraction: float | None = None
    skipped: str | None = None
    assumed: str = ""
    low_90: float | None = None
    high_90: float | None = None
    rule_of_thumb: float | None = None

    @property
    def within_90(self) -> bool | None:
        """Whether the measurement lies in the 90 % interval; None without one."""
        if self.measured is None or self.low_90 is None or self.high_90 is None:
            return None
        return self.low_90 <= self.measured <= self.high_90


def _accelerators(row: Row) -> int | None:
    """How many accelerators ran; None where the row does not say it, or says no whole number."""
    try:
        return row.count("n_gpus")
    except Skip:
        return None


def compared(row: Row, quantity: str, predicted: float, measured: float, **others: Any) -> ValidationRow:
    """Return a measurement beside its prediction; ``others`` are further fields of the result."""
    fields = {"source_id": row.source_id, "n_gpus": _accelerators(row), **others}
    return ValidationRow(
        row_id=row.row_id,
        quantity=quantity,
        predicted=predicted,
        measured=measured,
        error_fraction=predicted / measured - 1,
        **fields,
    )


def skipped(row: Row, quantity: str, reason: Skip | str, **others: Any) -> ValidationRow:
    """Return a measurement that is not predicted, and why."""
    fields = {"n_gpus": _accelerators(row), **others}
    return ValidationRow(row_id=row.row_id, source_id=row.source_id, quantity=quantity, skipped=str(reason), **fields)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ValidationSummary:
    """Errors over the predicted rows of one source and quantity, as fractions of what was measured.

    ``coverage_90`` is the share of rows within their 90 % interval; None where the quantity has no interval.
    ``rule_of_thumb_mean_abs_error`` is that of the usual rule (`ValidationRow.rule_of_thumb`); None without one.
    """

    source_id: str
    quantity: str
    n: int
    median_abs_error: float
    mean_error: float
    p90_abs_error: float
    coverage_90: float | None = None
    mean_abs_error: float | None = None
    rule_of_thumb_mean_abs_error: float | None = None


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Validation:
    """Every row, and the errors of every source.

    ``mean_median_abs_error`` is the mean over sources (and quantities) of their median absolute error: each counts once,
    however many rows it has.
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


def summaries(rows: Sequence[ValidationRow]) -> tuple[ValidationSummary, ...]:
    """Return the errors of each source and quantity, in the order of their names."""
    errors: dict[tuple[str, str], list[float]] = {}
    within: dict[tuple[str, str], list[bool]] = {}
    rules: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        if row.error_fraction is not None:
            errors.setdefault((row.source_id, row.quantity), []).append(row.error_fraction)
        if row.rule_of_thumb is not None and row.measured:
            rules.setdefault((row.source_id, row.quantity), []).append(abs(row.rule_of_thumb / row.measured - 1))
        if row.within_90 is not None:
            within.setdefault((row.source_id, row.quantity), []).append(row.within_90)
    found_summaries = []
    for (source_id, quantity), found in sorted(errors.items()):
        absolute = sorted(map(abs, found))
        covered = within.get((source_id, quantity))
        rule = rules.get((source_id, quantity))
        found_summaries.append(
            ValidationSummary(
                source_id=source_id,
                quantity=quantity,
                n=len(found),
                median_abs_error=_percentile(absolute, 0.5),
                mean_error=sum(found) / len(found),
                p90_abs_error=_percentile(absolute, 0.9),
                coverage_90=None if covered is None else sum(covered) / len(covered),
                mean_abs_error=sum(absolute) / len(absolute),
                rule_of_thumb_mean_abs_error=None if rule is None else sum(rule) / len(rule),
            )
        )
    return tuple(found_summaries)
