"""Tables of measured kernels: rows of equal device, kernel and format become columns that one call predicts."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias

from ampacity._core import Accelerator, Catalogue, computes_in
from ampacity._measured import MeasuredKernels
from ampacity._scoreboard.cluster import accelerator_of
from ampacity._scoreboard.rows import Row, Skip, read_rows

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

Table: TypeAlias = str | os.PathLike[str] | MeasuredKernels

AICONFIGURATOR = "aiconfigurator"
# What sources call the formats of `precision.hpp`. One scale per row and column is applied once, when a tile of the
# result is written, so such products run as with one scale per tensor.
_FORMATS = {
    "fp32": ("fp32", "float32"),
    "tf32": ("tf32",),
    "fp16": ("fp16", "float16", "half"),
    "bf16": ("bf16", "bfloat16", "bf16/fp16"),
    "fp8": ("fp8", "fp8_static", "fp8_tensorwise", "fp8_rowwise", "fp8_per_token", "fp8_ootb", "fp8_e4m3", "float8"),
    "fp8-block": ("fp8_block", "fp8_blockwise", "fp8_1x128"),
    "mxfp8": ("mxfp8",),
    "nvfp4": ("nvfp4", "fp4"),
}
_FORMAT_OF = {alias: name for name, aliases in _FORMATS.items() for alias in aliases}
_SIXTEEN_BITS = ("fp16", "bf16")
_GEMMS = ("gemm", "grouped_gemm", "moe_gemm")
_DIRECTIONS = ("fwd", "bwd", "fwd+bwd")


@dataclasses.dataclass(frozen=True)
class Key:
    """What the rows of one group share. ``gpu`` is the source's name, ``device`` the catalogue's accelerator."""

    source: str
    gpu: str
    device: Accelerator = dataclasses.field(compare=False)  # follows from the GPU's name
    kernel: str
    precision: str
    direction: str = "fwd"
    causal: bool = False
    accumulate: bool = False
    library: str = ""


@dataclasses.dataclass(frozen=True)
class Group:
    """Rows that one call predicts: where they stand in the file(s), their shapes, what was measured."""

    key: Key
    places: tuple[int, ...]
    shape: dict[str, Array]
    seconds: Array
    watts: Array | None

    @property
    def flops(self) -> Array:
        """Arithmetic of each product, or of what the mask keeps of each attention."""
        s = self.shape
        if self.key.kernel == "gemm":
            return 2 * s["m"] * s["n"] * s["k"] * s["batch"]
        per_score = _flops_per_score(self.key.direction) * (0.5 if self.key.causal else 1.0)
        return s["batch"] * s["heads"] * s["seq"] ** 2 * s["head_dim"] * per_score


@dataclasses.dataclass(frozen=True)
class Rows:
    """All rows of the files in their order: a group for each that can be predicted, else a reason."""

    rows: list[Row]
    groups: list[Group]
    skipped: dict[int, str]


def _flops_per_score(direction: str) -> int:
    """FLOP per score and head dimension: two products forward, five backward (FlashAttention-2, section 3.1.2)."""
    return {"fwd": 4, "bwd": 10, "fwd+bwd": 14}[direction]


@functools.cache
def _accelerator(gpu: str) -> Accelerator | str:
    """Return the catalogue's accelerator, or why there is none."""
    if gpu in Catalogue.builtin().names("accelerator"):
        return Catalogue.builtin().accelerator(gpu)
    try:
        return accelerator_of(Row(0, {"gpu": gpu}))
    except Skip as reason:
        return str(reason)


def _precision(row: Row) -> str:
    text = row.lower("dtype")
    if not text:
        raise Skip("dtype is missing")
    name = _FORMAT_OF.get(text.replace("-", "_"))
    if name is None:
        raise Skip(f"dtype {row.text('dtype')!r} is no format of matrix products here")
    return name


def _positive(row: Row, column: str) -> float:
    value = row.number(column)
    if not value:
        raise Skip(f"{column} is missing")
    return value


def _seconds(row: Row, flops: float) -> float:
    latency_ms = row.number("latency_ms")
    if latency_ms:
        return latency_ms * 1e-3
    rate = row.number("tflops")
    if not rate:
        raise Skip("neither latency nor rate was measured")
    return flops / (rate * 1e12)


