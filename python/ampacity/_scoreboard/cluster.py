"""The cluster of a measured run: an ad-hoc one, made of the row's GPU, node size and network."""

from __future__ import annotations

import functools
import re
from typing import Any

from ampacity._core import Accelerator, Catalogue, Cluster, Error, Fabric, Node, Partition, nearest_names
from ampacity._scoreboard.rows import Row, Skip

# First match wins, so the special forms of a product come before the plain one.
_GPUS: tuple[tuple[str, str], ...] = (
    (r"gh200.*144", "gh200-144"),
    (r"gh200", "gh200-96"),
    (r"gb300", "gb300"),
    (r"gb200", "gb200"),
    (r"vr200|rubin", "vr200"),
    (r"b300", "b300-sxm"),
    (r"b200", "b200-sxm"),
    (r"h100.*(96|hbm2e|500 ?w)", "h100-sxm-96"),
    (r"h100.*64", "h100-sxm-64"),
    (r"h100.*pci", "h100-pcie"),
    (r"h100", "h100-sxm"),
    (r"h200", "h200-sxm"),
    (r"h800", "h800-sxm"),
    (r"h20\b", "h20-sxm"),
    (r"l40s", "l40s"),
    (r"a800", "a800-sxm"),
    (r"a100.*64", "a100-sxm-64"),
    (r"a100.*pci", "a100-pcie-80"),
    (r"a100.*40", "a100-sxm-40"),
    (r"a100", "a100-sxm-80"),
    (r"v100", "v100-sxm2-32"),
    (r"mi250", "mi250x"),
    (r"mi300a", "mi300a"),
    (r"mi3(00|25|50|55)x?", r"mi3\1x"),
    (r"trillium", "tpu-v6e"),
    (r"ironwood|\b(tpu.?)?v?7x?\b", "tpu-v7"),
    (r"\b(?:tpu.?)?v5.?lite", "tpu-v5e"),
    (r"\b(?:tpu.?)?v(\d)e", r"tpu-v\1e"),
    (r"\b(?:tpu.?)?v5p?\b", "tpu-v5p"),
    (r"\b(?:tpu.?)?v4\b", "tpu-v4"),
    (r"trn2|trainium.?2", "trainium2"),
    (r"gaudi.?(\d)", r"gaudi\1"),
    (r"max.?1550|ponte vecchio", "max-1550"),
    # A generation without a product: its usual one.
    (r"ampere", "a100-sxm-80"),
    (r"hopper", "h100-sxm"),
)
# Scale-out rate per accelerator (Gb/s) where the source names none, by what was usual for the generation.
_USUAL_GBPS = (
    ("a100", 200),
    ("a800", 200),
    ("l40s", 200),
    ("v100", 100),
    ("gb300", 800),
    ("b300", 800),
    ("mi250", 100),
    ("vr200", 1600),
)
_NAMED_GBPS = (("edr", 100), ("hdr", 200), ("ndr", 400), ("xdr", 800))
_INFINIBAND = {100: "infiniband-hdr", 200: "infiniband-hdr", 400: "infiniband-ndr", 800: "infiniband-xdr"}
_ETHERNET = {100: "roce-200g", 200: "roce-200g", 400: "roce-400g", 800: "ethernet-800g"}
_RATE = re.compile(r"(?:(\d+)\s*x\s*(?:[a-z]+\s+)*?)?(\d+(?:\.\d+)?)\s*(gb/s|gbps|gbit/s|gbit|gbe|g\b|tb/s|tbps)")


def accelerator_of(row: Row) -> Accelerator:
    """Return the catalogue's accelerator that the row's GPU column means."""
    catalogue = Catalogue.builtin()
    known = catalogue.names("accelerator")
    gpu = row.lower("gpu")
    if not gpu:
        raise Skip("gpu is missing")
    for pattern, name in _GPUS:
        match = re.search(pattern + r"(?!\d)", gpu)  # H1000 is no H100
        if match and match.expand(name) in known:
            return catalogue.accelerator(match.expand(name))
    near = nearest_names(gpu, known)
    hint = f"; the nearest in the catalogue is {near[0]}" if near else ""
    raise Skip(f"unknown GPU {row.text('gpu')!r}{hint}")


def parse_rate_gbps(network: str, per_node: int) -> float | None:
    """Return the scale-out rate of one accelerator (Gb/s) that a text names, or None.

    Examples
    --------
    >>> parse_rate_gbps("8x HDR IB 200 Gb/s per node", 8)
    200.0
    >>> parse_rate_gbps("1600 Gb/s RoCE per node", 8)
    200.0
    >>> parse_rate_gbps("NVL72 + 400G (assumed)", 4)
    400.0
    >>> parse_rate_gbps("NDR", 8)
    400.0
    """
    text = network.lower()
    match = _RATE.search(text)
    if match is None:
        return next((float(rate) for word, rate in _NAMED_GBPS if word in text), None)
    rate = float(match.group(2)) * (1000 if match.group(3).startswith("t") else 1)
    if match.group(1):  # "8x 200G" is what a node has, one card each unless there are fewer cards than devices
        return rate * int(match.group(1)) / per_node
    if "per node" in text or "/node" in text:
        return rate / per_node
    return rate


