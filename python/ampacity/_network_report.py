"""The network of a cluster as a page: switches and cables, bandwidth across the middle, what hashing leaves of it."""

from __future__ import annotations

from typing import Any

from ampacity._core import Cluster
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
        "permutation": permutation,
    }


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
    if found["permutation"] is None:
        lines.append("too many endpoints to try a permutation of all of them")
        return "\n".join(lines)
    lines.append("every endpoint sends to another one (a random permutation); share of the line rate:")
    lines.append(f"{'routing':<22}{'queue pairs':>12}{'mean':>8}{'slowest':>9}")
    for row in found["permutation"]:
        pairs = "" if row["routing"] == "spray" else row["queue_pairs"]
        lines.append(f"{row['routing']:<22}{pairs:>12}{row['mean_fraction']:>8.1%}{row['slowest_fraction']:>9.1%}")
    return "\n".join(lines)
