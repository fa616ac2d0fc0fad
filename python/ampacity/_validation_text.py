"""A validation as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from ampacity._validation import Validation, ValidationRow


def _row_line(row: ValidationRow, width: int) -> str:
    gpus = "" if row.n_gpus is None else f"{row.n_gpus:,}"
    start = f"{row.row_id:<{width}}  {gpus:>8}  "
    if row.skipped is not None:
        return f"{start}{'skipped: ' + row.skipped}"
    return f"{start}{row.predicted:>10.4g}  {row.measured:>10.4g}  {row.error_fraction:>+8.1%}  {row.assumed}".rstrip()


def _rows(result: Validation) -> Iterator[str]:
    width = max([len(row.row_id) for row in result.rows] + [3])
    yield f"{'row':<{width}}  {'gpus':>8}  {'predicted':>10}  {'measured':>10}  {'error':>8}  assumed"
    for row in result.rows:
        yield _row_line(row, width)


def _summary(result: Validation) -> Iterator[str]:
    width = max([len(source.source_id) for source in result.summary] + [len("mean of sources")])
    yield f"{'source':<{width}}  {'rows':>5}  {'median |error|':>14}  {'mean error':>10}  {'p90 |error|':>11}"
    for source in result.summary:
        yield (
            f"{source.source_id:<{width}}  {source.n:>5}  {source.median_abs_error:>14.1%}  "
            f"{source.mean_error:>+10.1%}  {source.p90_abs_error:>11.1%}"
        )
    mean = result.mean_median_abs_error
    if mean is not None:
        n = sum(source.n for source in result.summary)
        yield f"{'mean of sources':<{width}}  {n:>5}  {mean:>14.1%}"


def validation_text(result: Validation) -> str:
    """Return the rows, the reasons of those that are skipped, and the summary."""
    lines = ["step time in seconds", *_rows(result), "", *_summary(result)]
    skipped = Counter(row.skipped for row in result.rows if row.skipped is not None)
    if skipped:
        lines += ["", f"{skipped.total()} rows skipped"]
        lines += [f"  {count:>4}  {reason}" for reason, count in skipped.most_common()]
    return "\n".join(lines)
