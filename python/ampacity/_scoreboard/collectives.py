"""Measured collectives beside their prediction: nccl-tests by message size, and exchanges of experts' tokens."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterator, Sequence
from typing import Any

from ampacity import _core
from ampacity._core import Catalogue, Cluster, CollectiveEstimate, Error, Fabric, Node
from ampacity._scoreboard.cluster import accelerator_of, ad_hoc_cluster, fabric_named_by, node_of, usual_per_node
from ampacity._scoreboard.result import ValidationRow, compared, skipped
from ampacity._scoreboard.rows import Row, Skip, read_rows

REQUIRED_COLUMNS = ("collective", "gpu", "n_gpus")
SPEED_COLUMNS = ("latency_us", "algbw_GBps", "busbw_GBps")
_OPERATIONS = {"alltoall": "all_to_all", "sendrecv": "send_recv"}
_TOKENS = ("moe_dispatch", "moe_combine")
_KNOWN = ("all_reduce", "reduce_scatter", "all_gather", "broadcast", "all_to_all", "send_recv")

# Systems whose network the catalogue knows by name; other texts name rates (fabric_named_by).
_FABRICS = (("nd a100 v4", "azure-nd-a100-v4"), ("100 gb/s efa", "efa-p4d"))

# DeepEP's own benchmarks (README of deepseek-ai/DeepEP): DeepSeek-V3's router, 8 of 256 experts, in at most 4 nodes in the
# first version; dispatch in FP8 with one 4-byte scale per 128 elements, combine in BF16. Tokens per rank by release.
_HIDDEN = 7168
_TOKEN_BYTES = {"moe_dispatch": _HIDDEN * (1 + 4 / 128), "moe_combine": _HIDDEN * 2}
_EXPERTS_PER_TOKEN = 8
_MOST_NODES = {"DeepEP 2025-02": 4}
_TOKENS_PER_RANK = {"DeepEP 2025-02": 4096, "DeepEP 2026-06": 8192}


def band(size_bytes: float) -> str:
    """Return the quantity under which latencies of messages of that size are summed up."""
    if size_bytes < 1 << 20:
        return "latency_below_1_mib"
    return "latency_1_mib_to_1_gib" if size_bytes < 1 << 30 else "latency_from_1_gib"


def _nodes(row: Row) -> int:
    n_gpus, nodes = row.required("n_gpus"), row.count("n_nodes") or 1
    if n_gpus % nodes:
        raise Skip(f"n_nodes = {nodes} does not divide n_gpus = {n_gpus}")
    return nodes


@functools.lru_cache(maxsize=256)
def _node(accelerator: str, per_node: int, multicast: bool) -> Node:
    node = node_of(accelerator, per_node)
    return node if multicast else node.replace(scaleup_multicast_fraction=0.0)


@functools.lru_cache(maxsize=256)
def _fabric(text: str, accelerator: str, per_node: int) -> tuple[Fabric, str]:
    for words, name in _FABRICS:
        if words in text.lower():
            return Catalogue.builtin().fabric(name), ""
    if re.search(r"\bcx-?7\b", text.lower()):  # DeepEP names the card; its README, InfiniBand at 400 Gb/s
        return Catalogue.builtin().fabric(
            "infiniband-ndr"
        ), "" if "400" in text else "network taken as 400 Gb/s per GPU"
    # The scale-up network is named first: "NVLink3 + 8 x 200 Gb/s HDR per node".
    return fabric_named_by(text.rsplit("+", maxsplit=1)[-1], accelerator, per_node)


def cluster_of(row: Row) -> tuple[Cluster, str]:
    """Return the nodes and the network of the row, and what had to be assumed of them.

    Raises
    ------
    Skip
        The GPU is not known, or the numbers contradict each other.
    """
    if row.lower("gpu").startswith("unspecified"):
        raise Skip(f"the source names no hardware: {row.text('gpu')}")
    accelerator = accelerator_of(row).name
    n_gpus, nodes = row.required("n_gpus"), _nodes(row)
    per_node = n_gpus // nodes if nodes > 1 else max(usual_per_node(accelerator), n_gpus)
    text = row.text("fabric")
    try:
        node = _node(accelerator, per_node, "no nvls" not in text.lower())
        fabric, assumed = _fabric(text, accelerator, per_node) if nodes > 1 else (_single_node(), "")
        cluster = ad_hoc_cluster(node, fabric, n_gpus)
    except Error as error:
        raise Skip(f"cluster: {error}") from None
    if "/" in row.text("gpu"):
        assumed = "; ".join(filter(None, (f"GPU taken as {accelerator}", assumed)))
    return cluster, assumed


@functools.cache
def _single_node() -> Fabric:
    return Catalogue.builtin().fabric("single-node")


def measured_s(row: Row, operation: str, size_bytes: float) -> float:
    """Return the measured time (s), from a bandwidth where that is what was printed."""
    latency = row.number("latency_us")
    if latency:
        return latency * 1e-6
    n = row.required("n_gpus")
    factors = {"all_reduce": 2 * (n - 1) / n, "broadcast": 1.0, "send_recv": 1.0}
    for column, factor in (("algbw_GBps", 1.0), ("busbw_GBps", factors.get(operation, (n - 1) / n))):
        rate = row.number(column)
        if rate:
            return size_bytes * factor / (rate * 1e9)
    raise Skip("neither latency nor bandwidth was measured")


def _distinct(places: float, draws: int) -> float:
    """Return how many of ``places`` at least one of ``draws`` falls on."""
    return float(places * (1 - (1 - 1 / places) ** draws))


def _call(row: Row, cluster: Cluster, **fields: Any) -> CollectiveEstimate:
    try:
        return _core.collective(cluster, gpus=row.required("n_gpus"), **fields)
    except Error as error:
        raise Skip(f"collective: {error}") from None


def _tokens(row: Row, kind: str, source: str) -> ValidationRow:
    """Compare the bandwidth that DeepEP prints: received bytes inside one node, bytes to nodes between several.

    Both count what stays on the own rank or node.
    """
    rate = row.number("algbw_GBps")
    if not rate:
        raise Skip("no bandwidth was measured")
    release = row.text("library")
    if release not in _TOKENS_PER_RANK:
        raise Skip(f"library {release!r}: its benchmark (tokens, experts) is not known")
    cluster, assumed = cluster_of(row)
    n_gpus, nodes = row.required("n_gpus"), _nodes(row)
    reached = min(nodes, _MOST_NODES.get(release, nodes))
    ranks = _distinct(n_gpus * reached / nodes, _EXPERTS_PER_TOKEN)
    domains = _distinct(reached, _EXPERTS_PER_TOKEN)
    size = _TOKENS_PER_RANK[release] * _TOKEN_BYTES[kind]
    found = _call(
        row, cluster, operation="token_exchange", size=size, ranks_per_token=ranks, domains_per_token=max(domains, 1.0)
    )
    predicted = found.algbw_bytes_per_s * (domains if nodes > 1 else ranks)
    return compared(row, "exchange_bytes_per_s", predicted, rate * 1e9, source_id=source, assumed=assumed)


def _source(row: Row) -> str:
    """Return the name under which the row is summed up: within one node and across nodes are apart."""
    try:
        across = (row.count("n_nodes") or 1) > 1
    except Skip:
        across = False
    return row.source_id + (" across nodes" if across else "")


def _predicted(row: Row) -> ValidationRow:
    kind = row.lower("collective").replace("-", "_")
    source = _source(row)
    if kind in _TOKENS:
        return _tokens(row, kind, source)
    operation = _OPERATIONS.get(kind, kind)
    if operation not in _KNOWN:
        raise Skip(f"collective {row.text('collective')!r} is not predicted")
    size = float(row.required("message_bytes"))
    measured = measured_s(row, operation, size)
    cluster, assumed = cluster_of(row)
    found = _call(row, cluster, operation=operation, size=size)
    return compared(row, band(size), found.time_s, measured, source_id=source, assumed=assumed)


def _quantity(row: Row) -> str:
    """Return the quantity of a row that is skipped."""
    if row.lower("collective").replace("-", "_") in _TOKENS:
        return "exchange_bytes_per_s"
    try:
        return band(row.number("message_bytes") or 0)
    except Skip:
        return band(0)


def _results(path: str | os.PathLike[str], first_index: int) -> Iterator[ValidationRow]:
    for row in read_rows(path, REQUIRED_COLUMNS, SPEED_COLUMNS, first_index=first_index):
        try:
            if row.misaligned:
                raise Skip("the row does not have as many cells as the header")
            yield _predicted(row)
        except Skip as reason:
            yield skipped(row, _quantity(row), reason)


def validated_rows(paths: Sequence[str | os.PathLike[str]]) -> list[ValidationRow]:
    """Return every row of the files with its prediction or the reason why there is none."""
    found: list[ValidationRow] = []
    for path in paths:
        found += _results(path, len(found))
    return found
