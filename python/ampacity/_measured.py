"""Measured kernels of the open aiconfigurator database, where its package is installed (extra ``measured``)."""

from __future__ import annotations

import csv
import dataclasses
import importlib.util
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ampacity._arguments import names_wrong_types
from ampacity._core import InvalidSpec, Problem, nearest_names
from ampacity._files import file_error

PACKAGE = "aiconfigurator-core"
_MODULE = "aiconfigurator_core"
# Accelerators of the catalogue, and the folders of the database that hold them.
SYSTEMS = {
    "a100-sxm-80": "a100_sxm",
    "a100-pcie-80": "a100_pcie",
    "h100-sxm": "h100_sxm",
    "h100-pcie": "h100_pcie",
    "h200-sxm": "h200_sxm",
    "b200-sxm": "b200_sxm",
    "b300-sxm": "b300_sxm",
    "gb200": "gb200",
    "gb300": "gb300",
}
FRAMEWORKS = ("trtllm", "sglang", "vllm")
_GEMM_FORMATS = {"bfloat16": "bf16", "float16": "fp16", "fp8": "fp8", "fp8_block": "fp8_block", "nvfp4": "nvfp4"}
_ATTENTION_FORMATS = {"bfloat16": "bf16", "float16": "fp16"}
_SHORTEST_SEQUENCE = 2048  # as the built-in table: prefill, not decoding
COLUMNS = (
    *("kernel", "gpu", "dtype", "m", "n", "k", "batch", "seq", "heads", "kv_heads", "head_dim", "causal", "direction"),
    *("latency_ms", "library", "source_id", "source_ref"),
)


@dataclasses.dataclass(frozen=True, slots=True)
class MeasuredKernels:
    """Rows with the columns of the built-in table of kernels.

    Attributes
    ----------
    accelerator, source
        Catalogue name, and which package, version and framework the rows come from.
    rows
        One dictionary per kernel; values are texts, as in a CSV file.
    """

    accelerator: str
    source: str
    rows: tuple[dict[str, str], ...]

    def __len__(self) -> int:
        return len(self.rows)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a CSV file that `validate` and `calibrate` read."""
        try:
            with Path(path).open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, COLUMNS, restval="")
                writer.writeheader()
                writer.writerows(self.rows)
        except OSError as error:
            raise file_error(path, f"cannot be written: {error.strerror}") from None


def _problem(path: str, value: str, rule: str, hint: str = "") -> InvalidSpec:
    return InvalidSpec([Problem(path=path, value=value, rule=rule, hint=hint)])


def _database() -> Path:
    try:
        found = importlib.util.find_spec(_MODULE)
    except (ImportError, ValueError):
        found = None
    if found is None or not found.submodule_search_locations:
        raise _problem("measured", "", f"needs the package {PACKAGE}", "pip install 'ampacity[measured]'")
    return Path(found.submodule_search_locations[0]) / "systems" / "data"


def _read_parquet(path: Path, columns: Sequence[str]) -> list[dict[str, Any]]:
    try:
        import pyarrow.parquet
    except ImportError:
        raise _problem("measured", "", "needs pyarrow", "pip install 'ampacity[measured]'") from None
    rows: list[dict[str, Any]] = pyarrow.parquet.read_table(path, columns=list(columns)).to_pylist()
    return rows


def _gemm_rows(path: Path) -> Iterator[dict[str, str]]:
    for row in _read_parquet(path, ("gemm_dtype", "m", "n", "k", "latency")):
        dtype = _GEMM_FORMATS.get(row["gemm_dtype"])
        if dtype and 2 * row["m"] * row["n"] * row["k"] > 1e9:
            shape = {name: str(row[name]) for name in ("m", "n", "k")}
            yield {"kernel": "gemm", "dtype": dtype, **shape, "latency_ms": repr(row["latency"])}


def _attention_rows(path: Path) -> Iterator[dict[str, str]]:
    names = ("batch_size", "isl", "num_heads", "num_key_value_heads", "head_dim", "attn_dtype", "kv_cache_dtype")
    for row in _read_parquet(path, (*names, "step", "window_size", "latency")):
        dtype = _ATTENTION_FORMATS.get(row["attn_dtype"])
        plain = row["step"] == 0 and row["window_size"] == 0 and row["kv_cache_dtype"] == row["attn_dtype"]
        if dtype and plain and row["isl"] >= _SHORTEST_SEQUENCE:
            yield {
                "kernel": "attention",
                "dtype": dtype,
                "batch": str(row["batch_size"]),
                "seq": str(row["isl"]),
                "heads": str(row["num_heads"]),
                "kv_heads": str(row["num_key_value_heads"]),
                "head_dim": str(row["head_dim"]),
                "causal": "yes",
                "direction": "fwd",
                "latency_ms": repr(row["latency"]),
            }


_TABLES = {
    "gemm": ("gemm/{}/*/gemm_perf.parquet", _gemm_rows),
    "attention": ("attention/{}/*/context_attention_perf.parquet", _attention_rows),
}


@names_wrong_types
def measured_kernels(accelerator: str, *, framework: str = "trtllm") -> MeasuredKernels:
    """Return the measured kernels of an accelerator: matrix products above 1 GFLOP, and prefill attention in 16 bits.

    Reads the public data files of the package ``aiconfigurator-core`` (NVIDIA, Apache-2.0; extra ``measured``). Of several
    releases of a framework the last in the order of their names is taken.

    Parameters
    ----------
    accelerator
        A catalogue name that the database covers.
    framework
        Serving engine whose kernels were timed: trtllm (as the built-in table), sglang or vllm.

    Returns
    -------
    MeasuredKernels
        Give it to `validate` or `calibrate` as ``data``, or `save` it.

    Raises
    ------
    InvalidSpec
        The package is not installed, or has no such accelerator or framework.
    """
    if accelerator not in SYSTEMS:
        near = nearest_names(accelerator, list(SYSTEMS))
        hint = f"did you mean {near[0]}?" if near else ""
        raise _problem("measured", repr(accelerator), f"must be one of {', '.join(SYSTEMS)}", hint)
    if framework not in FRAMEWORKS:
        raise _problem("framework", repr(framework), f"must be one of {', '.join(FRAMEWORKS)}")
    folder = _database() / SYSTEMS[accelerator]
    rows: list[dict[str, str]] = []
    releases = []
    for kernel, (pattern, read) in _TABLES.items():
        files = sorted(folder.glob(pattern.format(framework)))
        if not files:
            continue
        release = files[-1].parent.name
        releases.append(f"{kernel} {framework} {release}")
        common = {"gpu": accelerator, "library": f"{framework}-{release}", "source_id": "aiconfigurator"}
        rows += [{**row, **common, "source_ref": f"aic:{folder.name}/{kernel}"} for row in read(files[-1])]
    if not rows:
        raise _problem("measured", repr(accelerator), f"the installed {PACKAGE} has no kernels of {framework} for it")
    from importlib.metadata import version as installed_version

    version = installed_version(PACKAGE)
    return MeasuredKernels(accelerator, f"{PACKAGE} {version} (Apache-2.0): {', '.join(releases)}", tuple(rows))
