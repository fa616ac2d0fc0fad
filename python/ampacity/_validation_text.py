"""A validation as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from ampacity._scoreboard.result import Validation, ValidationRow, ValidationSummary
from ampacity._validation import kind_named


def _row_line(row: ValidationRow, width: int, quantity: str) -> str:
    gpus = "" if row.n_gpus is None else f"{row.n_gpus:,}"
    start = f"{row.row_id:<{width}}  {quantity}{gpus:>8}  "
    if row.skipped is not None:
        return f"{start}{'skipped: ' + row.skipped}"
    numbers = f"{row.predicted:>10.4g}  {row.measured:>10.4g}  {row.error_fraction:>+8.1%}"
    if row.low_90 is not None:
        numbers += f"  {row.low_90:>10.4g}  {row.high_90:>10.4g}"
    return f"{start}{numbers}  {row.assumed}".rstrip()


def _quantity_cells(result: Validation) -> Callable[[str], str]:
    """Return what writes a quantity as a cell: nothing where all rows have the same."""
    quantities = {row.quantity for row in result.rows}
    if len(quantities) < 2:
        return lambda _: ""
    width = max(len("quantity"), *map(len, quantities))
    return lambda quantity: f"{quantity:<{width}}  "


def _has_intervals(result: Validation) -> bool:
    return any(row.low_90 is not None for row in result.rows)


def _has_rules(result: Validation) -> bool:
    return any(row.rule_of_thumb is not None for row in result.rows)


def _against_rule(source: ValidationSummary, shown: bool) -> str:
    """Return the mean error beside that of the usual rule, which is one of single rows and not of medians."""
    if not shown or source.mean_abs_error is None:
        return ""
    rule = source.rule_of_thumb_mean_abs_error
    return f"  {source.mean_abs_error:>12.1%}" + ("" if rule is None else f"  {rule:>11.1%}")


def _rows(result: Validation) -> Iterator[str]:
    width = max([len(row.row_id) for row in result.rows] + [3])
    cell = _quantity_cells(result)
    bounds = f"  {'low 90':>10}  {'high 90':>10}" if _has_intervals(result) else ""
    yield (
        f"{'row':<{width}}  {cell('quantity')}{'gpus':>8}  {'predicted':>10}  {'measured':>10}  {'error':>8}{bounds}"
        "  assumed"
    )
    for row in result.rows:
        yield _row_line(row, width, cell(row.quantity))


def _summary(result: Validation) -> Iterator[str]:
    width = max([len(source.source_id) for source in result.summary] + [len("mean of sources")])
    cell = _quantity_cells(result)
    yield (
        f"{'source':<{width}}  {cell('quantity')}{'rows':>6}  {'median |error|':>14}  {'mean error':>10}  {'p90 |error|':>11}"
        + ("  in 90 % interval" if _has_intervals(result) else "")
        + (f"  {'mean |error|':>12}  {'of the rule':>11}" if _has_rules(result) else "")
    )
    for source in result.summary:
        yield (
            f"{source.source_id:<{width}}  {cell(source.quantity)}{source.n:>6}  {source.median_abs_error:>14.1%}  "
            f"{source.mean_error:>+10.1%}  {source.p90_abs_error:>11.1%}"
            + ("" if source.coverage_90 is None else f"  {source.coverage_90:>16.0%}")
            + _against_rule(source, _has_rules(result))
        )
    mean = result.mean_median_abs_error
    if mean is not None:
        n = sum(source.n for source in result.summary)
        yield f"{'mean of sources':<{width}}  {cell('')}{n:>6}  {mean:>14.1%}"


def validation_text(result: Validation) -> str:
    """Return the rows, the reasons of those that are skipped, and the summary."""
    lines = [kind_named(result.kind).title, *_rows(result), "", *_summary(result)]
    skipped = Counter(row.skipped for row in result.rows if row.skipped is not None)
    if skipped:
        lines += ["", f"{skipped.total()} rows skipped"]
        lines += [f"  {count:>4}  {reason}" for reason, count in skipped.most_common()]
    return "\n".join(lines)
