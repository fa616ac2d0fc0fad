"""Predictions beside measurements: how far off Ampacity has been, row by row and source by source."""

from __future__ import annotations

import dataclasses
import importlib
import os
from collections.abc import Sequence
from pathlib import Path

from ampacity._arguments import names_wrong_types
from ampacity._core import InvalidSpec, Problem, nearest_names
from ampacity._measured import MeasuredKernels
from ampacity._scoreboard.result import Validation, ValidationRow, ValidationSummary, summaries

__all__ = ["KINDS", "Validation", "ValidationRow", "ValidationSummary", "validate"]

_DATA = Path(__file__).parent / "data" / "scoreboard"
BUILTIN_TRAINING = _DATA / "training.csv"


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of measurement: the module whose ``validated_rows(paths)`` predicts it, its tables, what it compares."""

    module: str
    tables: tuple[Path, ...]
    title: str


KINDS = {
    "training": Kind("training", (BUILTIN_TRAINING,), "step time in seconds"),
    "fine_tuning": Kind(
        "fine_tuning", (BUILTIN_TRAINING,), "fine-tuning, all weights or adapters: step time in seconds"
    ),
    "kernels": Kind("kernels", (_DATA / "kernels.csv",), "latency of single kernels in seconds"),
    "memory": Kind("memory", (_DATA / "memory.csv", BUILTIN_TRAINING), "memory of one device in GiB"),
    "gemm_power": Kind("gemm_power", (_DATA / "gemm_power.csv",), "matrix products: latency in seconds, watts"),
    "power": Kind(
        "power", (_DATA / "power_machines.csv", _DATA / "power_nodes.csv"), "power of machines and nodes in watts"
    ),
    "collectives": Kind(
        "collectives", (_DATA / "collectives.csv",), "collectives: latency in seconds, exchanges in bytes/s received"
    ),
}


def kind_named(name: str) -> Kind:
    """Return a kind by name.

    Raises
    ------
    InvalidSpec
        There is no such kind; names the nearest.
    """
    if name in KINDS:
        return KINDS[name]
    near = nearest_names(name, list(KINDS))
    hint = f"did you mean {near[0]}?" if near else ""
    rule = f"must be one of {', '.join(KINDS)}"
    raise InvalidSpec([Problem(path="kind", value=repr(name), rule=rule, hint=hint)])


@names_wrong_types
def validate(
    kind: str = "training",
    data: str | os.PathLike[str] | MeasuredKernels | Sequence[str | os.PathLike[str] | MeasuredKernels] | None = None,
) -> Validation:
    """Predict what was measured and compare.

    Parameters
    ----------
    kind
        What to validate: ``"training"`` (quantity ``step_time``, s: pre-training runs), ``"fine_tuning"`` (the same of
        rows whose task is SFT or LoRA), ``"kernels"`` (``latency``, s: matrix products and attention), ``"gemm_power"`` (``latency``, s, and ``watts``, W, of matrix products),
        ``"power"`` (``machine_w`` of HPL runs, ``node_mean_w``, ``node_peak_w`` and percentiles of power logs, W),
        ``"collectives"`` (``latency_...``, s, by message size, and ``exchange_bytes_per_s`` of experts' tokens).
    data
        CSV files with the columns of the built-in tables of that kind (default: those tables); for ``"kernels"`` also
        what `measured_kernels` returns.

    Returns
    -------
    Validation
        Rows with predicted and measured values in the unit of their quantity, and a summary by source. Rows that cannot
        be predicted say why.

    Raises
    ------
    InvalidSpec
        An unknown kind, or files that cannot be used (all of them are named).

    Examples
    --------
    >>> result = validate("training")
    >>> len(result.rows) == sum(s.n for s in result.summary) + sum(r.skipped is not None for r in result.rows)
    True
    """
    chosen = kind_named(kind)
    tables: list[str | os.PathLike[str] | MeasuredKernels]
    if data is None:
        tables = list(chosen.tables)
    else:
        tables = [data] if isinstance(data, str | os.PathLike | MeasuredKernels) else list(data)
    if kind != "kernels" and any(isinstance(table, MeasuredKernels) for table in tables):
        rule = "must be kernels for measured kernels"
        raise InvalidSpec([Problem(path="kind", value=repr(kind), rule=rule, hint="")])
    scoreboard = importlib.import_module(f"ampacity._scoreboard.{chosen.module}")
    rows: list[ValidationRow] = scoreboard.validated_rows(tables)
    return Validation(kind=kind, rows=tuple(rows), summary=summaries(rows))
