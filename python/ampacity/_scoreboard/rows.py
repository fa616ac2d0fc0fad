"""CSV rows of measurements: text in, checked numbers out."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Iterator, Sequence

from ampacity._files import file_error, read_text

_BLANK = ("", "-", "n/a", "na", "none", "null", "?", "unknown")
_PRE_TRAINING = ("pretrain", "pre-train", "mlperf", "benchmark")
_FINE_TUNING = ("sft", "lora", "peft", "finetun", "fine-tun")
_OTHER_TASKS = (*_FINE_TUNING, "inference", "rlhf")


class Skip(Exception):
    """Why a row is not predicted."""


class Row:
    """One measurement; a number is read, and checked, when it is asked for."""

    def __init__(self, index: int, cells: dict[str, str], *, misaligned: bool = False) -> None:
        self._cells = cells
        self.row_id = cells.get("row_id") or str(index)
        self.source_id = cells.get("source_id") or "unknown"
        self.misaligned = misaligned

    def replaced(self, cells: dict[str, str]) -> Row:
        """Return the row with other texts in some cells."""
        changed = Row(0, {**self._cells, **cells}, misaligned=self.misaligned)
        changed.row_id = self.row_id
        return changed

    def text(self, column: str) -> str:
        """Return the cell, or an empty text where it is blank or absent."""
        return self._cells.get(column, "")

    def lower(self, column: str) -> str:
        """Return the cell in lower case."""
        return self.text(column).lower()

    def number(self, column: str) -> float | None:
        """Return a positive number, or None where the cell is blank."""
        cell = self.text(column)
        if cell.lower() in _BLANK:
            return None
        try:
            value = float(cell.replace(",", ""))
        except ValueError:
            raise Skip(f"{column} = {cell!r} is not a number") from None
        if not math.isfinite(value) or value < 0:
            raise Skip(f"{column} = {cell} is not a finite number of 0 or more")
        return value

    def count(self, column: str) -> int | None:
        """Return a whole number, or None where the cell is blank."""
        value = self.number(column)
        if value is None:
            return None
        if value != int(value) or value > 2**53:
            raise Skip(f"{column} = {self.text(column)} is not a whole number")
        return int(value)

    def required(self, column: str) -> int:
        """Return a whole number of 1 or more; the row is skipped without it."""
        value = self.count(column)
        if value is None:
            raise Skip(f"{column} is missing")
        if value == 0:
            raise Skip(f"{column} = 0 is not a positive number")
        return value


def is_fine_tuning(row: Row) -> bool:
    """Say whether a row trains on from a finished model, with all weights or with adapters."""
    return any(word in row.lower("task") for word in _FINE_TUNING)


def check_scope(row: Row, *, fine_tuning: bool = False) -> None:
    """Skip what the scoreboard of training (or of fine-tuning) does not cover."""
    if row.misaligned:
        raise Skip("the row does not have as many cells as the header")
    task = row.lower("task")
    if not fine_tuning and any(word in task for word in _OTHER_TASKS):
        other = " (see the kind fine_tuning)" if is_fine_tuning(row) else ""
        raise Skip(f"task is {row.text('task')}, not pre-training{other}")
    if not fine_tuning and task and not any(word in task for word in _PRE_TRAINING):
        raise Skip(f"task {row.text('task')!r} is not known to be pre-training")
    if row.lower("complete") == "partial":
        raise Skip("the source says too little to simulate it (complete = partial)")
    if row.lower("precision_class") == "unclear":
        raise Skip("precision is unclear")


def measured_step_time(row: Row) -> float:
    """Return the measured step time (s), from tokens per second where that is what was measured."""
    step_time = row.number("step_time_s")
    if step_time:
        return step_time
    rate = row.number("tokens_per_s_per_gpu")
    if not rate:
        raise Skip("neither step time nor tokens per second was measured")
    return row.required("gbs") * row.required("seq_len") / (rate * row.required("n_gpus"))


def read_rows(
    path: str | os.PathLike[str], required: Sequence[str], one_of: Sequence[str] = (), *, first_index: int = 0
) -> Iterator[Row]:
    """Yield the rows of a CSV file that has all ``required`` columns and at least one of ``one_of``.

    Raises
    ------
    InvalidSpec
        The file cannot be read, is empty, or lacks columns.
    """
    reader = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        _check_header(path, header, required, one_of)
        for index, cells in enumerate(reader):
            if cells:
                stripped = (cell.strip() for cell in cells)
                named = dict(zip(header, stripped, strict=False))
                yield Row(first_index + index, named, misaligned=len(cells) != len(header))
    except csv.Error as error:
        raise file_error(path, f"is not a CSV file: line {reader.line_num}: {error}") from None


def _check_header(
    path: str | os.PathLike[str], header: list[str], required: Sequence[str], one_of: Sequence[str]
) -> None:
    if not header:
        raise file_error(path, "is empty")
    missing = [name for name in required if name not in header]
    if one_of and not any(name in header for name in one_of):
        missing.append(" or ".join(one_of))
    if missing:
        raise file_error(path, f"lacks the columns {', '.join(missing)}", "the first line must name the columns")
