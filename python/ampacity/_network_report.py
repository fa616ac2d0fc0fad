"""The network of a cluster as a page: switches and cables, bandwidth across the middle, what hashing leaves of it."""

from __future__ import annotations

from typing import Any

from ampacity._bill_of_materials import bill_of_materials
from ampacity._core import Cluster, Infeasible
from ampacity._network import Network
from ampacity._report import figure

# A permutation of more endpoints takes more than seconds.
_LARGEST_PERMUTATION = 200_000
_TRAFFIC = (("spray", 1), ("ecmp", 16), ("ecmp", 4), ("ecmp", 1))


def _traffic(network: Network, line_rate: float, seed: int) -> list[dict[str, Any]]:
    """Return the rates of a random permutation of all endpoints, over the line rate."""
    import numpy as np

    endpoint = np.arange(network.endpoints)
    target = np.random.default_rng(seed).permutation(network.endpoints)
    moved = target != endpoint
    rows = []
    for routing, pairs in _TRAFFIC:
        found = network.rates(endpoint[moved], target[moved], routing=routing, seed=seed, queue_pairs=pairs)
        rates = np.minimum(found.bytes_per_s, line_rate)  # neighbours in a scale-up domain would be faster
        rows.append(
            {
                "routing": routing,
                "queue_pairs": pairs,
                "mean_fraction": float(rates.mean() / line_rate),
                "slowest_fraction": float(rates.min() / line_rate),
            }
        )
    return rows


def _bill(cluster: Cluster) -> dict[str, Any] | None:
    try:
        return bill_of_materials(cluster).to_dict()
    except Infeasible:
        return None  # a direct network: its cables belong to the nodes


def network_object(cluster: Cluster, seed: int = 0) -> dict[str, Any]:
    """Return what ``ampacity network --json`` prints."""
    network = Network.of(cluster)
    line_rate = cluster.fabric.bytes_per_s_per_accelerator
    permutation = _traffic(network, line_rate, seed) if network.endpoints <= _LARGEST_PERMUTATION else None
    return {
        "cluster": cluster.name,
        "fabric": cluster.fabric.name,
        "topology": cluster.fabric.topology,
        "gpus": cluster.accelerators,
        "endpoints": network.endpoints,
        "links": network.links,
        "bytes_per_s_per_gpu": line_rate,
        "bisection_bytes_per_s": network.bisection_bytes_per_s,
        "tiers": [tier._asdict() for tier in network.tiers],
        "bill_of_materials": _bill(cluster),
        "permutation": permutation,
    }


def _bill_lines(bill: dict[str, Any], gpus: int) -> list[str]:
    lines = [f"{'bought for it':<22}{'part':<22}{'count':>10}{'W each':>9}{'kW':>10}{'USD each':>10}"]
    for item in bill["items"]:
        watts = figure(item["typical_w"]) if item["typical_w"] else ""
        total = figure(item["count"] * item["typical_w"] / 1e3) if item["typical_w"] else ""
        price = "unknown" if item["price_usd"] is None else f"{item['price_usd']:,.0f}"
        name = item["name"] or item["part"]
        lines.append(f"{item['tier']:<22}{name:<22}{item['count']:>10,}{watts:>9}{total:>10}{price:>10}")
    unpriced = ", ".join(bill["unpriced"])
    price = f"{figure(bill['price_usd'] / 1e6)} M USD without" if bill["price_usd"] else "no price is known of"
    lines.append(f"together {figure(bill['typical_w'] / gpus)} W per accelerator; {price} {unpriced}")
    counted = (
        f"{bill['switches_per_accelerator']:.4f} switches and {bill['optic_ends_per_accelerator']:.2f} optics "
        "per accelerator"
    )
    if bill["stated_switches_per_accelerator"] is None:
        lines.append(f"power and cost count {counted}")
    else:
        lines.append(
            f"counted {counted}; power and cost take the published "
            f"{bill['stated_switches_per_accelerator']:.4f} and {bill['stated_optic_ends_per_accelerator'] or 0:.2f}"
        )
    return lines


def network_text(found: dict[str, Any]) -> str:
    """Return the page."""
    line_rate = found["bytes_per_s_per_gpu"]
    share = found["bisection_bytes_per_s"] / (found["endpoints"] / 2 * line_rate)
    lines = [
        f"{found['cluster']}: {found['gpus']:,} accelerators on {found['fabric']} ({found['topology']})",
        f"{found['endpoints']:,} endpoints of {figure(line_rate / 1e9)} GB/s, {found['links']:,} directed links",
        f"bisection {figure(found['bisection_bytes_per_s'] / 1e12)} TB/s, {share:.0%} of all endpoints' rate",
        "",
        f"{'tier':<22}{'switches':>10}{'cables':>12}{'GB/s':>9}",
    ]
    for tier in found["tiers"]:
        rate = figure(tier["bytes_per_s"] / 1e9)
        lines.append(f"{tier['name']:<22}{tier['switches']:>10,}{tier['cables']:>12,}{rate:>9}")
    lines.append("")
    if found["bill_of_materials"] is not None:
        lines += [*_bill_lines(found["bill_of_materials"], found["gpus"]), ""]
    if found["permutation"] is None:
        lines.append("too many endpoints to try a permutation of all of them")
        return "\n".join(lines)
    lines.append("every endpoint sends to another one (a random permutation); share of the line rate:")
    lines.append(f"{'routing':<22}{'queue pairs':>12}{'mean':>8}{'slowest':>9}")
    for row in found["permutation"]:
        pairs = "" if row["routing"] == "spray" else row["queue_pairs"]
        lines.append(f"{row['routing']:<22}{pairs:>12}{row['mean_fraction']:>8.1%}{row['slowest_fraction']:>9.1%}")
    return "\n".join(lines)