def _template_fabric(network: str, rate_gbps: float) -> str:
    text = network.lower()
    nearest = min(_INFINIBAND, key=lambda rate: abs(rate - rate_gbps))
    if any(word in text for word in ("ib", "infiniband", "hdr", "ndr", "xdr", "edr")):
        return _INFINIBAND[nearest]
    if any(word in text for word in ("roce", "ethernet", "efa", "gpudirect")):
        return _ETHERNET[nearest]
    return "generic-400g"


@functools.lru_cache(maxsize=256)
def fabric_named_by(network: str, accelerator: str, per_node: int) -> tuple[Fabric, str]:
    """Return the fabric that a text names by rate and technology, and what had to be assumed of it."""
    rate = parse_rate_gbps(network, per_node)
    note = ""
    if rate is None:
        rate = next((float(gbps) for word, gbps in _USUAL_GBPS if word in accelerator), 400.0)
        note = f"network taken as {rate:g} Gb/s per GPU"
    template = Catalogue.builtin().fabric(_template_fabric(network, rate))
    return template.replace(bytes_per_s_per_accelerator=rate * 1e9 / 8), note


@functools.lru_cache(maxsize=256)
def node_of(accelerator: str, per_node: int) -> Node:
    """Return a node of that accelerator and size, made from the catalogue's most similar one."""
    catalogue = Catalogue.builtin()
    device = catalogue.accelerator(accelerator)
    nodes = [catalogue.node(name) for name in _nodes_of(accelerator)]
    racks = [node for node in nodes if node.scaleup_domain > 8]
    exact = [node for node in nodes if node.accelerators == per_node]
    if racks and (accelerator.startswith(("gb", "vr", "tpu", "trainium")) or not exact):
        return racks[0]
    if exact:
        return exact[0]
    if nodes:
        return _resized(nodes[0], per_node)
    template = _resized(catalogue.node("dgx-h100"), per_node)
    return template.replace(name=f"{accelerator}-{per_node}", accelerator=device, nameplate_w=0)


def _resized(node: Node, per_node: int) -> Node:
    changes: dict[str, Any] = {"accelerators": per_node, "nics": per_node, "nameplate_w": 0}
    whole = node.scaleup_domain % per_node == 0 or per_node % node.scaleup_domain == 0
    if node.scaleup_domain == node.accelerators or not whole:
        changes["scaleup_domain"] = per_node
    return node.replace(name=f"{node.name}-{per_node}", **changes)


@functools.cache
def _nodes_of(accelerator: str) -> tuple[str, ...]:
    catalogue = Catalogue.builtin()
    return tuple(n for n in catalogue.names("node") if catalogue.node(n).accelerator.name == accelerator)


def usual_per_node(accelerator: str) -> int:
    """Return how many of these accelerators a node has where the source does not say."""
    return 4 if accelerator.startswith(("gb", "gh", "mi300a")) else 8


def ad_hoc_cluster(node: Node, fabric: Fabric, n_gpus: int) -> Cluster:
    """Return whole nodes for that many accelerators on a fabric, at a site that nothing is known of."""
    accelerator = node.accelerator.name
    whole = -(-n_gpus // node.accelerators) * node.accelerators
    return Cluster(
        name=f"{accelerator}-x{n_gpus}",
        partitions=[Partition(node=node, accelerators=whole)],
        fabric=fabric,
        site="generic-us",
        reliability="generic",
    )


@functools.lru_cache(maxsize=1024)
def _cluster(accelerator: str, per_node: int, network: str, n_gpus: int) -> tuple[Cluster, str]:
    node = node_of(accelerator, per_node)
    fabric, note = fabric_named_by(network, accelerator, per_node)
    return ad_hoc_cluster(node, fabric, n_gpus), note if n_gpus > node.scaleup_domain else ""


def cluster_of(row: Row) -> tuple[Cluster, str]:
    """Return the cluster that the row ran on, and what had to be assumed of it (or an empty text).

    Raises
    ------
    Skip
        The GPU is not known, or the cluster contradicts itself.
    """
    accelerator = accelerator_of(row).name
    n_gpus = row.required("n_gpus")
    per_node = row.count("gpus_per_node") or usual_per_node(accelerator)
    try:
        return _cluster(accelerator, per_node, row.text("network"), n_gpus)
    except Error as error:
        raise Skip(f"cluster: {error}") from None
