"""Jobs on networks: where their ranks lie, and what their collectives do to the links."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ampacity import _core
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
