"""Times and watts of matrix products beside their prediction."""

from __future__ import annotations

from collections.abc import Sequence

from ampacity._scoreboard.kernel_tables import Table, read_tables
from ampacity._scoreboard.kernels import results
from ampacity._scoreboard.result import ValidationRow

REQUIRED_COLUMNS = ("gpu", "dtype", "m", "n", "k", "power_w")
SPEED_COLUMNS = ("latency_ms", "tflops")


def validated_rows(tables: Sequence[Table]) -> list[ValidationRow]:
    """Return every row of the files twice: its latency and its watts."""
    return results(read_tables(tables, REQUIRED_COLUMNS, SPEED_COLUMNS, power=True), ("latency", "watts"))
