"""How networks are made: the topologies, and the network of a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from ampacity._arguments import names_wrong_types
from ampacity._core import Cluster, InvalidSpec, NetworkCore, Problem
from ampacity._network_arrays import counts, real

# What was changed: the method, the links or switches, the share of their rate.
Change = tuple[str, list[int], float]
# How a network was made: its constructor, the keywords, the changes.
Recipe = tuple[str, dict[str, Any], tuple[Change, ...]]


class NetworkShapes:
    """Constructors of `ampacity.Network`, and the recipe by which a copy is made in another process."""

    __slots__ = ("_core", "_recipe")

    def __init__(self, core: NetworkCore, recipe: Recipe) -> None:
        self._core = core
        self._recipe = recipe

    @classmethod
    def fat_tree(
        cls,
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
        cable_m: float | Sequence[float] = 0.0,
    ) -> Self:
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
        cable_m
            Lengths of cables (m), one for all or one per tier; light takes 5 ns a metre.

        Raises
        ------
        InvalidSpec
            Names everything that does not make a network.

        Examples
        --------
        Three sites of 32 endpoints, each with eight WAN links of 400 Gb/s over 100 km to a common exchange: 0.5 ms there,
        0.5 ms on.

        >>> import ampacity as amp
        >>> net = amp.Network.fat_tree(
        ...     down=[8, 4, 3], up=[1, 8, 1], link_bytes_per_s=50e9, hop_latency_s=1e-6, cable_m=[5, 50, 100e3]
        ... )
        >>> round(1e3 * net.transfer([0], [95], 50e6).end_s, 3)  # 1 ms of bytes, 1 ms of fibre, six hops
        2.007
        """
        return cls._made(
            "fat_tree",
            down=counts("down", down),
            up=counts("up", up),
            link_bytes_per_s=[float(rate) for rate in real("link_bytes_per_s", link_bytes_per_s, 1)],
            rails=rails,
            rail_only=rail_only,
            hop_latency_s=hop_latency_s,
            planes=planes,
            domain=domain,
            domain_bytes_per_s=domain_bytes_per_s,
            domain_latency_s=domain_latency_s,
            cable_m=[float(length) for length in real("cable_m", cable_m, 1)],
        )

    @classmethod
    def torus(cls, *, shape: Sequence[int], link_bytes_per_s: float, hop_latency_s: float = 1e-6) -> Self:
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
        return cls._made(
            "torus", shape=counts("shape", shape), link_bytes_per_s=link_bytes_per_s, hop_latency_s=hop_latency_s
        )

    @classmethod
    def dragonfly(
        cls,
        *,
        groups: int,
        switches_per_group: int,
        endpoints_per_switch: int,
        global_links: int,
        endpoint_bytes_per_s: float,
        local_bytes_per_s: float,
        global_bytes_per_s: float,
        hop_latency_s: float = 1e-6,
    ) -> Self:
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
        return cls._made(
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

    @classmethod
    def dimensions(
        cls,
        *,
        kinds: Sequence[str],
        endpoints: Sequence[int],
        link_bytes_per_s: float | Sequence[float],
        hop_latency_s: float | Sequence[float] = 1e-6,
    ) -> Self:
        """Return a network with a ring, a switch or all links in every dimension; endpoints forward in between.

        Parameters
        ----------
        kinds
            ``"ring"``, ``"switch"`` or ``"all-joined"`` for every dimension, neighbours in number first.
        endpoints
            Length of every dimension; their product is the number of endpoints.
        link_bytes_per_s
            Of a link, per direction: one for all, or one for each dimension.
        hop_latency_s
            Of a link, likewise; through a switch are two.

        Raises
        ------
        InvalidSpec
            Names everything that does not make a network.

        Examples
        --------
        >>> import ampacity as amp
        >>> net = amp.Network.dimensions(
        ...     kinds=["switch", "ring"], endpoints=[8, 4], link_bytes_per_s=[400e9, 50e9], hop_latency_s=[5e-7, 1e-6]
        ... )
        >>> [net.link_name(link) for link in net.route(0, 15)]
        ['endpoint 0, dimension 0 up', 'endpoint 7, dimension 0 down', 'endpoint 7, dimension 1 forward']
        """
        each = counts("endpoints", endpoints)
        columns = {
            name: [float(value) for value in real(name, values, len(each))]
            for name, values in (("link_bytes_per_s", link_bytes_per_s), ("hop_latency_s", hop_latency_s))
        }
        for name, column in (("kinds", kinds), *columns.items()):
            if len(column) != len(each):
                rule = f"must have one for each of the {len(each)} dimensions"
                raise InvalidSpec([Problem(path=name, value=f"{len(column)} values", rule=rule, hint="")])
        return cls._made("dimensions", kinds=list(kinds), endpoints=each, **columns)

    @classmethod
    def dragonfly_plus(
        cls,
        *,
        groups: int,
        leaves: int,
        spines: int,
        endpoints_per_leaf: int,
        global_links: int,
        endpoint_bytes_per_s: float,
        local_bytes_per_s: float,
        global_bytes_per_s: float,
        global_m: float = 0.0,
        hop_latency_s: float = 1e-6,
    ) -> Self:
        """Return a dragonfly+: groups of leaves and spines, all groups joined at their spines; routes are minimal.

        Sites that are joined in pairs by WAN links are such groups, with long cables.

        Parameters
        ----------
        groups, leaves, spines, endpoints_per_leaf
            Of every group its switches of both kinds; each leaf has a cable to each spine of its group.
        global_links
            Cables between every two groups.
        endpoint_bytes_per_s, local_bytes_per_s, global_bytes_per_s
            Rates of an endpoint, of a cable between leaf and spine, and of one between groups, per direction.
        global_m
            Length of the cables between groups (m); light takes 5 ns a metre.
        hop_latency_s
            Of one link and the switch behind it.

        Raises
        ------
        InvalidSpec
            Names everything that does not make a network.

        Examples
        --------
        Two sites, 1,000 km apart: 5 ms one way.

        >>> import ampacity as amp
        >>> sites = amp.Network.dragonfly_plus(
        ...     groups=2, leaves=4, spines=4, endpoints_per_leaf=8, global_links=16, endpoint_bytes_per_s=50e9,
        ...     local_bytes_per_s=100e9, global_bytes_per_s=50e9, global_m=1e6,
        ... )
        >>> round(1e3 * sites.transfer([0], [63], 50e6).end_s, 3)
        6.005
        """
        return cls._made(
            "dragonfly_plus",
            groups=groups,
            leaves=leaves,
            spines=spines,
            endpoints_per_leaf=endpoints_per_leaf,
            global_links=global_links,
            endpoint_bytes_per_s=endpoint_bytes_per_s,
            local_bytes_per_s=local_bytes_per_s,
            global_bytes_per_s=global_bytes_per_s,
            global_m=global_m,
            hop_latency_s=hop_latency_s,
        )

    @classmethod
    @names_wrong_types
    def of(cls, cluster: Cluster) -> Self:
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
        Three tiers, 3,072 GPUs at full rate in a pod, twice that between racks and cluster switches, 7:1 above:

        >>> import ampacity as amp
        >>> [(tier.name, tier.cables) for tier in amp.Network.of(amp.cluster("meta-24k-roce")).tiers][1:]
        [('endpoint to tier 1', 24576), ('tier 1 to 2', 49152), ('tier 2 to 3', 3584)]
        """
        return cls._made("of", cluster=cluster)

    @classmethod
    def slice_of(cls, cluster: Cluster, accelerators: int) -> Self:
        """Return the network of a job on so many of a cluster's accelerators.

        On a torus that is a slice, a torus of its own with sides as equal as they can be, of whole cubes of 4 x 4 x 4
        where they make it (TPU v4, arXiv:2304.01433: optical switches join the cubes of a slice). Elsewhere it is
        the cluster's network.

        Parameters
        ----------
        cluster
            From the catalogue, or your own.
        accelerators
            Of the job; all of the cluster make its own network.

        Raises
        ------
        InvalidSpec
            The cluster has fewer accelerators, or none were asked for.
        Infeasible
            The cluster has no scale-out switches.

        Examples
        --------
        A slice of 512 of the 4,096 TPU v4 of a pod is 8 x 8 x 8; halves of it are joined by 2 x 64 links of 50 GB/s:

        >>> import ampacity as amp
        >>> amp.Network.slice_of(amp.cluster("tpu-v4-pod"), 512).bisection_bytes_per_s / 50e9
        128.0
        """
        return cls._made("slice_of", cluster=cluster, accelerators=accelerators)

    @classmethod
    def _made(cls, name: str, **keywords: Any) -> Self:
        return cls(getattr(NetworkCore, name)(**keywords), (name, keywords, ()))
