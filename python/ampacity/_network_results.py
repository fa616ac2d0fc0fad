"""What networks answer: read-only columns, one value per flow or link."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, NamedTuple

from ampacity._core import InvalidSpec, Problem

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


@dataclasses.dataclass(frozen=True, kw_only=True)
class NetworkEvent:
    """What happens to a part of a network while flows run: from ``at_s`` on it works at a share of its rate.

    Parameters
    ----------
    at_s
        When (s).
    link, switch
        One of both: the link (one direction of a cable), or the switch with all its links.
    fraction
        Share of the rate from then on: 0 has failed, 0.5 is a flapping optic at half rate, say, 1 is whole again.

    Raises
    ------
    InvalidSpec
        Neither or both of ``link`` and ``switch``.

    Examples
    --------
    >>> import ampacity as amp
    >>> net = amp.Network.fat_tree(down=[4, 4], up=[1, 4], link_bytes_per_s=50e9)
    >>> first = net.route(0, 5)[0]
    >>> optic = [amp.NetworkEvent(at_s=1e-3, link=first, fraction=0.5), amp.NetworkEvent(at_s=2e-3, link=first, fraction=1)]
    >>> round(1e3 * net.transfer([0], [5], 100e6, events=optic).end_s, 3)
    2.504
    """

    at_s: float
    fraction: float
    link: int | None = None
    switch: int | None = None

    def __post_init__(self) -> None:
        if (self.link is None) == (self.switch is None):
            given = "neither" if self.link is None else "both"
            raise InvalidSpec([Problem(path="event", value=given, rule="must name a link or a switch", hint="")])


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
    reroutes
        How often failures or recoveries gave a part of every flow another path, shape ``(flows,)``.
    stalled_s
        How long every flow had no path that works, or one at rate 0, shape ``(flows,)``; infinite for one that never ends.
    """

    completion_s: Doubles
    link_bytes: Doubles
    end_s: float
    events: int
    reroutes: Integers
    stalled_s: Doubles

    @property
    def cut_off(self) -> Integers:
        """Flows that never end, as failures cut off one of their endpoints."""
        import numpy as np

        return np.flatnonzero(np.isinf(self.completion_s))


@dataclasses.dataclass(frozen=True, eq=False)
class AffectedFlows:
    """Flows that a change of the network does something to, the hardest hit first; read-only arrays.

    Attributes
    ----------
    flow
        Their numbers, shape ``(affected,)``.
    before_bytes_per_s, after_bytes_per_s
        Max-min fair rates.
    rerouted
        1 where any part of it takes another path.
    """

    flow: Integers
    before_bytes_per_s: Doubles
    after_bytes_per_s: Doubles
    rerouted: npt.NDArray[np.uint8]
