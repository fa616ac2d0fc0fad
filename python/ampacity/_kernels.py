"""Single kernels on one accelerator: how long they take and what they draw, for one shape or for arrays of them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, TypeAlias

from ampacity import _core
from ampacity._arguments import names_wrong_types
from ampacity._core import Accelerator, Catalogue
from ampacity._lookup import Name
from ampacity._lookup import accelerator as find_accelerator

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Numbers: TypeAlias = float | npt.ArrayLike
    Column: TypeAlias = float | npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class KernelCost:
    """What kernels cost: floats for one shape, arrays for arrays of shapes.

    Attributes
    ----------
    seconds
        Time of the kernel in a stream of its own, launch included (s).
    joules
        Energy of the whole device in that time, idle power included (J).
    flops
        Arithmetic that the operator needs; what a tile computes beyond its edge does not count.
    """

    seconds: Column
    joules: Column
    flops: Column

    @property
    def watts(self) -> Column:
        """Mean power of the device during the kernel (W)."""
        return self.joules / self.seconds

    @property
    def flops_per_s(self) -> Column:
        """Arithmetic rate (FLOP/s)."""
        return self.flops / self.seconds


def _device(accelerator: Accelerator | Name, catalogue: Catalogue | None) -> Accelerator:
    return accelerator if isinstance(accelerator, Accelerator) else find_accelerator(accelerator, catalogue=catalogue)


def _broadcast(*values: Numbers) -> tuple[list[npt.NDArray[np.float64]], tuple[int, ...]]:
    """Return flat columns of one length, and the shape that the answer has."""
    import numpy as np

    arrays = np.broadcast_arrays(*(np.asarray(value, dtype=float) for value in values))
    return [np.ascontiguousarray(array).reshape(-1) for array in arrays], arrays[0].shape


def _cost(columns: Any, flops: Any, shape: tuple[int, ...]) -> KernelCost:
    seconds, joules = columns
    if shape == ():
        return KernelCost(seconds=float(seconds[0]), joules=float(joules[0]), flops=float(flops[0]))
    return KernelCost(seconds=seconds.reshape(shape), joules=joules.reshape(shape), flops=flops.reshape(shape))


@names_wrong_types
def gemm(
    accelerator: Accelerator | Name,
    m: Numbers,
    n: Numbers,
    k: Numbers,
    *,
    batch: Numbers = 1,
    precision: str = "bf16",
    accumulate: bool = False,
    catalogue: Catalogue | None = None,
) -> KernelCost:
    """Return time and energy of the matrix product C[m,n] = A[m,k] B[k,n].

    Tiles of C are spread over the SMs in waves and run along k; the clock is the highest that the power limit allows, so
    that throughput and watts are one answer. Parameters of the device family are fitted to measured kernels
    (``ampacity validate --kind kernels`` shows how far off they are).

    Parameters
    ----------
    accelerator
        A catalogue name, a TOML file, or an `Accelerator`.
    m, n, k
        Extents; numbers or arrays, broadcast against each other.
    batch
        Equal products at once (a grouped product of a mixture of experts: its local experts, ``m`` tokens each).
    precision
        Format of the operands: fp32, tf32, fp16, bf16, fp8 (one scale per tensor, or per row and column: applied once at
        the end, so as fast), fp8-block, mxfp8, nvfp4. What a device lacks runs in the next wider format.
    accumulate
        Add to what 32-bit memory holds, as fused weight-gradient accumulation does; else the result is written in 16 bits.
    catalogue
        Where names are looked up (default: the built-in catalogue).

    Returns
    -------
    KernelCost
        ``seconds``, ``joules``, ``watts``, ``flops_per_s``; arrays where an extent is an array.

    Raises
    ------
    InvalidSpec
        An extent is no number of 1 or more, or the precision is unknown.
    UnknownName
        The catalogue has no such accelerator.

    Examples
    --------
    >>> cost = gemm("h100-sxm", 8192, 8192, 8192)
    >>> 500e12 < cost.flops_per_s < 989e12
    True
    >>> 650 < cost.watts <= 700  # large products run at the power limit
    True
    >>> gemm("h100-sxm", [1024, 2048], 4096, 4096, precision="fp8").seconds.shape
    (2,)
    """
    (m_, n_, k_, batch_), shape = _broadcast(m, n, k, batch)
    device = _device(accelerator, catalogue)
    costs = _core.gemm_costs(device, precision, m_, n_, k_, batch_, accumulate)
    return _cost(costs, 2 * m_ * n_ * k_ * batch_, shape)


@names_wrong_types
def attention(
    accelerator: Accelerator | Name,
    queries: Numbers,
    *,
    keys: Numbers | None = None,
    batch: Numbers = 1,
    heads: Numbers,
    kv_heads: Numbers | None = None,
    head_dim: Numbers = 128,
    value_dim: Numbers | None = None,
    causal: bool = True,
    backward: bool = False,
    catalogue: Catalogue | None = None,
) -> KernelCost:
    """Return time and energy of a flash-attention kernel in 16 bits: scores, softmax, values; no projections.

    Parameters
    ----------
    accelerator
        A catalogue name, a TOML file, or an `Accelerator`.
    queries
        Query positions of a sequence.
    keys
        Key positions (default: as many); with ``causal`` the queries are the last of them.
    batch, heads, kv_heads
        Sequences, query heads and key-value heads (default: as many as query heads).
    head_dim, value_dim
        Width of queries and keys, and of values (default: the same).
    causal
        Whether a query sees only keys up to its own position.
    backward
        The backward kernel (five products instead of two) instead of the forward one.
    catalogue
        Where names are looked up (default: the built-in catalogue).

    Returns
    -------
    KernelCost
        Its ``flops`` count what the mask keeps.

    Raises
    ------
    InvalidSpec
        A number is out of range.
    UnknownName
        The catalogue has no such accelerator.

    Examples
    --------
    >>> forward = attention("h100-sxm", 8192, heads=32, kv_heads=8)
    >>> backward = attention("h100-sxm", 8192, heads=32, kv_heads=8, backward=True)
    >>> 2 < backward.seconds / forward.seconds < 5
    True
    """
    import numpy as np

    keys = queries if keys is None else keys
    kv_heads = heads if kv_heads is None else kv_heads
    value_dim = head_dim if value_dim is None else value_dim
    columns, shape = _broadcast(batch, queries, keys, heads, kv_heads, head_dim, value_dim)
    queries_, keys_ = columns[1], columns[2]
    seen = 1 - np.divide(queries_, 2 * keys_, where=keys_ > 0, out=np.zeros_like(keys_)) if causal else 0 * keys_ + 1
    costs = _core.attention_costs(_device(accelerator, catalogue), [*columns, seen], backward)
    per_score = 6 * columns[5] + 4 * columns[6] if backward else 2 * (columns[5] + columns[6])
    return _cost(costs, columns[0] * columns[3] * queries_ * keys_ * seen * per_score, shape)


@names_wrong_types
def streaming(
    accelerator: Accelerator | Name, moved_bytes: Numbers, *, kernels: Numbers = 1, catalogue: Catalogue | None = None
) -> KernelCost:
    """Return time and energy of memory-bound operators (norms, activations, casts, optimizer steps).

    Parameters
    ----------
    accelerator
        A catalogue name, a TOML file, or an `Accelerator`.
    moved_bytes
        Bytes read from and written to device memory.
    kernels
        Launches.
    catalogue
        Where names are looked up (default: the built-in catalogue).

    Returns
    -------
    KernelCost
        Its ``flops`` are 0.

    Raises
    ------
    InvalidSpec
        A number is negative.
    UnknownName
        The catalogue has no such accelerator.

    Examples
    --------
    >>> 1e9 / streaming("h100-sxm", 1e9).seconds > 2.5e12  # bytes per second
    True
    """
    (bytes_, kernels_), shape = _broadcast(moved_bytes, kernels)
    costs = _core.streaming_costs(_device(accelerator, catalogue), bytes_, kernels_)
    return _cost(costs, 0 * bytes_, shape)
