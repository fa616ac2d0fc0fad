"""Memory of training runs: parameters with optimizer state, activations, and the peak of the fullest device.

Sources report different peaks: what the framework's allocator handed out, what it held, or what the driver saw. Each is
compared with its like.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ampacity._core import Catalogue, Estimate, InvalidSpec, Layout, Training, estimate
from ampacity._scoreboard.cluster import cluster_of
from ampacity._scoreboard.model import catalogue_name
from ampacity._scoreboard.predict import estimate_row
from ampacity._scoreboard.readings import as_it_ran
from ampacity._scoreboard.result import ValidationRow, compared, skipped
from ampacity._scoreboard.rows import Row, Skip, read_rows

REQUIRED_COLUMNS = ("model", "gpu", "n_gpus", "tp", "pp", "mbs", "seq_len")
MEASURED_COLUMNS = ("peak_mem_gib", "param_opt_GiB", "activation_GiB", "activation_relative_pct")
_GIB = 2.0**30

# What a peak is, by the first word of framework, features or notes that says it.
_PEAKS: tuple[tuple[str, str], ...] = (
    ("nvidia-smi", "total_bytes"),
    ("nvml", "total_bytes"),
    ("max allocated", "allocated_bytes"),
    ("max reserved", "reserved_bytes"),
    # torchtitan/components/metrics.py prints reserved_bytes.all.peak.
    ("torchtitan", "reserved_bytes"),
    # megatron/training/utils.py, report_memory: tables quote its "max allocated".
    ("megatron", "allocated_bytes"),
)
_MEANINGS = {"total_bytes": "whole device", "allocated_bytes": "allocated tensors", "reserved_bytes": "reserved"}


def peak_of(row: Row) -> str:
    """Return the attribute of `Memory` that the row's peak is."""
    said = " ".join(row.lower(column) for column in ("notes", "features", "framework"))
    return next((peak for word, peak in _PEAKS if word in said), "reserved_bytes")


def _layout(row: Row, **changes: Any) -> Layout:
    degrees = {key: row.count(key) or 1 for key in ("tp", "pp", "cp", "ep")}
    fields: dict[str, Any] = {
        **degrees,
        "vp": row.count("vp") or 1,
        "dp": 1,
        "micro_batch": row.required("mbs"),
        "zero_stage": row.count("zero_stage") or 0,
        "recompute": row.lower("recompute") or "none",
        "sequence_parallel": row.lower("seq_parallel") in ("yes", "true", "1") and degrees["tp"] > 1,
    }
    return Layout(**{**fields, **changes})


def _accounted(row: Row, **changes: Any) -> Estimate:
    """Return the estimate of one replica of a published accounting: enough micro-batches to fill its pipeline."""
    row, _ = as_it_ran(row)
    model = catalogue_name(row.text("model"))
    if model is None:
        raise Skip(f"model {row.text('model')!r} is not in the catalogue")
    layout = _layout(row, **changes)
    job = Training(
        model,
        software=Catalogue.builtin().software("megatron-2022"),
        global_batch=2 * layout.pp * layout.vp * layout.micro_batch,
        seq_len=row.required("seq_len"),
    )
    try:
        return estimate(job, cluster_of(row)[0], layout)
    except InvalidSpec as error:
        raise Skip("; ".join(str(problem) for problem in error.problems)) from None


def _layers_state(row: Row) -> tuple[float, str]:
    """Weights, gradients and optimizer state of a stage: one in the middle has no embedding, as the accounting."""
    stages = _accounted(row).memory_stages
    memory = stages[len(stages) // 2].memory
    state = memory.weights_bytes + memory.gradients_bytes + memory.optimizer_bytes
    return state / _GIB, "" if len(stages) > 2 else "with the embedding"


def _kept(row: Row, **changes: Any) -> float:
    return _accounted(row, **changes).memory_stages[0].memory.activations_bytes / _GIB


def _relative(row: Row) -> tuple[float, str]:
    whole = _kept(row, recompute="none", sequence_parallel=False)
    return 100 * _kept(row) / whole, ""


def _peak(row: Row) -> tuple[float, str]:
    found, fits, note = estimate_row(row)
    if not fits:
        note = "; ".join(part for part in (note, "said not to fit") if part)
    peak = peak_of(row)
    return getattr(found.memory, peak) / _GIB, "; ".join(part for part in (_MEANINGS[peak], note) if part)


_QUANTITIES: tuple[tuple[str, str, Callable[[Row], tuple[float, str]]], ...] = (
    ("param_opt_GiB", "parameters_optimizer", _layers_state),
    ("activation_GiB", "activations", lambda row: (_kept(row), "")),
    ("activation_relative_pct", "activations_relative", _relative),
    ("peak_mem_gib", "peak", _peak),
)


def _validated(row: Row) -> Iterator[ValidationRow]:
    """Yield one row for each quantity that was measured."""
    for column, quantity, predicted in _QUANTITIES:
        try:
            measured = row.number(column)
            if not measured:
                continue
            if row.misaligned:
                raise Skip("the row does not have as many cells as the header")
            value, note = predicted(row)
        except Skip as reason:
            yield skipped(row, quantity, reason)
            continue
        yield compared(row, quantity, value, measured, assumed=note)


def validated_rows(paths: Sequence[str | os.PathLike[str]]) -> list[ValidationRow]:
    """Return each measured quantity with its prediction or the reason why there is none.

    Rows without any figure of memory are left out: tables of training runs have it in few of them.
    """
    rows: list[ValidationRow] = []
    read = 0
    for path in paths:
        for row in read_rows(path, REQUIRED_COLUMNS, MEASURED_COLUMNS, first_index=read):
            read += 1
            rows += _validated(row)
    return rows
