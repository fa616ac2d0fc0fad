"""The network of a simulated step: what of it has failed, and what its links carried."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ampacity import _core
from ampacity._columns import Columns
from ampacity._core import Cluster, InvalidSpec, Problem
from ampacity._network import Network

if TYPE_CHECKING:
    import numpy as np

_COLUMNS = ("tier", "from_node", "to_node", "bytes", "utilisation_fraction", "bytes_per_s")
_DOCS = {
    "tier": "place in the network's tiers",
    "from_node": "where the link begins: endpoints (accelerators) come first, then switches",
    "to_node": "where it ends",
    "bytes": "carried in the step (bytes)",
    "utilisation_fraction": "of its rate over the step",
    "bytes_per_s": "its rate, failures included (bytes/s)",
}


@dataclass(frozen=True, kw_only=True)
class NetworkHealth:
    """What of the network has failed or runs at less than its rate while a step runs.

    Parameters
    ----------
    failed_fraction
        Share of the cables of ``tier`` that have failed in both directions, drawn by the seed of the simulation.
    tier
        ``"spine"`` (the highest), ``"leaf"`` (accelerators to their switches), a place in `Network.tiers`, or its name.
    links
        What is left of the rate of single links (one direction of a cable), by their numbers: 0 has failed.
    nics
        What is left of the rate of the network cards of single accelerators, by rank; above 0.

    Examples
    --------
    >>> import ampacity as amp
    >>> amp.NetworkHealth(nics={3: 0.5}).nics
    {3: 0.5}
    """

    failed_fraction: float = 0.0
    tier: int | str = "spine"
    links: Mapping[int, float] = field(default_factory=dict)
    nics: Mapping[int, float] = field(default_factory=dict)

    def with_links(self, links: Mapping[int, float]) -> NetworkHealth:
        """Return the same with these links as well."""
        return NetworkHealth(
            failed_fraction=self.failed_fraction, tier=self.tier, links={**self.links, **links}, nics=self.nics
        )


def tier_of(network: Network, tier: int | str) -> int:
    """Return the place of a tier: ``"spine"``, ``"leaf"``, a place, or a name; raises InvalidSpec."""
    names = [found.name for found in network.tiers]
    first = 1 if names[0] == "scale-up domain" else 0
    if tier == "spine":
        return len(names) - 1
    if tier == "leaf":
        return first
    if isinstance(tier, str) and tier in names:
        return names.index(tier)
    number = int(tier) if isinstance(tier, int) or tier.isdecimal() else -1
    if 0 <= number < len(names):
        return number
    rule = f"must be spine, leaf, or one of {', '.join(names)} (0 to {len(names) - 1})"
    raise InvalidSpec([Problem(path="tier", value=repr(tier), rule=rule, hint="")])


def core_health(health: NetworkHealth | None, cluster: Cluster) -> _core.NetworkHealth:
    """Return the compiled part of a state of the network."""
    import numpy as np

    given = NetworkHealth() if health is None else health
    tier = -1
    if given.failed_fraction > 0 and given.tier != "spine":
        tier = tier_of(Network.of(cluster), given.tier)
    return _core.NetworkHealth(
        given.failed_fraction,
        tier,
        np.array(list(given.links), dtype=np.int64),
        np.array(list(given.links.values()), dtype=float),
        np.array(list(given.nics), dtype=np.int64),
        np.array(list(given.nics.values()), dtype=float),
    )


def health_from(values: Mapping[str, Any] | None) -> NetworkHealth | None:
    """Return the state of the network that `health_dict` gave these values."""
    if values is None:
        return None
    numbers = {key: {int(name): share for name, share in values[key].items()} for key in ("links", "nics")}
    return NetworkHealth(failed_fraction=values["failed_fraction"], tier=values["tier"], **numbers)


def health_dict(health: NetworkHealth) -> dict[str, Any]:
    """Return plain values; names of links and devices are text, as JSON has them."""
    return {
        "failed_fraction": health.failed_fraction,
        "tier": health.tier,
        "links": {str(link): share for link, share in health.links.items()},
        "nics": {str(device): share for device, share in health.nics.items()},
    }


def _network_of(simulation: _core.Simulation) -> Network | None:
    """Return the network of a simulation, with what makes it again in another process."""
    core = simulation.network()
    if core is None:
        return None
    cluster, accelerators = simulation.cluster, simulation.layout.accelerators
    whole, _ = Network.slice_of(cluster, accelerators).link_columns()
    rates, _ = core.link_columns()
    left = rates / whole
    changes = tuple(
        ("with_links_at", (left == share).nonzero()[0].tolist(), float(share)) for share in sorted({*left[left != 1]})
    )
    return Network(core, ("slice_of", {"cluster": cluster, "accelerators": accelerators}, changes))


class LinkColumns(Columns):
    """What the links between scale-up domains carried in a simulated step: names to read-only numpy arrays.

    A row is one direction of a cable, by its number in ``network``, whose `Network.link_name` says where it runs. Rows are
    made when they are first asked for; on a cluster of 131,072 accelerators there are about a million. Without rows where
    the links of a fabric are not simulated one by one (tori between nodes, single nodes). On scale-up tori (TPU pods) they are
    those of the job's slice, and carry what its groups send inside the pod.
    """

    __slots__ = ("_arrays", "network")

    network: Network | None
    _arrays: dict[str, np.ndarray[Any, Any]]

    def __init__(self, simulation: _core.Simulation) -> None:
        arrays = dict(zip(_COLUMNS, simulation.links(), strict=True))
        self._fix(_keys=_COLUMNS, _arrays=arrays, network=_network_of(simulation))

    def _column(self, key: str) -> np.ndarray[Any, Any]:
        return self._arrays[key]

    @property
    def units(self) -> dict[str, str]:
        """What each column holds, with its unit."""
        return dict(_DOCS)

    def name(self, link: int) -> str:
        """Return where a link runs."""
        if self.network is None:
            raise InvalidSpec([Problem(path="link", value=repr(link), rule="this simulation has no links", hint="")])
        return self.network.link_name(link)

    def __repr__(self) -> str:
        return f"<LinkColumns of {self.rows:,} links: {', '.join(self)}>"
