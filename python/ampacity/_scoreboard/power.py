"""Measured power of machines and nodes beside its prediction: HPL runs, power logs of benchmarks, facility statements.

Machines (columns ``kind``, ``device``, ``n_devices``, ``measured_mw``) and nodes (``gpu``, ``n_gpus``, ``workload``,
``level``, ``value_W``) may come in any file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from ampacity._scoreboard import power_machines, power_nodes
from ampacity._scoreboard.result import ValidationRow, skipped
from ampacity._scoreboard.rows import Row, Skip, read_rows


def _predicted(row: Row) -> list[ValidationRow]:
    if row.misaligned:
        raise Skip("the row does not have as many cells as the header")
    return power_machines.predicted(row) if row.text("measured_mw") or row.text("kind") else power_nodes.predicted(row)


def _results(path: str | os.PathLike[str], first_index: int) -> Iterator[ValidationRow]:
    for row in read_rows(path, (), ("measured_mw", "value_W"), first_index=first_index):
        try:
            yield from _predicted(row)
        except Skip as reason:
            quantity = "power_w" if row.text("workload") else "machine_w"
            yield skipped(row, quantity, reason)


def validated_rows(paths: Sequence[str | os.PathLike[str]]) -> list[ValidationRow]:
    """Return every measured quantity of the files with its prediction or the reason why there is none."""
    found: list[ValidationRow] = []
    read = 0
    for path in paths:
        found += _results(path, read)
        read = len(found)
    return found
