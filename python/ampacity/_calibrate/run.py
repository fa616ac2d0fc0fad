"""The work behind `calibrate`: rows in, fitted families out."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ampacity._calibrate import fit as fitting
from ampacity._calibrate.calibration import CalibratedFamily, Calibration, CalibrationError
from ampacity._core import Accelerator, Architecture, Catalogue, InvalidSpec, Problem
from ampacity._files import read_text
from ampacity._lookup import Name
from ampacity._lookup import accelerator as find_accelerator
from ampacity._measured import MeasuredKernels
from ampacity._scoreboard import gemm_power, kernels
from ampacity._scoreboard.kernel_tables import Group, Rows, Table, read_tables

if TYPE_CHECKING:
    from ampacity._scoreboard.kernel_tables import Array

_MOST_REASONS = 5


def _has_watts(table: Table) -> bool:
    if isinstance(table, MeasuredKernels):
        return False
    header = read_text(table).split("\n", 1)[0]
    return "power_w" in [name.strip() for name in header.split(",")]


def _read(tables: Sequence[Table], device: Accelerator | None) -> list[Rows]:
    """Read all tables; the problems of all files are named at once."""
    found: list[Rows] = []
    problems: list[Problem] = []
    for table in tables:
        try:
            power = _has_watts(table)
            kind = gemm_power if power else kernels
            found.append(read_tables([table], kind.REQUIRED_COLUMNS, kind.SPEED_COLUMNS, power=power, device=device))
        except InvalidSpec as error:
            problems += error.problems
    if problems:
        raise InvalidSpec(problems)
    return found


def _median(logs: Array) -> float:
    import numpy as np

    return float(np.median(np.abs(np.expm1(logs))))


def _errors(groups: Sequence[Group], before: Architecture, after: Architecture) -> Iterator[CalibrationError]:
    for group in groups:
        was, is_ = fitting.errors(group, before), fitting.errors(group, after)
        name = "/".join(
            (group.key.source, group.key.gpu or group.key.device.name, group.key.kernel, group.key.precision)
        )
        yield CalibrationError(
            source=name, quantity="latency", n=len(was.seconds), before=_median(was.seconds), after=_median(is_.seconds)
        )
        if was.watts is not None and is_.watts is not None and len(was.watts):
            yield CalibrationError(
                source=name, quantity="watts", n=len(was.watts), before=_median(was.watts), after=_median(is_.watts)
            )


def _name_of(table: Table) -> str:
    return table.source if isinstance(table, MeasuredKernels) else Path(table).name


def run(
    data: Table | Sequence[Table], accelerator: Accelerator | Name | None, catalogue: Catalogue | None
) -> Calibration:
    """Fit every family that the rows are of."""
    tables = [data] if isinstance(data, str | os.PathLike | MeasuredKernels) else list(data)
    device = None
    if accelerator is not None:
        found = accelerator
        device = found if isinstance(found, Accelerator) else find_accelerator(found, catalogue=catalogue)
    read = _read(tables, device)
    skipped = Counter(reason for rows in read for reason in rows.skipped.values())
    groups = [group for rows in read for group in map(fitting.usable, rows.groups) if group is not None]
    total = sum(len(rows.rows) for rows in read)
    used = sum(len(group.places) for group in groups)
    if total - used > skipped.total():
        skipped["no more than 1 GFLOP, or not written for this device"] = total - used - skipped.total()
    if not tables:
        rule = "must name measurements"
        raise InvalidSpec([Problem(path="data", value="", rule=rule, hint="a FILE.csv, or --measured NAME")])
    if not groups:
        reasons = "; ".join(f"{n} x {reason}" for reason, n in skipped.most_common(_MOST_REASONS)) or "no rows"
        names = ", ".join(map(_name_of, tables)) or "nothing"
        raise InvalidSpec([Problem(path=names, value="", rule=f"has no row that can be used: {reasons}", hint="")])
    by_family: dict[str, list[Group]] = {}
    for group in groups:
        by_family.setdefault(group.key.device.architecture.name, []).append(group)
    families = []
    for name, members in sorted(by_family.items()):
        before = members[0].key.device.architecture
        after, fitted = fitting.fit(before, members)
        families.append(
            CalibratedFamily(
                name=name,
                before=before,
                after=after,
                fitted=tuple(fitted),
                errors=tuple(_errors(members, before, after)),
            )
        )
    sources = tuple(map(_name_of, tables))
    return Calibration(sources=sources, n=used, skipped=dict(skipped), families=tuple(families))
