"""Power of whole machines: HPL runs of the Top500, statements on sites, and the nodes that tables of machines name."""

from __future__ import annotations

import functools
import re

from ampacity import _core
from ampacity._core import Catalogue, Cluster, Error, Fabric, Node, Partition
from ampacity._scoreboard.cluster import accelerator_of, node_of
from ampacity._scoreboard.power_nodes import training_mean_w
from ampacity._scoreboard.result import ValidationRow, compared
from ampacity._scoreboard.rows import Row, Skip

_RMAX = re.compile(r"(\d+(?:[.,]\d+)?)\s*(EF|PF|TF)(?:lops?)?(?:/s)?\b(?!/W)", re.IGNORECASE)
_FLOPS = {"ef": 1e18, "pf": 1e15, "tf": 1e12}
# Parts that tables name otherwise than their makers: (device, system) as patterns, accelerator of the catalogue.
_PARTS = (
    (r"pvc|max.?1550|ponte", r"", "max-1550"),
    (r"a100", r"leonardo", "a100-sxm-64"),
    (r"h100", r"marenostrum|mn5", "h100-sxm-64"),
    (r"gh200", r"jupiter|jedi|isambard|alps|venado|preos|helios|miyabi", "gh200-96"),
)
_SCALE_OUT = (("slingshot", "slingshot-11"), ("connectx-7", "infiniband-ndr"), ("", "infiniband-hdr"))
_STATEMENTS = {  # system: (cluster, what of its power the statement is)
    "100k h100 cluster": ("h100-100k", "it_nameplate_w"),
    "meta 24k cluster": ("meta-24k-roce", "it_peak_w"),
}


def rmax_flops_per_s(row: Row) -> float:
    """Return the HPL rate that the row's texts state (FLOP/s), or 0.

    Examples
    --------
    >>> rmax_flops_per_s(Row(0, {"source_and_arithmetic": "434.9 PF at 61.05 GF/W"}))
    4.349e+17
    """
    for column in ("rmax", "source_and_arithmetic", "system", "notes"):
        found = _RMAX.search(row.text(column))
        if found:
            return float(found.group(1).replace(",", "")) * _FLOPS[found.group(2).lower()]
    return 0.0


def _accelerator(row: Row) -> str:
    device, system = row.lower("device"), row.lower("system")
    for part, where, name in _PARTS:
        if re.search(part, device) and re.search(where, system):
            return name
    return accelerator_of(row.replaced({"gpu": row.text("device")})).name


@functools.lru_cache(maxsize=256)
def _fabric(node: Node) -> Fabric:
    """Return the scale-out network that the cards of a node are of, at the rate that they give each accelerator."""
    catalogue = Catalogue.builtin()
    name = next(name for word, name in _SCALE_OUT if word in node.nic.name)
    rate = node.nic.bytes_per_s * min(node.nics, node.accelerators) / node.accelerators
    return catalogue.fabric(name).replace(bytes_per_s_per_accelerator=rate)


def machine_of(row: Row) -> Cluster:
    """Return the machine that the row describes.

    Raises
    ------
    Skip
        The device is not known, or the numbers contradict each other.
    """
    devices, nodes = row.required("n_devices"), row.count("n_nodes")
    accelerator = _accelerator(row)
    usual = 4 if accelerator.startswith(("gb", "gh", "mi300a", "mi250")) else 8
    per_node = max(round(devices / nodes), 1) if nodes else usual
    node = node_of(accelerator, per_node)
    try:
        whole = -(-devices // node.accelerators) * node.accelerators
        partition = Partition(node=node, accelerators=whole)
        return Cluster(
            name="machine", partitions=[partition], fabric=_fabric(node), site="generic-us", reliability="ideal"
        )
    except Error as error:
        raise Skip(f"machine: {error}") from None


def _measured_w(row: Row) -> float:
    measured = row.number("measured_mw")
    if not measured:
        raise Skip("no power was measured")
    return measured * 1e6


def _hpl(row: Row) -> ValidationRow:
    measured_w, machine, rate = _measured_w(row), machine_of(row), rmax_flops_per_s(row)
    try:
        found = _core.hpl_power(machine, row.required("n_devices"), rate)
    except Error as error:
        raise Skip(str(error)) from None
    assumed = [f"node {machine.partitions[0].node.name}"]
    if not rate:
        assumed.append(f"{found.device_flops_per_s / 1e12:.1f} TFLOP/s a device, as its family")
    return compared(
        row,
        "machine_w",
        found.machine_w,
        measured_w,
        source_id="Top500 HPL",
        n_gpus=row.required("n_devices"),
        assumed=", ".join(assumed),
        rule_of_thumb=found.nameplate_rule_w,
    )


def _statement(row: Row) -> ValidationRow:
    system = row.lower("system")
    for words, (name, quantity) in _STATEMENTS.items():
        if words in system:
            cluster = Catalogue.builtin().cluster(name)
            used = sum(partition.accelerators for partition in cluster.partitions)
            power = _core.machine_power(cluster, used)
            predicted_w = getattr(power, quantity) * row.required("n_devices") / used
            return compared(
                row,
                quantity,
                predicted_w,
                _measured_w(row),
                source_id="site statements",
                n_gpus=row.required("n_devices"),
            )
    raise Skip(f"{row.text('kind')}: not the power of a described machine")


def _node(row: Row) -> ValidationRow:
    """Compare a node in a table of machines: its maximum, or its mean while it trains."""
    measured_w = _measured_w(row)
    if row.required("n_devices") < 2:
        raise Skip(f"{row.text('system')}: serving is not predicted")
    said = f"{row.lower('system')} {row.lower('basis')}"
    node = Catalogue.builtin().node("hgx-h100-immersion" if "immersion" in said else "dgx-h100")
    if _accelerator(row) != node.accelerator.name:
        node = machine_of(row).partitions[0].node
    if "max" in row.lower("system"):
        device_w, quantity = _core.device_states(node.accelerator).limit_w, "node_peak_w"
    else:
        workload = "llama2_70b_lora" if "lora" in said else "training"
        device_w, quantity = training_mean_w(workload, node, row.required("n_devices")), "node_mean_w"
    predicted_w = _core.node_power(node, device_w).ac_w
    return compared(
        row, quantity, predicted_w, measured_w, source_id="measured nodes", n_gpus=row.required("n_devices")
    )


def predicted(row: Row) -> list[ValidationRow]:
    """Return the measurement of a table of machines beside its prediction."""
    kind = row.lower("kind")
    if "hpl" in kind or "linpack" in kind:
        return [_hpl(row)]
    if "node" in kind:
        return [_node(row)]
    if "allocation" in kind or "grant" in kind:
        raise Skip("a grant bounds the draw, it does not measure it")
    if "device" in kind:
        raise Skip(f"{row.text('system')}: serving is not predicted")
    return [_statement(row)]
