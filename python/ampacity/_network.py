"""Networks of links and switches: who gets how much of them, and when transfers are over."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ampacity._core import Cluster, InvalidSpec, NetworkCore, Problem

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


def _whole(name: str, values: object) -> Integers:
    import numpy as np

    array = np.atleast_1d(np.asarray(values))
    if array.size and array.dtype.kind not in "iu":
        raise InvalidSpec([Problem(path=name, value=str(array.dtype), rule="must be whole numbers", hint="")])
    return np.ascontiguousarray(array.ravel(), dtype=np.int64)


def _real(name: str, values: object, length: int) -> Doubles:
    import numpy as np

    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise InvalidSpec([Problem(path=name, value=repr(values)[:40], rule="must be numbers", hint="")]) from None
    if array.ndim == 0:
        array = np.broadcast_to(array, (length,))
    return np.ascontiguousarray(array.ravel())


def _counts(name: str, values: Sequence[int]) -> list[int]:
    array = _whole(name, values)
    return [int(value) for value in array]


class Network:
    """A network of any size, computed and not stored: endpoints and links are numbers, routes are arithmetic.

    Make one with `fat_tree`, `torus` or `dragonfly`. Networks are immutable; use them from any number of threads.

    Examples
    --------
    A neighbour step on 1,024 endpoints of a three-tier fat tree with 400 Gb/s links and 1 us a hop: 16 MB / 50 GB/s and
    six hops.

    >>> import numpy as np
    >>> import ampacity as amp
    >>> net = amp.Network.fat_tree(down=[8, 8, 16], up=[1, 8, 8], link_bytes_per_s=50e9, hop_latency_s=1e-6)
    >>> rank = np.arange(net.endpoints)
    >>> step = net.transfer(rank, (rank + 1) % net.endpoints, 16e6)
    >>> round(1e6 * step.end_s, 6)
    326.0
    """

    __slots__ = ("_core", "_recipe")

    def __init__(self, core: NetworkCore, recipe: _Recipe) -> None:
        self._core = core
        self._recipe = recipe

    @staticmethod
    def fat_tree(
        *,
        down: Sequence[int],
        up: Sequence[int],
        link_bytes_per_s: float | Sequence[float],
        hop_latency_s: float = 1e-6,
        rails: int = 1,
        rail_only: bool = False,
        planes: int = 1,
        domain: int = 1,
        domain_bytes_per_s: float = 0.0,
        domain_latency_s: float = 0.5e-6,
    ) -> Network:
        """Return a fat tree.

        Parameters
        ----------
        down
            Children of a switch of each tier, lowest first; their product is the number of endpoints.
        up
            Cables from a node of each tier to the next, starting with the endpoints. Full bisection has
            ``up[i] == down[i - 1]``; fewer are oversubscribed.
        link_bytes_per_s
            Rate of a cable, per direction: one for all, or one per tier.
        hop_latency_s
            Of one cable and the switch behind it.
        rails
            Devices of a node, each on leaves of its own (rail-optimised).
        rail_only
            Nothing above joins the rails; ``domain`` must be a multiple of ``rails``, and ``down`` describes one rail.
        planes
            Equal copies of the network, each with its share of the bandwidth.
        domain, domain_bytes_per_s, domain_latency_s
            Endpoints joined by a scale-up switch, their rate to it, and its hop.

        Raises
        ------
        InvalidSpec
            Names everything that does not make a network.
        """
        return _build(
            "fat_tree",
            down=_counts("down", down),
            up=_counts("up", up),
            link_bytes_per_s=[float(rate) for rate in _real("link_bytes_per_s", link_bytes_per_s, 1)],
            rails=rails,
            rail_only=rail_only,
            hop_latency_s=hop_latency_s,
            planes=planes,
            domain=domain,
            domain_bytes_per_s=domain_bytes_per_s,
            domain_latency_s=domain_latency_s,
        )

    @staticmethod
    def torus(*, shape: Sequence[int], link_bytes_per_s: float, hop_latency_s: float = 1e-6) -> Network:
        """Return a torus with one endpoint per router and dimension-ordered routes.

        Parameters
        ----------
        shape
            Length of every dimension.
        link_bytes_per_s
            Of a link, per direction.
        hop_latency_s
            Of a link and the router behind it.

        Raises
        ------
        InvalidSpec
            Names everything that does not make a network.
        """
        return _build(
            "torus", shape=_counts("shape", shape), link_bytes_per_s=link_bytes_per_s, hop_latency_s=hop_latency_s
        )

    @staticmethod
    def dragonfly(
        *,
        groups: int,
        switches_per_group: int,
        endpoints_per_switch: int,
        global_links: int,
        endpoint_bytes_per_s: float,
        local_bytes_per_s: float,
        global_bytes_per_s: float,
        hop_latency_s: float = 1e-6,
    ) -> Network:
        """Return a dragonfly: all switches of a group and all groups are joined; routes are minimal.

        Parameters
        ----------
        groups, switches_per_group, endpoints_per_switch
            Their product is the number of endpoints.
        global_links
            Cables between every two groups.
        endpoint_bytes_per_s, local_bytes_per_s, global_bytes_per_s
            Rates of an endpoint, between two switches of a group, and of a cable between groups, per direction.
        hop_latency_s
            Of one link and the switch behind it.

        Raises
        ------
        InvalidSpec
            Names everything that does not make a network.
        """
        return _build(
            "dragonfly",
            groups=groups,
            switches_per_group=switches_per_group,
            endpoints_per_switch=endpoints_per_switch,
            global_links=global_links,
            endpoint_bytes_per_s=endpoint_bytes_per_s,
            local_bytes_per_s=local_bytes_per_s,
            global_bytes_per_s=global_bytes_per_s,
            hop_latency_s=hop_latency_s,
        )

    @staticmethod
    def of(cluster: Cluster) -> Network:
        """Return the network of a cluster, as its fabric's tiers, switch, rate and oversubscription imply it.

        It has at least as many endpoints as the cluster has accelerators: top switches are filled.

        Parameters
        ----------
        cluster
            From the catalogue, or your own.

        Raises
        ------
        Infeasible
            The cluster has no scale-out switches.

        Examples
        --------
        Three tiers, 3,072 GPUs at full rate in a pod, 7:1 above:

        >>> import ampacity as amp
        >>> [(tier.name, tier.cables) for tier in amp.Network.of(amp.cluster("meta-24k-roce")).tiers][1:]
        [('endpoint to tier 1', 24576), ('tier 1 to 2', 49152), ('tier 2 to 3', 3584)]
        """
        return _build("of", cluster=cluster)

    @property
    def endpoints(self) -> int:
        """Number of endpoints."""
        return self._core.endpoints

    @property
    def links(self) -> int:
        """Number of directed links."""
        return self._core.links

    @property
    def bisection_bytes_per_s(self) -> float:
        """Bandwidth between two halves of the endpoints, one direction (bytes/s)."""
        return self._core.bisection_bytes_per_s

    @property
    def tiers(self) -> tuple[NetworkTier, ...]:
        """Switches and cables, tier by tier."""
        return tuple(NetworkTier(*row) for row in self._core.tiers())

    def link_name(self, link: int) -> str:
        """Return where a link runs."""
        return self._core.link_name(link)

    def link_bytes_per_s(self, link: int) -> float:
        """Return the rate of a link, failures included (bytes/s)."""
        return self._core.link_bytes_per_s(link)

    def route(self, source: int, destination: int, *, routing: str = "ecmp", seed: int = 0) -> tuple[int, ...]:
        """Return the links of a path, in no particular order.

        Raises
        ------
        InvalidSpec
            An endpoint or routing that does not exist.
        Infeasible
            Failed links cut the endpoints off from each other.
        """
        return tuple(self._core.route(source, destination, routing, seed))

    def with_links_at(self, links: npt.ArrayLike, fraction: float) -> Network:
        """Return this network with some links at a share of their rate; 0 means that they have failed.

        Flows are routed around failed links where their topology leaves another shortest path.

        Raises
        ------
        InvalidSpec
            Links that do not exist, or a share outside 0 to 1.
        """
        chosen = _whole("links", links)
        name, keywords, changes = self._recipe
        core = self._core.with_links_at(chosen, fraction)
        return Network(core, (name, keywords, (*changes, (chosen.tolist(), fraction))))

    def rates(
        self,
        source: npt.ArrayLike,
        destination: npt.ArrayLike,
        *,
        routing: str = "ecmp",
        seed: int = 0,
        queue_pairs: int = 1,
        latency_weighted: bool = False,
    ) -> Rates:
        """Return the max-min fair rates of flows that all run at once.

        Parameters
        ----------
        source, destination
            Endpoints of every flow, shape ``(flows,)``.
        routing
            ``"ecmp"`` hashes every flow at every switch, ``"d-mod-k"`` goes by the digits of the destination,
            ``"spray"`` uses all shortest paths at once.
        seed
            Of the hash.
        queue_pairs
            Equal parts of every flow, each with a hash of its own.
        latency_weighted
            Shares are inversely proportional to the latency of the path, as in SimGrid's CM02 model of TCP.

        Raises
        ------
        InvalidSpec
            Names the flows and rules that make no sense.

        Examples
        --------
        Three flows into one endpoint share its link.

        >>> import ampacity as amp
        >>> net = amp.Network.fat_tree(down=[4, 4], up=[1, 4], link_bytes_per_s=50e9)
        >>> net.rates([1, 2, 3], [0, 0, 0]).bytes_per_s / 1e9
        array([16.66666667, 16.66666667, 16.66666667])
        """
        found = self._core.rates(
            _whole("source", source), _whole("destination", destination), routing, seed, queue_pairs, latency_weighted
        )
        return Rates(*found)

    def transfer(
        self,
        source: npt.ArrayLike,
        destination: npt.ArrayLike,
        bytes: npt.ArrayLike,
        start_s: npt.ArrayLike = 0.0,
        *,
        routing: str = "ecmp",
        seed: int = 0,
        queue_pairs: int = 1,
        latency_weighted: bool = False,
        batch_fraction: float = 0.0,
    ) -> Transfer:
        """Run flows to completion; between two events all rates are max-min fair.

        Parameters
        ----------
        source, destination
            Endpoints of every flow, shape ``(flows,)``.
        bytes
            Of every flow, or of all alike.
        start_s
            When every flow starts, or all; its first byte arrives one path latency later.
        routing, seed, queue_pairs, latency_weighted
            See `rates`.
        batch_fraction
            Completions within this share of the elapsed time are solved together; 0 is exact.

        Returns
        -------
        Transfer
            Completion of every flow (s) and bytes on every link.

        Raises
        ------
        InvalidSpec
            Names the flows and rules that make no sense.
        """
        sources = _whole("source", source)
        length = int(sources.size)
        found = self._core.transfer(
            sources,
            _whole("destination", destination),
            _real("bytes", bytes, length),
            _real("start_s", start_s, length),
            routing,
            seed,
            queue_pairs,
            latency_weighted,
            batch_fraction,
        )
        return Transfer(*found)

    def __repr__(self) -> str:
        name, keywords, changes = self._recipe
        text = ", ".join(f"{key}={value!r}" for key, value in keywords.items())
        return f"ampacity.Network.{name}({text})" + "".join(f".with_links_at({at}, {share!r})" for at, share in changes)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, self._recipe


# How a network was made: its constructor, the keywords, and the links that were changed.
_Recipe = tuple[str, dict[str, Any], tuple[tuple[list[int], float], ...]]


def _build(name: str, **keywords: Any) -> Network:
    return Network(getattr(NetworkCore, name)(**keywords), (name, keywords, ()))


def _rebuild(name: str, keywords: dict[str, Any], changes: tuple[tuple[list[int], float], ...]) -> Network:
    network = _build(name, **keywords)
    for links, fraction in changes:
        network = network.with_links_at(links, fraction)
    return network
