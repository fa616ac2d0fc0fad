"""Collectives on networks: what users ask for, and what became of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ampacity._core import CollectiveRequest, InvalidSpec, Problem
from ampacity._network_arrays import real, whole

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from ampacity._network_arrays import Doubles, Integers


@dataclasses.dataclass(frozen=True, eq=False)
class Collective:
    """One collective of one group, or the same of many groups at once.

    Attributes
    ----------
    kind
        ``"all_reduce"``, ``"reduce_scatter"``, ``"all_gather"``, ``"all_to_all"``, ``"broadcast"`` or ``"reduce"`` (both
        with the first rank as root).
    ranks
        Endpoint of every rank, in order of rank: shape ``(ranks,)``, or ``(groups, ranks)``.
    bytes
        Size of the whole (gathered, unreduced) buffer of one rank; what one rank of an all-to-all sends in total, its own
        part included.
    algorithm
        ``"ring"``, ``"double_binary_tree"``, ``"halving_doubling"`` (powers of two), ``"pat"``, ``"pairwise"`` and
        ``"direct"`` (all-to-all in rounds, or all at once), or ``"hierarchical"``: level by level. With switches that
        reduce: ``"nvls"`` (those of one scale-up domain), ``"nvls_tree"`` (those, and trees over the domains at the same
        time), ``"collnet"`` (SHARP: those of the network, one tree for every member of a domain).
    name
        What the result calls it.
    start_s
        When all groups begin.
    levels
        Of ``"hierarchical"``: lengths of the levels, neighbours in rank first. Without, the ranks of a scale-up domain and
        then the domains.
    level_algorithms
        Of ``"hierarchical"``: one algorithm for each level, or one for all; rings without (an all-to-all: direct).
    chunks
        Parts of the buffer that follow each other through the levels, one at a time on a level.
    rotate
        Chunk *c* starts at level *c*, so that all levels work (the bucket algorithm of a torus).
    bidirectional
        Rings send half of the data each way.
    step_latency_s
        Of software, for every step.
    reduce_bytes_per_s
        Memory rate of reductions, which read twice and write once what a step is about to send; 0 does not count them.
    matrix
        Of an all-to-all with unequal parts, instead of `bytes`: bytes from every rank of a group (row) to every rank
        (column), the own part included; all groups send the same. ``"direct"`` or ``"pairwise"``.
    received_share
        Or, with `bytes`: how much every rank receives, in any unit, as experts of different popularity do. Every rank
        sends `bytes`, of which each gets its share.
    """

    kind: str
    ranks: npt.ArrayLike
    bytes: float = 0.0
    algorithm: str = "ring"
    name: str = ""
    start_s: float = 0.0
    levels: Sequence[int] = ()
    level_algorithms: Sequence[str] = ()
    chunks: int = 1
    rotate: bool = False
    bidirectional: bool = False
    step_latency_s: float = 0.0
    reduce_bytes_per_s: float = 0.0
    matrix: npt.ArrayLike | None = None
    received_share: npt.ArrayLike | None = None

    @property
    def sent_bytes(self) -> float:
        """What the average rank sends or reduces: `bytes`, or what a matrix says."""
        if self.matrix is None:
            return self.bytes
        import numpy as np

        table = np.asarray(self.matrix, dtype=np.float64)
        return float(table.sum() / len(table))

    def _matrix(self, place: str, ranks: int) -> Doubles | None:
        import numpy as np

        if self.received_share is None:
            return None if self.matrix is None else real(f"{place}.matrix", self.matrix, 1)
        share = real(f"{place}.received_share", self.received_share, ranks)
        wrong = ""
        if self.matrix is not None:
            wrong = "must be left out where there is a matrix"
        elif share.size != ranks:
            wrong = f"must have a value for each of the {ranks} ranks of a group"
        elif not (np.isfinite(share).all() and (share >= 0).all() and share.sum() > 0):
            wrong = "must be numbers of 0 or more, not all 0"
        if wrong:
            raise InvalidSpec(
                [Problem(path=f"{place}.received_share", value=f"{share.size} values", rule=wrong, hint="")]
            )
        return np.tile(self.bytes * share / share.sum(), ranks)

    def request(self, place: str) -> CollectiveRequest:
        """Return what the core reads; `place` names it in errors."""
        import numpy as np

        shape = np.shape(self.ranks)
        if len(shape) not in (1, 2):
            rule = "must have the shape (ranks,) or (groups, ranks)"
            raise InvalidSpec([Problem(path=f"{place}.ranks", value=f"shape {shape}", rule=rule, hint="")])
        algorithms = [self.level_algorithms] if isinstance(self.level_algorithms, str) else list(self.level_algorithms)
        matrix = self._matrix(place, shape[-1])
        return CollectiveRequest(
            place,
            self.kind,
            self.algorithm,
            whole(f"{place}.ranks", self.ranks),
            shape[-1],
            self.bytes if self.received_share is None else 0.0,
            self.start_s,
            whole(f"{place}.levels", self.levels).tolist(),
            algorithms,
            self.chunks,
            self.rotate,
            self.bidirectional,
            self.step_latency_s,
            self.reduce_bytes_per_s,
            matrix,
        )


@dataclasses.dataclass(frozen=True, eq=False)
class CollectiveResult:
    """How one collective went; read-only arrays.

    Attributes
    ----------
    collective
        What was asked for.
    group_end_s
        When every group is done, shape ``(groups,)``; infinite where failed links cut it off.
    phases
        Names of the phases, in order, chunk by chunk.
    phase_start_s, phase_end_s
        Of every group, shape ``(groups, phases)``.
    phase_bottleneck_link
        The link that limited the flow that ended last, shape ``(groups, phases)``; -1 for none.
    rank_end_s
        When every rank has sent and received everything, shape ``(groups, ranks)``.
    """

    collective: Collective
    group_end_s: Doubles
    phases: tuple[str, ...]
    phase_start_s: Doubles
    phase_end_s: Doubles
    phase_bottleneck_link: Integers
    rank_end_s: Doubles

    @property
    def time_s(self) -> float:
        """From the start to the end of the slowest group."""
        return float(self.group_end_s.max()) - self.collective.start_s

    @property
    def bus_bytes_per_s(self) -> float:
        """Bus bandwidth of the slowest group by the convention of nccl-tests (bytes/s); 0 where no time passes."""
        ranks = self.rank_end_s.shape[1]
        factor = {"all_reduce": 2 * (ranks - 1) / ranks, "broadcast": 1.0, "reduce": 1.0}
        sent = factor.get(self.collective.kind, (ranks - 1) / ranks) * self.collective.sent_bytes
        return sent / self.time_s if self.time_s > 0 else 0.0


@dataclasses.dataclass(frozen=True, eq=False)
class Communication:
    """How collectives went that shared a network.

    Attributes
    ----------
    collectives
        One result each.
    link_bytes
        What every link carried, shape ``(links,)``, read-only.
    end_s
        When the last group ends that ends.
    flows
        Flows between endpoints; steps that are alike count once.
    classes
        Classes of flows that cannot be told apart.
    events
        How often rates were solved.
    """

    collectives: tuple[CollectiveResult, ...]
    link_bytes: Doubles
    end_s: float
    flows: int
    classes: int
    events: int

    def __getitem__(self, name: str) -> CollectiveResult:
        """Return the collective of that name."""
        for found in self.collectives:
            if found.collective.name == name:
                return found
        names = ", ".join(found.collective.name for found in self.collectives)
        raise KeyError(f"no collective {name!r}; there are: {names}")


def result_of(collective: Collective, parts: tuple[object, ...]) -> CollectiveResult:
    """Return what the core says, in the shapes that users see."""
    end, phases, start_s, end_s, links, ranks = parts

    def shaped(values: npt.NDArray[np.generic], width: int) -> npt.NDArray[np.generic]:
        table = values.reshape(len(end), width)  # type: ignore[arg-type]
        table.flags.writeable = False
        return table

    count = len(phases)  # type: ignore[arg-type]
    return CollectiveResult(
        collective,
        end,  # type: ignore[arg-type]
        tuple(phases),  # type: ignore[arg-type]
        shaped(start_s, count),  # type: ignore[arg-type]
        shaped(end_s, count),  # type: ignore[arg-type]
        shaped(links, count),  # type: ignore[arg-type]
        shaped(ranks, ranks.size // len(end)),  # type: ignore[arg-type, attr-defined]
    )