def _gemm(row: Row, source: str, device: Accelerator) -> tuple[Key, tuple[float, ...], float]:
    m, n, k = _positive(row, "m"), _positive(row, "n"), _positive(row, "k")
    batch = row.number("batch") or 1.0
    accumulate = "accumulate=true" in row.lower("notes")
    key = Key(source, row.text("gpu"), device, "gemm", _precision(row), accumulate=accumulate)
    return key, (m, n, k, batch), _seconds(row, 2 * m * n * k * batch)


def _attention(row: Row, source: str, device: Accelerator) -> tuple[Key, tuple[float, ...], float]:
    precision = _precision(row)
    if precision not in _SIXTEEN_BITS:
        raise Skip(f"attention is priced in 16 bits, not in {precision}")
    direction = row.lower("direction") or "fwd"
    if direction not in _DIRECTIONS:
        raise Skip(f"direction {row.text('direction')!r} is none of {', '.join(_DIRECTIONS)}")
    batch, seq, heads, width = (_positive(row, name) for name in ("batch", "seq", "heads", "head_dim"))
    kv_heads = row.number("kv_heads") or heads
    causal = row.lower("causal") in ("yes", "true", "1")
    library = row.text("library") if "flashattention-2" in row.lower("library") else ""
    key = Key(source, row.text("gpu"), device, "attention", "bf16", direction, causal, library=library)
    per_score = _flops_per_score(direction) * (0.5 if causal else 1.0)
    return key, (batch, seq, heads, kv_heads, width), _seconds(row, batch * heads * seq**2 * width * per_score)


_COLUMNS = {"gemm": ("m", "n", "k", "batch"), "attention": ("batch", "seq", "heads", "kv_heads", "head_dim")}


def _read(row: Row, source: str, given: Accelerator | None) -> tuple[Key, tuple[float, ...], float]:
    if row.misaligned:
        raise Skip("the row does not have as many cells as the header")
    kernel = row.lower("kernel") or "gemm"
    if kernel not in (*_GEMMS, "attention"):
        raise Skip(f"kernel {row.text('kernel')!r} is neither a matrix product nor attention")
    device = _accelerator(row.text("gpu")) if given is None else given
    if isinstance(device, str):
        raise Skip(device)
    return _attention(row, source, device) if kernel == "attention" else _gemm(row, source, device)


def _rows_of(table: Table, required: Sequence[str], one_of: Sequence[str], first_index: int) -> Iterator[Row]:
    if isinstance(table, MeasuredKernels):
        return (Row(first_index + index, cells) for index, cells in enumerate(table.rows))
    return read_rows(table, required, one_of, first_index=first_index)


def read_tables(
    tables: Sequence[Table],
    required: Sequence[str],
    one_of: Sequence[str],
    *,
    power: bool = False,
    device: Accelerator | None = None,
) -> Rows:
    """Read measured kernels from CSV files, or as `measured_kernels` returns them.

    ``power``: rows without watts are skipped. ``device``: what the rows were measured on, whatever they say. Rows without a source are taken as samples of the aiconfigurator database,
    as the built-in tables are.

    Raises
    ------
    InvalidSpec
        A file cannot be read, is empty, or lacks columns.
    """
    import numpy as np

    rows: list[Row] = []
    skipped: dict[int, str] = {}
    found: dict[Key, list[tuple[int, tuple[float, ...], float, float]]] = {}
    for entry in tables:
        for row in _rows_of(entry, required, one_of, len(rows)):
            place = len(rows)
            rows.append(row)
            source = row.text("source_id") or AICONFIGURATOR
            try:
                watts = _positive(row, "power_w") if power else 0.0
                key, shape, seconds = _read(row, source, device)
            except Skip as reason:
                skipped[place] = str(reason)
                continue
            found.setdefault(key, []).append((place, shape, seconds, watts))
    groups = []
    for key, entries in found.items():
        if not computes_in(key.device, key.precision):
            lacking = f"{key.device.name} has no matrix products in {key.precision}"
            skipped |= dict.fromkeys((entry[0] for entry in entries), lacking)
            continue
        places, shapes, seconds_, watts_ = zip(*entries, strict=True)
        table = np.array(shapes, dtype=float)
        shape_columns = {name: np.ascontiguousarray(table[:, index]) for index, name in enumerate(_COLUMNS[key.kernel])}
        groups.append(Group(key, places, shape_columns, np.array(seconds_), np.array(watts_) if power else None))
    return Rows(rows, groups, skipped)
