"""What one collective takes on a cluster, and why."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ampacity import _core
from ampacity._arguments import names_wrong_types
from ampacity._ask import Mistakes
from ampacity._core import Catalogue, Cluster, CollectiveEstimate, InvalidSpec, Problem
from ampacity._lookup import Name
from ampacity._lookup import cluster as find_cluster
from ampacity._report import figure
from ampacity._units import si

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


@names_wrong_types
def collective(
    operation: str,
    cluster: Cluster | Name,
    *,
    size: float | str | None = None,
    matrix: ArrayLike | None = None,
    gpus: int | None = None,
    stride: int = 1,
    algorithm: str | None = None,
    protocol: str | None = None,
    skew: float | None = None,
    ranks_per_token: float | None = None,
    domains_per_token: float | None = None,
    catalogue: Catalogue | None = None,
) -> CollectiveEstimate:
    """Predict one collective of one group of accelerators, alone on the network, with what NCCL would choose from.

    Parameters
    ----------
    operation
        ``all_reduce``, ``reduce_scatter``, ``all_gather``, ``broadcast``, ``all_to_all``, ``send_recv`` (one message to
        the rank ``stride`` away) or ``token_exchange`` (dispatch, or combine, of a mixture of experts by kernels that
        send a token once per scale-up domain).
    cluster
        A `Cluster`, a catalogue name or a TOML file.
    size
        Bytes of the whole buffer of one rank, as nccl-tests print them: what an all-reduce reduces, an all-gather ends
        with, a reduce-scatter starts with, a rank of an all-to-all sends (its own part included). A number, or a text
        such as ``"1 GiB"`` or ``"64MB"``. Of a token exchange: the rank's tokens, each counted once.
    matrix
        Of an all-to-all with unequal parts, instead of size, gpus and skew: bytes from every rank (row) to every rank
        (column), the own part included. The rank that sends or receives most sets the pace.
    gpus
        Accelerators in the group (default: all of the cluster; two of send_recv).
    stride
        Distance in rank between neighbours of the group; ranks fill scale-up domains in order. Tensor-parallel groups
        have 1, data-parallel groups tp x cp. As many groups as the stride says run at the same time.
    algorithm
        ``ring``, ``tree``, ``nvls``, ``nvls-tree``, ``collnet`` (SHARP), ``pat``, ``hierarchical``, ``bucket`` (torus),
        ``pairwise``, ``pxn``, ``direct``, ``forwarding``; default: the fastest that NCCL has.
    protocol
        ``ll``, ``ll128`` or ``simple``; default: the fastest.
    skew
        Of an all-to-all with unequal parts: bytes of the busiest rank over those of the average one.
    ranks_per_token, domains_per_token
        Of a token exchange: ranks, and scale-up domains, that an average token goes to, the own ones included.
    catalogue
        Where names are looked up (default: built in).

    Returns
    -------
    CollectiveEstimate
        ``time_s`` and its parts ``launch_s``, ``latency_s``, ``bandwidth_s``; ``algorithm``, ``protocol``, ``steps``;
        ``algbw_bytes_per_s``, ``busbw_bytes_per_s``; ``bottleneck``; ``alternatives``, every algorithm and protocol with
        its time or the reason why there is none; ``warnings``.

    Raises
    ------
    InvalidSpec
        Names every problem: an unknown operation, a size that is none, more ranks than the cluster has, ...

    Notes
    -----
    Formulas: NCCL's own tuning model (src/graph/tuning.cc, June 2026), PAT (arXiv:2506.20252), Thakur et al. 2005,
    Sanders et al. 2009. Bandwidths and latencies of nodes and fabrics are fitted to nccl-tests; ``ampacity validate --kind
    collectives`` shows how far off they are.

    Examples
    --------
    >>> import ampacity as amp
    >>> inside = amp.collective("all_reduce", "dgx-h100-x1", size="1 GiB")
    >>> inside.algorithm, inside.bottleneck
    ('nvls', 'scaleup-links')
    >>> across = amp.collective("all_reduce", "meta-llama3-16k", gpus=64, size="1 GiB")
    >>> across.domains, across.time_s > inside.time_s
    (8, True)
    >>> [option.reason for option in across.alternatives if option.algorithm == "collnet"]
    ["the fabric's switches cannot reduce"]
    """
    fields: dict[str, Any] = {
        "operation": operation,
        "gpus": gpus,
        "size": size,
        "stride": stride,
        "algorithm": algorithm,
        "protocol": protocol,
        "skew": skew,
        "ranks_per_token": ranks_per_token,
        "domains_per_token": domains_per_token,
    }
    if matrix is not None:
        fields |= _exchange(fields, matrix)
    return collectives(cluster, [fields["size"]], fields, catalogue=catalogue)[0]


def _exchange(fields: dict[str, Any], matrix: ArrayLike) -> dict[str, Any]:
    """Return the fields that a matrix of bytes stands for."""
    given = [name for name in ("size", "gpus", "skew") if fields[name] is not None]
    if fields["operation"] != "all_to_all":
        raise InvalidSpec([Problem(path="collective.matrix", rule="is for all_to_all only")])
    if given:
        raise InvalidSpec([Problem(path=f"collective.{name}", rule="is what the matrix says") for name in given])
    try:
        ranks, size, skew = _core.uneven_exchange(matrix)
    except (TypeError, ValueError):
        rule = "must be an array of numbers, bytes from row to column"
        raise InvalidSpec([Problem(path="collective.matrix", value=type(matrix).__name__, rule=rule)]) from None
    return {"gpus": ranks, "size": size, "skew": skew}


def collectives(
    cluster: Cluster | Name,
    sizes: Sequence[float | str | None],
    fields: dict[str, Any],
    *,
    catalogue: Catalogue | None = None,
) -> list[CollectiveEstimate]:
    """Return one answer per size; every mistake in any of them is named at once."""
    mistakes = Mistakes()
    found = _cluster(cluster, catalogue, mistakes)
    gpus = fields["gpus"]
    if gpus is None:
        gpus = 2 if found is None or fields["operation"] == "send_recv" else found.accelerators
    answers = []
    for size in sizes:
        call = {**fields, "gpus": gpus, "size": size}
        answer = mistakes.attempt("collective", functools.partial(_one, found, call))
        answers += [] if answer is None else [answer]
    if mistakes.problems:
        raise InvalidSpec(mistakes.problems)
    return answers


def _cluster(cluster: Cluster | Name, catalogue: Catalogue | None, mistakes: Mistakes) -> Cluster | None:
    if isinstance(cluster, Cluster):
        return cluster
    return mistakes.attempt("cluster", lambda: find_cluster(cluster, catalogue=catalogue))


def _one(cluster: Cluster | None, call: dict[str, Any]) -> CollectiveEstimate | None:
    """Return the answer; without a cluster only look at the call."""
    if cluster is not None:
        return _core.collective(cluster, **call)
    _core.check_collective(**call)
    return None


def size_text(size_bytes: float) -> str:
    """Return a message size the way people say it.

    Examples
    --------
    >>> size_text(1 << 30), size_text(1536), size_text(1e9), size_text(7)
    ('1 GiB', '1.5 KiB', '953.7 MiB', '7 B')
    """
    for scale, unit in ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if size_bytes >= scale:
            return f"{size_bytes / scale:.4g} {unit}"
    return f"{size_bytes:.4g} B"


def _rate(bytes_per_s: float) -> str:
    return f"{figure(bytes_per_s / 1e9)} GB/s" if bytes_per_s >= 1e8 else si(bytes_per_s, "B/s")


def _how(algorithm: str, protocol: str) -> str:
    return algorithm if protocol == "auto" else f"{algorithm} / {protocol}"


def _head(result: CollectiveEstimate, cluster: str) -> str:
    apart = f", every {result.stride}th rank" if result.stride > 1 else ""
    domains = "one scale-up domain" if result.domains == 1 else f"{result.domains:,} scale-up domains"
    return f"{result.operation} on {cluster}: {result.gpus:,} accelerators{apart} in {domains}"


def _warnings(results: Sequence[CollectiveEstimate]) -> list[str]:
    found = dict.fromkeys(warning for result in results for warning in result.warnings)
    return ["", *(f"warning: {warning}" for warning in found)] if found else []


def _page(result: CollectiveEstimate, cluster: str) -> list[str]:
    lines = [
        _head(result, cluster),
        "",
        f"{'size':<12}{size_text(result.size_bytes)}",
        f"{'time':<12}{si(result.time_s, 's')}",
        f"{'  launch':<12}{si(result.launch_s, 's')}",
        f"{'  latency':<12}{si(result.latency_s, 's')} ({result.steps:,.0f} dependent steps)",
        f"{'  bandwidth':<12}{si(result.bandwidth_s, 's')}",
        f"{'algorithm':<12}{_how(result.algorithm, result.protocol)}",
        f"{'algbw':<12}{_rate(result.algbw_bytes_per_s)}",
        f"{'busbw':<12}{_rate(result.busbw_bytes_per_s)}",
        f"{'bound by':<12}{result.bottleneck.replace('-', ' ')}",
        "",
        f"{'alternative':<24}{'time':>12}",
    ]
    for option in result.alternatives:
        name = _how(option.algorithm, option.protocol)
        time = si(option.time_s, "s") if option.available else "-"
        lines.append(f"{name:<24}{time:>12}  {option.reason}".rstrip())
    return lines


def _table(results: Sequence[CollectiveEstimate], cluster: str) -> list[str]:
    header = f"{'size':>12}{'time':>12}{'algbw':>16}{'busbw':>16}  {'algorithm':<20}bound by"
    lines = [_head(results[0], cluster), "", header]
    for result in results:
        lines.append(
            f"{size_text(result.size_bytes):>12}{si(result.time_s, 's'):>12}{_rate(result.algbw_bytes_per_s):>16}"
            f"{_rate(result.busbw_bytes_per_s):>16}  {_how(result.algorithm, result.protocol):<20}"
            f"{result.bottleneck.replace('-', ' ')}"
        )
    return lines


def collective_text(results: Sequence[CollectiveEstimate], cluster: str) -> str:
    """Return the page of one answer, or a table of several sizes."""
    lines = _page(results[0], cluster) if len(results) == 1 else _table(results, cluster)
    return "\n".join([*lines, *_warnings(results)])
