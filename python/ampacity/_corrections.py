"""Measured kernels as a refinement of `estimate`: devices whose kernels are corrected near measured shapes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ampacity import _core
from ampacity._arguments import names_wrong_types
from ampacity._core import Cluster, InvalidSpec, Problem

if TYPE_CHECKING:
    from ampacity._measured import MeasuredKernels
    from ampacity._scoreboard.kernel_tables import Group

DATABASE = "measured"
# In the order of MeasuredKernel (cpp/include/ampacity/measured_kernels.hpp).
_GEMM, _FORWARD, _BACKWARD = 0, 1, 2
_REQUIRED = ("gpu", "dtype")
_SPEED = ("latency_ms", "tflops")
# Below that a kernel is mostly launch, which a step hides or pays elsewhere.
_SMALLEST_FLOPS = 1e9


def _tables(
    cluster: Cluster, kernels: str | os.PathLike[str] | MeasuredKernels
) -> list[str | os.PathLike[str] | MeasuredKernels]:
    """Return what to read: the database's tables of the cluster's accelerators that it covers, or what was given."""
    if not isinstance(kernels, str) or kernels != DATABASE:
        return [kernels]
    from ampacity._measured import SYSTEMS, measured_kernels

    names = list(dict.fromkeys(partition.node.accelerator.name for partition in cluster.partitions))
    covered = [name for name in names if name in SYSTEMS]
    if not covered:
        rule = f"has none for {', '.join(names)}; it covers {', '.join(SYSTEMS)}"
        raise InvalidSpec(
            [Problem(path="kernels", value=f"'{DATABASE}'", rule=rule, hint="give a CSV file of your own")]
        )
    return [measured_kernels(name) for name in covered]


def _kernel(group: Group) -> int | None:
    """Return which kernel of the correction a group's rows are; None where it knows no such kernel."""
    key = group.key
    if key.kernel == "gemm":
        return None if key.accumulate else _GEMM
    if not key.causal or key.library:
        return None
    return {"fwd": _FORWARD, "bwd": _BACKWARD}.get(key.direction)


def _points(group: Group) -> tuple[list[str], list[list[float]]]:
    """Return formats, and kernel, extents and ratio of measured to predicted time, of the rows of a group."""
    import numpy as np

    from ampacity._scoreboard.kernel_reading import predicted

    kernel = _kernel(group)
    if kernel is None:
        return [], [[] for _ in range(5)]
    shape = group.shape
    take = group.flops > _SMALLEST_FLOPS
    if kernel == _GEMM:
        take &= shape["batch"] == 1
        extents = [shape["m"], shape["n"], shape["k"]]
    else:
        extents = [shape["seq"], shape["batch"] * shape["heads"], shape["head_dim"]]
    # Like with like: the row's device as its source read it, launches and casts included.
    ratio = group.seconds / predicted(group, group.key.device)[0]
    columns = [np.full(len(ratio), float(kernel)), *extents, ratio]
    return [group.key.precision] * int(take.sum()), [column[take].tolist() for column in columns]


@names_wrong_types
def with_measured_kernels(cluster: Cluster, kernels: str | os.PathLike[str] | MeasuredKernels = DATABASE) -> Cluster:
    """Return the cluster with kernels of its devices corrected where measurements cover their shapes.

    A correction is the ratio of measured to predicted time, between measured shapes a weighted mean of its logarithm over
    about an octave of every extent. It fades out towards the bare model away from them. Single matrix products (by format)
    and causal attention in 16 bits are corrected; grouped products, streams and communication are not.

    Parameters
    ----------
    cluster
        What jobs run on.
    kernels
        ``"measured"``: the open aiconfigurator database (extra ``measured``); a CSV file with the columns of the built-in
        table (kernel, gpu, dtype, m, n, k, latency_ms, ...); or what `measured_kernels` returns. Rows of other
        accelerators are left out.

    Returns
    -------
    Cluster
        For `estimate`, `search` and all that take one. `Estimate.explain` says which share of the step is measured
        (``measured_fraction``). The correction is no part of a document: `to_dict` and `replace` leave it behind.

    Raises
    ------
    InvalidSpec
        The database is not installed or has no accelerator of the cluster; a file cannot be read, or holds no kernel of
        the cluster's accelerators.

    Examples
    --------
    >>> import ampacity as amp
    >>> rows = tuple(
    ...     {"gpu": "h100-sxm", "dtype": "bf16", "m": "8192", "n": str(n), "k": "4096", "latency_ms": "1.0"}
    ...     for n in (4096, 6144, 14336, 28672)
    ... )
    >>> table = amp.MeasuredKernels("h100-sxm", "my own benchmark", rows)
    >>> cluster = amp.with_measured_kernels(amp.cluster("dgx-h100-x1"), table)
    >>> job = amp.Training("llama-3.1-8b", global_batch=8, seq_len=8192)
    >>> layout = amp.Layout(dp=8)
    >>> corrected = amp.estimate(job, cluster, layout)
    >>> corrected.step_time_s != amp.estimate(job, amp.cluster("dgx-h100-x1"), layout).step_time_s
    True
    >>> 0 < corrected.explain().measured_fraction < 1
    True
    """
    from ampacity._measured import MeasuredKernels
    from ampacity._scoreboard.kernel_tables import read_tables

    tables = _tables(cluster, kernels)
    names = list(dict.fromkeys(partition.node.accelerator.name for partition in cluster.partitions))
    sources = [table.source if isinstance(table, MeasuredKernels) else os.fspath(table) for table in tables]
    groups = read_tables(tables, _REQUIRED, _SPEED).groups
    found = False
    for name in names:
        precisions: list[str] = []
        columns: list[list[float]] = [[] for _ in range(5)]
        for group in groups:
            if group.key.device.name != name:
                continue
            formats, more = _points(group)
            precisions += formats
            columns = [[*column, *values] for column, values in zip(columns, more, strict=True)]
        if precisions:
            found = True
            cluster = _core.with_measured_kernels(cluster, name, "; ".join(sources), precisions, columns)
    if not found:
        rule = f"must hold products above 1 GFLOP or causal attention of {', '.join(names)}"
        raise InvalidSpec([Problem(path="kernels", value=repr("; ".join(sources)), rule=rule)])
    return cluster
