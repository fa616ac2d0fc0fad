"""A collective of a cluster as flows on the links of its network, beside its closed form."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from ampacity._arguments import names_wrong_types
from ampacity._collective_flows import Collective
from ampacity._core import Cluster, CollectiveEstimate, InvalidSpec, Problem
from ampacity._network import ROUTINGS_WITH_QUEUE_PAIRS, Network, rules_of
from ampacity._report import figure
from ampacity._units import si

if TYPE_CHECKING:
    from ampacity._network_arrays import Integers

# Parts of the buffer that follow each other through node and network; NCCL's chunks are far smaller.
_CHUNKS = 4
# More ranks than that take too many flows if all send to all at once.
_MOST_DIRECT_RANKS = 512


@dataclasses.dataclass(frozen=True)
class CollectiveOnLinks:
    """One collective as flows at the line rate of every link: without launch, software latency and protocol.

    Attributes
    ----------
    algorithm
        Of the flows; on levels ``a + b``.
    routing, queue_pairs
        Those of the fabric, or asked for.
    time_s
        Of the first group alone.
    groups
        Groups of the same kind that run beside each other on the cluster.
    all_groups_s
        Of the slowest of them, all at once.
    bottleneck
        The link that limits the last flow of that one.
    closed_form_s
        What `ampacity.collective` says.
    """

    operation: str
    algorithm: str
    routing: str
    queue_pairs: int
    time_s: float
    groups: int
    all_groups_s: float
    bottleneck: str
    closed_form_s: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return dataclasses.asdict(self)


def _plan(answer: CollectiveEstimate, skew: float | None) -> dict[str, Any]:
    """Return what `Collective` needs of an answer: kind, algorithm, levels and shares.

    NCCL has a ring, or a pair of trees, for every member of a domain, so that all cards of a node work: as flows a
    collective inside the domains and, member by member, one over them, as a pipeline.
    """
    several = answer.domains > 1 and answer.gpus_per_domain > 1
    levels = [answer.gpus_per_domain, answer.domains]
    found: dict[str, Any] = {"kind": answer.operation}
    plain = {"nvls": "nvls", "nvls-tree": "nvls_tree", "collnet": "collnet", "pat": "pat"}
    if answer.operation == "send_recv":
        return {"kind": "broadcast", "algorithm": "ring"}
    if answer.operation == "all_to_all":
        if skew is not None and skew > 1:
            rest = (answer.gpus - skew) / (answer.gpus - 1)
            return found | {"algorithm": "direct", "received_share": [skew] + [rest] * (answer.gpus - 1)}
        if several and (answer.algorithm == "pxn" or answer.gpus > _MOST_DIRECT_RANKS):
            return found | {"algorithm": "hierarchical", "levels": levels, "level_algorithms": ["direct", "direct"]}
        return found | {"algorithm": "direct"}
    if answer.algorithm in plain:
        return found | {"algorithm": plain[answer.algorithm]}
    if answer.algorithm in ("ring", "hierarchical", "tree") and answer.operation != "token_exchange":
        above = "double_binary_tree" if answer.algorithm == "tree" else "ring"
        if several and answer.operation != "broadcast":
            pair = {"levels": levels, "level_algorithms": ["ring", above], "chunks": _CHUNKS}
            return found | {"algorithm": "hierarchical", **pair}
        return found | {"algorithm": above}
    rule = "has no flows: ring, tree, nvls, nvls-tree, collnet, pat, pairwise and pxn have"
    raise InvalidSpec([Problem(path="collective.algorithm", value=answer.algorithm, rule=rule, hint="")])


def _ranks(answer: CollectiveEstimate, accelerators: int) -> Integers:
    """Return the endpoints of all groups that the stride leaves beside each other, group by group."""
    import numpy as np

    span = answer.gpus * answer.stride
    first = np.arange(max(1, accelerators // span))[:, None] * span + np.arange(answer.stride)
    return first.reshape(-1, 1) + np.arange(answer.gpus) * answer.stride


@names_wrong_types
def on_links(
    answer: CollectiveEstimate,
    cluster: Cluster,
    *,
    routing: str | None = None,
    queue_pairs: int | None = None,
    skew: float | None = None,
    seed: int = 0,
) -> CollectiveOnLinks:
    """Run what the closed form chose as flows on the links of the cluster.

    Parameters
    ----------
    answer
        From `ampacity.collective`.
    cluster
        The same cluster.
    routing, queue_pairs
        Default: those of the fabric.
    skew
        Of an all-to-all with unequal parts, as `ampacity.collective` took it: one rank receives that much more.
    seed
        Of hashes.

    Raises
    ------
    InvalidSpec
        An algorithm that has no flows; more flows than memory.
    Infeasible
        The cluster has no scale-out switches.

    Examples
    --------
    >>> import ampacity as amp
    >>> cluster = amp.cluster("meta-llama3-16k")
    >>> answer = amp.collective("all_reduce", cluster, gpus=64, size="1 GiB", algorithm="nvls-tree")
    >>> flows = amp.collective_on_links(answer, cluster, routing="spray")
    >>> round(1e3 * flows.time_s, 2), flows.groups, flows.time_s < flows.closed_form_s
    (5.45, 256, True)
    """
    network = Network.of(cluster)
    plan = _plan(answer, skew)
    ranks = _ranks(answer, cluster.accelerators)
    rules = rules_of(cluster.fabric, routing=routing, queue_pairs=queue_pairs, seed=seed)
    alone = network.collectives([Collective(ranks=ranks[:1], bytes=answer.size_bytes, **plan)], **rules)
    together = alone
    if len(ranks) > 1:
        together = network.collectives([Collective(ranks=ranks, bytes=answer.size_bytes, **plan)], **rules)
    result = together.collectives[0]
    slowest = int(result.group_end_s.argmax())
    link = -1
    if len(result.phases):
        link = int(result.phase_bottleneck_link[slowest, result.phase_end_s[slowest].argmax()])
    return CollectiveOnLinks(
        operation=answer.operation,
        algorithm=" + ".join(plan.get("level_algorithms", [plan["algorithm"]])),
        routing=rules["routing"],
        queue_pairs=rules["queue_pairs"],
        time_s=alone.collectives[0].time_s,
        groups=len(ranks),
        all_groups_s=result.time_s,
        bottleneck=network.link_name(link) if link >= 0 else "",
        closed_form_s=answer.time_s,
    )


def links_text(found: list[CollectiveOnLinks]) -> str:
    """Return the lines behind those of the closed form."""
    first = found[0]
    pairs = f", {first.queue_pairs} queue pairs" if first.routing in ROUTINGS_WITH_QUEUE_PAIRS else ""
    lines = ["", f"as flows on the links at line rate, routing {first.routing}{pairs}:"]
    for one in found:
        share = f"{figure(one.time_s / one.closed_form_s)} of the closed form's {si(one.closed_form_s, 's')}"
        lines.append(f"  one group by {one.algorithm:<28}{si(one.time_s, 's'):>12}  {share}")
        if one.groups > 1:
            lines.append(
                f"  {f'all {one.groups:,} groups at once':<41}{si(one.all_groups_s, 's'):>12}  {one.bottleneck}"
            )
    return "\n".join(lines)
