"""What a cluster's network is made of: switches, cables, transceivers, with watts and dollars."""

from __future__ import annotations

import dataclasses
from typing import Any

from ampacity import _core
from ampacity._arguments import names_wrong_types
from ampacity._core import Cluster


@dataclasses.dataclass(frozen=True)
class BillItem:
    """Equal parts of one tier.

    Attributes
    ----------
    tier
        ``tier 1 to 2``: the cables below the switches of tier 2.
    part
        ``switch``, ``cable``, ``optic`` (a module, or one end of a cable) or ``copper end``; between sites ``coherent
        module``, ``router port``, ``line terminal``, ``line amplifier``, ``amplifier hut`` and ``km of fibre pair``.
    name
        Of the catalogue; empty for cables, copper and what joins sites.
    count
        How many.
    typical_w, max_w
        Of one (W).
    price_usd
        Of one (USD); None where it is unknown.
    """

    tier: str
    part: str
    name: str
    count: int
    typical_w: float
    max_w: float
    price_usd: float | None


@dataclasses.dataclass(frozen=True)
class BillOfMaterials:
    """Switches, cables and transceivers of a network, counted from its topology.

    Attributes
    ----------
    items
        Tier by tier.
    typical_w, max_w
        Of all parts (W). A switch's maximum may include the optics in its cages, so that of the sum is an upper bound.
    price_usd
        Of the parts whose price is known (USD).
    unpriced
        Names or kinds of the parts whose price is not.
    switches_per_accelerator, optic_ends_per_accelerator
        As counted.
    stated_switches_per_accelerator, stated_optic_ends_per_accelerator
        What the fabric says instead (published counts), which power and cost then use; None where they use the count.
    """

    items: tuple[BillItem, ...]
    typical_w: float
    max_w: float
    price_usd: float
    unpriced: tuple[str, ...]
    switches_per_accelerator: float
    optic_ends_per_accelerator: float
    stated_switches_per_accelerator: float | None
    stated_optic_ends_per_accelerator: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as ``ampacity network --json`` prints them."""
        found = dataclasses.asdict(self)
        return found | {"items": list(found["items"]), "unpriced": list(self.unpriced)}


@names_wrong_types
def bill_of_materials(cluster: Cluster) -> BillOfMaterials:
    """Count what the network of a cluster is made of.

    Parameters
    ----------
    cluster
        From the catalogue, or your own.

    Returns
    -------
    BillOfMaterials
        With the watts and prices of the fabric's switches and optics.

    Raises
    ------
    Infeasible
        The cluster has no scale-out switches.

    Examples
    --------
    A full tree of three tiers of 64-port switches has 5/64 switches and six ends of optics per GPU.

    >>> import ampacity as amp
    >>> bill = amp.bill_of_materials(amp.cluster("meta-24k-infiniband"))
    >>> round(bill.switches_per_accelerator, 4), bill.optic_ends_per_accelerator
    (0.0781, 6.0)
    """
    items, typical_w, max_w, price_usd, unpriced, switches, ends, stated_switches, stated_ends = (
        _core.bill_of_materials(cluster)
    )
    return BillOfMaterials(
        items=tuple(BillItem(*row[:6], row[6] or None) for row in items),
        typical_w=typical_w,
        max_w=max_w,
        price_usd=price_usd,
        unpriced=tuple(unpriced),
        switches_per_accelerator=switches,
        optic_ends_per_accelerator=ends,
        stated_switches_per_accelerator=stated_switches or None,
        stated_optic_ends_per_accelerator=stated_ends or None,
    )
