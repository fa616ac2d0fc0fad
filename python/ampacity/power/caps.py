"""Caps and locked clocks of accelerators: what they cost in throughput, what they save, which fits most into a site."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ampacity import _core
from ampacity._arguments import names_wrong_types
from ampacity._core import Accelerator, CapPoint, Cluster, DeviceStates, HplPower, Layout, Training

_WATTS_PER_MW = 1e6


@names_wrong_types
def with_limits(cluster: Cluster, *, cap_w: float = 0.0, locked_clock_hz: float = 0.0) -> Cluster:
    """Return the cluster with a power cap, a locked clock, or both (a power profile) on all its accelerators.

    Parameters
    ----------
    cluster
        Any cluster; it stays as it is.
    cap_w
        Power limit of each accelerator (W); 0: none. A cap above a device's own limit (``tdp_w``) is none.
    locked_clock_hz
        Highest clock of each accelerator (Hz); 0: none.

    Raises
    ------
    InvalidSpec
        A cap below what a device draws with its clocks up, before any work, or a clock that it does not have.

    Examples
    --------
    >>> import ampacity as amp
    >>> capped = with_limits(amp.cluster("meta-gb200-83k"), cap_w=960)
    >>> capped.partitions[0].node.accelerator.power_cap_w
    960.0
    """
    return _core.with_limits(cluster, cap_w, locked_clock_hz)


@names_wrong_types
def cap_sweep(
    job: Training,
    cluster: Cluster,
    layout: Layout,
    *,
    caps_w: Iterable[float],
    site_mw: float = 0.0,
    provision: str = "peak",
) -> list[CapPoint]:
    """Return the job under each of these caps.

    Parameters
    ----------
    job, cluster, layout
        As for `ampacity.estimate`.
    caps_w
        Power limits of one accelerator (W).
    site_mw
        Power of the site at its meter (MW), to be filled with accelerators; 0: as many as the layout has.
    provision
        What a site gives an accelerator: ``"peak"``, its share with every device at its cap on the hottest day, or
        ``"mean"``, what the meter counts on average (exceeded now and then).

    Returns
    -------
    list of CapPoint
        In the order of the caps. ``tokens_per_s`` is that of all accelerators that the site carries: each does what it
        does in the layout (weak scaling: more replicas, a larger batch).

    Raises
    ------
    InvalidSpec
        As `with_limits` and `ampacity.estimate`.

    Notes
    -----
    A cap lowers the clock of kernels that want more power: P = fixed + V^2 f (clock tree + switching) + memory, with V
    proportional to f down to a floor. Memory-bound kernels and communication keep their time until the cap is below what
    they draw.

    Examples
    --------
    >>> import ampacity as amp
    >>> job = amp.Training("llama-3.1-405b", global_batch=2048)
    >>> layout = amp.Layout(tp=8, pp=16, dp=128, recompute="full")
    >>> free, capped = cap_sweep(job, amp.cluster("meta-llama3-16k"), layout, caps_w=[700, 600])
    >>> 0.9 < capped.throughput_fraction < 1 and capped.energy_fraction < 1
    True
    """
    return _core.cap_sweep(job, cluster, layout, list(caps_w), site_mw * _WATTS_PER_MW, provision)


@names_wrong_types
def best_cap(
    job: Training,
    cluster: Cluster,
    layout: Layout | Sequence[Layout] | None = None,
    *,
    site_mw: float = 0.0,
    objective: str = "tokens_per_s",
    provision: str = "peak",
) -> CapPoint:
    """Return the cap, the layout and the number of accelerators that do most under a fixed site power.

    Parameters
    ----------
    job, cluster
        As for `ampacity.estimate`; the cluster says what is built (node, fabric, site), not how much of it.
    layout
        A layout, or several to choose from; None: the fastest one on the cluster.
    site_mw
        Power of the site at its meter (MW); 0: what the cluster's site says (``power_limit_w``), or else the
        accelerators of the layout are kept.
    objective
        ``"tokens_per_s"``, ``"tokens_per_j"`` (at the meter) or ``"tokens_per_usd"`` (servers over 5 years, plant over
        14, energy at the site's price).
    provision
        As for `cap_sweep`.

    Raises
    ------
    InvalidSpec
        No layout runs, or the power carries not even one replica.

    Examples
    --------
    Meta put 83,000 GB200 under 150 MW, at 960 of 1,200 W, and found most work per joule near 1,000 W
    (arXiv:2605.24461):

    >>> import ampacity as amp
    >>> job = amp.Training("llama-3.1-405b", global_batch=8192)
    >>> layout = amp.Layout(tp=8, pp=8, vp=2, dp=1024)
    >>> best = best_cap(job, amp.cluster("meta-gb200-83k"), layout, objective="tokens_per_j")
    >>> 900 <= best.cap_w <= 1100
    True
    """
    if layout is None:
        layouts = [_core.estimate_fastest(job, cluster).layout]
    else:
        layouts = [layout] if isinstance(layout, Layout) else list(layout)
    site_w = site_mw * _WATTS_PER_MW if site_mw else cluster.site.power_limit_w
    return _core.best_cap(job, cluster, layouts, site_w, provision, objective)


def device_states(device: Accelerator) -> DeviceStates:
    """Return the watts of one accelerator by what it does, from rest to the burst before its limit acts.

    Examples
    --------
    >>> import ampacity as amp
    >>> states = device_states(amp.accelerator("h100-sxm"))
    >>> states.stalled_w < states.communicating_w < states.busy_w < states.limit_w < states.excursion_w
    True
    """
    return _core.device_states(device)


def peak_over_window_w(device: Accelerator, window_s: float) -> float:
    """Return the highest mean power (W) of one accelerator over any window of that length.

    A burst of matrix products finds the clock at its highest; until the limit's controller acts (``cap_response_s``)
    power may reach ``peak_excursion_ratio`` times the TDP. Fuses and supplies see windows of milliseconds, breakers and
    meters of seconds.

    Parameters
    ----------
    device
        The accelerator, with its cap.
    window_s
        Length of the window (s), above 0.

    Raises
    ------
    InvalidSpec
        The window is not above 0.

    Notes
    -----
    The excess over the limit decays exponentially, to 5 % of it after ``cap_response_s``: its mean over the window is
    ``excess * tau / window * (1 - exp(-window / tau))`` with ``tau = cap_response_s / 3``.

    Examples
    --------
    >>> import ampacity as amp
    >>> device = amp.accelerator("h100-sxm")
    >>> peak_over_window_w(device, 1e-3) > 1.3 * device.tdp_w  # EDPp: up to 1.5 times the TDP for milliseconds
    True
    >>> peak_over_window_w(device, 10) < 1.01 * device.tdp_w
    True
    """
    return _core.peak_over_window_w(device, window_s)


@names_wrong_types
def hpl_power(cluster: Cluster, *, accelerators: int | None = None, flops_per_s: float = 0.0) -> HplPower:
    """Return what a machine draws in the High-Performance Linpack benchmark, as the Top500 measures it.

    Parameters
    ----------
    cluster
        The machine.
    accelerators
        How many take part; None: all.
    flops_per_s
        Rmax of the machine (FLOP/s); 0: what machines of that device family reach.

    Raises
    ------
    InvalidSpec
        The accelerator has no FP64, or a number is out of range.

    Examples
    --------
    >>> import ampacity as amp
    >>> hpl = hpl_power(amp.cluster("frontier"), accelerators=36_864, flops_per_s=1.194e18)
    >>> abs(hpl.machine_w / 22.703e6 - 1) < 0.05
    True
    """
    count = sum(partition.accelerators for partition in cluster.partitions) if accelerators is None else accelerators
    return _core.hpl_power(cluster, count, flops_per_s)
