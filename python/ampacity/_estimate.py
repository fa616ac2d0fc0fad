"""The calls that predict: `estimate` one layout, `estimate_all` many, `search` for the fastest."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ampacity import _core
from ampacity._arguments import names_wrong_types
from ampacity._core import Cluster, Estimate, Layout, SearchResult, Training

if TYPE_CHECKING:
    from ampacity._measured import MeasuredKernels


@names_wrong_types
def estimate(
    job: Training,
    cluster: Cluster,
    layout: Layout | None = None,
    *,
    accelerators: int | None = None,
    kernels: str | os.PathLike[str] | MeasuredKernels | None = None,
) -> Estimate:
    """Predict one training step of a job on a cluster, and the run made of it.

    Parameters
    ----------
    job
        What is trained.
    cluster
        What it runs on.
    layout
        How the job is spread; None searches the fastest layout that fits in memory.
    accelerators
        How many accelerators that search may use (default: all). Ignored where a layout is given.
    kernels
        Measured kernels that correct the model where they cover a shape: ``"measured"`` (the aiconfigurator database, extra
        ``measured``), a CSV file, or what `measured_kernels` returns; see `with_measured_kernels`, which does the same
        once for many calls. None: the model alone.

    Returns
    -------
    Estimate
        Step time and where it goes (s), memory of the fullest device (bytes), power (W, MW), the run (days, MWh, USD),
        and warnings about whatever is not modelled. A given layout that does not fit is no error: see
        ``Estimate.memory.fits``.

    Raises
    ------
    InvalidSpec
        Names every conflict of job, cluster and layout at once.
    Infeasible
        No layout fits in memory (only without a layout).

    Notes
    -----
    One representative device per pipeline stage, closed form, microseconds a call. Safe to call from several threads.

    Examples
    --------
    >>> import ampacity as amp
    >>> job = amp.Training("llama-3.1-405b", global_batch=2048, seq_len=8192)
    >>> layout = amp.Layout(tp=8, pp=16, vp=1, dp=128, recompute="full")
    >>> est = amp.estimate(job, amp.cluster("meta-llama3-16k"), layout)
    >>> abs(sum(est.breakdown.to_dict().values()) / est.step_time_s - 1) < 1e-9
    True
    """
    if kernels is not None:
        from ampacity._corrections import with_measured_kernels

        cluster = with_measured_kernels(cluster, kernels)
    if layout is None:
        return _core.estimate_fastest(job, cluster, accelerators=accelerators)
    return _core.estimate(job, cluster, layout)


@names_wrong_types
def estimate_all(job: Training, cluster: Cluster, layouts: Sequence[Layout]) -> list[Estimate]:
    """Predict many layouts of one job; the loop runs in C++ without the interpreter.

    Parameters
    ----------
    job
        What is trained.
    cluster
        What it runs on.
    layouts
        How the job may be spread.

    Returns
    -------
    list of Estimate
        In the order of the layouts; each as `estimate` gives it.

    Raises
    ------
    InvalidSpec
        Names every conflict of the first layout that cannot run.

    Examples
    --------
    >>> import ampacity as amp
    >>> job = amp.Training("llama-3.1-8b", global_batch=64, seq_len=8192)
    >>> layouts = [amp.Layout(tp=tp, dp=8 // tp) for tp in (1, 2, 4, 8)]
    >>> [est.layout.tp for est in amp.estimate_all(job, amp.cluster("dgx-h100-x1"), layouts)]
    [1, 2, 4, 8]
    """
    return _core.estimate_all(job, cluster, layouts)


@names_wrong_types
def search(
    job: Training,
    cluster: Cluster,
    *,
    keep: int = 10,
    accelerators: int | None = None,
    tp: int | None = None,
    pp: int | None = None,
    vp: int | None = None,
    cp: int | None = None,
    cp_kind: str | None = None,
    ep: int | None = None,
    etp: int | None = None,
    dp: int | None = None,
    micro_batch: int | None = None,
    zero_stage: int | None = None,
    shard_group: int | None = None,
    reshard_after_forward: bool | None = None,
    global_batch: int | None = None,
    first_stage_layers: int | None = None,
    last_stage_layers: int | None = None,
    uneven_stages: bool | None = None,
    front_stages: int | None = None,
    front_layers: int | None = None,
    balance: str | None = None,
    schedule: str | None = None,
    recompute: str | None = None,
    recompute_modules: Sequence[str] | None = None,
    recompute_layers: int | None = None,
    offload_optimizer_fraction: float | None = None,
    offload_activations_fraction: float | None = None,
    offload_weights_fraction: float | None = None,
    sequence_parallel: bool | None = None,
) -> SearchResult:
    """Search the layout with most tokens a second that fits in memory.

    Parameters
    ----------
    job
        What is trained.
    cluster
        What it runs on.
    keep
        How many of the fastest layouts to return.
    accelerators
        How many accelerators to use (default: all of the cluster).
    tp, pp, vp, cp, cp_kind, ep, etp, dp, micro_batch, zero_stage, shard_group, reshard_after_forward, global_batch, \
first_stage_layers, last_stage_layers, uneven_stages, front_stages, front_layers, balance, schedule, recompute, recompute_modules, recompute_layers, \
offload_optimizer_fraction, offload_activations_fraction, offload_weights_fraction, sequence_parallel
        What is decided already; whatever is None is searched. See `Layout` for their meaning.

    Returns
    -------
    SearchResult
        ``best``, a `Layout`, and ``candidates``, the fastest ones with step time (s) and memory (bytes).

    Raises
    ------
    InvalidSpec
        Names every contradiction between the choices at once.
    Infeasible
        Nothing fits; names the nearest miss and what needs most of its memory.

    Examples
    --------
    >>> import ampacity as amp
    >>> job = amp.Training("llama-3.1-8b", global_batch=64, seq_len=8192)
    >>> amp.search(job, amp.cluster("dgx-h100-x1"), pp=1).best.pp
    1
    """
    return _core.search(
        job,
        cluster,
        keep=keep,
        accelerators=accelerators,
        tp=tp,
        pp=pp,
        vp=vp,
        cp=cp,
        cp_kind=cp_kind,
        ep=ep,
        etp=etp,
        dp=dp,
        micro_batch=micro_batch,
        zero_stage=zero_stage,
        shard_group=shard_group,
        reshard_after_forward=reshard_after_forward,
        global_batch=global_batch,
        first_stage_layers=first_stage_layers,
        last_stage_layers=last_stage_layers,
        uneven_stages=uneven_stages,
        front_stages=front_stages,
        front_layers=front_layers,
        balance=balance,
        schedule=schedule,
        recompute=recompute,
        recompute_modules=recompute_modules,
        recompute_layers=recompute_layers,
        offload_optimizer_fraction=offload_optimizer_fraction,
        offload_activations_fraction=offload_activations_fraction,
        offload_weights_fraction=offload_weights_fraction,
        sequence_parallel=sequence_parallel,
    )
