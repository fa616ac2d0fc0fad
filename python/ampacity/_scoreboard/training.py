"""Step times of training runs: each row of a table of measured runs beside its prediction."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ampacity._scoreboard.predict import predict
from ampacity._scoreboard.result import ValidationRow, compared, skipped
from ampacity._scoreboard.rows import Row, Skip, read_rows

QUANTITY = "step_time"
# Without these columns a file is no table of training runs at all.
REQUIRED_COLUMNS = ("layers", "hidden", "heads", "seq_len", "gpu", "n_gpus", "gbs")
SPEED_COLUMNS = ("step_time_s", "tokens_per_s_per_gpu")


def validated(row: Row, *, fine_tuning: bool = False) -> ValidationRow:
    """Return the row with its prediction or the reason why there is none."""
    try:
        found = predict(row, fine_tuning=fine_tuning)
    except Skip as reason:
        return skipped(row, QUANTITY, reason)
    interval = found.estimate.interval
    return compared(
        row,
        QUANTITY,
        found.predicted_s,
        found.measured_s,
        assumed=found.note,
        low_90=interval.low_90_s,
        high_90=interval.high_90_s,
    )


def validated_rows(paths: Sequence[str | os.PathLike[str]]) -> list[ValidationRow]:
    """Return every row of the files with its prediction or the reason why there is none."""
    rows: list[ValidationRow] = []
    for path in paths:
        rows += [validated(row) for row in read_rows(path, REQUIRED_COLUMNS, SPEED_COLUMNS, first_index=len(rows))]
    return rows
