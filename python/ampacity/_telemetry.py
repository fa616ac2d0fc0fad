"""Measured devices: telemetry of a cluster as what `simulate` takes for its devices."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ampacity._core import Error, InvalidSpec, Problem, nearest_names

if TYPE_CHECKING:
    import numpy as np

_RANGES = {
    "device": (0.0, 1e8),
    "power_w": (1.0, 1e5),
    "clock_mhz": (10.0, 1e5),
    "clock_hz": (1e7, 1e11),
    "speed_fraction": (0.01, 100.0),
    "temperature_c": (-40.0, 120.0),
    "inlet_c": (-40.0, 120.0),
    "cap_w": (1.0, 1e5),
}
_ONE_OF = (("clock_mhz", "clock_hz", "speed_fraction"), ("temperature_c", "inlet_c"))

# Of a busy accelerator's power at its limit: an H100 draws 158 of 686 W before arithmetic (idle 70 W, clocks up 88 W);
# the rest goes with clock and square of the voltage, which is proportional to the clock.
_DYNAMIC_SHARE = 0.75


@dataclass(frozen=True)
class Telemetry:
    """Columns of a telemetry file in rank order; see `Variability.from_telemetry`."""

    path: str
    columns: tuple[tuple[str, tuple[float, ...]], ...]

    def __str__(self) -> str:
        return self.path

    def given(self) -> dict[str, np.ndarray[Any, Any]]:
        """Return the columns of devices that follow."""
        import numpy as np

        measured = {key: np.array(values) for key, values in self.columns}
        found: dict[str, Any] = {key: measured[key] for key in ("inlet_c", "temperature_c", "cap_w") if key in measured}
        for key in _ONE_OF[0]:
            if key in measured:
                found["speed_fraction"] = measured[key] / measured[key].mean()
        if "power_w" in measured:
            speed = found.get("speed_fraction", 1.0)
            explained = 1 - _DYNAMIC_SHARE + _DYNAMIC_SHARE * speed**3
            found["power_fraction"] = measured["power_w"] / measured["power_w"].mean() / explained
        return found


def read_telemetry(path: str | os.PathLike[str]) -> Telemetry:
    """Return the columns of a telemetry file.

    Raises
    ------
    InvalidSpec
        Names everything that is wrong with the file.
    Error
        The file cannot be read.
    """
    name = os.fspath(path)
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            rows = [row for row in csv.reader(file) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise Error(f"cannot read {name}: {reason}") from error
    if len(rows) < 2:
        raise InvalidSpec(
            [Problem(path=name, value=f"{len(rows)} rows", rule="must have a header and a row per device")]
        )
    header = [key.strip() for key in rows[0]]
    problems = _problems_of_header(name, header)
    if problems:
        raise InvalidSpec(problems)
    columns = {key: _column(name, key, at, rows[1:], problems) for at, key in enumerate(header)}
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(header):
            rule = f"must have {len(header)} values like the header"
            problems.append(Problem(path=f"{name}, row {number}", value=f"{len(row)} values", rule=rule))
            break
    ranks = columns.pop("device", None)
    order = [] if problems else _order(name, ranks, len(rows) - 1, problems)
    if problems:
        raise InvalidSpec(problems)
    return Telemetry(name, tuple((key, tuple(values[i] for i in order)) for key, values in columns.items()))


def _problems_of_header(name: str, header: list[str]) -> list[Problem]:
    problems = []
    for key in dict.fromkeys(header):
        if key not in _RANGES:
            near = nearest_names(key, list(_RANGES))
            hint = f"did you mean {near[0]}?" if near else ""
            rule = "must be one of " + ", ".join(_RANGES)
            problems.append(Problem(path=f"{name}, header", value=repr(key), rule=rule, hint=hint))
        elif header.count(key) > 1:
            problems.append(Problem(path=f"{name}, header", value=repr(key), rule="must be there once"))
    for group in _ONE_OF:
        there = [key for key in group if key in header]
        if len(there) > 1:
            rule = "must have only one of " + ", ".join(group)
            problems.append(Problem(path=f"{name}, header", value=", ".join(there), rule=rule))
    if not problems and set(header) <= {"device"}:
        rule = "must have a column beside device: " + ", ".join(key for key in _RANGES if key != "device")
        problems.append(Problem(path=f"{name}, header", value=", ".join(header), rule=rule))
    return problems


def _column(name: str, key: str, at: int, rows: list[list[str]], problems: list[Problem]) -> list[float]:
    """Return the values of a column; the first that is no number in range is a problem."""
    low, high = _RANGES[key]
    values = []
    for number, row in enumerate(rows, start=2):
        if at >= len(row):
            break  # said of the row
        try:
            value = float(row[at])
        except ValueError:
            value = float("nan")
        if not low <= value <= high:
            rule = f"must be a number between {low:g} and {high:g}"
            problems.append(Problem(path=f"{name}, row {number}, {key}", value=repr(row[at]), rule=rule))
            break
        values.append(value)
    return values


def _order(name: str, ranks: list[float] | None, count: int, problems: list[Problem]) -> list[int]:
    """Return the row of each rank."""
    if ranks is None:
        return list(range(count))
    order = {int(rank): row for row, rank in enumerate(ranks)}
    for row, rank in enumerate(ranks):
        if rank != int(rank) or rank >= count or order[int(rank)] != row:
            rule = f"must be each of 0 to {count - 1} once"
            problems.append(Problem(path=f"{name}, row {row + 2}, device", value=f"{rank:g}", rule=rule))
            return []
    return [order[rank] for rank in range(count)]
