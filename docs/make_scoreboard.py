"""Generate the scoreboard page: for every kind of measurement a picture, the errors by source, the worst rows by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ampacity import Validation, ValidationRow, validate
from ampacity._validation import KINDS
from ampacity._validation_plot import plot_validation

_WORST = 10


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield "| " + " | ".join(header) + " |"
    yield "|" + "---|" * len(header)
    for row in rows:
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"


def _sources(result: Validation) -> Iterator[str]:
    header = ("source", "quantity", "rows", "median error", "mean error", "90th percentile", "in 90 % interval")
    rows = [
        (
            s.source_id,
            s.quantity.replace("_", " "),
            f"{s.n:,}",
            f"{s.median_abs_error:.1%}",
            f"{s.mean_error:+.1%}",
            f"{s.p90_abs_error:.1%}",
            "" if s.coverage_90 is None else f"{s.coverage_90:.0%}",
        )
        for s in result.summary
    ]
    if result.mean_median_abs_error is not None:
        total = sum(s.n for s in result.summary)
        rows.append(("**mean of sources**", "", f"{total:,}", f"**{result.mean_median_abs_error:.1%}**", "", "", ""))
    return _table(header, rows)


def _error(row: ValidationRow) -> float:
    return abs(row.error_fraction or 0.0)


def _worst(result: Validation) -> Iterator[str]:
    predicted = [row for row in result.rows if row.error_fraction is not None]
    header = ("row", "source", "quantity", "predicted", "measured", "error", "assumed")
    rows = [
        (
            row.row_id,
            row.source_id,
            row.quantity.replace("_", " "),
            f"{row.predicted:.4g}",
            f"{row.measured:.4g}",
            f"{row.error_fraction:+.0%}",
            row.assumed,
        )
        for row in sorted(predicted, key=_error, reverse=True)[:_WORST]
    ]
    return _table(header, rows)


def _skipped(result: Validation) -> Iterator[str]:
    reasons: dict[str, int] = {}
    for row in result.rows:
        if row.skipped is not None:
            reasons[row.skipped] = reasons.get(row.skipped, 0) + 1
    if reasons:
        yield f"{sum(reasons.values())} rows are not predicted:"
        yield ""
        for reason, count in sorted(reasons.items(), key=lambda item: -item[1]):
            yield f"- {count}: {reason}"
        yield ""


def _section(kind: str, folder: Path) -> Iterator[str]:
    result = validate(kind)
    picture = f"scoreboard-{kind}.png"
    plot_validation(result, folder / picture)
    yield f"## `{kind}`: {KINDS[kind].title}"
    yield ""
    yield f"`ampacity validate --kind {kind}`"
    yield ""
    yield f"![Predicted against measured, and the errors of each source]({picture})"
    yield ""
    yield from _sources(result)
    yield ""
    yield from _skipped(result)
    yield "The worst rows:"
    yield ""
    yield from _worst(result)
    yield ""


def make(folder: Path) -> None:
    """Write ``scoreboard.md`` and its pictures into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    lines: list[str] = []
    for kind in KINDS:
        lines += _section(kind, folder)
    (folder / "scoreboard.md").write_text("\n".join(lines), encoding="utf-8")
