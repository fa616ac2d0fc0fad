"""Predicting one measured run."""

from __future__ import annotations

from typing import NamedTuple

from ampacity._core import Estimate, InvalidSpec, Training, estimate
from ampacity._scoreboard.adapters import adapters_of
from ampacity._scoreboard.cluster import cluster_of
from ampacity._scoreboard.layout import LayoutOptions, software_of
from ampacity._scoreboard.model import model_of
from ampacity._scoreboard.readings import as_it_ran
from ampacity._scoreboard.recipes import capacity_factor
from ampacity._scoreboard.rows import Row, Skip, check_scope, measured_step_time

_PRECISIONS = ("fp32", "tf32", "fp16", "bf16", "fp8", "fp8-block", "mxfp8", "nvfp4")


class Prediction(NamedTuple):
    """A measured step time beside the predicted one (s), and what was assumed."""

    predicted_s: float
    measured_s: float
    note: str
    estimate: Estimate


def _precision(row: Row) -> str:
    for column in ("precision_class", "precision"):
        text = row.lower(column)
        if text:
            found = text if text in _PRECISIONS else next((p for p in reversed(_PRECISIONS) if p in text), None)
            if found is None:
                raise Skip(f"{column} {row.text(column)!r} is not a known precision")
            return found
    raise Skip("precision is missing")


def _expert_imbalance(row: Row) -> float:
    """Return 0 for benchmarks, whose routers are forced to balance (Megatron's moe_router_force_load_balancing); else the model's."""
    return 0.0 if "benchmark" in row.lower("task") else -1.0


def _is_likelier(one: Estimate, other: Estimate) -> bool:
    """Say which of two layouts that seem too large for memory ran: the smaller, but of two interleaves the faster.

    A run that fits in fact chose its interleave for its speed.
    """
    if one.layout.vp != other.layout.vp and one.layout.replace(vp=other.layout.vp) == other.layout:
        return one.step_time_s < other.step_time_s
    return one.memory.total_bytes < other.memory.total_bytes


def _fastest_that_fits(job: Training, row: Row, options: LayoutOptions) -> tuple[Estimate, bool]:
    """Return the best estimate of what the row leaves open: the least recomputation that fits, then the fastest."""
    cluster, _ = cluster_of(row)
    smallest: Estimate | None = None
    refusal: InvalidSpec | None = None
    for recompute in options.recomputes:
        best: Estimate | None = None
        for layout in options.layouts(recompute):
            try:
                result = estimate(job, cluster, layout)
            except InvalidSpec as error:
                refusal = error
                continue
            if smallest is None or _is_likelier(result, smallest):
                smallest = result
            if result.memory.fits and (best is None or result.step_time_s < best.step_time_s):
                best = result
        if best is not None:
            return best, True
    if smallest is None and options.relax():
        return _fastest_that_fits(job, row, options)
    if smallest is None:
        raise refusal if refusal is not None else Skip("no layout agrees with the row")
    return smallest, False


def _assumptions(options: LayoutOptions, result: Estimate) -> list[str]:
    layout = result.layout
    values = {"recompute": layout.recompute, "micro-batch": layout.micro_batch, "interleave": layout.vp}
    return [f"{name} {values[name]}" for name in options.open]


def estimate_row(row: Row) -> tuple[Estimate, bool, str]:
    """Return the estimate of a row, whether it fits in memory, and what was assumed.

    Raises
    ------
    Skip
        The row is out of scope, or cannot be simulated; says why.
    """
    check_scope(row)
    return _estimate_in_scope(row)


def _estimate_in_scope(row: Row) -> tuple[Estimate, bool, str]:
    row, reading = as_it_ran(row)
    try:
        software, software_note = software_of(row)
        options = LayoutOptions(row)
        adapters, adapters_note = adapters_of(row)
        job = Training(
            model_of(row),
            software=software,
            global_batch=row.required("gbs"),
            seq_len=row.required("seq_len"),
            precision=_precision(row),
            expert_imbalance=_expert_imbalance(row),
            capacity_factor=capacity_factor(row),
            **adapters,
        )
        result, fits = _fastest_that_fits(job, row, options)
    except InvalidSpec as error:
        raise Skip("; ".join(str(problem) for problem in error.problems)) from None
    notes = _assumptions(options, result) + options.notes + [adapters_note, software_note, reading, cluster_of(row)[1]]
    if not fits:
        excess = result.memory.total_bytes / result.memory.capacity_bytes - 1
        notes.append(f"predicted memory is {excess:.0%} above the device's")
    return result, fits, "; ".join(note for note in notes if note)


def predict(row: Row, *, fine_tuning: bool = False) -> Prediction:
    """Predict the step time of a row of pre-training, or of fine-tuning.

    Raises
    ------
    Skip
        The row is out of scope, or cannot be simulated; says why.
    """
    check_scope(row, fine_tuning=fine_tuning)
    measured = measured_step_time(row)
    result, _, note = _estimate_in_scope(row)
    return Prediction(result.step_time_s, measured, note, result)
