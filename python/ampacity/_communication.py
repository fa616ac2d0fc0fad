"""Jobs on networks: where their ranks lie, and what their collectives do to the links."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ampacity import _core
from ampacity._collective_flows import Collective, CollectiveResult, Communication, result_of
from ampacity._network_arrays import whole
from ampacity._network_shapes import NetworkShapes

if TYPE_CHECKING:
    import numpy.typing as npt

    from ampacity._network_arrays import Integers


class NetworkCommunication(NetworkShapes):
    """The part of `ampacity.Network` that knows ranks."""

    __slots__ = ()

    def place(
        self,
        ranks: int,
        placement: str = "packed",
        *,
        rails: int = 0,
        seed: int = 0,
        available: npt.ArrayLike | None = None,
    ) -> Integers:
        """Return the endpoint of every rank of a job.

        Parameters
        ----------
        ranks
            How many.
        placement
            ``"packed"``: in order. ``"by-rail"``: device 0 of every node first, then device 1, so that a group of
            consecutive ranks lies on one rail. ``"scattered"``: scale-up domains (or, without, endpoints) at random, as
            a busy cluster has them left. ``"topology-aware"``: under as few switches as the free endpoints allow, ranks in
            order of place (on a torus along a line that turns back and forth).
        rails
            Devices of a node, for ``"by-rail"``; 0 takes the network's scale-up domain.
        seed
            Of ``"scattered"``.
        available
            Endpoints that are free; all, if not given.

        Returns
        -------
        numpy.ndarray
            Endpoints, shape ``(ranks,)``, read-only.

        Raises
        ------
        InvalidSpec
            Too few endpoints; one named twice or absent; a placement that does not exist.

        Examples
        --------
        Twelve ranks where two of the four leaves have some endpoints taken:

        >>> import ampacity as amp
        >>> net = amp.Network.fat_tree(down=[8, 4], up=[1, 8], link_bytes_per_s=50e9)
        >>> free = [endpoint for endpoint in range(32) if endpoint not in (0, 9)]
        >>> net.place(12, "topology-aware", available=free)
        array([ 1,  2,  3,  4, 16, 17, 18, 19, 20, 21, 22, 23])
        >>> net.place(6, "by-rail", rails=2)
        array([0, 2, 4, 1, 3, 5])
        """
        free = None if available is None else whole("available", available)
        return _core.place_ranks(self._core, ranks, placement, rails, seed, free)

    def collectives(
        self,
        collectives: Sequence[Collective],
        *,
        routing: str = "ecmp",
        seed: int = 0,
        queue_pairs: int = 1,
        latency_weighted: bool = False,
        batch_fraction: float = 0.0,
        aggregate: bool = True,
        flowlet_bytes: float = 1048576.0,
    ) -> Communication:
        """Run collectives of any number of groups together, with the contention that they cause each other.

        A phase is a set of flows that start together; when the last of them has ended the next phase of that group begins.
        Steps with the same flows (those of a ring) are one phase: k times the bytes after k latencies. Between two events
        all rates are max-min fair.

        Parameters
        ----------
        collectives
            What runs; groups may share endpoints.
        routing, seed, queue_pairs, latency_weighted, batch_fraction, flowlet_bytes
            See `ampacity.Network.transfer`. Adaptive flows choose their cables one after the other and know those of
            their own step and, where it is fullest, of the collectives before theirs.
        aggregate
            Solve flows that cannot be told apart as one (with ``"flowlet"`` none are taken for alike). The answer is the
            same without, later.

        Returns
        -------
        Communication
            Times of every group, phase and rank, and bytes of every link.

        Raises
        ------
        InvalidSpec
            Names everything that makes no collective.

        Examples
        --------
        Two all-reduces over the same eight leaves of a tree with half the cables above them, alone and together:

        >>> import numpy as np
        >>> import ampacity as amp
        >>> net = amp.Network.fat_tree(down=[8, 8], up=[1, 4], link_bytes_per_s=50e9, hop_latency_s=1e-6)
        >>> rails = np.arange(64).reshape(8, 8).T  # group r: endpoint r below every leaf
        >>> one = amp.Collective("all_reduce", rails[0], 1e9, name="one")
        >>> all_ = amp.Collective("all_reduce", rails, 1e9, name="all")
        >>> round(1e3 * net.collectives([one], routing="spray")["one"].time_s, 3)
        35.056
        >>> round(1e3 * net.collectives([all_], routing="spray")["all"].time_s, 3)
        70.056
        """
        requests = [one.request(f"collectives[{i}]") for i, one in enumerate(collectives)]
        times, link_bytes, end_s, flows, classes, events = _core.communicate(
            self._core, requests, routing, seed, queue_pairs, latency_weighted, batch_fraction, aggregate, flowlet_bytes
        )
        results = tuple(result_of(one, parts) for one, parts in zip(collectives, times, strict=True))
        return Communication(results, link_bytes, end_s, flows, classes, events)

    def collective(
        self,
        kind: str,
        ranks: npt.ArrayLike,
        bytes: float = 0.0,
        algorithm: str = "ring",
        *,
        routing: str = "ecmp",
        seed: int = 0,
        queue_pairs: int = 1,
        levels: Sequence[int] = (),
        level_algorithms: Sequence[str] = (),
        chunks: int = 1,
        rotate: bool = False,
        bidirectional: bool = False,
        step_latency_s: float = 0.0,
        reduce_bytes_per_s: float = 0.0,
        matrix: npt.ArrayLike | None = None,
        received_share: npt.ArrayLike | None = None,
    ) -> CollectiveResult:
        """Run one collective alone (of many groups at once where `ranks` has two dimensions).

        Parameters
        ----------
        kind, ranks, bytes, algorithm, levels, level_algorithms, chunks, rotate, bidirectional
            See `ampacity.Collective`.
        step_latency_s, reduce_bytes_per_s, matrix, received_share
            See `ampacity.Collective`.
        routing, seed, queue_pairs
            See `collectives`.

        Raises
        ------
        InvalidSpec
            Names everything that makes no collective.

        Examples
        --------
        A ring of 16: 30 steps of 1/16 of the data over 50 GB/s, each two to four hops of 1 us long (mean 2.5, the first
        waits for its longest).

        >>> import ampacity as amp
        >>> net = amp.Network.fat_tree(down=[4, 4], up=[1, 4], link_bytes_per_s=50e9, hop_latency_s=1e-6)
        >>> ring = net.collective("all_reduce", net.place(16), 800e6)
        >>> round(1e3 * ring.time_s, 4), round(ring.bus_bytes_per_s / 1e9, 3)
        (30.0765, 49.873)

        Switches that reduce halve what the cards carry; an expert that is twice as popular doubles an exchange:

        >>> sharp = net.collective("all_reduce", net.place(16), 800e6, "collnet", routing="d-mod-k")
        >>> round(1e3 * sharp.time_s, 3)
        16.004
        >>> even = net.collective("all_to_all", net.place(16), 800e6, "direct", routing="spray")
        >>> uneven = net.collective(
        ...     "all_to_all", net.place(16), 800e6, "direct", received_share=[2] + [14 / 15] * 15, routing="spray"
        ... )
        >>> round(1e3 * even.time_s, 2), round(1e3 * uneven.time_s, 2)
        (15.0, 30.0)
        """
        wanted = Collective(
            kind,
            ranks,
            bytes,
            algorithm,
            levels=levels,
            level_algorithms=level_algorithms,
            chunks=chunks,
            rotate=rotate,
            bidirectional=bidirectional,
            step_latency_s=step_latency_s,
            reduce_bytes_per_s=reduce_bytes_per_s,
            matrix=matrix,
            received_share=received_share,
        )
        return self.collectives([wanted], routing=routing, seed=seed, queue_pairs=queue_pairs).collectives[0]
