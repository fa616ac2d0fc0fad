"""What networks answer: read-only columns, one value per flow or link."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Integers = npt.NDArray[np.int64]
    Doubles = npt.NDArray[np.float64]


class NetworkTier(NamedTuple):
    """One kind of cable: where it runs, switches at its upper end, how many cables, rate of one per direction (bytes/s)."""

    name: str
    switches: int
    cables: int
    bytes_per_s: float


@dataclasses.dataclass(frozen=True, eq=False)
class Rates:
    """Max-min fair rates of flows that all run at once; read-only arrays.

    Attributes
    ----------
    bytes_per_s
        Of every flow, shape ``(flows,)``; infinite for a flow to itself, 0 where failed links cut it off.
    bottleneck_link
        The link that limits it, shape ``(flows,)``; -1 for none.
    utilisation_fraction
        Of every link, shape ``(links,)``.
    """

    bytes_per_s: Doubles
    bottleneck_link: Integers
    utilisation_fraction: Doubles


@dataclasses.dataclass(frozen=True, eq=False)
class Transfer:
    """What became of transfers; read-only arrays.

    Attributes
    ----------
    completion_s
        When every flow ends, shape ``(flows,)``; infinite where failed links cut it off.
    link_bytes
        What every link carried, shape ``(links,)``.
    end_s
        When the last one ends that ends.
    events
        How often rates were solved.
    """

    completion_s: Doubles
    link_bytes: Doubles
    end_s: float
    events: int
