"""The memory of every pipeline stage as columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ampacity._arguments import names_wrong_types

if TYPE_CHECKING:
    import numpy as np

    from ampacity._core import Estimate

_PARTS = (
    "weights",
    "gradients",
    "optimizer",
    "activations",
    "workspace",
    "communication",
    "fragmentation",
    "context",
    "allocated",
    "reserved",
    "total",
    "capacity",
)


@names_wrong_types
def memory_table(est: Estimate) -> dict[str, np.ndarray[Any, Any]]:
    """Return the memory of one device of every pipeline stage, as columns.

    Parameters
    ----------
    est
        What `estimate` answered.

    Returns
    -------
    dict of numpy.ndarray
        One entry a stage, the one with the embedding first: ``stage``, ``layers``, ``micro_batches_in_flight`` (whose
        activations it keeps), ``..._bytes`` of each part, of all tensors (``allocated_bytes``), with fragmentation
        (``reserved_bytes``), with driver context and communicators (``total_bytes``), of the device
        (``capacity_bytes``), and ``fits``.

    Notes
    -----
    Activations tensor by tensor after Korthikanti et al. 2022 (arXiv:2205.05198); ``pandas.DataFrame(memory_table(est))``
    makes a table of it.

    Examples
    --------
    >>> import ampacity as amp
    >>> job = amp.Training("llama-3.1-70b", global_batch=512)
    >>> est = amp.estimate(job, amp.cluster("meta-llama3-16k"), amp.Layout(tp=8, pp=4, dp=16))
    >>> table = amp.memory_table(est)
    >>> table["micro_batches_in_flight"].tolist()
    [4.0, 3.0, 2.0, 1.0]
    >>> bool(table["total_bytes"].max() == est.memory.total_bytes)
    True
    """
    import numpy as np

    stages = est.memory_stages
    columns: dict[str, np.ndarray[Any, Any]] = {
        "stage": np.array([stage.stage for stage in stages]),
        "layers": np.array([stage.layers for stage in stages]),
        "micro_batches_in_flight": np.array([stage.micro_batches_in_flight for stage in stages]),
    }
    for part in _PARTS:
        key = f"{part}_bytes"
        columns[key] = np.array([getattr(stage.memory, key) for stage in stages])
    columns["fits"] = np.array([stage.memory.fits for stage in stages])
    return columns
