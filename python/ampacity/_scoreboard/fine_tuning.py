"""Step times of fine-tuning: rows of tables of training runs whose task is SFT or LoRA, beside their prediction."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ampacity._scoreboard.result import ValidationRow
from ampacity._scoreboard.rows import is_fine_tuning, read_rows
from ampacity._scoreboard.training import REQUIRED_COLUMNS, SPEED_COLUMNS, validated


def validated_rows(paths: Sequence[str | os.PathLike[str]]) -> list[ValidationRow]:
    """Return every row of fine-tuning with its prediction or the reason why there is none; others are left out."""
    rows: list[ValidationRow] = []
    read = 0
    for path in paths:
        for row in read_rows(path, REQUIRED_COLUMNS, SPEED_COLUMNS, first_index=read):
            read += 1
            if is_fine_tuning(row):
                rows.append(validated(row, fine_tuning=True))
    return rows
