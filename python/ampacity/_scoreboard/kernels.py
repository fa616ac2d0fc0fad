"""Times, and watts where measured, of single kernels beside their prediction."""

from __future__ import annotations

from collections.abc import Sequence

from ampacity._scoreboard.kernel_reading import predicted, seconds_read, source_names, watts_read
from ampacity._scoreboard.kernel_tables import Group, Rows, Table, read_tables
from ampacity._scoreboard.result import ValidationRow, compared, skipped

REQUIRED_COLUMNS = ("kernel", "gpu", "dtype")
SPEED_COLUMNS = ("latency_ms", "tflops")


def results(rows: Rows, quantities: Sequence[str]) -> list[ValidationRow]:
    """Return one result per row and quantity (``latency`` in s, ``watts`` in W), in the order of the rows."""
    found: dict[tuple[int, str], ValidationRow] = {}
    for group in rows.groups:
        _compare(group, rows, quantities, found)
    for place, reason in rows.skipped.items():
        row = rows.rows[place]
        for quantity in quantities:
            found[place, quantity] = skipped(row, quantity, reason, n_gpus=1)
    return [found[place, quantity] for place in range(len(rows.rows)) for quantity in quantities]


def _compare(group: Group, rows: Rows, quantities: Sequence[str], found: dict[tuple[int, str], ValidationRow]) -> None:
    seconds, joules = predicted(group, group.key.device)
    columns = {"latency": (seconds, group.seconds)}
    notes = {"latency": [""] * len(group.places)}
    if group.watts is not None:
        drawn = joules / seconds
        read = watts_read(group, group.key.device, drawn)
        columns["latency"] = (seconds_read(group, group.key.device, seconds), group.seconds)
        columns["watts"] = (read, group.watts)
        pairs = zip(read.tolist(), drawn.tolist(), strict=True)
        notes["watts"] = [f"the kernel draws {own:.0f} W" if meter != own else "" for meter, own in pairs]
    names = source_names(group)
    for quantity in quantities:
        ours, theirs = (column.tolist() for column in columns[quantity])
        for index, place in enumerate(group.places):
            found[place, quantity] = compared(
                rows.rows[place],
                quantity,
                ours[index],
                theirs[index],
                source_id=names[index],
                n_gpus=1,
                assumed=notes[quantity][index],
            )


def validated_rows(tables: Sequence[Table]) -> list[ValidationRow]:
    """Return every row of the files with its prediction or the reason why there is none."""
    return results(read_tables(tables, REQUIRED_COLUMNS, SPEED_COLUMNS), ("latency",))
