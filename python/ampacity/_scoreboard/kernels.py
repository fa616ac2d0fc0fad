"""Times, and watts where measured, of single kernels beside their prediction."""

from __future__ import annotations

from collections.abc import Sequence

from ampacity._scoreboard.kernel_reading import predicted, source_names
from ampacity._scoreboard.kernel_tables import Group, Rows, Table, read_tables
from ampacity._scoreboard.result import ValidationRow

REQUIRED_COLUMNS = ("kernel", "gpu", "dtype")
SPEED_COLUMNS = ("latency_ms", "tflops")


def compared(rows: Rows, quantities: Sequence[str]) -> list[ValidationRow]:
    """Return one result per row and quantity (``latency`` in s, ``watts`` in W), in the order of the rows."""
    found: dict[tuple[int, str], ValidationRow] = {}
    for group in rows.groups:
        _compare(group, rows, quantities, found)
    for place, reason in rows.skipped.items():
        row = rows.rows[place]
        for quantity in quantities:
            found[place, quantity] = ValidationRow(
                row_id=row.row_id, source_id=row.source_id, quantity=quantity, n_gpus=1, skipped=reason
            )
    return [found[place, quantity] for place in range(len(rows.rows)) for quantity in quantities]


def _compare(group: Group, rows: Rows, quantities: Sequence[str], found: dict[tuple[int, str], ValidationRow]) -> None:
    seconds, joules = predicted(group, group.key.device)
    columns = {"latency": (seconds, group.seconds)}
    if group.watts is not None:
        columns["watts"] = (joules / seconds, group.watts)
    names = source_names(group)
    for quantity in quantities:
        ours, theirs = (column.tolist() for column in columns[quantity])
        for index, place in enumerate(group.places):
            found[place, quantity] = ValidationRow(
                row_id=rows.rows[place].row_id,
                source_id=names[index],
                quantity=quantity,
                n_gpus=1,
                predicted=ours[index],
                measured=theirs[index],
                error_fraction=ours[index] / theirs[index] - 1,
            )


def validated_rows(tables: Sequence[Table]) -> list[ValidationRow]:
    """Return every row of the files with its prediction or the reason why there is none."""
    return compared(read_tables(tables, REQUIRED_COLUMNS, SPEED_COLUMNS), ("latency",))
