"""When every rank of a pipeline does what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ampacity import _core
from ampacity._arguments import names_wrong_types
from ampacity._core import PipelineTimeline

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


@names_wrong_types
def pipeline_timeline(
    schedule: str = "1f1b",
    *,
    pp: int,
    micro_batches: int,
    vp: int = 1,
    forward_s: ArrayLike = 1.0,
    input_gradient_s: ArrayLike = 1.0,
    weight_gradient_s: ArrayLike = 1.0,
    transfer_s: ArrayLike = 0.0,
    saved_s: float = 0.0,
) -> PipelineTimeline:
    """Solve the recurrences of a pipeline schedule: start and end of every task of every rank.

    Parameters
    ----------
    schedule
        ``1f1b`` (with ``vp`` over 1: interleaved), ``gpipe``, ``zb-h1``, ``zb-v``, ``dualpipe`` or ``dualpipe-v``.
    pp
        Pipeline ranks.
    micro_batches
        Micro-batches of a step; with ``dualpipe`` the first half enters at rank 0, the second at the last rank.
    vp
        Virtual stages of each rank: the model is cut into ``pp * vp`` stages. 2 for ``zb-v`` and ``dualpipe-v``.
    forward_s, input_gradient_s, weight_gradient_s
        Durations (s): one value, one for each stage, or an array of stages x micro-batches. Schedules that do not take
        the two gradients apart do them as one task ``backward``.
    transfer_s
        Latency (s) from a stage to the next, and of the gradient back: one value, or one for each pair of neighbours.
        It delays who waits and keeps no rank busy; stages of the same rank have none.
    saved_s
        By how much (s) a forward and a backward pass that DualPipe runs together are shorter than one after the other.

    Returns
    -------
    PipelineTimeline
        Columns ``rank``, ``stage``, ``micro_batch``, ``kind`` (index into ``kinds``), ``start_s`` and ``end_s``, which
        numpy views without a copy, and ``makespan_s``.

    Raises
    ------
    InvalidSpec
        The schedule cannot have these degrees, or a list has the wrong length or a negative value.

    Notes
    -----
    GPipe: Huang et al. 2019 (arXiv:1811.06965). 1F1B and interleaved: Narayanan et al. 2021 (arXiv:2104.04473). ZB-H1
    and ZB-V: Qi et al. 2024 (arXiv:2401.10241). DualPipe: DeepSeek-V3 (arXiv:2412.19437), in the order of its release.

    Examples
    --------
    The bubble of 1F1B is ``(pp - 1) * (forward + backward)``; ZB-H1 leaves a third of it where all parts take as long.

    >>> import ampacity as amp
    >>> plain = amp.pipeline_timeline("1f1b", pp=4, micro_batches=8)
    >>> zero_bubble = amp.pipeline_timeline("zb-h1", pp=4, micro_batches=8)
    >>> plain.makespan_s - 8 * 3, zero_bubble.makespan_s - 8 * 3
    (9.0, 3.0)
    >>> plain.start_s[plain.rank == 3][:2]
    array([3., 4.])
    """
    return _core.pipeline_timeline(
        schedule,
        pp=pp,
        micro_batches=micro_batches,
        vp=vp,
        forward_s=forward_s,
        input_gradient_s=input_gradient_s,
        weight_gradient_s=weight_gradient_s,
        transfer_s=transfer_s,
        saved_s=saved_s,
    )
