"""Networks of links and switches: who gets how much of them, and when transfers are over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

from ampacity._arguments import names_wrong_types
from ampacity._communication import NetworkCommunication
from ampacity._network_arrays import event_columns, real, whole
from ampacity._network_results import AffectedFlows, NetworkEvent, NetworkTier, Rates, Transfer
from ampacity._network_shapes import Change

if TYPE_CHECKING:
    import numpy.typing as npt

    from ampacity._core import Fabric
    from ampacity._network_results import Doubles, Integers


class Network(NetworkCommunication):
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

    __slots__ = ()

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

    def link_columns(self) -> tuple[Doubles, Integers]:
        """Return the rate (bytes/s, failures included) and the place in `tiers` of every link, shapes ``(links,)``."""
        return self._core.link_columns()

    @names_wrong_types
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

    @property
    def switches(self) -> int:
        """Number of switches, those of scale-up domains included; 0 where endpoints forward themselves."""
        return self._core.switches

    def switch_name(self, switch: int) -> str:
        """Return which switch it is."""
        return self._core.switch_name(switch)

    @names_wrong_types
    def with_links_at(self, links: npt.ArrayLike, fraction: float) -> Self:
        """Return this network with some links at a share of their rate: 0 has failed, 1 is whole again.

        Flows are routed around failed links where their topology leaves another shortest path.

        Raises
        ------
        InvalidSpec
            Links that do not exist, or a share outside 0 to 1.
        """
        return self._changed("with_links_at", whole("links", links), fraction)

    @names_wrong_types
    def with_switches_at(self, switches: npt.ArrayLike, fraction: float) -> Self:
        """Return this network with all links of some switches at a share of their rate: 0 has failed, 1 is whole again.

        Raises
        ------
        InvalidSpec
            Switches that do not exist, or a share outside 0 to 1.

        Examples
        --------
        Half of the spine switches fail: what crosses them has half of the bandwidth.

        >>> import ampacity as amp
        >>> net = amp.Network.fat_tree(down=[4, 4], up=[1, 4], link_bytes_per_s=50e9)
        >>> spines = [switch for switch in range(net.switches) if net.switch_name(switch).startswith("tier 2")]
        >>> hurt = net.with_switches_at(spines[:2], 0)
        >>> hurt.rates([0, 1, 2, 3], [4, 5, 6, 7], routing="spray").bytes_per_s / 1e9
        array([25., 25., 25., 25.])
        """
        return self._changed("with_switches_at", whole("switches", switches), fraction)

    @names_wrong_types
    def random_cables(self, tier: int, fraction: float, *, seed: int = 0) -> Integers:
        """Return the links (both directions) of a share of a tier's working cables, drawn by the seed.

        Raises
        ------
        InvalidSpec
            A tier that does not exist, or a share outside 0 to 1.
        """
        import numpy as np

        return np.array(self._core.random_cables(tier, fraction, seed), dtype=np.int64)

    @property
    def cut_off(self) -> tuple[int, ...]:
        """Endpoints that failures part from most others."""
        return tuple(self._core.cut_off())

    @names_wrong_types
    def affected(
        self,
        then: Network,
        source: npt.ArrayLike,
        destination: npt.ArrayLike,
        *,
        routing: str = "ecmp",
        seed: int = 0,
        queue_pairs: int = 1,
        latency_weighted: bool = False,
    ) -> AffectedFlows:
        """Return which flows suffer, or gain, when this network becomes that one.

        Parameters
        ----------
        then
            This network with other links or switches at work.
        source, destination
            Endpoints of every flow, shape ``(flows,)``.
        routing, seed, queue_pairs, latency_weighted
            See `rates`.

        Raises
        ------
        InvalidSpec
            Another network, or flows and rules that make no sense.
        """
        found = self._core.affected(
            then._core,
            whole("source", source),
            whole("destination", destination),
            routing,
            seed,
            queue_pairs,
            latency_weighted,
        )
        return AffectedFlows(*found)

    @names_wrong_types
    def rates(
        self,
        source: npt.ArrayLike,
        destination: npt.ArrayLike,
        *,
        routing: str = "ecmp",
        seed: int = 0,
        queue_pairs: int = 1,
        latency_weighted: bool = False,
        weight: npt.ArrayLike = (),
        max_bytes_per_s: npt.ArrayLike = (),
    ) -> Rates:
        """Return the max-min fair rates of flows that all run at once.

        Parameters
        ----------
        source, destination
            Endpoints of every flow, shape ``(flows,)``.
        routing
            ``"ecmp"`` hashes every flow at every switch, ``"d-mod-k"`` goes by the digits of the destination,
            ``"spray"`` uses all shortest paths at once, ``"flowlet"`` hashes again with every batch of bytes (rates are
            means over eight hashes), ``"adaptive"`` takes at every switch the cable that fewest flows before it take.
        seed
            Of the hash.
        queue_pairs
            Equal parts of every flow, each with a hash of its own.
        latency_weighted
            Shares are inversely proportional to the latency of the path, as in SimGrid's CM02 model of TCP.
        weight
            Share of every flow (of each of its queue pairs) against others; all alike without.
        max_bytes_per_s
            What a card or bus lets every flow have at most, all its queue pairs together; infinite for no limit.

        Raises
        ------
        InvalidSpec
            Names the flows and rules that make no sense.

        Examples
        --------
        Three flows into one endpoint share its link.

        >>> import numpy as np
        >>> import ampacity as amp
        >>> net = amp.Network.fat_tree(down=[4, 4], up=[1, 4], link_bytes_per_s=50e9)
        >>> net.rates([1, 2, 3], [0, 0, 0]).bytes_per_s / 1e9
        array([16.66666667, 16.66666667, 16.66666667])
        >>> net.rates([1, 2, 3], [0, 0, 0], weight=[1, 1, 2], max_bytes_per_s=[5e9, np.inf, np.inf]).bytes_per_s / 1e9
        array([ 5., 15., 30.])
        """
        sources = whole("source", source)
        length = int(sources.size)
        found = self._core.rates(
            sources,
            whole("destination", destination),
            routing,
            seed,
            queue_pairs,
            latency_weighted,
            real("weight", weight, length),
            real("max_bytes_per_s", max_bytes_per_s, length),
        )
        return Rates(*found)

    @names_wrong_types
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
        flowlet_bytes: float = 1048576.0,
        events: Sequence[NetworkEvent] = (),
        weight: npt.ArrayLike = (),
        max_bytes_per_s: npt.ArrayLike = (),
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
        routing, seed, queue_pairs, latency_weighted, weight, max_bytes_per_s
            See `rates`.
        batch_fraction
            Completions within this share of the elapsed time are solved together; 0 is exact.
        flowlet_bytes
            With ``"flowlet"``, about what a path carries before the next hash: every flow goes in equal batches one after
            the other, as many as the largest has of these, at most 64.
        events
            Links and switches that fail, degrade or recover meanwhile. A flow whose path fails goes on, with what is left
            of it, on the path that routing then gives; without one it waits. Routing converges at once.

        Returns
        -------
        Transfer
            Completion of every flow (s) and bytes on every link.

        Raises
        ------
        InvalidSpec
            Names the flows and rules that make no sense.
        """
        sources = whole("source", source)
        length = int(sources.size)
        found = self._core.transfer(
            sources,
            whole("destination", destination),
            real("bytes", bytes, length),
            real("start_s", start_s, length),
            routing,
            seed,
            queue_pairs,
            latency_weighted,
            batch_fraction,
            flowlet_bytes,
            *event_columns(events),
            real("weight", weight, length),
            real("max_bytes_per_s", max_bytes_per_s, length),
        )
        return Transfer(*found)

    def _changed(self, change: str, ids: Integers, fraction: float) -> Self:
        core = getattr(self._core, change)(ids, fraction)
        name, keywords, changes = self._recipe
        return type(self)(core, (name, keywords, (*changes, (change, ids.tolist(), fraction))))

    def __repr__(self) -> str:
        name, keywords, changes = self._recipe
        text = ", ".join(f"{key}={value!r}" for key, value in keywords.items())
        return f"ampacity.Network.{name}({text})" + "".join(f".{change}({ids}, {at!r})" for change, ids, at in changes)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, self._recipe


def _rebuild(name: str, keywords: dict[str, Any], changes: tuple[Change, ...]) -> Network:
    network = Network._made(name, **keywords)
    for change, ids, fraction in changes:
        network = getattr(network, change)(ids, fraction)
    return network


ROUTINGS_WITH_QUEUE_PAIRS = ("ecmp", "flowlet", "adaptive")


def rules_of(
    fabric: Fabric, *, routing: str | None = None, queue_pairs: int | None = None, seed: int = 0
) -> dict[str, Any]:
    """Return how flows are routed on a fabric: its own way, or what is given instead."""
    chosen = fabric.routing if routing is None else routing
    pairs = fabric.queue_pairs if queue_pairs is None else queue_pairs
    return {"routing": chosen, "queue_pairs": pairs if chosen in ROUTINGS_WITH_QUEUE_PAIRS else 1, "seed": seed}
